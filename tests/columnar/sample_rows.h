#ifndef TAPEDECK_TESTS_COLUMNAR_SAMPLE_ROWS_H_
#define TAPEDECK_TESTS_COLUMNAR_SAMPLE_ROWS_H_

// Rows for the tests of columnar, and what a reader must see of them: each field as the text that
// came in, or nothing.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/random.h"
#include "columnar/layout.h"
#include "columnar/writer.h"
#include "model/record.h"

namespace tapedeck::testing {

/// A field as text: decimals as written, times and flags as integers, text as it is.
using Cell = std::optional<std::string>;
using Cells = std::vector<std::vector<Cell>>;  // by row, then by field

/// One series: its symbol and its rows, all columns that `types` lists.
struct Series {
  Series(std::string symbol_, const std::vector<ColumnType>& types);

  /// Appends a row. `values` as the columns are.
  void Add(int64_t ts, const std::vector<Value>& values, uint32_t tp = 1, int64_t offset = 0,
           uint32_t index = 0, int64_t ts_kafka = kNoKafkaTime);

  std::string symbol;
  Rows rows;
};

/// "1.50" as the value that a decoder makes of it; the text outlives it.
Value Number(std::string_view text);

/// A table with every type: price, size (decimals), count, note, flag, seen (timestamp).
std::vector<ColumnType> EveryType();
/// Random rows of it: mixed scales, nulls, numbers that no DECIMAL(18, 8) holds, times at both
/// ends.
Series RandomSeries(Random* random, const std::string& symbol, size_t rows);

/// ts, symbol, the columns as EveryType, and with `origin` all of the Origin.
ColumnarLayout EveryField(DecimalType decimal, bool origin);

/// What `layout` shows of the rows.
Cells Expected(const ColumnarLayout& layout, const std::vector<Series>& series);

/// The bytes of the rows in the given order, each series in slices of random sizes; `random` null:
/// whole.
std::string Written(Result<std::unique_ptr<ColumnarWriter>> writer,
                    const std::vector<Series>& series, Random* random);

}  // namespace tapedeck::testing

#endif  // TAPEDECK_TESTS_COLUMNAR_SAMPLE_ROWS_H_
