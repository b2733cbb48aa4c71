#include "node/signals.h"

#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <ctime>
#include <utility>

#include "base/check.h"
#include "base/log.h"

namespace tapedeck {
namespace {

sigset_t WaitedSignals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGHUP);
  return set;
}

}  // namespace

SignalWaiter::SignalWaiter() {
  sigset_t set = WaitedSignals();
  int blocked = pthread_sigmask(SIG_BLOCK, &set, nullptr);
  TD_CHECK(blocked == 0, "blocking three signals cannot fail");
}

std::optional<int> SignalWaiter::Wait(std::chrono::nanoseconds timeout) {
  sigset_t set = WaitedSignals();
  timespec wait{};
  wait.tv_sec = static_cast<time_t>(timeout.count() / 1'000'000'000);
  wait.tv_nsec = static_cast<long>(timeout.count() % 1'000'000'000);
  int signal = sigtimedwait(&set, nullptr, &wait);
  if (signal < 0) return std::nullopt;
  return signal;
}

void ExitDeadline::Arm(std::chrono::nanoseconds after, std::function<int()> exit_code) {
  TD_CHECK(!thread_.joinable(), "armed once");
  thread_ = std::thread([this, after, exit_code = std::move(exit_code)] {
    std::unique_lock lock(mutex_);
    if (changed_.wait_for(lock, after, [this] { return over_; })) return;
    int code = exit_code();
    TD_LOG(kWarn, "node", "exit-deadline",
           "something did not end in time; the process ends without it",
           {{"exit", std::to_string(code)}});
    std::fflush(stdout);
    _exit(code);
  });
}

ExitDeadline::~ExitDeadline() {
  {
    std::lock_guard lock(mutex_);
    over_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

}  // namespace tapedeck
