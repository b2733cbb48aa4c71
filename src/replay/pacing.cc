#include "replay/pacing.h"

#include <sys/prctl.h>

#include <algorithm>
#include <bit>
#include <cmath>

namespace tapedeck {
namespace {

using std::chrono::nanoseconds;

constexpr int64_t kNsPerSecond = 1'000'000'000;
// What a sleep may overshoot on an idle machine.
constexpr nanoseconds kSpin = std::chrono::microseconds(60);
// A clock that stands still for so many looks does not move by itself.
constexpr int kStandstillLooks = 64;

// units / per_second in nanoseconds, exact.
nanoseconds TimeOf(uint64_t units, uint64_t per_second) {
  __extension__ using Wide = unsigned __int128;
  return nanoseconds(static_cast<int64_t>(Wide{units} * kNsPerSecond / per_second));
}

}  // namespace

std::string_view PaceModeName(PaceMode mode) {
  switch (mode) {
    case PaceMode::kMax:
      return "max";
    case PaceMode::kOriginal:
      return "original";
    case PaceMode::kRate:
      return "rate";
  }
  return "?";
}

Status CheckPace(const Pace& pace) {
  if (pace.mode == PaceMode::kOriginal && !(pace.speed >= kSpeedMin && pace.speed <= kSpeedMax)) {
    return Status::InvalidArgument("pace.speed is from 0.0001 to 1000000");
  }
  const bool one = (pace.messages_per_second == 0) != (pace.bytes_per_second == 0);
  if (pace.mode == PaceMode::kRate && !one) {
    return Status::InvalidArgument(
        "pace.mode rate needs either pace.messages_per_second or pace.bytes_per_second");
  }
  if (pace.max_idle && *pace.max_idle < nanoseconds(0)) {
    return Status::InvalidArgument("pace.max_idle is not negative");
  }
  return Status::Ok();
}

void LatenessHistogram::Add(nanoseconds lateness) {
  const uint64_t ns = static_cast<uint64_t>(std::max<int64_t>(0, lateness.count()));
  size_t bucket = ns;
  if (ns >= (uint64_t{1} << kSubBits)) {
    const int shift = std::bit_width(ns) - 1 - kSubBits;
    bucket = (static_cast<size_t>(shift + 1) << kSubBits) + ((ns >> shift) & 15);
  }
  buckets_[bucket].fetch_add(1, std::memory_order_relaxed);
  count_.fetch_add(1, std::memory_order_relaxed);
  if (static_cast<int64_t>(ns) > max_.load(std::memory_order_relaxed)) {
    max_.store(static_cast<int64_t>(ns), std::memory_order_relaxed);
  }
}

nanoseconds LatenessHistogram::Quantile(double q) const {
  const uint64_t total = count();
  if (total == 0) return nanoseconds(0);
  const double wanted = std::max(1.0, std::ceil(q * static_cast<double>(total)));
  uint64_t seen = 0;
  for (size_t bucket = 0; bucket < kBuckets; ++bucket) {
    seen += buckets_[bucket].load(std::memory_order_relaxed);
    if (static_cast<double>(seen) < wanted) continue;
    const size_t power = bucket >> kSubBits;  // the greatest of the bucket
    const int64_t top = power == 0
                            ? static_cast<int64_t>(bucket)
                            : static_cast<int64_t>((((bucket & 15) + 17) << (power - 1)) - 1);
    return std::min(nanoseconds(top), max());
  }
  return max();
}

Pacer::Pacer(const Pace& pace, const Limits& limits, Clock* clock)
    : pace_(pace), limits_(limits), clock_(clock) {}

nanoseconds Pacer::Scaled(Timestamp time) const {
  if (time <= anchor_time_) return nanoseconds(0);
  const double gap = static_cast<double>(time.ns()) - static_cast<double>(anchor_time_.ns());
  // Exact below 2^53 ns, 104 days; the difference of the integers is taken where it fits.
  int64_t exact = 0;
  const bool fits = !__builtin_sub_overflow(time.ns(), anchor_time_.ns(), &exact);
  const double scaled = (fits ? static_cast<double>(exact) : gap) / pace_.speed;
  constexpr double kMax = 9.0e18;
  return nanoseconds(static_cast<int64_t>(std::min(scaled, kMax)));
}

MonotonicTime Pacer::ScheduledAt(Timestamp time) const {
  const nanoseconds scaled = Scaled(std::max(time, last_time_));
  int64_t due = 0;
  if (__builtin_add_overflow(anchor_.count(), scaled.count(), &due)) due = INT64_MAX;
  if (pace_.max_idle && due - last_due_.count() > pace_.max_idle->count()) {
    return last_due_ + *pace_.max_idle;
  }
  return MonotonicTime(due);
}

MonotonicTime Pacer::Due(Timestamp time, size_t) const {
  const MonotonicTime now = clock_->Monotonic();
  MonotonicTime due = now;
  if (anchored_ && pace_.mode == PaceMode::kOriginal) {
    due = ScheduledAt(time);
  } else if (anchored_ && pace_.mode == PaceMode::kRate) {
    due = anchor_ + TimeOf(units_, pace_.messages_per_second > 0 ? pace_.messages_per_second
                                                                 : pace_.bytes_per_second);
  }
  return limits_.messages_per_second > 0 ? std::max(due, allowed_) : due;
}

nanoseconds Pacer::Sent(Timestamp time, size_t bytes, MonotonicTime due) {
  if (unpaced()) {
    last_time_ = std::max(last_time_, time);
    return nanoseconds(0);
  }
  const MonotonicTime now = clock_->Monotonic();
  if (limits_.messages_per_second > 0) {
    allowed_ = std::max(allowed_, now - kLimitBurst) + TimeOf(1, limits_.messages_per_second);
  }
  if (pace_.mode == PaceMode::kMax) {
    last_time_ = std::max(last_time_, time);
    return nanoseconds(0);
  }
  if (!anchored_) {
    anchored_ = true;
    anchor_ = due;
    anchor_time_ = last_time_ = time;
    units_ = 0;
  } else if (pace_.mode == PaceMode::kOriginal &&
             due != anchor_ + Scaled(std::max(time, last_time_))) {
    // A gap was cut, or the limit held the message back: the schedule goes on from here.
    anchor_ = due;
    anchor_time_ = std::max(time, last_time_);
  }
  last_time_ = std::max(last_time_, time);
  last_due_ = due;
  units_ += pace_.messages_per_second > 0 ? 1 : bytes;
  const nanoseconds late = now - due;
  lateness_.Add(late);
  const nanoseconds allowed = pace_.mode == PaceMode::kRate ? kLateRate : kLateOriginal;
  if (late > allowed) {
    Shift(late);
    shifted_ += late;
  }
  return late;
}

void Pacer::Change(const Pace& pace) {
  const bool anchored = anchored_ && pace_.mode != PaceMode::kMax;
  pace_ = pace;
  if (!anchored || pace.mode == PaceMode::kMax) {
    Restart();
    return;
  }
  anchor_ = pace.mode == PaceMode::kRate ? clock_->Monotonic() : last_due_;
  anchor_time_ = last_time_;
  units_ = 0;
}

void Pacer::Shift(nanoseconds by) {
  anchor_ += by;
  last_due_ += by;
}

void Pacer::Restart() { anchored_ = false; }

void WaitUntil(MonotonicTime due, Clock* clock) {
  nanoseconds left = due - clock->Monotonic();
  if (left > kSpin) clock->SleepFor(left - kSpin);
  MonotonicTime before{-1};
  int looks = 0;
  for (;;) {
    const MonotonicTime now = clock->Monotonic();
    if (now >= due) return;
    looks = now == before ? looks + 1 : 0;
    before = now;
    if (looks == kStandstillLooks) clock->SleepFor(due - now);
  }
}

void SharpenTimers() { (void)prctl(PR_SET_TIMERSLACK, 1); }  // as before where it is refused

}  // namespace tapedeck
