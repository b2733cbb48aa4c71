#include <algorithm>
#include <string>

#include "base/civil.h"
#include "base/digits.h"
#include "base/number_scan.h"
#include "base/text.h"
#include "base/time.h"

namespace tapedeck {
namespace {

constexpr int64_t kNanosPerSecond = 1'000'000'000;
constexpr int64_t kSecondsPerDay = 86'400;

Status NotATime(std::string_view text, std::string_view why) {
  return Status::InvalidArgument("not a time: " + Quoted(text) + ": " + std::string(why));
}

Status OutOfRange() {
  return Status::InvalidArgument("time out of range: years 1677 to 2262 can be held");
}

/// Two digits at `p`, or a number above 99.
uint32_t TwoDigits(const char* p) {
  uint32_t tens = static_cast<uint8_t>(p[0]) - uint32_t{'0'};
  uint32_t ones = static_cast<uint8_t>(p[1]) - uint32_t{'0'};
  return tens <= 9 && ones <= 9 ? tens * 10 + ones : 1000;
}

/// The texts of all errors, so that the parser below can say which without making a string.
enum class Fault : uint8_t {
  kNone = 0,
  kShape = 1,
  kNoSuchDay = 2,
  kNoSuchTime = 3,
  kFraction = 4,
  kOffset = 5,
};

std::string_view FaultText(Fault fault) {
  switch (fault) {
    case Fault::kNone:
      break;
    case Fault::kShape:
      return "expected a form like 2024-07-02T06:17:16.373+02:00 or 2024-07-02";
    case Fault::kNoSuchDay:
      return "there is no such day";
    case Fault::kNoSuchTime:
      return "there is no such time of day";
    case Fault::kFraction:
      return "expected digits after the point";
    case Fault::kOffset:
      return "expected an offset like Z, +02:00, +0200 or +02";
  }
  return "";
}

/// "2024-07-02" at `p`, which has 10 bytes.
Fault ReadDate(const char* p, CivilTime* civil) {
  uint32_t century = TwoDigits(p);
  uint32_t year = TwoDigits(p + 2);
  uint32_t month = TwoDigits(p + 5);
  uint32_t day = TwoDigits(p + 8);
  if (p[4] != '-' || p[7] != '-' || (century | year | month | day) > 127) return Fault::kShape;
  civil->year = static_cast<int32_t>(century * 100 + year);
  if (month < 1 || month > 12 || day < 1 || day > DaysInMonth(civil->year, month)) {
    return Fault::kNoSuchDay;
  }
  civil->month = static_cast<uint8_t>(month);
  civil->day = static_cast<uint8_t>(day);
  return Fault::kNone;
}

/// "06:17:16" at `p`, which has 8 bytes.
Fault ReadTime(const char* p, CivilTime* civil) {
  uint32_t hour = TwoDigits(p);
  uint32_t minute = TwoDigits(p + 3);
  uint32_t second = TwoDigits(p + 6);
  if (p[2] != ':' || p[5] != ':' || (hour | minute | second) > 127) return Fault::kShape;
  if (hour > 23 || minute > 59 || second > 60) return Fault::kNoSuchTime;
  civil->hour = static_cast<uint8_t>(hour);
  civil->minute = static_cast<uint8_t>(minute);
  civil->second = static_cast<uint8_t>(second);
  civil->has_time = true;
  return Fault::kNone;
}

/// Moves ".373" out of the front of `rest`; `digits` says how many there were.
Fault ReadFraction(std::string_view* rest, CivilTime* civil, size_t* digits) {
  if (rest->empty() || rest->front() != '.') return Fault::kNone;
  uint32_t nanosecond = 0;
  size_t count = 0;
  for (; count + 1 < rest->size(); ++count) {
    uint32_t digit = static_cast<uint8_t>((*rest)[count + 1]) - uint32_t{'0'};
    if (digit > 9) break;
    if (count < 9) nanosecond = nanosecond * 10 + digit;
  }
  if (count == 0) return Fault::kFraction;
  if (count < 9) nanosecond *= static_cast<uint32_t>(kPowersOfTen[9 - count]);
  rest->remove_prefix(count + 1);
  civil->nanosecond = nanosecond;
  *digits = count;
  return Fault::kNone;
}

/// All of `rest` is an offset, or nothing.
Fault ReadOffset(std::string_view rest, CivilTime* civil) {
  if (rest.empty()) return Fault::kNone;
  civil->has_offset = true;
  if (rest == "Z" || rest == "z") return Fault::kNone;
  if ((rest[0] != '+' && rest[0] != '-') || rest.size() < 3) return Fault::kOffset;
  uint32_t hours = TwoDigits(&rest[1]);
  uint32_t minutes = 0;
  if (rest.size() == 6 && rest[3] == ':') {
    minutes = TwoDigits(&rest[4]);
  } else if (rest.size() == 5) {
    minutes = TwoDigits(&rest[3]);
  } else if (rest.size() != 3) {
    return Fault::kOffset;
  }
  if (hours > 23 || minutes > 59) return Fault::kOffset;
  int32_t seconds = static_cast<int32_t>(hours * 3600 + minutes * 60);
  civil->offset_seconds = rest[0] == '-' ? -seconds : seconds;
  return Fault::kNone;
}

Fault ReadCivil(std::string_view text, CivilTime* civil, size_t* fraction_digits) {
  if (text.size() < 10) return Fault::kShape;
  Fault fault = ReadDate(text.data(), civil);
  if (fault != Fault::kNone || text.size() == 10) return fault;
  char separator = text[10];
  if (text.size() < 19 || (separator != 'T' && separator != 't' && separator != ' ')) {
    return Fault::kShape;
  }
  fault = ReadTime(text.data() + 11, civil);
  if (fault != Fault::kNone) return fault;
  std::string_view rest = text.substr(19);
  fault = ReadFraction(&rest, civil, fraction_digits);
  if (fault != Fault::kNone) return fault;
  return ReadOffset(rest, civil);
}

/// False where the moment is out of Timestamp's range.
bool ToMoment(const CivilTime& civil, Timestamp* t) {
  int64_t seconds = DaysFromCivil({civil.year, civil.month, civil.day}) * kSecondsPerDay +
                    civil.hour * 3600 + civil.minute * 60 + civil.second;
  if (civil.has_offset) seconds -= civil.offset_seconds;
  int64_t rest = civil.nanosecond;
  if (seconds <
      0) {  // so that both parts have one sign and the product stays in range at Timestamp::Min()
    ++seconds;
    rest -= kNanosPerSecond;
  }
  int64_t ns = 0;
  if (__builtin_mul_overflow(seconds, kNanosPerSecond, &ns)) return false;
  if (__builtin_add_overflow(ns, rest, &ns)) return false;
  *t = Timestamp(ns);
  return true;
}

/// floor(|parts| * 10^power) or, `up`, its ceiling; false beyond 2^64.
bool ScaleMagnitude(const NumberParts& parts, int power, bool up, uint64_t* out) {
  int64_t whole = static_cast<int64_t>(parts.integer.size()) + parts.exponent + power;
  uint64_t value = 0;
  bool dropped = false;  // a digit other than 0 lies behind the nanosecond
  int64_t position = 0;
  for (std::string_view digits : {parts.integer, parts.fraction}) {
    for (char c : digits) {
      if (position++ >= whole) {
        dropped |= c != '0';
      } else if (__builtin_mul_overflow(value, uint64_t{10}, &value) ||
                 __builtin_add_overflow(value, static_cast<uint64_t>(c - '0'), &value)) {
        return false;
      }
    }
  }
  for (; position < whole && value != 0; ++position) {
    if (__builtin_mul_overflow(value, uint64_t{10}, &value)) return false;
  }
  return !__builtin_add_overflow(value, uint64_t{dropped && up}, out);
}

int PowerOfTen(TimeUnit unit) { return 9 - 3 * static_cast<int>(unit); }

}  // namespace

Result<Timestamp> ParseUnits(std::string_view text, TimeUnit unit) {
  NumberParts parts;
  if (!ScanNumber(text, &parts)) return NotATime(text, "expected a number");
  uint64_t magnitude = 0;
  if (!ScaleMagnitude(parts, PowerOfTen(unit), parts.negative, &magnitude)) return OutOfRange();
  constexpr uint64_t kMax = std::numeric_limits<int64_t>::max();
  if (magnitude > kMax + (parts.negative ? 1 : 0)) return OutOfRange();
  return Timestamp(static_cast<int64_t>(parts.negative ? 0 - magnitude : magnitude));
}

Result<CivilTime> ParseCivil(std::string_view text) {
  CivilTime civil;
  size_t fraction_digits = 0;
  Fault fault = ReadCivil(text, &civil, &fraction_digits);
  if (fault != Fault::kNone) return NotATime(text, FaultText(fault));
  return civil;
}

Result<Timestamp> CivilToTimestamp(const CivilTime& civil) {
  Timestamp t;
  if (!ToMoment(civil, &t)) return OutOfRange();
  return t;
}

Result<Timestamp> ParseRfc3339(std::string_view text) {
  CivilTime civil;
  size_t fraction_digits = 0;
  Fault fault = ReadCivil(text, &civil, &fraction_digits);
  if (fault != Fault::kNone) return NotATime(text, FaultText(fault));
  if (fraction_digits > 9) return NotATime(text, "at most 9 digits of a second can be held");
  if (civil.has_time && !civil.has_offset) {
    return NotATime(text, "an offset is missing; append Z for UTC");
  }
  return CivilToTimestamp(civil);
}

Result<Day> ParseDay(std::string_view text) {
  CivilTime civil;
  Fault fault = text.size() == 10 ? ReadDate(text.data(), &civil) : Fault::kShape;
  if (fault == Fault::kNoSuchDay) return NotATime(text, FaultText(fault));
  if (fault != Fault::kNone) return NotATime(text, "expected a day like 2024-07-02");
  return Day(static_cast<int32_t>(DaysFromCivil({civil.year, civil.month, civil.day})));
}

}  // namespace tapedeck
