#ifndef TAPEDECK_CODEC_RESIDUAL_CLASSES_H_
#define TAPEDECK_CODEC_RESIDUAL_CLASSES_H_

// Classes of residuals: how large a number is, as one byte that compresses well, and its low bits,
// which do not compress. Private to codec;
// the grammar is in codec/integers.h.
//
// The idea is pcodec's (bins and offsets, by Martin Loncaric), with fixed bins and zstd's Huffman
// coder for their numbers.
//
// Thread-safe: pure functions; a BitWriter is owned by one thread.

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>

namespace tapedeck {

struct ResidualClass {
  uint64_t base = 0;  // the residual with its low bits 0
  uint8_t low = 0;    // how many low bits follow
};

/// 252 classes, and 4 numbers that are none (low is 255).
inline constexpr std::array<ResidualClass, 256> kClasses = [] {
  std::array<ResidualClass, 256> classes{};
  for (unsigned number = 0; number < 256; ++number) {
    if (number < 8) {
      classes[number] = {number, 0};
    } else if (number < 252) {
      unsigned low = (number - 8) / 4 + 1, top = (number - 8) % 4;
      classes[number] = {uint64_t{4 + top} << low, static_cast<uint8_t>(low)};
    } else {
      classes[number] = {0, 255};
    }
  }
  return classes;
}();

/// How many low bits follow the class of `residual`.
constexpr unsigned LowBitsOf(uint64_t residual) {
  return static_cast<unsigned>(std::bit_width(residual | 7)) - 3;
}
/// 8 + 4 * (low - 1) + top, as the three highest bits are 4 + top; below 8 they are all there is.
constexpr uint8_t ClassOf(uint64_t residual) {
  unsigned low = LowBitsOf(residual);
  return static_cast<uint8_t>(4 * low + (residual >> low));
}

/// `low` is at most 61.
constexpr uint64_t LowMask(unsigned low) { return (uint64_t{1} << low) - 1; }

/// Writes bit strings one after another, the lowest bit first, into memory that its owner made:
/// 8 bytes more than all of them take.
class BitWriter {
 public:
  explicit BitWriter(char* out) : at_(out) {}
  /// The `count` lowest bits of `bits`, the others 0; count < 64.
  void Put(uint64_t bits, unsigned count) {
    constexpr unsigned kHalf = 32;
    if (count > kHalf) [[unlikely]] {
      PutShort(bits & LowMask(kHalf), kHalf);
      bits >>= kHalf;
      count -= kHalf;
    }
    PutShort(bits, count);
  }
  /// The end of the last byte.
  char* Finish() { return at_ + (filled_ != 0 ? 1 : 0); }

 private:
  // Stores the whole word and goes on with the first byte that is not full: no branches.
  void PutShort(uint64_t bits, unsigned count) {
    word_ |= bits << filled_;
    std::memcpy(at_, &word_, sizeof(word_));
    filled_ += count;
    at_ += filled_ / 8;
    word_ >>= filled_ / 8 * 8;
    filled_ %= 8;
  }
  char* at_;
  uint64_t word_ = 0;
  unsigned filled_ = 0;
};

}  // namespace tapedeck

#endif  // TAPEDECK_CODEC_RESIDUAL_CLASSES_H_
