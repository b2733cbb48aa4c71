#include "base/thread.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>

namespace tapedeck {
namespace {

TEST(StartThread, RunsWhatItIsGiven) {
  std::atomic<int> ran{0};
  Result<std::thread> thread = StartThread([&] { ran = 42; });
  ASSERT_TRUE(thread.ok()) << thread.status().ToString();
  thread->join();
  EXPECT_EQ(ran, 42);
}

constexpr int kRefused = 10;
constexpr int kStarted = 11;
constexpr int kOther = 12;
constexpr int kMayNot = 13;
constexpr uid_t kNobodyElse = 61'357;  // root has no limit

// In a child, which gives up what it may do.
[[noreturn]] void TryWithoutThreads() {
  if (::geteuid() == 0 && ::setuid(kNobodyElse) != 0) ::_exit(kMayNot);
  const rlimit one{1, 1};
  if (::setrlimit(RLIMIT_NPROC, &one) != 0) ::_exit(kOther);
  Result<std::thread> thread = StartThread([] {});
  if (thread.ok()) {
    thread->join();
    ::_exit(kStarted);
  }
  ::_exit(thread.status().code() == StatusCode::kResourceExhausted ? kRefused : kOther);
}

TEST(StartThread, A13WhereNoThreadIsLeftTheProcessGoesOnAndSaysSo) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "a sanitizer needs threads of its own";
#endif
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) TryWithoutThreads();
  int how = 0;
  ASSERT_EQ(::waitpid(child, &how, 0), child);
  ASSERT_TRUE(WIFEXITED(how)) << "signal " << WTERMSIG(how);
  if (WEXITSTATUS(how) == kMayNot) {
    GTEST_SKIP() << "root has no limit of threads, and may not become somebody else here";
  }
  EXPECT_EQ(WEXITSTATUS(how), kRefused);
}

}  // namespace
}  // namespace tapedeck
