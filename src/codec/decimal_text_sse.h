#ifndef TAPEDECK_CODEC_DECIMAL_TEXT_SSE_H_
#define TAPEDECK_CODEC_DECIMAL_TEXT_SSE_H_

// ParseDecimalText of codec/decimal_text.h for processors with SSE4.1: up to sixteen characters at
// a time without a loop. It takes exactly what the portable one takes. Private to codec; who calls
// it asks the processor before.
//
// One comparison finds the point, a byte shuffle takes it out, three multiply-adds make one number
// of the digits (after Mula, "SSE: conversion from string to integers").
//
// Thread-safe: pure functions.

#if defined(__x86_64__)
#include <immintrin.h>

#include <array>
#include <bit>

#include "codec/decimal_text.h"

namespace tapedeck::decimal_text {

struct alignas(16) Bytes16 {
  int8_t byte[16];
};
/// Row s: moves what stands before a point that s characters follow over the point; row 16: there
/// is none.
inline constexpr std::array<Bytes16, 17> kOverPoint = [] {
  std::array<Bytes16, 17> rows{};
  for (int s = 0; s <= 16; ++s) {
    for (int i = 0; i < 16; ++i)
      rows[size_t(s)].byte[i] = static_cast<int8_t>(s < 16 && i < 16 - s ? i - 1 : i);
  }
  return rows;
}();
/// Row n: the last n of sixteen bytes.
inline constexpr std::array<Bytes16, 17> kLast16 = [] {
  std::array<Bytes16, 17> rows{};
  for (int n = 0; n <= 16; ++n) {
    for (int i = 0; i < 16; ++i)
      rows[size_t(n)].byte[i] = static_cast<int8_t>(i >= 16 - n ? -1 : 0);
  }
  return rows;
}();

[[gnu::target("sse4.1"), gnu::always_inline]] inline __m128i Load16(const void* at) {
  return _mm_loadu_si128(static_cast<const __m128i*>(at));
}

/// ParseDecimalText.
[[gnu::target("sse4.1"), gnu::always_inline]] inline bool ParseDecimalText16(const char* text,
                                                                             size_t size,
                                                                             int64_t* mantissa,
                                                                             uint8_t* scale) {
  if (size == 0 || size > 16 || *text == '-') [[unlikely]]
    return ParseSlow(text, size, mantissa, scale);
  const __m128i characters = Load16(text + size - 16);
  const uint32_t outside = 0xffffu >> size;  // bytes before the text
  const auto points =
      static_cast<uint32_t>(_mm_movemask_epi8(_mm_cmpeq_epi8(characters, _mm_set1_epi8('.')))) &
      ~outside;
  // Of several points one is left, and is no digit.
  const size_t after = points == 0 ? 16 : 15 - static_cast<size_t>(std::bit_width(points) - 1);
  const size_t s = after & 15, digits = size - (points == 0 ? 0 : 1);
  __m128i number = _mm_shuffle_epi8(characters, Load16(&kOverPoint[after]));
  number = _mm_sub_epi8(number, _mm_set1_epi8('0'));
  number = _mm_and_si128(number, Load16(&kLast16[digits]));
  const __m128i odd = _mm_cmpeq_epi8(_mm_max_epu8(number, _mm_set1_epi8(10)), number);
  if (_mm_movemask_epi8(odd) != 0 || digits <= s || after == 0 || (*text == '0' && digits > s + 1))
    return false;
  number = _mm_maddubs_epi16(number, _mm_set1_epi16(0x010a));
  number = _mm_madd_epi16(number, _mm_set1_epi32(0x00010064));
  number = _mm_packus_epi32(number, number);
  number = _mm_madd_epi16(number, _mm_set1_epi32(0x00012710));
  const auto halves = static_cast<uint64_t>(_mm_cvtsi128_si64(number));
  *mantissa = static_cast<int64_t>((halves & 0xffffffff) * 100'000'000 + (halves >> 32));
  *scale = static_cast<uint8_t>(s);
  return true;
}

}  // namespace tapedeck::decimal_text

#endif  // defined(__x86_64__)

#endif  // TAPEDECK_CODEC_DECIMAL_TEXT_SSE_H_
