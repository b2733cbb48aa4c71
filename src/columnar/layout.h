#ifndef TAPEDECK_COLUMNAR_LAYOUT_H_
#define TAPEDECK_COLUMNAR_LAYOUT_H_

// ColumnarLayout: the columns of an Arrow stream or a Parquet file, fixed before any row is seen.
//
//   ColumnarLayout layout;
//   layout.fields = {{.source = Source::kTs, .name = "ts"},
//                    {.source = Source::kColumn, .column = 0, .type = ColumnType::kDecimal,
//                     .name = "price", .decimal = DefaultDecimalType("trades")}};
//   LayOut(layout) -> ts timestamp, price decimal(18, 8), price_scale int8, price_text text
//
// A field becomes these columns; names follow docs/columnar.md:
//   ts            TIMESTAMP in `time` units, UTC, never null
//   ts_kafka      the same, null where the message had none
//   symbol        text, never null
//   a decimal     DECIMAL(p, s), `<name>_scale` int8 and `<name>_text` text; with
//                 NumberForm::kText one text column with the number as written
//   an integer    int64      a flag  bool      a text  text      a timestamp  TIMESTAMP
//   topic text, partition int32, lineage int64, offset int64, index int64: never null
//   with TextForm::kExact a `<name>_bytes` beside symbol and each text of the table
//
// Exactness: where the DECIMAL is not null, it is the number, and `_scale` says how many digits
// after the point were written ("0.99980" is 0.99980000 and 5). A number that DECIMAL(p, s) does
// not hold exactly, and a negative zero, is in `_text`, digit for digit, and the other two are
// null. All three null: the field is null. So the columns depend on the layout only, never on the
// rows.
//
// Values; thread-compatible.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "model/origin.h"
#include "model/record.h"
#include "model/value.h"

namespace tapedeck {

/// DECIMAL(precision, scale): 1 <= precision <= 38, 0 <= scale <= precision.
struct DecimalType {
  uint8_t precision = 38;
  uint8_t scale = 18;
  bool operator==(const DecimalType&) const = default;
};

/// (18, 8) for trades and quotes, (38, 18) for every other table.
DecimalType DefaultDecimalType(std::string_view table);

/// Coarser times are rounded to the past.
enum class ColumnarTime : uint8_t { kNanoseconds = 0, kMicroseconds, kMilliseconds, kSeconds };
enum class NumberForm : uint8_t { kDecimal = 0, kText };
/// Of bytes that are not UTF-8, which Arrow and Parquet do not take for text. kMended: U+FFFD for
/// each ill-formed sequence. kExact: the same, and beside symbol and each text column of a table a
/// binary `<name>_bytes`, null but for such rows, with the bytes as they are.
enum class TextForm : uint8_t { kMended = 0, kExact };
/// What becomes of a field's times: TIMESTAMP in the unit of the layout or in one of its own, or
/// plain nanoseconds, exact for readers that know no finer unit than microseconds.
enum class TimeForm : uint8_t { kAsLayout = 0, kMicroseconds, kMilliseconds, kInteger };

struct ColumnarField {
  enum class Source : uint8_t {
    kTs = 0,
    kSymbol,
    kColumn,
    kTsKafka,
    kTopic,
    kPartition,
    kLineage,
    kOffset,
    kIndex
  };
  Source source = Source::kColumn;
  size_t column = 0;  // place in Rows::columns; kColumn only
  ColumnType type = ColumnType::kDecimal;
  std::string name;
  DecimalType decimal;                       // decimals only
  TimeForm time_form = TimeForm::kAsLayout;  // times only
};

struct ColumnarLayout {
  std::vector<ColumnarField> fields;
  ColumnarTime time = ColumnarTime::kNanoseconds;
  NumberForm numbers = NumberForm::kDecimal;
  TextForm text = TextForm::kMended;
  /// Of every tape that rows may name; needed for topic, partition and lineage only.
  std::vector<std::pair<TpId, TapeId>> tapes;
};

/// How a column's values lie, in a batch and in Arrow.
enum class Storage : uint8_t {
  kTimestamp = 0,  // int64
  kInt64,
  kInt32,
  kInt8,
  kFlag,
  kText,
  kBytes,      // as kText, and not UTF-8
  kDecimal64,  // int64: decimals of at most 18 digits, where the writer wants them so
  kDecimal128
};

/// What fills a column.
enum class Part : uint8_t { kValue = 0, kScale, kText, kBytes };

struct ColumnarColumn {
  std::string name;
  Storage storage = Storage::kText;
  bool nullable = false;
  DecimalType decimal;  // kDecimal64 and kDecimal128 only
  size_t field = 0;     // of layout.fields
  Part part = Part::kValue;
  ColumnarTime time = ColumnarTime::kNanoseconds;  // kTimestamp; of times as integers, too
};

/// What decimals of at most 18 digits are stored as.
enum class ShortDecimals : uint8_t { kDecimal128 = 0, kDecimal64 };

/// The columns in order. Where `<name>_scale`, `_text` or `_bytes` is another field's name, "_" is
/// added until it is not. kInvalidArgument: no fields, a doubled name, a form out of bounds.
Result<std::vector<ColumnarColumn>> LayOut(const ColumnarLayout& layout, ShortDecimals decimals);

/// Rows, of one series unless `symbols` is set: first, first + step, first + 2 step … of `rows`.
struct RowSlice {
  std::string_view symbol;
  const Rows* rows = nullptr;
  uint32_t first = 0;
  uint32_t count = 0;
  int32_t step = 1;  // 1 or -1
  /// Each row's symbol, where they differ; `symbol` does not count then. Null: all are `symbol`.
  const RowsColumn* symbols = nullptr;

  uint32_t RowAt(uint32_t n) const { return first + n * static_cast<uint32_t>(step); }
};

}  // namespace tapedeck

#endif  // TAPEDECK_COLUMNAR_LAYOUT_H_
