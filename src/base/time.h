#ifndef TAPEDECK_BASE_TIME_H_
#define TAPEDECK_BASE_TIME_H_

// Timestamp and Day: moments and UTC dates, exact.
//
// A Timestamp is a count of nanoseconds since 1970-01-01T00:00:00Z, leap seconds not counted, in an
// int64: years 1677-09-21 to 2262-04-11. A Day is a UTC date as days since 1970-01-01; dates before
// 1970 are negative. Both are values; nothing here reads a clock (see base/clock.h).
//
//   TD_ASSIGN_OR_RETURN(Timestamp t, ParseRfc3339("2024-07-02T06:17:16.373+02:00"));
//   FormatRfc3339(t)   // "2024-07-02T04:17:16.373000000Z"
//   Day::Of(t)         // 2024-07-02
//
// Thread-safe: all functions are pure.

#include <compare>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include "base/status.h"

namespace tapedeck {

class Timestamp {
 public:
  constexpr Timestamp() = default;
  constexpr explicit Timestamp(int64_t ns) : ns_(ns) {}
  static constexpr Timestamp Min() { return Timestamp(std::numeric_limits<int64_t>::min()); }
  static constexpr Timestamp Max() { return Timestamp(std::numeric_limits<int64_t>::max()); }

  /// Nanoseconds since the epoch.
  constexpr int64_t ns() const { return ns_; }
  /// This moment moved by `delta_ns`, held at Min() or Max() where it would overflow.
  constexpr Timestamp SaturatingAdd(int64_t delta_ns) const {
    int64_t sum = 0;
    if (__builtin_add_overflow(ns_, delta_ns, &sum)) return delta_ns > 0 ? Max() : Min();
    return Timestamp(sum);
  }
  constexpr auto operator<=>(const Timestamp&) const = default;

 private:
  int64_t ns_ = 0;
};

class Day {
 public:
  constexpr Day() = default;
  constexpr explicit Day(int32_t days) : days_(days) {}
  /// The UTC date that holds `t`.
  static Day Of(Timestamp t);
  /// First day of the month, or year, of this day.
  Day MonthStart() const;
  Day YearStart() const;

  /// Days since 1970-01-01.
  constexpr int32_t days() const { return days_; }
  /// Midnight UTC at the start of this day, held at Timestamp's limits.
  Timestamp start() const;
  /// "2024-07-02".
  std::string ToString() const;
  constexpr auto operator<=>(const Day&) const = default;

 private:
  int32_t days_ = 0;
};

enum class TimeUnit : uint8_t {
  kSeconds = 0,
  kMilliseconds = 1,
  kMicroseconds = 2,
  kNanoseconds = 3
};

/// Nanoseconds in one unit.
constexpr int64_t NanosPer(TimeUnit unit) {
  switch (unit) {
    case TimeUnit::kSeconds:
      return 1'000'000'000;
    case TimeUnit::kMilliseconds:
      return 1'000'000;
    case TimeUnit::kMicroseconds:
      return 1'000;
    case TimeUnit::kNanoseconds:
      return 1;
  }
  return 1;
}

/// `count` units since the epoch; kInvalidArgument outside Timestamp's range.
Result<Timestamp> TimestampFromUnits(int64_t count, TimeUnit unit);

/// A number as text with any fraction ("1719893836.373", "-1.5", "1e9"), in `unit`. Digits beyond
/// the nanosecond are dropped towards the past. kInvalidArgument: not a number, or out of range.
Result<Timestamp> ParseUnits(std::string_view text, TimeUnit unit);

/// What a text says of a date and time, before a zone is applied.
struct CivilTime {
  int32_t year = 1970;
  uint8_t month = 1, day = 1, hour = 0, minute = 0, second = 0;  // second 60 is read as 59 + 1 s
  uint32_t nanosecond = 0;
  bool has_time = false;       // false: only a date was given
  bool has_offset = false;     // "Z", "+02:00", "+0200", "+02"
  int32_t offset_seconds = 0;  // east of UTC
};

/// RFC 3339 with 'T', 't' or a space, 0 to any number of fraction digits (beyond 9: dropped), an
/// offset or none, or a date alone. kInvalidArgument where it is not that, or names a day or time
/// that does not exist.
Result<CivilTime> ParseCivil(std::string_view text);

/// The moment of `civil` at its own offset, or at UTC where it has none. kInvalidArgument out of
/// range.
Result<Timestamp> CivilToTimestamp(const CivilTime& civil);

/// RFC 3339 with an offset (required), or a date alone = midnight UTC. 0 to 9 fraction digits; more
/// is an error.
Result<Timestamp> ParseRfc3339(std::string_view text);

/// "2024-07-02T04:17:16.373000000Z": always nine digits and Z.
std::string FormatRfc3339(Timestamp t);
/// The same into `out`, which has room for kRfc3339Size bytes; no terminator.
inline constexpr size_t kRfc3339Size = 30;
void FormatRfc3339To(Timestamp t, char* out);

/// "2024-07-02".
Result<Day> ParseDay(std::string_view text);

}  // namespace tapedeck

#endif  // TAPEDECK_BASE_TIME_H_
