#ifndef TAPEDECK_MAPPING_LAYOUT_SCAN_H_
#define TAPEDECK_MAPPING_LAYOUT_SCAN_H_

// Scanners of the scalars between a layout's pieces, eight bytes at a time. Internal to layout.cc.
//
// All read up to 8 bytes past what they look at: the text is padded. They return the first byte
// after the scalar, or null where it is not plain enough. Bit tricks: "SIMD within a register",
// after Mula, Lemire and Anderson's Bit Twiddling Hacks.
//
// Thread-safe: pure functions.

#include <bit>
#include <cstdint>
#include <cstring>

#include "mapping/layout.h"

namespace tapedeck::rules::scan {

inline uint64_t Load(const char* at) {
  uint64_t word;
  std::memcpy(&word, at, sizeof(word));
  if constexpr (std::endian::native == std::endian::big) word = __builtin_bswap64(word);
  return word;
}

inline constexpr uint64_t kOnes = 0x0101010101010101;
inline constexpr uint64_t kHighs = 0x8080808080808080;
inline constexpr int64_t kPowers[9] = {1,       10,        100,        1000,       10'000,
                                       100'000, 1'000'000, 10'000'000, 100'000'000};
inline constexpr unsigned kDigitsMax = 18;

/// The closing quote of a plain ASCII string that starts at `at`, or null.
inline const char* PlainString(const char* at, const char* end) {
  for (; at < end; at += 8) {
    const uint64_t word = Load(at);
    const uint64_t quote = word ^ (kOnes * 0x22), slash = word ^ (kOnes * 0x5c);
    // The first byte flagged is right; those after it may be flagged wrongly by borrows.
    const uint64_t stop =
        (((quote - kOnes) & ~quote) | ((slash - kOnes) & ~slash) | (word - kOnes * 0x20) | word) &
        kHighs;
    if (stop != 0) {
      at += std::countr_zero(stop) / 8;
      return at < end && *at == '"' ? at : nullptr;
    }
  }
  return nullptr;
}

/// Up to 8 digits at `at` onto `mantissa`; how many there were.
[[gnu::always_inline]] inline unsigned Digits(const char* at, uint64_t* mantissa) {
  uint64_t word = Load(at) ^ (kOnes * 0x30);
  const uint64_t others = ((word + kOnes * 0x76) | word) & kHighs;
  const unsigned count = others == 0 ? 8 : static_cast<unsigned>(std::countr_zero(others)) / 8;
  if (count == 0) return 0;
  word <<= (8 - count) * 8;
  word = word * 10 + (word >> 8);
  word = ((word & 0x000000ff000000ff) * 0x000f424000000064 +
          ((word >> 16) & 0x000000ff000000ff) * 0x0000271000000001) >>
         32;
  *mantissa = *mantissa * static_cast<uint64_t>(kPowers[count]) + static_cast<uint32_t>(word);
  return count;
}

/// Digits, and a fraction; not more than 18 in all, no exponent. `json`: no leading zeros. Null:
/// not of this form.
inline const char* PlainDecimal(const char* at, bool json, Slot* slot) {
  const bool negative = *at == '-';
  at += negative ? 1 : 0;
  uint64_t mantissa = 0;
  const bool zero = *at == '0';
  unsigned whole = 0, fraction = 0;
  for (unsigned count = 8; count == 8 && whole <= kDigitsMax; whole += count, at += count)
    count = Digits(at, &mantissa);
  if (whole == 0 || (json && zero && whole > 1)) return nullptr;
  if (*at == '.') {
    ++at;
    for (unsigned count = 8; count == 8 && whole + fraction <= kDigitsMax;
         fraction += count, at += count) {
      count = Digits(at, &mantissa);
    }
    if (fraction == 0) return nullptr;
  }
  if (whole + fraction > kDigitsMax || *at == 'e' || *at == 'E' || (negative && mantissa == 0))
    return nullptr;
  slot->mantissa = negative ? -static_cast<int64_t>(mantissa) : static_cast<int64_t>(mantissa);
  slot->scale = static_cast<uint8_t>(fraction);
  slot->parsed = true;
  return at;
}

/// Past everything that a number is made of; null where there is nothing.
inline const char* NumberLetters(const char* at, const char* end) {
  const char* start = at;
  while (at < end && ((*at >= '0' && *at <= '9') || *at == '-' || *at == '+' || *at == '.' ||
                      *at == 'e' || *at == 'E'))
    ++at;
  return at == start ? nullptr : at;
}

/// Goes on at `stop`, but by way of the size that the slot had last time: the processor need not
/// wait for the digits of one scalar to look for the next ("value speculation"). The empty asm
/// keeps the compiler from seeing that both are equal.
[[gnu::always_inline]] inline const char* Advance(const char* at, const char* stop,
                                                  uint32_t* usual) {
  const char* guess = at + *usual;
  if (guess == stop) [[likely]] {
    asm volatile("" : "+r"(guess));
    return guess;
  }
  *usual = static_cast<uint32_t>(stop - at);
  return stop;
}

/// The scalar at `at`; the first byte after it (of a string: its closing quote).
inline const char* ScanSlot(SlotKind kind, const char* at, const char* end, Slot* slot) {
  slot->text = at;
  slot->parsed = false;
  const char* stop = nullptr;
  switch (kind) {
    case SlotKind::kNone:
      return at;
    case SlotKind::kTextNumber:
      stop = PlainDecimal(at, false, slot);
      if (stop != nullptr && *stop == '"') break;
      slot->parsed = false;
      [[fallthrough]];
    case SlotKind::kTextPicked:
      stop = PlainString(at, end);
      if (stop == at) return nullptr;
      break;
    case SlotKind::kText:
      stop = PlainString(at, end);
      break;
    case SlotKind::kNumberRead:
      stop = PlainDecimal(at, true, slot);
      if (stop != nullptr) break;
      slot->parsed = false;
      stop = NumberLetters(at, end);
      if (stop == nullptr || !IsJsonNumber({at, static_cast<size_t>(stop - at)})) return nullptr;
      break;
    case SlotKind::kNumber:
      stop = NumberLetters(at, end);
      break;
    case SlotKind::kFlag:
      if (std::memcmp(at, "true", 4) == 0) stop = at + 4;
      if (std::memcmp(at, "false", 5) == 0) stop = at + 5;
      break;
  }
  if (stop == nullptr || stop > end) return nullptr;
  slot->size = static_cast<uint32_t>(stop - at);
  return stop;
}

/// The steps of a segment from `at` on; the first byte after it, or null.
inline const char* ScanSteps(PieceStep* steps, size_t count, const char* at, const char* end,
                             Slot* slots) {
  for (PieceStep* step = steps; step != steps + count; ++step) {
    if (at > end) return nullptr;
    uint64_t text[2], expected[2];
    std::memcpy(text, at, sizeof(text));
    std::memcpy(expected, step->bytes, sizeof(expected));
    if ((((text[0] ^ expected[0]) & step->mask[0]) | ((text[1] ^ expected[1]) & step->mask[1])) !=
        0)
      return nullptr;
    at += step->size;
    if (step->slot == SlotKind::kNone) continue;
    const char* stop = ScanSlot(step->slot, at, end, slots++);
    if (stop == nullptr) return nullptr;
    at = Advance(at, stop, &step->usual);
  }
  return at <= end ? at : nullptr;
}

}  // namespace tapedeck::rules::scan

#endif  // TAPEDECK_MAPPING_LAYOUT_SCAN_H_
