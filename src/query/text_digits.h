#ifndef TAPEDECK_QUERY_TEXT_DIGITS_H_
#define TAPEDECK_QUERY_TEXT_DIGITS_H_

// Numbers and times as text, as fast as an encoder of millions of rows needs them. What they write
// is what base/decimal.h and base/time.h write. Private to query.
//
//   char* at = PutDecimal(99980, 5, at);        // 0.99980
//   TimeText times;
//   at = times.PutIso(ts, at);                  // 2024-07-02T04:17:16.373000000Z
//
// Each function returns the end of what it wrote; up to kDigitsSlack bytes behind it are
// overwritten, so that copies have a fixed size. Eight digits are made at once in one register
// (after P. Khuong, "How to print integers really fast", pvk.ca, 2017).
//
// Thread-safe, but for TimeText, which one thread owns.

#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "base/decimal.h"
#include "base/time.h"

namespace tapedeck::text_digits {

inline constexpr size_t kDigitsSlack = 32;
/// The longest number or time.
inline constexpr size_t kNumberCharsMax = 32;

/// The eight digits of `value` < 10^8 as bytes 0 to 9, the most significant one in the lowest byte.
inline uint64_t EightDigits(uint32_t value) {
  const uint64_t halves = value / 10'000 | (uint64_t{value % 10'000} << 32);
  const uint64_t top = ((halves * 10'486) >> 20) & 0x7F'0000'007F;
  const uint64_t hundreds = ((halves - 100 * top) << 16) + top;
  uint64_t tens = ((hundreds * 103) >> 10) & 0x000F'000F'000F'000F;
  tens += (hundreds - 10 * tens) << 8;
  return tens;
}
inline constexpr uint64_t kZeros = 0x3030'3030'3030'3030;

static_assert(std::endian::native == std::endian::little, "digits are laid out by shifts");

/// Writes the first digits of `digits`, whose most significant one is in the lowest byte, as
/// `whole` digits, a point and `scale` digits. `Word` holds `width` of them; scale < width.
template <typename Word>
inline char* PutPointed(Word digits, uint32_t width, uint32_t zeros, uint32_t scale, char* out) {
  const uint32_t last_zero = width - 1 - scale;                  // before the point
  const uint32_t first = zeros < last_zero ? zeros : last_zero;  // digit that is shown
  const uint32_t whole = width - scale - first;
  const Word shown = digits >> (8 * first);
  std::memcpy(out, &shown, sizeof shown);
  if (scale == 0) return out + whole;
  out[whole] = '.';
  const Word fraction = digits >> (8 * (width - scale));
  std::memcpy(out + whole + 1, &fraction, sizeof fraction);
  return out + whole + 1 + scale;
}

/// -12.50 for (-1250, 2). Any mantissa; scale <= kDecimalScaleMax.
inline char* PutDecimal(int64_t mantissa, uint32_t scale, char* out) {
  uint64_t magnitude = static_cast<uint64_t>(mantissa);
  if (mantissa < 0) magnitude = 0 - magnitude;
  *out = '-';
  if (magnitude < 100'000'000 && scale < 8) [[likely]] {
    const uint64_t digits = EightDigits(static_cast<uint32_t>(magnitude));
    const uint32_t zeros = static_cast<uint32_t>(std::countr_zero(digits | 1ULL << 56)) / 8;
    return PutPointed(digits + kZeros, 8, zeros, scale, out + (mantissa < 0));
  }
  if (magnitude >= 10'000'000'000'000'000 || scale > 15) {
    return FormatDecimalTo({mantissa, static_cast<uint8_t>(scale)}, out);
  }
  __extension__ using Wide = unsigned __int128;
  const uint64_t high = EightDigits(static_cast<uint32_t>(magnitude / 100'000'000));
  const uint64_t low = EightDigits(static_cast<uint32_t>(magnitude % 100'000'000));
  const int bits = high != 0 ? std::countr_zero(high) : 64 + std::countr_zero(low | 1ULL << 56);
  return PutPointed(Wide{low + kZeros} << 64 | (high + kZeros), 16, static_cast<uint32_t>(bits) / 8,
                    scale, out + (mantissa < 0));
}

inline char* PutInteger(int64_t value, char* out) { return PutDecimal(value, 0, out); }

/// Times as text; remembers the second of the last one, because the next is often in the same.
class TimeText {
 public:
  char* PutIso(int64_t ns, char* out) {
    // Unsigned: before the second is far behind it.
    uint64_t rest = static_cast<uint64_t>(ns) - second_;
    if (rest >= 1'000'000'000) [[unlikely]] {
      if (ns < kKeptFrom || ns > kKeptTo) {
        FormatRfc3339To(Timestamp(ns), out);
        return out + kRfc3339Size;
      }
      rest = NextSecond(ns);
    }
    std::memcpy(out, text_, 20);
    const uint32_t fraction = static_cast<uint32_t>(rest);
    const uint64_t eight = EightDigits(fraction / 10) + kZeros;
    std::memcpy(out + 20, &eight, 8);
    out[28] = static_cast<char>('0' + fraction % 10);
    out[29] = 'Z';
    return out + kRfc3339Size;
  }

 private:
  // A second or day that reaches beyond the ends of time is not remembered: it would wrap around.
  static constexpr int64_t kKeptFrom = INT64_MIN + 86'400'000'000'000;
  static constexpr int64_t kKeptTo = INT64_MAX - 86'400'000'000'000;

  uint64_t NextSecond(int64_t ns) {
    char whole[kRfc3339Size];
    const uint64_t in_day = static_cast<uint64_t>(ns) - day_;
    if (in_day < 86'400'000'000'000) {
      const uint32_t second = static_cast<uint32_t>(in_day / 1'000'000'000);
      PutPair(second / 3600, text_ + 11);
      PutPair(second / 60 % 60, text_ + 14);
      PutPair(second % 60, text_ + 17);
      second_ = day_ + uint64_t{second} * 1'000'000'000;
      return static_cast<uint64_t>(ns) - second_;
    }
    FormatRfc3339To(Timestamp(ns), whole);
    std::memcpy(text_, whole, 20);
    const uint64_t hour = Pair(whole + 11), minute = Pair(whole + 14), second = Pair(whole + 17);
    uint64_t fraction = 0;
    for (size_t i = 20; i < 29; ++i)
      fraction = fraction * 10 + static_cast<uint64_t>(whole[i] - '0');
    second_ = static_cast<uint64_t>(ns) - fraction;
    day_ = second_ - (hour * 3600 + minute * 60 + second) * 1'000'000'000;
    return fraction;
  }
  static uint64_t Pair(const char* at) {
    return static_cast<uint64_t>(at[0] - '0') * 10 + static_cast<uint64_t>(at[1] - '0');
  }
  static void PutPair(uint32_t value, char* at) {
    at[0] = static_cast<char>('0' + value / 10);
    at[1] = static_cast<char>('0' + value % 10);
  }

  uint64_t second_ = 0;  // nanoseconds of the second and of the day that text_ names
  uint64_t day_ = 0;
  char text_[21] = "1970-01-01T00:00:00.";
};

/// Whether every byte is printable ASCII that neither JSON nor CSV treats specially.
inline bool IsPlain(std::string_view text) {
  // Eight bytes at a time; a high bit marks a byte below 0x20, above 0x7E, or one of " \\ ,
  constexpr uint64_t kOnes = 0x0101'0101'0101'0101, kHigh = 0x8080'8080'8080'8080;
  auto odd = [](uint64_t bytes) {
    auto equals = [&](unsigned char c) {
      const uint64_t x = bytes ^ (kOnes * c);
      return (x - kOnes) & ~x;
    };
    return (bytes | (bytes - kOnes * 0x20) | equals(0x7F) | equals('"') | equals('\\') |
            equals(',')) &
           kHigh;
  };
  uint64_t bytes = kOnes * ' ';
  if (text.size() < 8) {
    for (char c : text) bytes = bytes << 8 | static_cast<unsigned char>(c);
    return odd(bytes) == 0;
  }
  uint64_t found = 0;
  for (size_t i = 0; i + 8 <= text.size(); i += 8) {
    std::memcpy(&bytes, text.data() + i, 8);
    found |= odd(bytes);
  }
  std::memcpy(&bytes, text.data() + text.size() - 8, 8);
  return (found | odd(bytes)) == 0;
}

}  // namespace tapedeck::text_digits

#endif  // TAPEDECK_QUERY_TEXT_DIGITS_H_
