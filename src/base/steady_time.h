#ifndef TAPEDECK_BASE_STEADY_TIME_H_
#define TAPEDECK_BASE_STEADY_TIME_H_

// SteadyTime: wall time that is looked up once and then moves as the monotonic clock does.
//
// For moments that are stored and whose age decides something later: when rows came, when a day was
// shipped. A clock that is set in between, forth or back, makes nothing look older than it is; only
// a wrong time at the start of the process does.
//
//   SteadyTime time(clock);
//   entry.since = time.Now();
//   if (time.Now() >= entry.since.SaturatingAdd(keep.count())) Prune();
//
// Thread-safe: immutable.

#include "base/clock.h"

namespace tapedeck {

class SteadyTime {
 public:
  /// The clock must outlive it.
  explicit SteadyTime(const Clock* clock)
      : clock_(clock), wall_(clock->Now()), monotonic_(clock->Monotonic()) {}

  Timestamp Now() const { return wall_.SaturatingAdd((clock_->Monotonic() - monotonic_).count()); }

 private:
  const Clock* clock_;
  Timestamp wall_;
  MonotonicTime monotonic_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_BASE_STEADY_TIME_H_
