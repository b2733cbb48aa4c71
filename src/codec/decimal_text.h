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
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>

namespace tapedeck {

inline constexpr size_t kDecimalDigitsMax = 18;
/// Sign, digits, point.
inline constexpr size_t kDecimalTextBytesMax = kDecimalDigitsMax + 2;
/// Bytes before the end of a token that ParseDecimalText may read.
inline constexpr size_t kDecimalLookBack = 16;

inline constexpr auto kTenTo = [] {
  std::array<int64_t, kDecimalDigitsMax + 1> table{};
  table[0] = 1;
  for (size_t i = 1; i < table.size(); ++i) table[i] = 10 * table[i - 1];
  return table;
}();

namespace decimal_text {

inline uint64_t Load8(const char* at) {
  uint64_t word;
  std::memcpy(&word, at, sizeof word);
  return word;
}

/// The last `n` characters of a word (its high bytes), n up to 8.
inline uint64_t Last(size_t n) { return n == 0 ? 0 : ~uint64_t{0} << (64 - 8 * n); }

/// High bits of the bytes that are points; of the byte after one, also where it is a slash.
inline uint64_t Points(uint64_t word) {
  word ^= 0x2e2e2e2e2e2e2e2e;
  return (word - 0x0101010101010101) & ~word & 0x8080808080808080;
}

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

namespace decimal_text {

inline constexpr uint64_t kZeros = 0x3030303030303030;

inline bool AreDigits(uint64_t word) {
  return (((word + 0x7676767676767676) | word) & 0x8080808080808080) == 0;
}

/// 9 to 16 characters.
inline bool ParseLong(const char* text, size_t size, int64_t* mantissa, uint8_t* scale) {
  uint64_t high = Load8(text + size - 8), low = Load8(text + size - 16);
  size_t digits = size, s = 0;  // s: characters after the point
  if (uint64_t point = Points(high); point != 0) {
    s = static_cast<size_t>(std::countl_zero(point)) / 8;
    high = (high & Last(s)) | ((high << 8 | low >> 56) & ~Last(s));
    low <<= 8;
    --digits;
    if (s == 0) return false;
  } else if (point = Points(low) & Last(size - 8); point != 0) {
    s = static_cast<size_t>(std::countl_zero(point)) / 8;
    low = (low & Last(s)) | ((low << 8) & ~Last(s));
    --digits;
    s += 8;
  }
  high ^= kZeros;
  low = (low ^ kZeros) & Last(digits - 8);
  if (!AreDigits(high) || !AreDigits(low) || digits <= s || (*text == '0' && digits > s + 1))
    return false;
  *mantissa = static_cast<int64_t>(EightDigits(high) + EightDigits(low) * 100'000'000);
  *scale = static_cast<uint8_t>(s);
  return true;
}

}  // namespace decimal_text

/// False where the text is not of the form above. kDecimalLookBack bytes before the end of the text
/// can be read.
[[gnu::always_inline]] inline bool ParseDecimalText(const char* text, size_t size,
                                                    int64_t* mantissa, uint8_t* scale) {
  namespace d = decimal_text;
  if (size == 0 || size > 16 || *text == '-') [[unlikely]]
    return d::ParseSlow(text, size, mantissa, scale);
  if (size > 8) return d::ParseLong(text, size, mantissa, scale);
  uint64_t word = d::Load8(text + size - 8);
  size_t s = 0;
  if (const uint64_t point = d::Points(word) & d::Last(size); point != 0) {
    s = static_cast<size_t>(std::countl_zero(point)) / 8;
    word = (word & d::Last(s)) | ((word << 8) & ~d::Last(s));
    if (s == 0) return false;
    --size;
  }
  word = (word ^ d::kZeros) & d::Last(size);
  if (!d::AreDigits(word) || size <= s || (*text == '0' && size > s + 1)) return false;
  *mantissa = static_cast<int64_t>(d::EightDigits(word));
  *scale = static_cast<uint8_t>(s);
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

namespace decimal_text {

/// The eight digits of a number below 10^8, first in the low byte, each 0 to 9.
inline uint64_t ToEightDigits(uint64_t value) {
  const uint64_t fours = (value / 10'000) | (value % 10'000) << 32;
  const uint64_t hundreds = ((fours * 10'486) >> 20) & 0x0000007f0000007f;
  const uint64_t pairs = ((fours - 100 * hundreds) << 16) + hundreds;
  const uint64_t tens = ((pairs * 103) >> 10) & 0x000f000f000f000f;
  return tens + ((pairs - 10 * tens) << 8);
}

/// The general way.
inline char* PutSlow(uint64_t value, size_t scale, char* out) {
  const size_t digits = std::max(CountDigits(value), scale + 1);
  if (scale == 0) {
    PutDigits(value, digits, out + digits);
    return out + digits;
  }
  const auto unit = static_cast<uint64_t>(kTenTo[scale]);
  const uint64_t whole = value / unit;
  PutDigits(whole, digits - scale, out + digits - scale);
  out[digits - scale] = '.';
  PutDigits(value - whole * unit, scale, out + digits + 1);
  return out + digits + 1;
}

}  // namespace decimal_text

/// Writes the text at `out` and gives its end, which is at most kDecimalTextBytesMax bytes further;
/// it may write as many bytes in any case. |mantissa| < 10^18, scale < kDecimalDigitsMax.
inline char* PutDecimalText(int64_t mantissa, size_t scale, char* out) {
  namespace d = decimal_text;
  uint64_t value = static_cast<uint64_t>(mantissa);
  if (mantissa < 0) {
    *out++ = '-';
    value = uint64_t{0} - value;
  }
  if (value >= 100'000'000) {
    if (scale > 0 || value >= 10'000'000'000'000'000) return d::PutSlow(value, scale, out);
    const uint64_t high = d::ToEightDigits(value / 100'000'000);
    const uint64_t low = d::ToEightDigits(value % 100'000'000) | d::kZeros;
    const auto zeros = static_cast<size_t>(std::countr_zero(high)) / 8;
    const uint64_t text = (high | d::kZeros) >> (8 * zeros);
    std::memcpy(out, &text, 8);
    std::memcpy(out + 8 - zeros, &low, 8);
    return out + 16 - zeros;
  }
  if (scale > 7) return d::PutSlow(value, scale, out);
  const uint64_t eight = d::ToEightDigits(value);
  // Of the last digit and those after the point none is dropped.
  const size_t zeros =
      std::min(static_cast<size_t>(std::countr_zero(eight | uint64_t{1} << 56)) / 8, 7 - scale);
  const uint64_t text = (eight | d::kZeros) >> (8 * zeros);
  std::memcpy(out, &text, 8);
  const size_t digits = 8 - zeros;
  if (scale == 0) return out + digits;
  const size_t whole = digits - scale;
  const uint64_t fraction = text >> (8 * whole);
  out[whole] = '.';
  std::memcpy(out + whole + 1, &fraction, 8);
  return out + digits + 1;
}

}  // namespace tapedeck

#endif  // TAPEDECK_CODEC_DECIMAL_TEXT_H_
