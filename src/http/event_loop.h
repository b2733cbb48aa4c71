#ifndef TAPEDECK_HTTP_EVENT_LOOP_H_
#define TAPEDECK_HTTP_EVENT_LOOP_H_

// EventLoop: one thread that accepts connections and serves their sockets by epoll.
//
// Deadlines need no timers: connections say when they next want to be asked, and when the earliest
// of those moments has come, all are asked once. A thousand cost some microseconds.
//
// Private to http. Make, Start, Stop and Join by the server's owner; PostDone by any thread; the
// rest by the loop's own.

#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "http/connection.h"
#include "http/server_core.h"

namespace tapedeck {

class EventLoop {
 public:
  /// `listener` is a socket that listens and does not block; several loops may share it.
  static Result<std::unique_ptr<EventLoop>> Make(ServerCore* core, int listener);
  ~EventLoop();

  void Start();
  /// No new connections; those that are open end by `deadline` of the clock.
  void Stop(MonotonicTime deadline);
  void Join();

  /// A worker is done with the connection.
  void PostDone(Connection* connection) noexcept;

  MonotonicTime now() const { return now_; }
  std::string_view date() const { return {date_.data(), date_.size() - 1}; }
  bool stopping() const { return is_stopping_; }
  /// Where bytes are read to.
  std::span<char> scratch() { return scratch_; }
  void WakeAt(MonotonicTime time) { soonest_ = std::min(soonest_, time); }
  void Bury(Connection* connection) noexcept;

 private:
  EventLoop(ServerCore* core, int listener) : core_(core), listener_(listener) {}
  void Run();
  void Tell(uint64_t to);
  void UpdateTime();
  int Timeout() const;
  void Accept() noexcept;
  void Welcome(int socket);
  void TakeDone() noexcept;
  void Sweep() noexcept;
  void BeginStop() noexcept;
  void BuryAll() noexcept;

  ServerCore* const core_;
  const int listener_;
  int epoll_ = -1;
  int wake_ = -1;
  int spare_ = -1;  // given up for a moment when no file number is left
  std::thread thread_;

  MonotonicTime now_{0};
  MonotonicTime soonest_ = MonotonicTime::max();
  MonotonicTime date_due_{0};
  std::array<char, 30> date_{};
  std::vector<std::unique_ptr<Connection>> connections_;
  Connection* gone_ = nullptr;
  bool is_stopping_ = false;

  std::atomic<int64_t> stop_at_ns_{INT64_MAX};
  std::mutex mutex_;
  Connection* done_ = nullptr;  // guarded by mutex_
  std::array<char, 64 << 10> scratch_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_HTTP_EVENT_LOOP_H_
