#include "base/clock.h"

#include <cerrno>
#include <ctime>

namespace tapedeck {
namespace {

constexpr int64_t kNanosPerSecond = 1'000'000'000;

int64_t ReadClock(clockid_t id) {
  timespec now{};
  TD_CHECK(clock_gettime(id, &now) == 0, "the system has this clock");
  return now.tv_sec * kNanosPerSecond + now.tv_nsec;
}

class RealClock final : public Clock {
 public:
  Timestamp Now() const override { return Timestamp(ReadClock(CLOCK_REALTIME)); }
  MonotonicTime Monotonic() const override { return MonotonicTime(ReadClock(CLOCK_MONOTONIC)); }
  void SleepFor(std::chrono::nanoseconds duration) override {
    if (duration.count() <= 0) return;
    // An absolute deadline: a signal does not stretch the sleep.
    int64_t until = Timestamp(Monotonic().count()).SaturatingAdd(duration.count()).ns();
    timespec deadline{until / kNanosPerSecond, until % kNanosPerSecond};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &deadline, nullptr) == EINTR) {
    }
  }
};

}  // namespace

Clock& SystemClock() {
  // Never destroyed: threads may look at the time while the process ends.
  static RealClock* const clock = new RealClock;
  return *clock;
}

}  // namespace tapedeck
