#include "base/quantity.h"

#include <span>

#include "base/decimal.h"
#include "base/digits.h"
#include "base/text.h"

namespace tapedeck {
namespace {

struct Unit {
  std::string_view name;
  int64_t size;
};

// In the order in which errors name them; the formatters pick the greatest that fits.
constexpr Unit kDurationUnits[] = {
    {"ns", 1},
    {"us", 1'000},
    {"ms", 1'000'000},
    {"s", 1'000'000'000},
    {"m", 60'000'000'000},
    {"h", 3'600'000'000'000},
    {"d", 86'400'000'000'000},
};
constexpr Unit kByteUnits[] = {
    {"B", 1},
    {"kB", 1'000},
    {"MB", 1'000'000},
    {"GB", 1'000'000'000},
    {"TB", 1'000'000'000'000},
    {"KiB", int64_t{1} << 10},
    {"MiB", int64_t{1} << 20},
    {"GiB", int64_t{1} << 30},
    {"TiB", int64_t{1} << 40},
};

/// What a kind of quantity is called in errors.
struct Kind {
  std::string_view noun;     // "duration"
  std::string_view example;  // "200ms"
  std::span<const Unit> units;
};

constexpr Kind kDuration = {"duration", "200ms", kDurationUnits};
constexpr Kind kBytes = {"size", "8MiB", kByteUnits};

Status NotAQuantity(std::string_view text, const Kind& kind, std::string_view why) {
  std::string message = "not a ";
  message.append(kind.noun).append(": ").append(Quoted(text)).append(": ").append(why);
  message.append("; write a number and a unit, like \"").append(kind.example);
  message.append("\"; units are");
  for (size_t i = 0; i < kind.units.size(); ++i) {
    message.append(i == 0 ? " " : ", ").append(kind.units[i].name);
  }
  return Status::InvalidArgument(std::move(message));
}

const Unit* FindUnit(std::span<const Unit> units, std::string_view name) {
  for (const Unit& unit : units) {
    if (unit.name == name) return &unit;
  }
  return nullptr;
}

Result<int64_t> ParseQuantity(std::string_view text, const Kind& kind) {
  size_t digits = text.find_first_not_of("0123456789.");
  std::string_view number = text.substr(0, digits);
  std::string_view unit_name = text.substr(number.size());
  if (number.empty()) return NotAQuantity(text, kind, "it does not start with a digit");
  if (unit_name.empty()) return NotAQuantity(text, kind, "the unit is missing");
  const Unit* unit = FindUnit(kind.units, unit_name);
  if (unit == nullptr) return NotAQuantity(text, kind, "there is no such unit");
  Decimal decimal;
  std::string rest;
  DecimalForm form = ParseDecimal(number, &decimal, &rest);
  if (form == DecimalForm::kBad) return NotAQuantity(text, kind, "the number is malformed");
  if (form == DecimalForm::kText) return NotAQuantity(text, kind, "the number is out of range");
  __extension__ using Wide = __int128;
  Wide scaled = Wide{decimal.mantissa} * unit->size;
  int64_t divisor = static_cast<int64_t>(kPowersOfTen[decimal.scale]);
  if (scaled % divisor != 0) return NotAQuantity(text, kind, "it is not a whole number");
  scaled /= divisor;
  if (scaled > std::numeric_limits<int64_t>::max()) {
    return NotAQuantity(text, kind, "it is out of range");
  }
  return static_cast<int64_t>(scaled);
}

std::string FormatQuantity(uint64_t value, std::span<const Unit> units, std::string_view zero) {
  if (value == 0) return std::string(zero);
  const Unit* best = &units.front();
  for (const Unit& unit : units) {
    uint64_t size = static_cast<uint64_t>(unit.size);
    if (value % size == 0 && unit.size > best->size) best = &unit;
  }
  return std::to_string(value / static_cast<uint64_t>(best->size)) + std::string(best->name);
}

}  // namespace

Result<std::chrono::nanoseconds> ParseDuration(std::string_view text) {
  TD_ASSIGN_OR_RETURN(int64_t ns, ParseQuantity(text, kDuration));
  return std::chrono::nanoseconds(ns);
}

Result<uint64_t> ParseBytes(std::string_view text) {
  TD_ASSIGN_OR_RETURN(int64_t bytes, ParseQuantity(text, kBytes));
  return static_cast<uint64_t>(bytes);
}

std::string FormatDuration(std::chrono::nanoseconds duration) {
  int64_t ns = duration.count();
  uint64_t magnitude = ns < 0 ? 0 - static_cast<uint64_t>(ns) : static_cast<uint64_t>(ns);
  return (ns < 0 ? "-" : "") + FormatQuantity(magnitude, kDurationUnits, "0s");
}

std::string FormatBytes(uint64_t bytes) { return FormatQuantity(bytes, kByteUnits, "0B"); }

}  // namespace tapedeck
