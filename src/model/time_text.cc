#include "model/time_text.h"

#include <algorithm>
#include <charconv>
#include <string>

#include "base/text.h"

namespace tapedeck {
namespace {

constexpr int64_t kBareIntegerMin = 1'000'000'000'000'000'000;
constexpr std::string_view kForms =
    "write RFC 3339 (2024-07-02T04:17:16Z), a date, an integer with a unit (1712877306113ms), or "
    "now-15m";

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// An optional '-' and digits in front; what follows stays in `rest`.
bool TakeInteger(std::string_view text, int64_t* value, std::string_view* rest, bool* fits) {
  size_t end = text.starts_with('-') ? 1 : 0;
  while (end < text.size() && IsDigit(text[end])) ++end;
  if (end == 0 || !IsDigit(text[end - 1])) return false;
  auto [at, error] = std::from_chars(text.data(), text.data() + end, *value);
  *fits = error == std::errc() && at == text.data() + end;
  *rest = text.substr(end);
  return true;
}

Status Bad(std::string_view text, std::string_view why) {
  return Status::InvalidArgument(Quoted(text) + " " + std::string(why));
}

Result<Timestamp> FromInteger(std::string_view text, int64_t value, std::string_view unit,
                              bool fits) {
  if (unit.empty()) {
    if (fits && value >= kBareIntegerMin) return Timestamp(value);
    if (!fits) return Bad(text, "is out of range");
    return Bad(text, "has no unit: write " + std::string(text) + "ms (or s, us, ns)");
  }
  if (!fits) return Bad(text, "is out of range");
  Result<Timestamp> time = unit == "s"    ? TimestampFromUnits(value, TimeUnit::kSeconds)
                           : unit == "ms" ? TimestampFromUnits(value, TimeUnit::kMilliseconds)
                           : unit == "us" ? TimestampFromUnits(value, TimeUnit::kMicroseconds)
                                          : TimestampFromUnits(value, TimeUnit::kNanoseconds);
  if (!time.ok()) return Bad(text, "is out of range: years 1677 to 2262");
  return time;
}

// Nanoseconds of one unit of a relative time, or 0.
int64_t UnitOf(std::string_view name) {
  constexpr int64_t kSecond = 1'000'000'000;
  if (name == "ns") return 1;
  if (name == "us") return 1'000;
  if (name == "ms") return 1'000'000;
  if (name == "s") return kSecond;
  if (name == "m") return 60 * kSecond;
  if (name == "h") return 3'600 * kSecond;
  return name == "d" ? 86'400 * kSecond : 0;
}

// base moved by `shift`: a sign, a whole number and a unit.
Result<Timestamp> Moved(std::string_view text, Timestamp base, std::string_view shift) {
  int64_t count = 0;
  int64_t ns = 0;
  bool fits = false;
  std::string_view unit;
  const bool good = shift.size() > 1 && IsDigit(shift[1]) &&
                    TakeInteger(shift.substr(1), &count, &unit, &fits) && fits &&
                    UnitOf(unit) != 0 && !__builtin_mul_overflow(count, UnitOf(unit), &ns);
  if (!good)
    return Bad(text,
               "is no time: write a whole number and a unit (ns, us, ms, s, m, h, d), such as 15m");
  return base.SaturatingAdd(shift[0] == '-' ? -ns : ns);
}

bool IsUnit(std::string_view unit) {
  return unit.empty() || unit == "s" || unit == "ms" || unit == "us" || unit == "ns";
}

}  // namespace

bool IsAmbiguousTime(std::string_view text) {
  int64_t value = 0;
  bool fits = false;
  std::string_view rest;
  return TakeInteger(text, &value, &rest, &fits) && rest.empty() && fits && value < kBareIntegerMin;
}

Result<Timestamp> ParseTimeText(std::string_view text, Timestamp now,
                                std::optional<Timestamp> start) {
  if (text == "now") return now;
  if (text.starts_with("now+") || text.starts_with("now-")) return Moved(text, now, text.substr(3));
  if (text.starts_with('+')) {
    if (!start) return Bad(text, "is relative to a start, and there is none: name a start");
    return Moved(text, *start, text);
  }
  int64_t value = 0;
  bool fits = false;
  std::string_view rest;
  if (TakeInteger(text, &value, &rest, &fits) && IsUnit(rest)) {
    return FromInteger(text, value, rest, fits);
  }
  // "+02:00" whose plus was read as a blank.
  std::string fixed(text);
  if (fixed.size() > 16 && fixed[fixed.size() - 6] == ' ' && fixed[fixed.size() - 3] == ':') {
    fixed[fixed.size() - 6] = '+';
  }
  Result<Timestamp> time = ParseRfc3339(fixed);
  if (!time.ok()) return Bad(text, "is no time: " + std::string(kForms));
  return time;
}

}  // namespace tapedeck
