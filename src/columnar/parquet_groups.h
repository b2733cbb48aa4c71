#ifndef TAPEDECK_COLUMNAR_PARQUET_GROUPS_H_
#define TAPEDECK_COLUMNAR_PARQUET_GROUPS_H_

// ParquetGroups: a Parquet file out of Parquet's own parts (column writers, page writers, builders
// of metadata and of the page index), put together here so that each column chunk may come from one
// of two writers:
//
//   - a column that comes in long runs of equal values is gathered as a RunColumn, and written when
//     its row group ends;
//   - every other one goes to Parquet's ColumnWriter at once. One that stops coming in long runs
//     goes there from then on, with what had been gathered.
//
// Which writer a chunk comes from is in the encoding only: types, statistics and page index are the
// same. It depends on the rows alone.
//
//   groups.StartGroup();
//   ARROW_RETURN_NOT_OK(groups.Write(batch, arrays, 0, batch.rows()));
//   ARROW_RETURN_NOT_OK(groups.Close(metadata));           // ends the group, writes the footer
//
// Errors are Arrow's, and exceptions where Parquet throws. For the Parquet writer of this module
// only. Owned by one thread.

#include <cstddef>
#include <memory>
#include <vector>

#include "columnar/arrow_bridge.h"
#include "columnar/batch.h"
#include "columnar/layout.h"

namespace arrow {
class KeyValueMetadata;
}  // namespace arrow
namespace parquet {
class WriterProperties;
}  // namespace parquet

namespace tapedeck {

class ParquetGroups {
 public:
  /// Writes the file's first bytes. `properties` are without encryption and Bloom filters, with
  /// dictionaries, statistics and page index.
  static arrow::Status Open(const arrow::Schema& schema, std::vector<ColumnarColumn> columns,
                            std::shared_ptr<parquet::WriterProperties> properties,
                            std::shared_ptr<arrow::io::OutputStream> stream,
                            std::unique_ptr<ParquetGroups>* groups);
  virtual ~ParquetGroups() = default;

  /// Ends the group before, if there is one.
  virtual void StartGroup() = 0;
  /// Rows [from, from + count) into the group; `arrays` are the batch's columns.
  virtual arrow::Status Write(const ColumnBatch& batch, const arrow::RecordBatch& arrays,
                              size_t from, size_t count) = 0;
  /// Ends the group and writes what stands behind the last one. `metadata`: null for none.
  virtual arrow::Status Close(std::shared_ptr<const arrow::KeyValueMetadata> metadata) = 0;
};

}  // namespace tapedeck

#endif  // TAPEDECK_COLUMNAR_PARQUET_GROUPS_H_
