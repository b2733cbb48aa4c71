#ifndef TAPEDECK_NODE_SIGNALS_H_
#define TAPEDECK_NODE_SIGNALS_H_

// Signals as values, and the last resort of a stop.
//
//   SignalWaiter signals;      // before any thread is started: they inherit what is blocked
//   std::optional<int> signal = signals.Wait(100ms);
//   ExitDeadline deadline;
//   deadline.Arm(14s, [&] { return node->stored() ? 0 : 1; });   // the process ends then
//
// SignalWaiter is owned by the main thread; ExitDeadline's methods are thread-safe.

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>

namespace tapedeck {

class SignalWaiter {
 public:
  /// From here on SIGTERM, SIGINT and SIGHUP wait to be taken by Wait.
  SignalWaiter();
  /// The next signal, or nothing after `timeout`.
  std::optional<int> Wait(std::chrono::nanoseconds timeout);
};

/// Ends the process (_exit: nothing is waited for, no destructor runs) unless it is destroyed in
/// time. A crash is safe at any moment, so an exit is; and a thread that hangs in a library cannot
/// be ended otherwise.
class ExitDeadline {
 public:
  ExitDeadline() = default;
  ~ExitDeadline();
  ExitDeadline(const ExitDeadline&) = delete;
  ExitDeadline& operator=(const ExitDeadline&) = delete;

  /// Once. `exit_code` is called, on another thread, when the time is over.
  void Arm(std::chrono::nanoseconds after, std::function<int()> exit_code);

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool over_ = false;
  std::thread thread_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_NODE_SIGNALS_H_
