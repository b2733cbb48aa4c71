#ifndef TAPEDECK_COLUMNAR_RUN_COLUMN_H_
#define TAPEDECK_COLUMNAR_RUN_COLUMN_H_

// RunColumn: a column of one row group as runs of equal values, for columns that hardly change.
//
//   RunColumn runs(column);
//   if (!runs.Add(batch, i, 0, batch.rows())) …   // not in long runs; nothing was taken
//   for (const RunColumn::Run& run : runs.runs()) Use(run.rows, run.code);
//
// Most columns of a record object are of this kind: sorted by symbol, a file has a few symbols in
// each row group, one topic, one lineage, one number of digits, and `_text` columns that are null
// throughout. A run costs a comparison of neighbours; as values, each row of each such column would
// be hashed, encoded and counted.
//
// Memory: 8 bytes for each run, of which there are at most one for 64 rows, and 2 MiB of values.
// Owned by one thread.

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "columnar/batch.h"
#include "columnar/layout.h"

namespace tapedeck {

class RunColumn {
 public:
  /// `code` is a place in values(), or kNull.
  struct Run {
    uint32_t rows;
    int32_t code;
  };
  static constexpr int32_t kNull = -1;

  /// Whether a column of this kind can be one of runs: not flags, and not what Parquet stores in
  /// another unit, width or order of bytes.
  static bool Fits(const ColumnarColumn& column);

  explicit RunColumn(const ColumnarColumn& column) : storage_(column.storage) {}

  /// Takes rows [from, from + count) of column i of a sealed batch, or says no and takes none: they
  /// come in short runs, or in too many bytes of different values.
  bool Add(const ColumnBatch& batch, size_t i, size_t from, size_t count);

  const std::vector<Run>& runs() const { return runs_; }
  /// Different values in the order in which they came, as Parquet stores them plain: numbers of 4
  /// or 8 bytes, lowest first; texts without their length.
  const std::vector<std::string>& values() const { return values_; }
  Storage storage() const { return storage_; }
  uint64_t rows() const { return rows_; }

 private:
  struct Piece {
    uint32_t rows;
    uint32_t at;  // its first row in the batch
    bool is_null;
  };
  bool FindPieces(const ColumnBatch& batch, size_t i, size_t from, size_t count);
  size_t EndOfEqual(const BatchColumn& column, size_t from, size_t end) const;
  std::string ValueAt(const BatchColumn& column, size_t row) const;
  /// kNull where there is no room for one more.
  int32_t CodeOf(std::string value);

  const Storage storage_;
  std::vector<Run> runs_;
  std::vector<std::string> values_;
  std::unordered_map<std::string, int32_t> codes_;
  std::vector<Piece> pieces_;
  size_t value_bytes_ = 0;
  uint64_t rows_ = 0;
};

}  // namespace tapedeck

#endif  // TAPEDECK_COLUMNAR_RUN_COLUMN_H_
