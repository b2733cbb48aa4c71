#include "codec/bit_packing.h"

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

using UnpackFunction = void (*)(const uint8_t*, uint64_t*);

template <size_t... W>
constexpr std::array<UnpackFunction, sizeof...(W)> MakeTable(std::index_sequence<W...>) {
  return {&Unpack<W>...};
}
constexpr auto kUnpack = MakeTable(std::make_index_sequence<kPackWidthMax + 1>());

}  // namespace

void PackGroup(std::span<const uint64_t> values, unsigned width, std::string* out) {
  TD_CHECK(values.size() <= kPackGroup && IsPackWidth(width), "one group, an allowed width");
  size_t at = out->size();
  size_t bytes = PackedBytes(values.size(), width);
  out->resize(at + bytes + kPackSlack);  // slack: whole words are stored below
  auto* to = reinterpret_cast<uint8_t*>(out->data()) + at;
  if (width == 64) {
    std::memcpy(to, values.data(), values.size_bytes());
  } else if (width > 0) {
    uint64_t word = 0;
    unsigned filled = 0;
    for (uint64_t value : values) {
      word |= value << filled;
      filled += width;
      if (filled >= 64) {
        std::memcpy(to, &word, sizeof(word));
        to += sizeof(word);
        filled -= 64;
        word = filled == 0 ? 0 : value >> (width - filled);
      }
    }
    std::memcpy(to, &word, sizeof(word));
  }
  out->resize(at + bytes);
}

void UnpackGroup(const uint8_t* packed, unsigned width, uint64_t* out) {
  TD_CHECK(IsPackWidth(width), "an allowed width");
  kUnpack[width](packed, out);
}

}  // namespace tapedeck
