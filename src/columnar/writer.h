#ifndef TAPEDECK_COLUMNAR_WRITER_H_
#define TAPEDECK_COLUMNAR_WRITER_H_

// ColumnarWriter: rows as an Arrow IPC stream or a Parquet file, piece by piece.
//
//   TD_ASSIGN_OR_RETURN(auto writer, MakeParquetWriter(layout, {.sorted_by = {{"ts"}}}));
//   std::string out;
//   TD_RETURN_IF_ERROR(writer->Begin(&out));
//   TD_RETURN_IF_ERROR(writer->Append({.symbol = "X", .rows = &rows, .count = 10}, &out));
//   … send and clear `out` whenever it has bytes …
//   TD_RETURN_IF_ERROR(writer->Finish(&out));
//
// `out` is appended to; what the calls append, in their order, is the stream or the file. The bytes
// are a function of layout, options and rows: how rows are cut into slices does not matter. An
// Arrow stream is batches of kBatchRows rows; a Parquet file has row groups of up to row_group_rows
// rows, whose bytes come out when the group is complete.
//
// Errors: kInvalidArgument from Make*: the layout or an option; kResourceExhausted: no memory;
// kInternal: a row of an unknown tape, or a defect of ours or of Arrow's; a call may report what an
// earlier one brought. After an error nothing more comes out: the file or stream lacks its end,
// which every reader notices. No exception leaves this module.
//
// Memory: one batch (5 MB for six columns), and for Parquet the encoded row group and the footer,
// which grows by about 100 bytes a column for each page of 20,000 rows.
//
// Owned by one thread.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "columnar/layout.h"

namespace tapedeck {

class ColumnarWriter {
 public:
  virtual ~ColumnarWriter() = default;
  /// Once, before anything else.
  virtual Status Begin(std::string* out) = 0;
  /// Columns that the rows lack at the end are null.
  virtual Status Append(const RowSlice& rows, std::string* out) = 0;
  /// Between Appends: hands on what is kept back of short runs, so that what has come out so far
  /// depends on the rows and not on the slices in which they came. The bytes stay the same.
  virtual Status Settle(std::string* out) = 0;
  /// Once, after everything else.
  virtual Status Finish(std::string* out) = 0;
};

/// Of the bodies of record batches, buffer by buffer.
enum class ArrowCompression : uint8_t { kNone = 0, kZstd, kLz4 };  // lz4: its frame format

struct ArrowOptions {
  ArrowCompression compression = ArrowCompression::kNone;
  int zstd_level = 1;
};

enum class SortedDirection : uint8_t { kAscending = 0, kDescending };
struct SortedBy {
  std::string name;  // of a field
  SortedDirection direction = SortedDirection::kAscending;
};

struct ParquetOptions {
  int zstd_level = 1;
  /// Rows of a row group, 1 to 2^20: what engines read in parallel and skip by statistics.
  uint32_t row_group_rows = 1u << 19;
  /// A row group is also ended after the batch that brings its values, not encoded, to this size.
  size_t row_group_bytes = size_t{128} << 20;
  /// The order in which the rows will come; written into the file, not checked.
  std::vector<SortedBy> sorted_by;
  /// Into the file's key-value metadata, in this order.
  std::vector<std::pair<std::string, std::string>> metadata;
  /// Adds sums of footer and page index to the metadata: what ParquetReader wants to see.
  bool sums = false;
};

Result<std::unique_ptr<ColumnarWriter>> MakeArrowWriter(ColumnarLayout layout,
                                                        const ArrowOptions& options);
/// kSeconds becomes milliseconds of whole seconds: Parquet has no seconds.
Result<std::unique_ptr<ColumnarWriter>> MakeParquetWriter(ColumnarLayout layout,
                                                          const ParquetOptions& options);

}  // namespace tapedeck

#endif  // TAPEDECK_COLUMNAR_WRITER_H_
