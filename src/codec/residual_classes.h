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
#include <string>

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

constexpr uint8_t ClassOf(uint64_t residual) {
  if (residual < 8) return static_cast<uint8_t>(residual);
  unsigned low = static_cast<unsigned>(std::bit_width(residual)) - 3;
  return static_cast<uint8_t>(8 + 4 * (low - 1) + ((residual >> low) & 3));
}

/// `low` is at most 61.
constexpr uint64_t LowMask(unsigned low) { return (uint64_t{1} << low) - 1; }

/// Appends bit strings, the lowest bit first.
class BitWriter {
 public:
  explicit BitWriter(std::string* out) : out_(out) {}
  /// The `count` lowest bits of `bits`, the others 0; count < 64.
  void Put(uint64_t bits, unsigned count) {
    word_ |= bits << filled_;
    filled_ += count;
    if (filled_ < 64) return;
    Flush(8);
    filled_ -= 64;
    word_ = filled_ == 0 ? 0 : bits >> (count - filled_);
  }
  void Finish() { Flush((filled_ + 7) / 8); }

 private:
  void Flush(size_t bytes) {
    char buffer[8];
    std::memcpy(buffer, &word_, sizeof(buffer));
    out_->append(buffer, bytes);
  }
  std::string* out_;
  uint64_t word_ = 0;
  unsigned filled_ = 0;
};

}  // namespace tapedeck

#endif  // TAPEDECK_CODEC_RESIDUAL_CLASSES_H_
