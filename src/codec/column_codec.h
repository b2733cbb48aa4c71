#ifndef TAPEDECK_CODEC_COLUMN_CODEC_H_
#define TAPEDECK_CODEC_COLUMN_CODEC_H_

// One column of a series block as the byte strings of wire::SeriesColumn. Private to codec.
//
//   encoding 1 integers    bytes = stream of numbers: times, integers, flags, parts of Origin
//            2 aligned     decimals; bytes = stream of mantissas at the block's greatest scale,
//                          scales = scale rule, rest = exceptions (absent where there are none)
//            3 written     decimals; bytes = stream of mantissas as written,
//                          scales = stream of scales, rest = exceptions
//            4 texts       bytes = stream of sizes, rest = all texts one after another
//            5 dictionary  texts; bytes = stream of positions,
//                          rest = count:varint { text:blob }, in order of first use
//            6 numerals    texts that are canonical int64 numbers; bytes = stream of the numbers
//   scale rule := 1 constant  scale:u8
//               | 2 stripped  block:u8 least:u8      no trailing zeros beyond the least scale
//               | 3 each      block:u8 stream(scale of each row)
//   exceptions := count:varint { gap:varint scale:u8 (mantissa:zigzag | text:blob) }
//                 gap: rows between this one and the exception before; text where scale is 255
//   nulls      := stream, 1 where the row has a value; absent: all have. What the main stream
//                 holds for a null row does not matter.
//   reference n > 0: numbers or mantissas are added to those of column n - 1, as they are before
//                 its scales are applied, mod 2^64.
//
// Owned by one thread.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "codec/codec_state.h"
#include "model/record.h"

namespace tapedeck {

/// Persisted.
enum class ColumnEncoding : uint8_t {
  kIntegers = 1,
  kAligned = 2,
  kWritten = 3,
  kTexts = 4,
  kDictionary = 5,
  kNumerals = 6,
};
/// Persisted.
enum class ScaleRule : uint8_t { kConstant = 1, kStripped = 2, kEach = 3 };

/// An IntegerEncoder and how hard it tries.
struct NumberWriter {
  IntegerEncoder* encoder;
  Effort effort;
  void Encode(std::span<const int64_t> values, std::string* out) {
    encoder->Encode(values, effort, out);
  }
};

/// A column as encoded, and what a later column needs to refer to it.
struct ColumnDraft {
  std::string name;
  ColumnType type = ColumnType::kInteger;
  ColumnEncoding encoding = ColumnEncoding::kIntegers;
  std::string bytes;
  std::string nulls;
  std::string scales;
  std::string rest;
  uint8_t reference = 0;

  bool referable = false;        // numbers below may serve as a reference
  uint8_t scale = 0;             // of a decimal's numbers
  std::vector<int64_t> numbers;  // as in the main stream, before a reference is taken off

  void Clear();
};

/// Rows [from, from + count) of `column` into `draft`; all `earlier` ones may be referred to.
/// False: every row is null, leave it out.
bool EncodeColumn(const RowsColumn& column, size_t from, size_t count,
                  std::span<const ColumnDraft> earlier, NumberWriter* integers, ColumnDraft* draft);

/// Numbers (a time or a part of Origin); `reference` is the number of an earlier column + 1, or 0.
void EncodeNumbers(std::span<const int64_t> numbers, std::span<const ColumnDraft> earlier,
                   uint8_t reference, NumberWriter* integers, ColumnDraft* draft);

/// A column as read.
struct ColumnParts {
  std::string_view name;
  ColumnType type = ColumnType::kInteger;
  uint8_t encoding = 0;
  std::string_view bytes;
  std::string_view nulls;
  std::string_view scales;
  std::string_view rest;
  uint8_t reference = 0;
};

/// Whether bytes holds numbers to which a reference may be added.
bool HasNumbers(const ColumnParts& parts);

/// Whether DecodeColumn leaves the numbers of `parts` as they are in their stream.
bool NumbersAreKept(const ColumnParts& parts);

/// Makes the rows of `out`, whose former content is overwritten. `numbers` holds the main stream
/// with the reference added; for types that have
/// numbers it is out->numbers. `text_budget` bounds the texts of the block and is lessened.
Status DecodeColumn(const ColumnParts& parts, size_t rows, std::span<const int64_t> numbers,
                    IntegerDecoder* decoder, size_t* text_budget, RowsColumn* out);

/// All rows null.
void FillNull(size_t rows, RowsColumn* out);

}  // namespace tapedeck

#endif  // TAPEDECK_CODEC_COLUMN_CODEC_H_
