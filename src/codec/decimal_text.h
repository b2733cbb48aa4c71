#ifndef TAPEDECK_CODEC_DECIMAL_TEXT_H_
#define TAPEDECK_CODEC_DECIMAL_TEXT_H_

// Decimals as text, for columns of tokens: only those whose text is told from mantissa and scale.
// Private to codec.
//
//   text := "-"? whole ("." digits)?     whole := "0" | a digit 1 to 9, then digits
// at most 18 digits in all, not "-0" in any spelling, no exponent. Scale = digits after the point.
//
// Bit tricks: "SIMD within a register", after Mula and Lemire (eight digits by three
// multiplications).
//
// Thread-safe: pure functions.

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>

namespace tapedeck {

inline constexpr size_t kDecimalDigitsMax = 18;
/// Sign, digits, point.
inline constexpr size_t kDecimalTextBytesMax = kDecimalDigitsMax + 2;
/// Bytes before the end of a token that ParseDecimalText may read.
inline constexpr size_t kDecimalLookBack = 16;

inline constexpr int64_t kTenTo[kDecimalDigitsMax + 1] = {1,
                                                          10,
                                                          100,
                                                          1'000,
                                                          10'000,
                                                          100'000,
                                                          1'000'000,
                                                          10'000'000,
                                                          100'000'000,
                                                          1'000'000'000,
                                                          10'000'000'000,
                                                          100'000'000'000,
                                                          1'000'000'000'000,
                                                          10'000'000'000'000,
                                                          100'000'000'000'000,
                                                          1'000'000'000'000'000,
                                                          10'000'000'000'000'000,
                                                          100'000'000'000'000'000,
                                                          1'000'000'000'000'000'000};

namespace decimal_text {

inline uint64_t Load8(const char* at) {
  uint64_t word;
  std::memcpy(&word, at, sizeof word);
  return word;
}

/// The last `n` characters of a word (its high bytes), n up to 8.
inline uint64_t Last(size_t n) { return n == 0 ? 0 : ~uint64_t{0} << (64 - 8 * n); }

/// Eight digits, first in the low byte, each 0 to 9.
inline uint64_t EightDigits(uint64_t word) {
  word = word * 10 + (word >> 8);
  return ((word & 0x000000ff000000ff) * 0x000f424000000064 +
          ((word >> 16) & 0x000000ff000000ff) * 0x0000271000000001) >>
         32;
}

/// The general way: any size, sign, point anywhere.
inline bool ParseSlow(const char* text, size_t size, int64_t* mantissa, uint8_t* scale) {
  const bool negative = size > 0 && *text == '-';
  const char *at = text + (negative ? 1 : 0), *end = text + size, *point = nullptr;
  if (static_cast<size_t>(end - at) > kDecimalDigitsMax + 1) return false;
  uint64_t value = 0;
  const char* start = at;
  for (; at < end; ++at) {
    if (*at == '.' && point == nullptr) {
      point = at;
    } else if (*at >= '0' && *at <= '9') {
      value = value * 10 + static_cast<uint64_t>(*at - '0');
    } else {
      return false;
    }
  }
  const auto digits = static_cast<size_t>(end - start) - (point == nullptr ? 0 : 1);
  const auto whole = static_cast<size_t>((point == nullptr ? end : point) - start);
  if (digits > kDecimalDigitsMax || whole == 0 || point == end - 1) return false;
  if ((whole > 1 && *start == '0') || (negative && value == 0)) return false;
  *mantissa = negative ? -static_cast<int64_t>(value) : static_cast<int64_t>(value);
  *scale = point == nullptr ? 0 : static_cast<uint8_t>(end - point - 1);
  return true;
}

}  // namespace decimal_text

/// False where the text is not of the form above. `scale` holds a guess before and the truth after;
/// kDecimalLookBack bytes before the end of the text can be read.
inline bool ParseDecimalText(const char* text, size_t size, int64_t* mantissa, uint8_t* scale) {
  namespace d = decimal_text;
  const size_t s = *scale;
  if (size == 0 || size > 16 || size < s + 2 - (s == 0) || (s > 0 && text[size - 1 - s] != '.'))
      [[unlikely]]
    return d::ParseSlow(text, size, mantissa, scale);
  uint64_t high = d::Load8(text + size - 8), low = d::Load8(text + size - 16);
  size_t digits = size;
  if (s > 0) {  // the point is stepped over
    --digits;
    if (s < 8) {
      high = (high & d::Last(s)) | ((high << 8 | low >> 56) & ~d::Last(s));
      low <<= 8;
    } else {
      low = (low & d::Last(s - 8)) | ((low << 8) & ~d::Last(s - 8));
    }
  }
  constexpr uint64_t kZeros = 0x3030303030303030;
  high = (high ^ kZeros) & d::Last(std::min<size_t>(digits, 8));
  low = digits > 8 ? (low ^ kZeros) & d::Last(digits - 8) : 0;
  const uint64_t odd =
      ((high + 0x7676767676767676) | high | (low + 0x7676767676767676) | low) & 0x8080808080808080;
  if (odd != 0 || (*text == '0' && digits > s + 1)) [[unlikely]]
    return d::ParseSlow(text, size, mantissa, scale);
  uint64_t value = d::EightDigits(high);
  if (digits > 8) value += d::EightDigits(low) * 100'000'000;
  *mantissa = static_cast<int64_t>(value);
  return true;
}

namespace decimal_text {

inline constexpr auto kPairs = [] {
  struct {
    char of[200];
  } table{};
  for (int i = 0; i < 100; ++i) {
    table.of[2 * i] = static_cast<char>('0' + i / 10);
    table.of[2 * i + 1] = static_cast<char>('0' + i % 10);
  }
  return table;
}();

/// Exactly `count` digits of `value`, up to `end`.
inline void PutDigits(uint64_t value, size_t count, char* end) {
  for (; count >= 2; count -= 2) {
    end -= 2;
    std::memcpy(end, &kPairs.of[2 * (value % 100)], 2);
    value /= 100;
  }
  if (count == 1) *(end - 1) = static_cast<char>('0' + value % 10);
}

/// How many digits `value` has, which is below 10^18; 1 for 0.
inline size_t CountDigits(uint64_t value) {
  value |= 1;
  const auto guess = static_cast<size_t>(std::bit_width(value)) * 1233 >> 12;  // times log10(2)
  return guess + (value >= static_cast<uint64_t>(kTenTo[guess]) ? 1 : 0);
}

}  // namespace decimal_text

/// Writes the text at `out`, which has room for kDecimalTextBytesMax bytes, and gives its end.
/// |mantissa| < 10^18, scale < kDecimalDigitsMax.
inline char* PutDecimalText(int64_t mantissa, size_t scale, char* out) {
  namespace d = decimal_text;
  uint64_t value = static_cast<uint64_t>(mantissa);
  if (mantissa < 0) {
    *out++ = '-';
    value = uint64_t{0} - value;
  }
  const size_t digits = std::max(d::CountDigits(value), scale + 1);
  if (scale == 0) {
    d::PutDigits(value, digits, out + digits);
    return out + digits;
  }
  const auto unit = static_cast<uint64_t>(kTenTo[scale]);
  const uint64_t whole = value / unit;
  d::PutDigits(whole, digits - scale, out + digits - scale);
  out[digits - scale] = '.';
  d::PutDigits(value - whole * unit, scale, out + digits + 1);
  return out + digits + 1;
}

}  // namespace tapedeck

#endif  // TAPEDECK_CODEC_DECIMAL_TEXT_H_
