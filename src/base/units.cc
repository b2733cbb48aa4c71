#include "base/units.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <limits>

namespace tapedeck {
namespace {

struct Unit {
  std::string_view name;
  uint64_t factor;
};

// Greatest first: the order in which the parts of a duration must come.
constexpr std::array kDurationUnits = {
    Unit{"d", 86'400'000'000'000},
    Unit{"h", 3'600'000'000'000},
    Unit{"m", 60'000'000'000},
    Unit{"s", 1'000'000'000},
    Unit{"ms", 1'000'000},
    Unit{"us", 1'000},
    Unit{"ns", 1},
};
constexpr std::array kSizeUnits = {
    Unit{"TiB", uint64_t{1} << 40},
    Unit{"GiB", uint64_t{1} << 30},
    Unit{"MiB", uint64_t{1} << 20},
    Unit{"KiB", uint64_t{1} << 10},
    Unit{"TB", 1'000'000'000'000},
    Unit{"GB", 1'000'000'000},
    Unit{"MB", 1'000'000},
    Unit{"kB", 1'000},
    Unit{"B", 1},
};

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

/// A whole number off the front of `text`; false where there is none or it is too great.
bool TakeNumber(std::string_view* text, uint64_t* number) {
  auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), *number);
  if (error != std::errc() || end == text->data()) return false;
  text->remove_prefix(static_cast<size_t>(end - text->data()));
  return true;
}

std::string_view TakeUnit(std::string_view* text) {
  size_t size = 0;
  while (size < text->size() && !IsDigit((*text)[size])) ++size;
  std::string_view unit = text->substr(0, size);
  text->remove_prefix(size);
  return unit;
}

template <size_t n>
const Unit* FindUnit(const std::array<Unit, n>& units, std::string_view name) {
  for (const Unit& unit : units) {
    if (unit.name == name) return &unit;
  }
  return nullptr;
}

Status BadDuration(std::string_view text) {
  return Status::InvalidArgument("'" + std::string(text) +
                                 "' is no duration: write a whole number and a unit (ns, us, ms, "
                                 "s, m, h, d), such as 200ms or 1h30m");
}

Status BadSize(std::string_view text) {
  return Status::InvalidArgument("'" + std::string(text) +
                                 "' is no size: write a whole number and a unit (B, KiB, MiB, GiB, "
                                 "TiB, kB, MB, GB, TB), such as 8MiB");
}

}  // namespace

Result<std::chrono::nanoseconds> ParseDuration(std::string_view text) {
  std::string_view rest = text;
  uint64_t total = 0;
  uint64_t last_factor = std::numeric_limits<uint64_t>::max();
  if (rest.empty()) return BadDuration(text);
  while (!rest.empty()) {
    uint64_t number = 0;
    if (!TakeNumber(&rest, &number)) return BadDuration(text);
    const Unit* unit = FindUnit(kDurationUnits, TakeUnit(&rest));
    if (unit == nullptr || unit->factor >= last_factor) return BadDuration(text);
    last_factor = unit->factor;
    uint64_t part = 0;
    if (__builtin_mul_overflow(number, unit->factor, &part) ||
        __builtin_add_overflow(total, part, &total) ||
        total > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
      return Status::InvalidArgument("'" + std::string(text) + "' is longer than 292 years");
    }
  }
  return std::chrono::nanoseconds(static_cast<int64_t>(total));
}

std::string FormatDuration(std::chrono::nanoseconds duration) {
  auto ns = static_cast<uint64_t>(duration.count() < 0 ? 0 : duration.count());
  if (ns == 0) return "0s";
  for (const Unit& unit : kDurationUnits) {
    if (ns % unit.factor == 0) return std::to_string(ns / unit.factor) + std::string(unit.name);
  }
  return std::to_string(ns) + "ns";
}

Result<uint64_t> ParseSize(std::string_view text) {
  std::string_view rest = text;
  uint64_t number = 0;
  if (!TakeNumber(&rest, &number)) return BadSize(text);
  const Unit* unit = FindUnit(kSizeUnits, rest);
  if (unit == nullptr) return BadSize(text);
  uint64_t bytes = 0;
  if (__builtin_mul_overflow(number, unit->factor, &bytes) || bytes > (uint64_t{1} << 50)) {
    return Status::InvalidArgument("'" + std::string(text) + "' is more than 1024TiB");
  }
  return bytes;
}

std::string FormatSize(uint64_t bytes) {
  for (const Unit& unit : {kSizeUnits[0], kSizeUnits[1], kSizeUnits[2], kSizeUnits[3]}) {
    if (bytes != 0 && bytes % unit.factor == 0)
      return std::to_string(bytes / unit.factor) + std::string(unit.name);
  }
  return std::to_string(bytes) + "B";
}

Result<double> ParseShare(std::string_view text) {
  double number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  bool percent = error == std::errc() && end + 1 == text.data() + text.size() && *end == '%';
  if (!percent || !std::isfinite(number) || number < 0 || number > 100) {
    return Status::InvalidArgument(
        "'" + std::string(text) + "' is no share: write a number from 0 to 100 and %, such as 85%");
  }
  return number / 100;
}

std::string FormatShare(double share) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%.6g%%", share * 100);
  return buffer;
}

}  // namespace tapedeck
