#ifndef TAPEDECK_CODEC_INTEGERS_H_
#define TAPEDECK_CODEC_INTEGERS_H_

// Integer streams: a known number of int64 as few bytes.
//
// A stream says how it is written and where it ends, but not how many integers it holds. All
// arithmetic is mod 2^64, so any int64 at all comes back exactly, the extremes too.
//
//   stream(n)    := form:u8 body(n)
//   body         := 1 constant   value:zigzag
//                 | 2 offsets    base:zigzag divisor:varint residuals(n)
//                 | 3 deltas     first:zigzag base:zigzag divisor:varint residuals(n - 1)
//                 | 4 zigzags    first:zigzag divisor:varint residuals(n - 1)
//                 | 5 steps      first:zigzag divisor:varint c:varint bitmap residuals(c)
//                 | 6 levels     base:zigzag divisor:varint c:varint bitmap residuals(c + 1)
//      offsets: value = base + divisor * residual    deltas: delta = base + divisor * residual
//      zigzags: delta = divisor * unzigzag(residual)
//      steps: as zigzags for the deltas whose bit is set, the others are 0
//      levels: as offsets for the first value and each value whose bit is set
//   bitmap       := part(ceil((n - 1) / 8))
//      bit i % 8 of byte i / 8: value i + 1 differs from value i; c bits are set
//   residuals(n) := layout:u8
//                 ( 1 zeros      nothing: all are zero
//                 | 2 packed     width:u8 for each group of 128, then part(groups)
//                 | 3 bytes      size:u8 (1, 2, 4 or 8) part(n * size): little-endian integers
//                 | 4 classes    part(n): a class each; low bits:blob, one little-endian bit string
//                 )
//   class        := the residual, below 8; else 8 + 4 * (low - 1) + top: the residual's highest bit
//                   is number low + 2, the two bits below it are `top`, its `low` lowest bits are
//                   in the bit string
//   part(size)   := how:u8 (1 as it is | 2 stored:varint, a zstd frame of that many bytes)
//   groups: codec/bit_packing.h; zigzag, varint, blob: base/bytes.h. No integers: a constant.
//
// Classes are near the entropy of gaps in time, whose sizes spread over decades; bytes let zstd
// find
// sizes that recur. Unknown forms and layouts are kCorruption and named. docs/formats.md, "Integer
// streams".
//
// Both classes are owned by one thread.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/status.h"
#include "base/zstd.h"
#include "codec/effort.h"
#include "codec/exact_division.h"
#include "codec/integer_loops.h"

namespace tapedeck {

/// Persisted.
enum class IntegerForm : uint8_t {
  kConstant = 1,
  kOffsets = 2,
  kDeltas = 3,
  kZigzags = 4,
  kSteps = 5,
  kLevels = 6
};
/// Persisted.
enum class ResidualLayout : uint8_t { kZeros = 1, kPacked = 2, kBytes = 3, kClasses = 4 };
/// Persisted.
enum class PartCodec : uint8_t { kStored = 1, kZstd = 2 };

class IntegerEncoder {
 public:
  /// Appends a stream of `values`. The smallest of several candidates is taken; kLive tries fewer.
  void Encode(std::span<const int64_t> values, Effort effort, std::string* out);

  /// About how many bytes Encode would take, at a fraction of its price: to choose between ways to
  /// put the same integers.
  size_t PackedBytesOf(std::span<const int64_t> values);

 private:
  void Measure(std::span<const int64_t> values);
  void MakePlans();
  int64_t Quotient(int64_t multiple) const;
  void SetResiduals(IntegerForm form);
  void SetChangedResiduals(IntegerForm form);
  void StartStream(int64_t first, IntegerForm form);
  void TryDense(int64_t first, IntegerForm form, Effort effort);
  void TryChanges(int64_t first, IntegerForm form, Effort effort);
  size_t ByteSize() const;
  static double PartCost(double bytes, double coded);
  double BareCost(ResidualLayout layout) const;
  bool MayWinAsClasses(Effort effort) const;
  bool MayWinAsBytes() const;
  void KeepSmallest(ResidualLayout layout, int level);
  void PutBitmap(int level);
  void PutPacked(int level, std::string* out);
  void PutBytes(int level, std::string* out);
  void PutClasses(int level, std::string* out);
  void PutPart(std::string_view bytes, int level, std::string* out);

  Compressor compressor_;
  std::span<const int64_t> values_;  // being encoded
  std::vector<int64_t> deltas_;      // of values_, mod 2^64
  std::vector<IntegerGroup> groups_;
  uint64_t divisor_ = 1;  // of all differences
  ExactDivision division_{1};
  int64_t least_ = 0;
  int64_t least_delta_ = 0, greatest_delta_ = 0;  // divided
  size_t changes_ = 0;                            // deltas that are not 0
  // Of the residuals of each dense form, packed.
  size_t offsets_bytes_ = 0, deltas_bytes_ = 0, zigzags_bytes_ = 0;
  std::vector<uint64_t> residuals_;         // of the candidate in hand
  std::string start_;                       // its bytes up to the residuals
  double start_time_ns_ = 0, time_ns_ = 0;  // to decode them
  double best_cost_ = 0;
  std::string candidate_, best_, part_, bits_, low_bits_, bitmap_;
};

class IntegerDecoder {
 public:
  /// Reads a stream of `out.size()` integers off the front of `in`. kCorruption where it is not
  /// one.
  Status Decode(ByteReader* in, std::span<int64_t> out);
  /// The same, and nothing may follow.
  Status Decode(std::string_view stream, std::span<int64_t> out);
  /// The same, added to as many integers at `reference`, mod 2^64.
  Status DecodeOnto(std::string_view stream, const int64_t* reference, std::span<int64_t> out);
  /// Whether `stream` is a constant, and which.
  static bool IsConstant(std::string_view stream, int64_t* value);

 private:
  Status DecodeOffsets(ByteReader* in, std::span<int64_t> out);
  Status DecodeDeltas(ByteReader* in, std::span<int64_t> out);
  Status DecodeZigzags(ByteReader* in, std::span<int64_t> out);
  Status DecodeChanges(ByteReader* in, IntegerForm form, std::span<int64_t> out);
  Status Spread(std::string_view bitmap, std::span<int64_t> out) const;
  template <typename F>
  Status Residuals(ByteReader* in, size_t count, F take);
  template <typename F>
  Status Packed(ByteReader* in, size_t count, F take);
  template <typename F>
  Status Bytes(ByteReader* in, size_t count, F take);
  template <typename F>
  Status Classes(ByteReader* in, size_t count, F take);
  /// `size` bytes; a view until the next call, unless `keep` holds them.
  Status Part(ByteReader* in, size_t size, std::string* keep, std::string_view* out);

  Decompressor decompressor_;
  std::string part_, bitmap_, padded_;
  std::vector<int64_t> values_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_CODEC_INTEGERS_H_
