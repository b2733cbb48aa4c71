#ifndef TAPEDECK_CODEC_BIT_PACKING_H_
#define TAPEDECK_CODEC_BIT_PACKING_H_

// Bit packing in groups of 128: value i of a group takes bits [i * width, (i + 1) * width) of a
// little-endian bit string.
//
// A width is 0 to 56, or 64: with at most 56 bits a value lies within one unaligned 8-byte load, so
// that unpacking is a load, a shift and a mask for each value, without branches. A full group takes
// 16 * width bytes; the last one of a stream is cut to whole bytes.
//
// Thread-safe: pure functions.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace tapedeck {

inline constexpr size_t kPackGroup = 128;
inline constexpr unsigned kPackWidthMax = 64;
/// Unpacking may read this many bytes past the packed ones; they do not matter.
inline constexpr size_t kPackSlack = 8;

/// The least allowed width that holds `bits` significant bits.
constexpr unsigned PackWidth(unsigned bits) { return bits > 56 ? 64 : bits; }
constexpr bool IsPackWidth(unsigned width) { return width <= 56 || width == 64; }
/// Bytes of `count` values.
constexpr size_t PackedBytes(size_t count, unsigned width) { return (count * width + 7) / 8; }

/// Appends the packed values; each is below 2^width.
void PackGroup(std::span<const uint64_t> values, unsigned width, std::string* out);

/// Unpacks 128 values. 16 * width + kPackSlack bytes at `packed` are readable.
void UnpackGroup(const uint8_t* packed, unsigned width, uint64_t* out);

}  // namespace tapedeck

#endif  // TAPEDECK_CODEC_BIT_PACKING_H_
