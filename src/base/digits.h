#ifndef TAPEDECK_BASE_DIGITS_H_
#define TAPEDECK_BASE_DIGITS_H_

// Decimal digits of integers, two at a time from a table: the innermost loops of every text
// encoder.
//
//   char text[kUint64CharsMax];
//   char* end = FormatUint64To(1042, text);   // "1042"
//
// Nothing here writes a terminator. Thread-safe: pure functions.

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace tapedeck {

namespace internal {

constexpr std::array<char, 200> MakeDigitPairs() {
  std::array<char, 200> pairs{};
  for (size_t i = 0; i < 100; ++i) {
    pairs[2 * i] = static_cast<char>('0' + i / 10);
    pairs[2 * i + 1] = static_cast<char>('0' + i % 10);
  }
  return pairs;
}
inline constexpr std::array<char, 200> kDigitPairs = MakeDigitPairs();

constexpr std::array<uint64_t, 20> MakePowersOfTen() {
  std::array<uint64_t, 20> powers{};
  powers[0] = 1;
  for (size_t i = 1; i < powers.size(); ++i) powers[i] = powers[i - 1] * 10;
  return powers;
}

}  // namespace internal

/// 10^0 to 10^19.
inline constexpr std::array<uint64_t, 20> kPowersOfTen = internal::MakePowersOfTen();

/// Two digits, "07"; value < 100.
inline void WriteTwoDigits(char* out, uint64_t value) {
  std::memcpy(out, internal::kDigitPairs.data() + 2 * value, 2);
}
/// Four digits, "0042"; value < 10,000.
inline void WriteFourDigits(char* out, uint64_t value) {
  WriteTwoDigits(out, value / 100);
  WriteTwoDigits(out + 2, value % 100);
}

/// Digits of `value`, 1 for 0.
inline size_t CountDigits(uint64_t value) {
  // 1233 / 4096 is just above log10(2): the guess is the number of digits or one less.
  size_t bits = static_cast<size_t>(std::bit_width(value | 1));
  size_t guess = (bits * 1233) >> 12;
  return guess + (value >= kPowersOfTen[guess] ? 1 : 0) + (value == 0 ? 1 : 0);
}

/// Writes exactly `count` digits that end before `end`, leading zeros included, and returns what is
/// left of `value`.
inline uint64_t WriteDigitsBackwards(char* end, size_t count, uint64_t value) {
  for (; count >= 2; count -= 2) {
    end -= 2;
    WriteTwoDigits(end, value % 100);
    value /= 100;
  }
  if (count == 1) {
    *--end = static_cast<char>('0' + value % 10);
    value /= 10;
  }
  return value;
}

inline constexpr size_t kUint64CharsMax = 20;
inline constexpr size_t kInt64CharsMax = 20;  // 19 digits and a sign

/// Writes the number to `out`, which has room for kUint64CharsMax bytes, and returns the end.
inline char* FormatUint64To(uint64_t value, char* out) {
  size_t count = CountDigits(value);
  WriteDigitsBackwards(out + count, count, value);
  return out + count;
}
inline char* FormatInt64To(int64_t value, char* out) {
  uint64_t magnitude = static_cast<uint64_t>(value);
  if (value < 0) {
    *out++ = '-';
    magnitude = 0 - magnitude;
  }
  return FormatUint64To(magnitude, out);
}

}  // namespace tapedeck

#endif  // TAPEDECK_BASE_DIGITS_H_
