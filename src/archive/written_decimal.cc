#include "archive/written_decimal.h"

#include <algorithm>

#include "base/decimal.h"
#include "base/text.h"

namespace tapedeck {
namespace {

Int128 PowerOfTen(int64_t digits) {
  Int128 power = 1;
  for (int64_t i = 0; i < digits; ++i) power *= 10;
  return power;
}

// Canonical text of `unscaled` with `digits` after the point, and `zeros` more.
void FormatWide(Int128 unscaled, int64_t digits, int64_t zeros, std::string* out) {
  Uint128 rest =
      unscaled < 0 ? ~static_cast<Uint128>(unscaled) + 1 : static_cast<Uint128>(unscaled);
  std::string reversed;
  for (; rest != 0 || static_cast<int64_t>(reversed.size()) <= digits; rest /= 10) {
    reversed += static_cast<char>('0' + static_cast<int>(rest % 10));
  }
  *out = unscaled < 0 ? "-" : "";
  out->append(reversed.rbegin(), reversed.rend());
  if (digits > 0) out->insert(out->size() - static_cast<size_t>(digits), 1, '.');
  if (digits == 0 && zeros > 0) *out += '.';
  out->append(static_cast<size_t>(zeros), '0');
}

}  // namespace

Result<Value> WrittenDecimal(Int128 unscaled, uint8_t scale, int64_t written, std::string* text) {
  if (written < 0 || written > static_cast<int64_t>(kDecimalTextMax)) {
    return Status::Corruption("a number with " + std::to_string(written) + " digits");
  }
  int64_t digits = scale;
  if (written < digits) {
    const Int128 divisor = PowerOfTen(digits - written);
    if (unscaled % divisor != 0) return Status::Corruption("a number with digits beyond its scale");
    unscaled /= divisor;
    digits = written;
  }
  int64_t zeros = written - digits;
  if (written <= kDecimalScaleMax) {
    // Few enough zeros: the product of a 38-digit number would not be small anyway.
    Int128 mantissa = unscaled;
    bool fits = mantissa > INT64_MIN && mantissa <= INT64_MAX;
    if (fits) mantissa *= PowerOfTen(zeros);
    fits = fits && mantissa > INT64_MIN && mantissa <= INT64_MAX;
    if (fits) {
      return Value::OfDecimal({static_cast<int64_t>(mantissa), static_cast<uint8_t>(written)});
    }
  }
  FormatWide(unscaled, digits, zeros, text);
  return WrittenDecimal(std::string(*text), text);
}

Result<Value> WrittenDecimal(std::string_view canonical, std::string* text) {
  Decimal decimal;
  std::string formatted;
  switch (ParseDecimal(canonical, &decimal, &formatted)) {
    case DecimalForm::kDecimal:
      AppendDecimal(decimal, &formatted);
      if (formatted != canonical) break;
      return Value::OfDecimal(decimal);
    case DecimalForm::kText:
      if (formatted != canonical) break;
      *text = std::move(formatted);
      return Value::OfDecimalText(*text);
    case DecimalForm::kBad:
      break;
  }
  return Status::Corruption("a number that is not in its canonical form: " + Quoted(canonical));
}

}  // namespace tapedeck
