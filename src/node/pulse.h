#ifndef TAPEDECK_NODE_PULSE_H_
#define TAPEDECK_NODE_PULSE_H_

// Pulse: whether the record thread still comes by, and how long its last calls to Kafka may take
// when it stops.
//
// The record thread calls its MessageSource and its LogProbe all the time; both are wrapped here,
// and each call on that thread leaves the time of the monotonic clock. A thread that has not come
// by for long is stuck, unless it says itself why it does not pull (a full disk). When the node
// stops, the wrapped source also shortens the time-outs of its last calls, so that all of them end
// before the deadline of the stop.
//
// Thread-safe.

#include <atomic>
#include <chrono>
#include <memory>
#include <thread>

#include "base/clock.h"
#include "kafka/message_source.h"

namespace tapedeck {

class Pulse {
 public:
  explicit Pulse(Clock* clock) : clock_(clock), last_(clock->Monotonic().count()) {}
  /// The calling thread is the one that is watched.
  void Bind() {
    thread_.store(std::this_thread::get_id());
    Beat();
  }
  /// Counts on the watched thread only.
  void Beat() {
    if (std::this_thread::get_id() != thread_.load(std::memory_order_relaxed)) return;
    last_.store(clock_->Monotonic().count(), std::memory_order_relaxed);
  }
  std::chrono::nanoseconds Age() const {
    return clock_->Monotonic() - std::chrono::nanoseconds(last_.load(std::memory_order_relaxed));
  }

  /// From now on calls to Kafka must end by `deadline`.
  void StopBy(MonotonicTime deadline) { deadline_.store(deadline.count()); }
  /// `wanted`, or what is left until the deadline if that is less; at least a millisecond.
  std::chrono::milliseconds Within(std::chrono::milliseconds wanted) const;

  /// The record journey says goodbye to Kafka only after everything is in the store.
  void Stored() { stored_.store(true); }
  bool stored() const { return stored_.load(); }

 private:
  Clock* clock_;
  std::atomic<std::thread::id> thread_{};
  std::atomic<int64_t> last_;
  std::atomic<int64_t> deadline_{INT64_MAX};
  std::atomic<bool> stored_{false};
};

/// `pulse` outlives what is returned.
std::unique_ptr<MessageSource> WithPulse(std::unique_ptr<MessageSource> source, Pulse* pulse);
std::unique_ptr<LogProbe> WithPulse(std::unique_ptr<LogProbe> probe, Pulse* pulse);

}  // namespace tapedeck

#endif  // TAPEDECK_NODE_PULSE_H_
