#ifndef TAPEDECK_BASE_CLOCK_H_
#define TAPEDECK_BASE_CLOCK_H_

// Clock: time as a parameter. A seam: production uses SystemClock, tests use ManualClock and
// advance it.
//
// Wall time may jump in either direction; everything that measures a duration or waits for a
// deadline uses Monotonic. Only base calls the system's clocks.
//
// Thread-safe.

#include <atomic>
#include <chrono>
#include <cstdint>

#include "base/time.h"

namespace tapedeck {

/// A moment on a clock that never goes back; only differences mean anything.
using MonotonicTime = std::chrono::nanoseconds;

class Clock {
 public:
  virtual ~Clock() = default;
  /// Wall time, UTC.
  virtual Timestamp Now() const = 0;
  virtual MonotonicTime Monotonic() const = 0;
  /// Returns no earlier than `duration` later on this clock (a ManualClock advances itself and
  /// returns at once).
  virtual void SleepFor(std::chrono::nanoseconds duration) = 0;
};

/// The system's clocks.
Clock& SystemClock();

class ManualClock final : public Clock {
 public:
  explicit ManualClock(Timestamp now) : now_ns_(now.ns()) {}
  Timestamp Now() const override { return Timestamp(now_ns_.load()); }
  MonotonicTime Monotonic() const override { return MonotonicTime(monotonic_ns_.load()); }
  void SleepFor(std::chrono::nanoseconds duration) override { Advance(duration); }
  /// Both times move forward.
  void Advance(std::chrono::nanoseconds duration) {
    now_ns_ += duration.count();
    monotonic_ns_ += duration.count();
  }
  /// Only wall time moves, in either direction.
  void JumpTo(Timestamp now) { now_ns_ = now.ns(); }

 private:
  std::atomic<int64_t> now_ns_;
  std::atomic<int64_t> monotonic_ns_{0};
};

}  // namespace tapedeck

#endif  // TAPEDECK_BASE_CLOCK_H_
