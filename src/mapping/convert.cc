#include "mapping/convert.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include "base/decimal.h"
#include "base/limits.h"
#include "base/time.h"

namespace tapedeck::rules {
namespace {

using Kind = Operand::Kind;

constexpr size_t kArenaBlock = size_t{16} << 10;
constexpr size_t kUnscaledBytesMax = 64;

bool HoldsNumber(const Operand& operand) {
  return operand.kind == Kind::kNumber || operand.kind == Kind::kText;
}

Fault FromNumberText(std::string_view text, Arena* arena, tapedeck::Value* out) {
  Decimal decimal;
  switch (ParseDecimal(text, &decimal, arena->scratch())) {
    case DecimalForm::kDecimal:
      *out = tapedeck::Value::OfDecimal(decimal);
      return Fault::kNone;
    case DecimalForm::kText:
      *out = tapedeck::Value::OfDecimalText(arena->Copy(*arena->scratch()));
      return Fault::kNone;
    case DecimalForm::kBad:
      break;
  }
  return Fault::kBadNumber;
}

int Base64Digit(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+') return 62;
  if (c == '/') return 63;
  return -1;
}

/// Standard alphabet, padding required where the length needs it, unused bits zero.
bool DecodeBase64(std::string_view text, std::vector<uint8_t>* out) {
  if (text.size() % 4 != 0 || text.size() > 4 * kUnscaledBytesMax / 3 + 4) return false;
  size_t padding = 0;
  while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') ++padding;
  text.remove_suffix(padding);
  uint32_t bits = 0;
  int have = 0;
  for (char c : text) {
    int digit = Base64Digit(c);
    if (digit < 0) return false;
    bits = (bits << 6) | static_cast<uint32_t>(digit);
    have += 6;
    if (have >= 8) {
      have -= 8;
      out->push_back(static_cast<uint8_t>(bits >> have));
      bits &= (1u << have) - 1;
    }
  }
  return bits == 0 && !out->empty() && out->size() <= kUnscaledBytesMax;
}

/// A big-endian two's complement integer as decimal digits.
std::string IntegerOfBytes(std::vector<uint8_t> bytes) {
  const bool negative = (bytes[0] & 0x80) != 0;
  if (negative) {
    uint32_t carry = 1;
    for (size_t i = bytes.size(); i-- > 0;) {
      carry += static_cast<uint8_t>(~bytes[i]);
      bytes[i] = static_cast<uint8_t>(carry);
      carry >>= 8;
    }
  }
  std::string digits;
  bool left = true;
  while (left) {
    uint32_t rest = 0;
    left = false;
    for (uint8_t& byte : bytes) {
      rest = rest * 256 + byte;
      byte = static_cast<uint8_t>(rest / 10);
      rest %= 10;
      left = left || byte != 0;
    }
    digits.push_back(static_cast<char>('0' + rest));
  }
  if (negative) digits.push_back('-');
  std::reverse(digits.begin(), digits.end());
  return digits;
}

/// An integer and how many of its digits are decimals.
Fault FromUnscaled(const Source& source, const Operand& operand, Arena* arena,
                   tapedeck::Value* out) {
  std::string digits;
  if (source.base64) {
    std::vector<uint8_t> bytes;
    if (operand.kind != Kind::kText || !DecodeBase64(operand.text, &bytes))
      return Fault::kBadNumber;
    digits = IntegerOfBytes(std::move(bytes));
  } else {
    if (!HoldsNumber(operand)) return Fault::kBadNumber;
    tapedeck::Value number;
    if (FromNumberText(operand.text, arena, &number) != Fault::kNone) return Fault::kBadNumber;
    number.AppendCanonical(&digits);
    if (digits.find('.') != std::string::npos) return Fault::kBadNumber;
  }
  if (size_t scale = source.scale.value_or(0); scale > 0) {
    const size_t sign = digits[0] == '-' ? 1 : 0;
    if (digits.size() - sign <= scale) digits.insert(sign, scale + 1 - (digits.size() - sign), '0');
    digits.insert(digits.size() - scale, 1, '.');
  }
  return FromNumberText(digits, arena, out);
}

Fault ToInteger(std::string_view text, Arena* arena, int64_t* out) {
  Decimal decimal;
  std::string& canonical = *arena->scratch();
  DecimalForm form = ParseDecimal(text, &decimal, &canonical);
  if (form == DecimalForm::kBad) return Fault::kBadNumber;
  if (form == DecimalForm::kDecimal && decimal.scale == 0) {
    *out = decimal.mantissa;
    return Fault::kNone;
  }
  if (form == DecimalForm::kDecimal) canonical = ToString(decimal);
  std::string_view digits = canonical;
  if (size_t point = digits.find('.'); point != std::string_view::npos) {
    if (digits.find_first_not_of('0', point + 1) != std::string_view::npos)
      return Fault::kBadNumber;
    digits = digits.substr(0, point);
  }
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), *out);
  return error == std::errc() && end == digits.data() + digits.size() ? Fault::kNone
                                                                      : Fault::kBadNumber;
}

Fault ToFlag(const Operand& operand, Arena* arena, tapedeck::Value* out) {
  if (operand.kind == Kind::kTrue || operand.text == "true") {
    *out = tapedeck::Value::OfFlag(true);
    return Fault::kNone;
  }
  if (operand.kind == Kind::kFalse || operand.text == "false") {
    *out = tapedeck::Value::OfFlag(false);
    return Fault::kNone;
  }
  int64_t number = 0;
  if (!HoldsNumber(operand) || ToInteger(operand.text, arena, &number) != Fault::kNone ||
      (number != 0 && number != 1)) {
    return Fault::kBadFlag;
  }
  *out = tapedeck::Value::OfFlag(number == 1);
  return Fault::kNone;
}

Fault ToMoment(const Source& source, std::string_view text, bool iso, bool date, Timestamp* out) {
  Result<CivilTime> civil = ParseCivil(text);
  if (!civil.ok() || !(civil->has_time ? iso : date)) return Fault::kBadTime;
  Result<Timestamp> moment = Status::InvalidArgument("no time yet");
  if (civil->has_offset) {
    moment = CivilToTimestamp(*civil);
  } else if (source.tz) {
    moment = source.tz->ToTimestamp(*civil);
  } else {
    if (civil->has_time) return Fault::kNoZone;
    moment = CivilToTimestamp(*civil);
  }
  if (!moment.ok()) return Fault::kBadTime;
  *out = *moment;
  return Fault::kNone;
}

Fault ToUnits(std::string_view text, TimeUnit unit, Timestamp* out) {
  Result<Timestamp> moment = ParseUnits(text, unit);
  if (!moment.ok()) return Fault::kBadTime;
  *out = *moment;
  return Fault::kNone;
}

/// The integer part of a number that ParseDecimal reads; false where it does not fit.
bool IntegerPart(std::string_view text, DecimalForm* form, int64_t* out) {
  Decimal decimal;
  std::string canonical;
  *form = ParseDecimal(text, &decimal, &canonical);
  if (*form == DecimalForm::kBad) return false;
  if (*form == DecimalForm::kDecimal) canonical = ToString(decimal);
  std::string_view digits = std::string_view(canonical).substr(0, canonical.find('.'));
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), *out);
  return error == std::errc() && end == digits.data() + digits.size();
}

}  // namespace

char* Arena::Take(size_t size) {
  if (blocks_.empty() || blocks_.back().size - used_ < size) {
    size_t block = std::max(size, kArenaBlock);
    blocks_.push_back({std::make_unique_for_overwrite<char[]>(block), block});
    used_ = 0;
  }
  char* out = blocks_.back().bytes.get() + used_;
  used_ += size;
  return out;
}

std::string_view Arena::Copy(std::string_view text) {
  char* out = Take(text.size());
  if (!text.empty()) std::memcpy(out, text.data(), text.size());
  return {out, text.size()};
}

std::string_view Arena::Concat(std::string_view first, std::string_view second) {
  char* out = Take(first.size() + second.size());
  std::copy(second.begin(), second.end(), std::copy(first.begin(), first.end(), out));
  return {out, first.size() + second.size()};
}

void Arena::Reset() {
  if (blocks_.size() > 1) {
    // A message that needed several blocks may come again: keep one of ordinary size, give back the
    // rest.
    blocks_.resize(1);
    if (blocks_[0].size > 16 * kArenaBlock) blocks_.clear();
  }
  used_ = 0;
}

std::string_view TextOf(const Operand& operand) {
  switch (operand.kind) {
    case Kind::kTrue:
      return "true";
    case Kind::kFalse:
      return "false";
    default:
      return operand.text;
  }
}

bool Matches(const Literal& literal, const Operand& operand) {
  switch (literal.kind) {
    case Literal::Kind::kText:
      return operand.kind == Kind::kText && operand.text == literal.text;
    case Literal::Kind::kTrue:
      return operand.kind == Kind::kTrue;
    case Literal::Kind::kFalse:
      return operand.kind == Kind::kFalse;
    case Literal::Kind::kNumber:
      return (operand.kind == Kind::kNumber || operand.kind == Kind::kText) &&
             ComparableNumber::Of(operand.text).Equals(literal.number);
    case Literal::Kind::kNull:
      return false;
  }
  return false;
}

bool Transform(const Source& source, Operand* operand) {
  if (!source.extract && !source.has_map) return true;
  if (operand->kind == Operand::Kind::kNotUtf8) return true;  // refused by its type
  std::string_view text = TextOf(*operand);
  if (source.extract) {
    std::optional<std::string_view> group = source.extract->FirstGroup(text);
    if (!group || group->empty()) return false;
    text = *group;
  }
  if (source.has_map) {
    auto found = std::find_if(source.map.begin(), source.map.end(),
                              [text](const auto& e) { return e.first == text; });
    if (found == source.map.end() || found->second.empty()) return false;
    text = found->second;
  }
  *operand = {Operand::Kind::kText, operand->node, text};
  return true;
}

bool UnitBySize(int64_t value, TimeUnit* unit) {
  if (value < 100'000'000) return false;
  *unit = value < 100'000'000'000           ? TimeUnit::kSeconds
          : value < 100'000'000'000'000     ? TimeUnit::kMilliseconds
          : value < 100'000'000'000'000'000 ? TimeUnit::kMicroseconds
                                            : TimeUnit::kNanoseconds;
  return true;
}

Fault ConvertTime(const Source& source, const Operand& operand, Timestamp* out) {
  const bool text = operand.kind == Kind::kText;
  if (!text && operand.kind != Kind::kNumber) return Fault::kBadTime;
  switch (source.time) {
    case TimeForm::kSeconds:
      return ToUnits(operand.text, TimeUnit::kSeconds, out);
    case TimeForm::kMilliseconds:
      return ToUnits(operand.text, TimeUnit::kMilliseconds, out);
    case TimeForm::kMicroseconds:
      return ToUnits(operand.text, TimeUnit::kMicroseconds, out);
    case TimeForm::kNanoseconds:
      return ToUnits(operand.text, TimeUnit::kNanoseconds, out);
    case TimeForm::kIso:
      return text ? ToMoment(source, operand.text, true, false, out) : Fault::kBadTime;
    case TimeForm::kDate:
      return text ? ToMoment(source, operand.text, false, true, out) : Fault::kBadTime;
    case TimeForm::kAny:
      break;
  }
  int64_t whole = 0;
  DecimalForm form = DecimalForm::kBad;
  TimeUnit unit{};
  if (IntegerPart(operand.text, &form, &whole) && UnitBySize(whole, &unit)) {
    return ToUnits(operand.text, unit, out);
  }
  if (form != DecimalForm::kBad || !text) return Fault::kBadTime;
  return ToMoment(source, operand.text, true, true, out);
}

Fault Convert(const Source& source, ColumnType type, const Operand& operand, Arena* arena,
              tapedeck::Value* out) {
  if (operand.kind == Kind::kNotUtf8) return Fault::kBadText;
  switch (type) {
    case ColumnType::kDecimal:
      if (source.base64 || source.scale) return FromUnscaled(source, operand, arena, out);
      if (!HoldsNumber(operand)) return Fault::kBadNumber;
      return FromNumberText(operand.text, arena, out);
    case ColumnType::kInteger: {
      int64_t number = 0;
      if (!HoldsNumber(operand)) return Fault::kBadNumber;
      Fault fault = ToInteger(operand.text, arena, &number);
      if (fault == Fault::kNone) *out = tapedeck::Value::OfInteger(number);
      return fault;
    }
    case ColumnType::kFlag:
      return ToFlag(operand, arena, out);
    case ColumnType::kTimestamp: {
      Timestamp moment;
      Fault fault = ConvertTime(source, operand, &moment);
      if (fault == Fault::kNone) *out = tapedeck::Value::OfTimestamp(moment);
      return fault;
    }
    case ColumnType::kText: {
      std::string_view text = TextOf(operand);
      if (text.size() > limits::kTextBytesMax) return Fault::kBadText;
      *out = tapedeck::Value::OfText(text);
      return Fault::kNone;
    }
  }
  return Fault::kBadText;
}

}  // namespace tapedeck::rules
