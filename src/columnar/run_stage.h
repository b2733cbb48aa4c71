#ifndef TAPEDECK_COLUMNAR_RUN_STAGE_H_
#define TAPEDECK_COLUMNAR_RUN_STAGE_H_

// RunStage: short runs gathered into one long one.
//
//   RunStage stage(layout);
//   if (stage.Takes(slice)) stage.Add(slice);
//   if (stage.full()) batch.Append(stage.Slice()), stage.Clear();
//
// An answer over many symbols in the order of time comes in runs of a row or two, and filling a
// batch costs per run and column. Here a run costs a copy of its values. Longer runs are better off
// without. Only what the layout shows is copied.
//
// Owned by one thread.

#include <cstdint>
#include <vector>

#include "columnar/layout.h"
#include "model/record.h"

namespace tapedeck {

class RunStage {
 public:
  explicit RunStage(const ColumnarLayout& layout);

  /// Whether the run is short and has all columns.
  bool Takes(const RowSlice& slice) const {
    return slice.count <= kShortRun && slice.rows->columns.size() >= rows_.columns.size();
  }
  /// Takes(slice) and !full().
  void Add(const RowSlice& slice);
  bool empty() const { return size_ == 0; }
  bool full() const { return size_ > kRows - kShortRun || text_bytes_ > kTextBytes; }
  /// All rows, with symbols row by row; valid until the next Add or Clear.
  RowSlice Slice() const;
  void Clear();

 private:
  static constexpr uint32_t kShortRun = 64;
  static constexpr uint32_t kRows = 2048;
  static constexpr size_t kTextBytes = size_t{4} << 20;

  void AddText(const RowsColumn& from, const RowSlice& slice, RowsColumn* to);
  void AddDecimalText(const RowsColumn& from, const RowSlice& slice, RowsColumn* to);
  void AddSymbols(const RowSlice& slice);

  uint32_t size_ = 0;
  size_t text_bytes_ = 0;
  bool uses_symbol_ = false;
  bool uses_ts_kafka_ = false;
  bool uses_origin_ = false;
  std::vector<uint32_t> columns_;  // that are used
  Rows rows_;                      // of kRows rows, of which size_ count
  RowsColumn symbols_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_COLUMNAR_RUN_STAGE_H_
