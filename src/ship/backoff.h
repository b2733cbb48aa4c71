#ifndef TAPEDECK_SHIP_BACKOFF_H_
#define TAPEDECK_SHIP_BACKOFF_H_

// Backoff: when something that failed is tried again: after a second, then after twice as long each
// time up to a bound, less up to half by chance, so that nodes do not come back together. It is
// tried for ever.
//
// Owned by one thread.

#include <algorithm>
#include <chrono>

#include "base/clock.h"
#include "base/random.h"

namespace tapedeck {

class Backoff {
 public:
  static constexpr std::chrono::nanoseconds kFirst = std::chrono::seconds(1);
  static constexpr std::chrono::nanoseconds kMost = std::chrono::minutes(5);

  explicit Backoff(std::chrono::nanoseconds most = kMost) : most_(most) {}

  bool MayTry(MonotonicTime now) const { return now >= next_; }
  void Failed(MonotonicTime now, Random* random) {
    delay_ = std::clamp<std::chrono::nanoseconds>(2 * delay_, kFirst, most_);
    const auto jitter = random->Uniform(static_cast<uint64_t>(delay_.count() / 2));
    next_ = now + delay_ - std::chrono::nanoseconds(jitter);
  }
  void Worked() { *this = Backoff(most_); }

 private:
  std::chrono::nanoseconds most_;
  std::chrono::nanoseconds delay_{0};
  MonotonicTime next_ = MonotonicTime::min();
};

}  // namespace tapedeck

#endif  // TAPEDECK_SHIP_BACKOFF_H_
