#include "base/time.h"

#include <algorithm>
#include <cstring>

#include "base/civil.h"
#include "base/digits.h"

namespace tapedeck {
namespace {

constexpr int64_t kNanosPerSecond = 1'000'000'000;
constexpr int64_t kNanosPerDay = 86'400 * kNanosPerSecond;

constexpr int64_t FloorDivide(int64_t value, int64_t by) {
  int64_t quotient = value / by;
  return quotient - (value % by < 0 ? 1 : 0);
}

/// "2024-07-02": four-digit years only.
void WriteDate(const CivilDate& date, char* out) {
  WriteFourDigits(out, static_cast<uint64_t>(date.year));
  out[4] = '-';
  WriteTwoDigits(out + 5, date.month);
  out[7] = '-';
  WriteTwoDigits(out + 8, date.day);
}

}  // namespace

Day Day::Of(Timestamp t) { return Day(static_cast<int32_t>(FloorDivide(t.ns(), kNanosPerDay))); }

Day Day::MonthStart() const { return Day(days_ - (CivilFromDays(days_).day - 1)); }

Day Day::YearStart() const {
  CivilDate date = CivilFromDays(days_);
  return Day(static_cast<int32_t>(DaysFromCivil({date.year, 1, 1})));
}

Timestamp Day::start() const {
  int64_t ns = 0;
  if (!__builtin_mul_overflow(int64_t{days_}, kNanosPerDay, &ns)) return Timestamp(ns);
  return days_ < 0 ? Timestamp::Min() : Timestamp::Max();
}

std::string Day::ToString() const {
  CivilDate date = CivilFromDays(days_);
  char text[10];
  if (date.year >= 0 && date.year <= 9999) {
    WriteDate(date, text);
    return std::string(text, sizeof text);
  }
  // Such years never come from a text; ISO 8601 gives them a sign.
  std::string year = std::to_string(std::abs(date.year));
  year.insert(0, year.size() < 4 ? 4 - year.size() : 0, '0');
  WriteDate({0, date.month, date.day}, text);
  return (date.year < 0 ? "-" : "+") + year + std::string(text + 4, 6);
}

void FormatRfc3339To(Timestamp t, char* out) {
  int64_t days = FloorDivide(t.ns(), kNanosPerDay);
  // In unsigned arithmetic, because the start of the first day lies before Timestamp::Min().
  uint64_t in_day = static_cast<uint64_t>(t.ns()) - static_cast<uint64_t>(days) * kNanosPerDay;
  uint64_t second = in_day / kNanosPerSecond;
  uint64_t nanosecond = in_day % kNanosPerSecond;
  WriteDate(CivilFromDays(static_cast<int32_t>(days)), out);
  out[10] = 'T';
  WriteTwoDigits(out + 11, second / 3600);
  out[13] = ':';
  WriteTwoDigits(out + 14, second / 60 % 60);
  out[16] = ':';
  WriteTwoDigits(out + 17, second % 60);
  out[19] = '.';
  out[20] = static_cast<char>('0' + nanosecond / 100'000'000);
  uint64_t rest = nanosecond % 100'000'000;
  WriteFourDigits(out + 21, rest / 10'000);
  WriteFourDigits(out + 25, rest % 10'000);
  out[29] = 'Z';
}

std::string FormatRfc3339(Timestamp t) {
  char text[kRfc3339Size];
  FormatRfc3339To(t, text);
  return std::string(text, sizeof text);
}

Result<Timestamp> TimestampFromUnits(int64_t count, TimeUnit unit) {
  int64_t ns = 0;
  if (__builtin_mul_overflow(count, NanosPer(unit), &ns)) {
    return Status::InvalidArgument("time out of range: years 1677 to 2262 can be held");
  }
  return Timestamp(ns);
}

}  // namespace tapedeck
