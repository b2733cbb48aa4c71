#include "codec/bit_packing.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <utility>

#include "base/check.h"

namespace tapedeck {
namespace {

static_assert(std::endian::native == std::endian::little, "loads below are little-endian");

// Eight values of W bits are W whole bytes, so their shifts are constants.
template <unsigned W, size_t... K>
inline void UnpackEight(const uint8_t* packed, uint64_t* out, std::index_sequence<K...>) {
  constexpr uint64_t kMask = (uint64_t{1} << W) - 1;
  auto one = [&](size_t k) {
    uint64_t word;
    std::memcpy(&word, packed + k * W / 8, sizeof(word));
    return (word >> (k * W % 8)) & kMask;
  };
  ((out[K] = one(K)), ...);
}

template <unsigned W>
void Unpack(const uint8_t* packed, uint64_t* out) {
  if constexpr (W == 0) {
    std::memset(out, 0, kPackGroup * sizeof(uint64_t));
  } else if constexpr (W == 64) {
    std::memcpy(out, packed, kPackGroup * sizeof(uint64_t));
  } else if constexpr (W <= 56) {
    for (size_t i = 0; i < kPackGroup / 8; ++i) {
      UnpackEight<W>(packed + i * W, out + i * 8, std::make_index_sequence<8>());
    }
  }
}

// Into W whole bytes.
template <unsigned W, size_t... K>
inline void PackEight(const uint64_t* values, uint8_t* packed, std::index_sequence<K...>) {
  uint64_t words[(W + 7) / 8 + 1] = {};  // one more than needed: no value is then the last
  auto one = [&](size_t k) {
    unsigned shift = k * W % 64;
    words[k * W / 64] |= values[k] << shift;
    if (shift + W > 64) words[k * W / 64 + 1] |= values[k] >> ((64 - shift) % 64);
  };
  (one(K), ...);
  std::memcpy(packed, words, W);
}

template <unsigned W>
void Pack(const uint64_t* values, size_t eights, uint8_t* packed) {
  if constexpr (W > 0 && W <= 56) {
    for (size_t i = 0; i < eights; ++i)
      PackEight<W>(values + i * 8, packed + i * W, std::make_index_sequence<8>());
  }
}

using PackFunction = void (*)(const uint64_t*, size_t eights, uint8_t*);
using UnpackFunction = void (*)(const uint8_t*, uint64_t*);

template <size_t... W>
constexpr std::array<UnpackFunction, sizeof...(W)> UnpackTable(std::index_sequence<W...>) {
  return {&Unpack<W>...};
}
template <size_t... W>
constexpr std::array<PackFunction, sizeof...(W)> PackTable(std::index_sequence<W...>) {
  return {&Pack<W>...};
}
constexpr auto kUnpack = UnpackTable(std::make_index_sequence<kPackWidthMax + 1>());
constexpr auto kPack = PackTable(std::make_index_sequence<kPackWidthMax + 1>());

}  // namespace

void PackGroup(std::span<const uint64_t> values, unsigned width, std::string* out) {
  TD_CHECK(values.size() <= kPackGroup && IsPackWidth(width), "one group, an allowed width");
  size_t at = out->size();
  if (width == 64) {
    out->append(reinterpret_cast<const char*>(values.data()), values.size_bytes());
    return;
  }
  size_t eights = values.size() / 8;
  out->resize(at + (eights + 1) * width);  // the last eight may be short: cut below
  auto* to = reinterpret_cast<uint8_t*>(out->data()) + at;
  kPack[width](values.data(), eights, to);
  if (size_t rest = values.size() % 8; rest != 0) {
    uint64_t last[8] = {};
    std::copy_n(values.data() + eights * 8, rest, last);
    kPack[width](last, 1, to + eights * width);
  }
  out->resize(at + PackedBytes(values.size(), width));
}

void UnpackGroup(const uint8_t* packed, unsigned width, uint64_t* out) {
  TD_CHECK(IsPackWidth(width), "an allowed width");
  kUnpack[width](packed, out);
}

}  // namespace tapedeck
