#include "web/retry.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <string>

namespace tapedeck {
namespace {

constexpr std::chrono::nanoseconds kStep = std::chrono::milliseconds(100);
constexpr int64_t kRetryAfterSecondsMax = 86'400;
constexpr int64_t kNanosPerSecond = 1'000'000'000;

constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
// 1970-01-01 was a Thursday.
constexpr std::array<std::string_view, 7> kWeekdays = {"Thu", "Fri", "Sat", "Sun",
                                                       "Mon", "Tue", "Wed"};

std::optional<int> Number(std::string_view text) {
  int value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

}  // namespace

Retrier::Retrier(RetryPolicy policy, Clock* clock, uint64_t seed, const std::atomic<bool>* stop)
    : policy_(policy), clock_(clock), stop_(stop), random_(seed) {}

std::chrono::nanoseconds Retrier::Draw(std::chrono::nanoseconds limit) {
  if (limit.count() <= 0) return {};
  std::lock_guard lock(mutex_);
  return std::chrono::nanoseconds(random_.Between(1, limit.count()));
}

bool Retrier::Round::WaitForNext(std::chrono::nanoseconds at_least) {
  const RetryPolicy& policy = retrier_->policy_;
  if (tries_ >= policy.tries_max) return false;
  std::chrono::nanoseconds limit = policy.pause_first;
  for (int i = 1; i < tries_ && limit < policy.pause_max; ++i) limit *= 2;
  std::chrono::nanoseconds pause =
      at_least + retrier_->Draw(std::min<std::chrono::nanoseconds>(limit, policy.pause_max));
  const MonotonicTime now = retrier_->clock_->Monotonic();
  if (now + pause - begun_ > policy.time_max) return false;
  const MonotonicTime until = now + pause;
  for (MonotonicTime at = now; at < until; at = retrier_->clock_->Monotonic()) {
    if (retrier_->stop_ != nullptr && retrier_->stop_->load()) return false;
    retrier_->clock_->SleepFor(std::min(kStep, until - at));
  }
  ++tries_;
  return true;
}

std::chrono::nanoseconds ParseRetryAfter(std::string_view header, Timestamp now) {
  int64_t seconds = 0;
  if (std::optional<int> number = Number(header)) {
    seconds = *number;
  } else if (std::optional<Timestamp> at = ParseHttpDate(header)) {
    seconds = (at->ns() - now.ns()) / kNanosPerSecond + 1;
  }
  return std::chrono::seconds(std::clamp<int64_t>(seconds, 0, kRetryAfterSecondsMax));
}

std::optional<Timestamp> ParseHttpDate(std::string_view text) {
  // "Fri, 15 Nov 2026 08:12:31 GMT"
  constexpr size_t kSize = 29;
  if (text.size() != kSize || text.substr(3, 2) != ", " || text.substr(25) != " GMT")
    return std::nullopt;
  const auto* month = std::find(kMonths.begin(), kMonths.end(), text.substr(8, 3));
  auto year = Number(text.substr(12, 4)), day = Number(text.substr(5, 2)),
       hour = Number(text.substr(17, 2)), minute = Number(text.substr(20, 2)),
       second = Number(text.substr(23, 2));
  if (month == kMonths.end() || !year || !day || !hour || !minute || !second) return std::nullopt;
  CivilTime civil;
  civil.year = *year;
  civil.month = static_cast<uint8_t>(month - kMonths.begin() + 1);
  civil.day = static_cast<uint8_t>(*day);
  civil.hour = static_cast<uint8_t>(*hour);
  civil.minute = static_cast<uint8_t>(*minute);
  civil.second = static_cast<uint8_t>(*second);
  civil.has_time = true;
  Result<Timestamp> moment = CivilToTimestamp(civil);
  if (!moment.ok()) return std::nullopt;
  return *moment;
}

std::string FormatHttpDate(Timestamp t) {
  const std::string iso = FormatRfc3339(t);  // 2024-07-02T04:17:16.373000000Z
  const int month = Number(std::string_view(iso).substr(5, 2)).value_or(1);
  const int32_t days = Day::Of(t).days();
  const auto weekday = static_cast<size_t>(((days % 7) + 7) % 7);
  return std::string(kWeekdays[weekday]) + ", " + iso.substr(8, 2) + " " +
         std::string(kMonths[static_cast<size_t>(month - 1)]) + " " + iso.substr(0, 4) + " " +
         iso.substr(11, 8) + " GMT";
}

}  // namespace tapedeck
