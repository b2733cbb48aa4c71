#ifndef TAPEDECK_COLUMNAR_BATCH_H_
#define TAPEDECK_COLUMNAR_BATCH_H_

// ColumnBatch: rows gathered into columns as Arrow lays them out, without Arrow.
//
//   ColumnBatch batch(layout, columns, ShortDecimals::kDecimal128);
//   TD_ASSIGN_OR_RETURN(uint32_t taken, batch.Append(slice));   // fewer than asked: it is full
//   batch.Seal();                                                // bits packed, text mended
//   Use(batch.rows(), batch.column(0));
//   batch.Clear();
//
// Where a batch ends depends on the rows only, not on the slices in which they came. Memory:
// kBatchRows rows and kBatchTextBytes of text in each column, and what one row may add to that.
// Owned by one thread.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "columnar/layout.h"
#include "columnar/slab.h"

namespace tapedeck {

/// 64k rows: what readers of Arrow streams expect, and 4 MB of six columns.
inline constexpr uint32_t kBatchRows = 1u << 16;
/// Text of one column and batch: offsets are int32, and 64k rows of a megabyte would overflow them.
inline constexpr size_t kBatchTextBytes = size_t{32} << 20;

/// One column of a batch. Which members are in use follows from its storage.
struct BatchColumn {
  Slab<int64_t> longs;    // kTimestamp, kInt64, kDecimal64
  Slab<Int128> wides;     // kDecimal128
  Slab<int32_t> ints;     // kInt32
  Slab<int8_t> bytes;     // kInt8, kFlag: 0 or 1
  Slab<int32_t> offsets;  // kText, kBytes: 0, then where each row's text ends; empty without rows
  std::string text;       // kText, kBytes
  Slab<uint8_t> is_present;  // 0 or 1 a row; nullable columns only. kInt8: not in use, see presence

  // After Seal:
  size_t nulls = 0;
  std::vector<uint8_t> valid_bits;  // empty where nulls == 0
  std::vector<uint8_t> flag_bits;   // kFlag

  /// Room for the ends of `count` more texts.
  int32_t* GrowTexts(size_t count);
  void AppendText(std::string_view value, bool present);
  void Clear();
};

class DecimalFiller;

class ColumnBatch {
 public:
  ColumnBatch(ColumnarLayout layout, std::vector<ColumnarColumn> columns, ShortDecimals decimals);
  ~ColumnBatch();

  /// Appends the slice's first rows, as many as fit; 0 only where the batch has rows. kInternal: a
  /// row of a tape that the layout does not name.
  Result<uint32_t> Append(const RowSlice& slice);
  size_t rows() const { return rows_; }
  bool full() const { return rows_ == kBatchRows; }
  /// Bytes of values and text, for budgets.
  size_t bytes() const;

  void Seal();
  void Clear();

  const std::vector<ColumnarColumn>& columns() const { return columns_; }
  const BatchColumn& column(size_t i) const { return data_[i]; }
  /// The column whose valid_bits and nulls count for column i: a scale shares its decimal's.
  const BatchColumn& presence(size_t i) const {
    return columns_[i].part == Part::kScale ? data_[i - 1] : data_[i];
  }

 private:
  uint32_t Fitting(const RowSlice& slice) const;
  Status CheckTapes(const RowSlice& slice) const;
  void Fill(size_t i, const RowSlice& slice);
  void FillColumn(size_t i, const RowSlice& slice);
  void FillNulls(size_t i, uint32_t count);
  void FillTape(size_t i, const RowSlice& slice);
  void FillNumberTexts(const RowsColumn& from, const RowSlice& slice, BatchColumn* to);
  void SealText(BatchColumn* column, BatchColumn* bytes);

  const ColumnarLayout layout_;
  const std::vector<ColumnarColumn> columns_;
  std::vector<BatchColumn> data_;
  std::vector<std::unique_ptr<DecimalFiller>> fillers_;  // by column; null where it is no decimal
  std::vector<const TapeId*> tapes_;                     // by tp id
  bool needs_tapes_ = false;
  size_t rows_ = 0;
};

}  // namespace tapedeck

#endif  // TAPEDECK_COLUMNAR_BATCH_H_
