#ifndef TAPEDECK_CODEC_INTEGERS_H_
#define TAPEDECK_CODEC_INTEGERS_H_

// Integer streams: a known number of int64 as few bytes.
//
// A stream says how it is written and where it ends, but not how many integers it holds. All
// arithmetic is mod 2^64, so any int64 at all comes back exactly, the extremes too.
//
//   stream   := form:u8 body
//   body     := 1 constant   value:zigzag
//             | 2 offsets    base:zigzag divisor:varint residuals(count)         value = base +
//             divisor * residual | 3 deltas     first:zigzag base:zigzag divisor:varint
//             residuals(count - 1) | 4 zigzags    first:zigzag divisor:varint residuals(count - 1)
//             delta = divisor * unzigzag(residual) | 5 dictionary distinct:varint stream(distinct,
//             ascending) stream(count, positions)
//   residuals(n) := layout:u8
//             ( 1 zeros      nothing: all are zero
//             | 2 packed     width:u8 for each group of 128, then the groups (codec/bit_packing.h)
//             | 3 planes     bytes:u8, then that many planes of n bytes, the lowest first
//             | 4 bytes      bytes:u8 (1, 2, 4 or 8), then n little-endian integers of that size )
//   zigzag, varint: LEB128 as in base/bytes.h. A stream of no integers is a constant.
//
// Unknown forms and layouts are kCorruption and named. The format is docs/formats.md, "Integer
// streams".
//
// IntegerEncoder is owned by one thread; DecodeIntegers is thread-safe.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/status.h"
#include "codec/effort.h"

namespace tapedeck {

/// Persisted.
enum class IntegerForm : uint8_t {
  kConstant = 1,
  kOffsets = 2,
  kDeltas = 3,
  kZigzags = 4,
  kDictionary = 5
};
/// Persisted.
enum class ResidualLayout : uint8_t { kZeros = 1, kPacked = 2, kPlanes = 3, kBytes = 4 };

class IntegerEncoder {
 public:
  /// Appends a stream of `values`.
  void Encode(std::span<const int64_t> values, std::string* out);

 private:
  struct Plan {
    IntegerForm form = IntegerForm::kOffsets;
    uint64_t base = 0;
    uint64_t divisor = 1;
    size_t bytes = SIZE_MAX;  // of the residuals, packed
  };
  Plan PlanOffsets(std::span<const int64_t> values);
  Plan PlanDeltas(std::span<const int64_t> values);
  Plan PlanZigzags();
  void Residuals(std::span<const int64_t> values, const Plan& plan);
  void Write(std::span<const int64_t> values, const Plan& plan, std::string* out);

  std::vector<uint64_t> deltas_;
  std::vector<uint64_t> residuals_;
};

/// Reads a stream of `out.size()` integers off the front of `in`. kCorruption where it is not one.
Status DecodeIntegers(ByteReader* in, std::span<int64_t> out);
/// The same, and nothing may follow.
Status DecodeIntegers(std::string_view stream, std::span<int64_t> out);

}  // namespace tapedeck

#endif  // TAPEDECK_CODEC_INTEGERS_H_
