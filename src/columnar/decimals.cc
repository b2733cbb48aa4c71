#include "columnar/decimals.h"

#include <cstring>
#include <string>

#include "base/decimal.h"
#include "base/digits.h"

namespace tapedeck {
namespace {

Int128 PowerOfTen(int digits) {
  Int128 power = 1;
  for (int i = 0; i < digits; ++i) power *= 10;
  return power;
}

// The product, or what is left of one that overflows: such rows are looked at again.
template <typename T>
T Product(Int128 factor, int64_t mantissa) {
  if constexpr (sizeof(T) == sizeof(int64_t)) {
    return static_cast<T>(static_cast<uint64_t>(factor) * static_cast<uint64_t>(mantissa));
  } else {
    return static_cast<T>(static_cast<Uint128>(factor) * static_cast<Uint128>(mantissa));
  }
}

}  // namespace

DecimalFiller::DecimalFiller(DecimalType form, ShortDecimals decimals)
    : form_(form),
      decimals_(form.precision <= 18 ? decimals : ShortDecimals::kDecimal128),
      mantissa_max_(PowerOfTen(form.precision) - 1) {
  for (int scale = 0; scale <= form.scale && scale <= kDecimalScaleMax; ++scale) {
    Rule& rule = rules_[static_cast<size_t>(scale)];
    rule.factor = PowerOfTen(form.scale - scale);
    const Int128 bound = std::min<Int128>(mantissa_max_ / rule.factor, INT64_MAX);
    rule.offset = static_cast<uint64_t>(bound);
    rule.range = 2 * rule.offset + 1;
  }
  rules_[RowsColumn::kNullScale] = {0, 1, 0};  // the mantissa of a null is 0
}

// False: some rows are not settled.
template <typename T, int kStep>
bool DecimalFiller::FillRun(const RowsColumn& column, const RowSlice& slice, T* values,
                            int8_t* scales, uint8_t* present) const {
  const int64_t* mantissa = column.numbers.data() + slice.first;
  const uint8_t* scale = column.scales.data() + slice.first;
  const uint32_t count = slice.count;
  bool settled = true;
  const uint8_t first = scale[0];
  if (kStep == 1 && first != RowsColumn::kNullScale &&
      std::memcmp(scale, scale + 1, count - 1) == 0) {
    const Rule rule = rules_[first];
    for (uint32_t i = 0; i < count; ++i) {
      settled &= rule.Settles(static_cast<uint64_t>(mantissa[i]));
      values[i] = Product<T>(rule.factor, mantissa[i]);
    }
    std::memset(scales, first, count);
    std::memset(present, 1, count);
    return settled;
  }
  for (uint32_t i = 0; i < count; ++i) {
    const int64_t m = mantissa[static_cast<ptrdiff_t>(i) * kStep];
    const uint8_t s = scale[static_cast<ptrdiff_t>(i) * kStep];
    const Rule& rule = rules_[s];
    settled &= rule.Settles(static_cast<uint64_t>(m));
    values[i] = Product<T>(rule.factor, m);
    const bool has = s != RowsColumn::kNullScale;
    scales[i] = has ? static_cast<int8_t>(s) : int8_t{0};
    present[i] = has;
  }
  return settled;
}

template <typename T>
void DecimalFiller::Fill(const RowsColumn& column, const RowSlice& slice, T* values, int8_t* scales,
                         BatchColumn* value, BatchColumn* text) const {
  const size_t from = value->is_present.size();
  uint8_t* present = value->is_present.Grow(slice.count);
  const bool settled = slice.step == 1 ? FillRun<T, 1>(column, slice, values, scales, present)
                                       : FillRun<T, -1>(column, slice, values, scales, present);
  if (settled) return;
  for (uint32_t i = 0; i < slice.count; ++i) {
    const uint32_t row = slice.RowAt(i);
    const Rule& rule = rules_[column.scales[row]];
    if (rule.Settles(static_cast<uint64_t>(column.numbers[row]))) continue;
    const Value number = column.At(row);
    Int128 mantissa = 0;
    int8_t scale = 0;
    present[i] = !number.is_null() && Convert(number, &mantissa, &scale);
    values[i] = present[i] ? static_cast<T>(mantissa) : 0;
    scales[i] = scale;
    if (present[i] || number.is_null()) continue;
    while (text->is_present.size() < from + i) text->AppendText({}, false);
    char buffer[kDecimalCharsMax];
    if (number.has_text()) {
      text->AppendText(number.text(), true);
    } else {
      char* end = FormatDecimalTo(number.decimal(), buffer);
      text->AppendText({buffer, static_cast<size_t>(end - buffer)}, true);
    }
  }
}

void DecimalFiller::Append(const RowsColumn& column, const RowSlice& slice, BatchColumn* value,
                           BatchColumn* scale, BatchColumn* text) const {
  int8_t* scales = scale->bytes.Grow(slice.count);
  if (decimals_ == ShortDecimals::kDecimal64) {
    Fill(column, slice, value->longs.Grow(slice.count), scales, value, text);
  } else {
    Fill(column, slice, value->wides.Grow(slice.count), scales, value, text);
  }
}

bool DecimalFiller::Convert(const Value& value, Int128* mantissa, int8_t* scale) const {
  if (value.has_text()) return ConvertText(value.text(), mantissa, scale);
  const Decimal number = value.decimal();
  Int128 m = number.mantissa;
  if (number.scale > form_.scale) {
    const Int128 divisor = PowerOfTen(number.scale - form_.scale);
    if (m % divisor != 0) return false;
    m /= divisor;
  } else {
    const Int128 factor = PowerOfTen(form_.scale - number.scale);
    if (m > mantissa_max_ / factor || m < -(mantissa_max_ / factor)) return false;
    m *= factor;
  }
  if (m > mantissa_max_ || m < -mantissa_max_) return false;
  *mantissa = m;
  *scale = static_cast<int8_t>(number.scale);
  return true;
}

// Canonical text: [-]digits[.digits].
bool DecimalFiller::ConvertText(std::string_view text, Int128* mantissa, int8_t* scale) const {
  const bool is_negative = text.starts_with('-');
  if (is_negative) text.remove_prefix(1);
  const size_t point = text.find('.');
  const size_t written = point == std::string_view::npos ? 0 : text.size() - point - 1;
  if (written > INT8_MAX) return false;
  Int128 m = 0;
  auto add = [&](int digit) {
    if (m > (mantissa_max_ - digit) / 10) return false;
    m = 10 * m + digit;
    return true;
  };
  size_t after = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (i == point) continue;
    const int digit = text[i] - '0';
    if (digit < 0 || digit > 9) return false;
    if (i > point && ++after > form_.scale) {
      if (digit != 0) return false;
      continue;
    }
    if (!add(digit)) return false;
  }
  for (; after < form_.scale; ++after) {
    if (!add(0)) return false;
  }
  if (is_negative && m == 0) return false;  // DECIMAL has no negative zero
  *mantissa = is_negative ? -m : m;
  *scale = static_cast<int8_t>(written);
  return true;
}

}  // namespace tapedeck
