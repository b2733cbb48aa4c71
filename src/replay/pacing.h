#ifndef TAPEDECK_REPLAY_PACING_H_
#define TAPEDECK_REPLAY_PACING_H_

// Pacer: when each message of a replay is due. Pure on a Clock: it never waits by itself.
//
//   Pacer pacer({.mode = PaceMode::kOriginal, .speed = 10}, {}, clock);
//   const MonotonicTime due = pacer.Due(message.greatest_time, bytes);
//   if (due > now + kPaceQuantum) … WaitUntil(due, clock) …      // else it goes with this batch
//   Send(message);
//   pacer.Sent(message.greatest_time, bytes, due);               // lateness is measured here
//
// Due times are absolute: the time of the first message is laid on the clock once, and every other
// one is computed from there, so errors do not add up. A rate counts messages, or bytes, from its
// start in the same way. `max_idle` caps how long nothing is sent between two messages.
//
// Late: a message that is sent after it was due. Short lateness is caught up. Beyond kLateOriginal,
// or kLateRate for rates, the rest of the schedule moves by the lateness: a job that stood still
// goes on at its pace and never bursts; `shifted` says by how much in all. The limit of the node
// (messages a second, over any mode) lets at most kLimitBurst worth of it go at once.
//
// Owned by one thread.

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/clock.h"
#include "base/status.h"
#include "base/time.h"

namespace tapedeck {

enum class PaceMode : uint8_t { kMax, kOriginal, kRate };
/// "max", "original", "rate".
std::string_view PaceModeName(PaceMode mode);

struct Pace {
  PaceMode mode = PaceMode::kMax;
  double speed = 1.0;                // of kOriginal: 10 is ten times as fast
  uint64_t messages_per_second = 0;  // of kRate: one of the two
  uint64_t bytes_per_second = 0;
  std::optional<std::chrono::nanoseconds> max_idle;  // of kOriginal, as replayed
  bool operator==(const Pace&) const = default;
};

inline constexpr double kSpeedMin = 0.0001;
inline constexpr double kSpeedMax = 1'000'000;
/// kInvalidArgument names the field.
Status CheckPace(const Pace& pace);

/// What is due within this goes in one batch.
inline constexpr std::chrono::nanoseconds kPaceQuantum = std::chrono::microseconds(50);
inline constexpr std::chrono::nanoseconds kLateOriginal = std::chrono::seconds(1);
inline constexpr std::chrono::nanoseconds kLateRate = std::chrono::milliseconds(100);
inline constexpr std::chrono::nanoseconds kLimitBurst = std::chrono::milliseconds(10);

/// Counts durations in buckets of 1/16 of a power of two: quantiles within 6 %. Written by one
/// thread, read by any.
class LatenessHistogram {
 public:
  void Add(std::chrono::nanoseconds lateness);  // negative counts as none
  uint64_t count() const { return count_.load(std::memory_order_relaxed); }
  std::chrono::nanoseconds Quantile(double q) const;
  std::chrono::nanoseconds max() const {
    return std::chrono::nanoseconds(max_.load(std::memory_order_relaxed));
  }

 private:
  static constexpr int kSubBits = 4;
  static constexpr size_t kBuckets = size_t{64} << kSubBits;
  std::array<std::atomic<uint64_t>, kBuckets> buckets_{};
  std::atomic<uint64_t> count_{0};
  std::atomic<int64_t> max_{0};
};

class Pacer {
 public:
  struct Limits {
    uint64_t messages_per_second = 0;  // 0: none
  };
  Pacer(const Pace& pace, const Limits& limits, Clock* clock);

  /// Of the next message; the first one is due now. In kMax: now, unless the limit says later.
  MonotonicTime Due(Timestamp time, size_t bytes) const;
  /// It was handed over now; `due` is what Due said. Returns the lateness.
  std::chrono::nanoseconds Sent(Timestamp time, size_t bytes, MonotonicTime due);
  /// Goes on from the last message sent.
  void Change(const Pace& pace);
  /// Nothing was to be sent for this long: a pause.
  void Shift(std::chrono::nanoseconds by);
  /// The next message is due at once and begins a new schedule: a seek.
  void Restart();

  const Pace& pace() const { return pace_; }
  /// Everything is due at once: nobody need look at the clock for Due.
  bool unpaced() const { return pace_.mode == PaceMode::kMax && limits_.messages_per_second == 0; }
  const LatenessHistogram& lateness() const { return lateness_; }
  /// By which the schedule was moved because of lateness.
  std::chrono::nanoseconds shifted() const { return shifted_; }

 private:
  MonotonicTime ScheduledAt(Timestamp time) const;
  std::chrono::nanoseconds Scaled(Timestamp time) const;

  Pace pace_;
  const Limits limits_;
  Clock* const clock_;
  bool anchored_ = false;
  MonotonicTime anchor_{0};  // when anchor_time_ is due, or the rate began
  Timestamp anchor_time_;
  uint64_t units_ = 0;  // messages or bytes since anchor_
  Timestamp last_time_;
  MonotonicTime last_due_{0};
  MonotonicTime allowed_{0};  // by the limit
  std::chrono::nanoseconds shifted_{0};
  LatenessHistogram lateness_;
};

/// Waits until `due` on the clock: sleeps, and spins for the last moments.
void WaitUntil(MonotonicTime due, Clock* clock);
/// The calling thread's sleeps end when they should, not up to 50 us later.
void SharpenTimers();

}  // namespace tapedeck

#endif  // TAPEDECK_REPLAY_PACING_H_
