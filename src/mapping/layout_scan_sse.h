#ifndef TAPEDECK_MAPPING_LAYOUT_SCAN_SSE_H_
#define TAPEDECK_MAPPING_LAYOUT_SCAN_SSE_H_

// The scanners of layout_scan.h for processors with SSE4.1: sixteen bytes at a time, and a decimal
// of up to 15 digits without a loop. They take exactly what the portable ones take. Internal to
// layout.cc, which asks the processor before.
//
// A decimal: one comparison finds the point and the end; a byte shuffle takes the point out and
// moves the digits to the right; three multiply-adds make one number of them (after Mula, "SSE:
// conversion from string to integers").
//
// Thread-safe: pure functions.

#if defined(__x86_64__)
#include <immintrin.h>

#include <array>
#include <bit>
#include <cstdint>

#include "mapping/layout_scan.h"

#define TD_SSE [[gnu::target("sse4.1"), gnu::always_inline]] inline

namespace tapedeck::rules::scan {

struct alignas(16) Bytes16 {
  int8_t byte[16];
};
/// Row n: {n - 16, n - 15, …, n - 1}: where each output byte of an n-digit number comes from,
/// before the point is stepped over.
inline constexpr std::array<Bytes16, 17> kFromRight = [] {
  std::array<Bytes16, 17> rows{};
  for (int n = 0; n <= 16; ++n) {
    for (int i = 0; i < 16; ++i) rows[size_t(n)].byte[i] = static_cast<int8_t>(i + n - 16);
  }
  return rows;
}();
/// Row w: 16 times w - 1.
inline constexpr std::array<Bytes16, 17> kBefore = [] {
  std::array<Bytes16, 17> rows{};
  for (int w = 0; w <= 16; ++w) {
    for (int i = 0; i < 16; ++i) rows[size_t(w)].byte[i] = static_cast<int8_t>(w - 1);
  }
  return rows;
}();

TD_SSE __m128i Load16(const void* at) { return _mm_loadu_si128(static_cast<const __m128i*>(at)); }

TD_SSE const char* PlainString16(const char* at, const char* end) {
  for (; at < end; at += 16) {
    const __m128i text = Load16(at);
    const __m128i stop =
        _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(text, _mm_set1_epi8('"')),
                                  _mm_cmpeq_epi8(text, _mm_set1_epi8('\\'))),
                     _mm_cmplt_epi8(text, _mm_set1_epi8(0x20)));  // signed: beyond ASCII too
    const auto mask = static_cast<uint32_t>(_mm_movemask_epi8(stop));
    if (mask != 0) {
      at += std::countr_zero(mask);
      return at < end && *at == '"' ? at : nullptr;
    }
  }
  return nullptr;
}

/// Null: not plain, ask the portable one. A sign is left to it too: prices and sizes have none.
TD_SSE const char* PlainDecimal16(const char* at, bool json, Slot* slot) {
  const __m128i digits = _mm_sub_epi8(Load16(at), _mm_set1_epi8('0'));
  const __m128i others = _mm_cmpeq_epi8(_mm_max_epu8(digits, _mm_set1_epi8(10)), digits);
  uint32_t mask = static_cast<uint32_t>(_mm_movemask_epi8(others)) | 0x10000;
  const auto whole = static_cast<uint32_t>(std::countr_zero(mask));
  uint32_t end = whole, count = whole;
  if (at[whole] == '.') {
    end = static_cast<uint32_t>(std::countr_zero(mask & (mask - 1)));
    count = end - 1;
    if (count == whole) return nullptr;
  }
  // 16: the number may go on; 32: nothing but digits after the point.
  if (whole == 0 || end >= 16 || (json && *at == '0' && whole > 1)) return nullptr;
  const __m128i base = Load16(&kFromRight[count]);
  const __m128i from = _mm_sub_epi8(base, _mm_cmpgt_epi8(base, Load16(&kBefore[whole])));
  __m128i number = _mm_shuffle_epi8(digits, from);
  number = _mm_maddubs_epi16(number, _mm_set1_epi16(0x010a));
  number = _mm_madd_epi16(number, _mm_set1_epi32(0x00010064));
  number = _mm_packus_epi32(number, number);
  number = _mm_madd_epi16(number, _mm_set1_epi32(0x00012710));
  const auto halves = static_cast<uint64_t>(_mm_cvtsi128_si64(number));
  slot->mantissa = static_cast<int64_t>((halves & 0xffffffff) * 100'000'000 + (halves >> 32));
  slot->scale = static_cast<uint8_t>(count - whole);
  slot->parsed = true;
  return at + end;
}

/// Null: ask the portable one, which may know better.
TD_SSE const char* ScanSlot16(SlotKind kind, const char* at, const char* end, Slot* slot) {
  slot->text = at;
  if (kind == SlotKind::kTextNumber || kind == SlotKind::kNumberRead) {
    const bool json = kind == SlotKind::kNumberRead;
    const char* stop = PlainDecimal16(at, json, slot);
    if (stop == nullptr || stop > end || (json ? (*stop | 0x20) == 'e' : *stop != '"'))
      return nullptr;
    return stop;
  }
  if (kind == SlotKind::kTextPicked || kind == SlotKind::kText) {
    slot->parsed = false;
    return PlainString16(at, end);
  }
  return nullptr;
}

/// Out of line, so that the loop below keeps its registers.
[[gnu::noinline, gnu::cold]] inline const char* ScanOddSlot(SlotKind kind, const char* at,
                                                            const char* end, Slot* slot) {
  return ScanSlot(kind, at, end, slot);
}

/// ScanSteps for processors with SSE4.1.
[[gnu::target("sse4.1")]] inline const char* ScanSteps16(PieceStep* steps, size_t count,
                                                         const char* at, const char* end,
                                                         Slot* slots) {
  for (PieceStep* step = steps; step != steps + count; ++step) {
    if (at > end) return nullptr;
    const __m128i same = _mm_cmpeq_epi8(Load16(at), Load16(step->bytes));
    if ((~static_cast<uint32_t>(_mm_movemask_epi8(same)) & step->need) != 0) return nullptr;
    at += step->size;
    const SlotKind kind = step->slot;
    if (kind == SlotKind::kNone) continue;
    const char* stop = ScanSlot16(kind, at, end, slots);
    if (stop == nullptr || (stop == at && kind == SlotKind::kTextPicked)) [[unlikely]] {
      stop = ScanOddSlot(kind, at, end, slots);
      if (stop == nullptr) return nullptr;
    }
    slots->size = static_cast<uint32_t>(stop - at);
    ++slots;
    at = Advance(at, stop, &step->usual);
  }
  return at <= end ? at : nullptr;
}

}  // namespace tapedeck::rules::scan

#undef TD_SSE
#endif  // defined(__x86_64__)

#endif  // TAPEDECK_MAPPING_LAYOUT_SCAN_SSE_H_
