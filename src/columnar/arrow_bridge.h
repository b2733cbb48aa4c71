#ifndef TAPEDECK_COLUMNAR_ARROW_BRIDGE_H_
#define TAPEDECK_COLUMNAR_ARROW_BRIDGE_H_

// Between our values and Arrow's: schemas, batches, the stream that fills a string, errors.
//
// For the writers of this module only. Owned by one thread.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "columnar/batch.h"
#include "columnar/layout.h"

namespace arrow {
class RecordBatch;
class Schema;
class Status;
namespace io {
class OutputStream;
}  // namespace io
}  // namespace arrow

namespace tapedeck {

/// The one translation of Arrow's errors. Out of memory: kResourceExhausted; else kInternal,
/// because whatever a client may choose has been checked before.
Status FromArrow(const arrow::Status& status);

/// Runs `call`, and turns exceptions into a Status too: Parquet throws.
Status Guarded(const std::function<arrow::Status()>& call);
/// The same around reading, where what Arrow and Parquet refuse is kCorruption.
Status GuardedRead(const std::function<arrow::Status()>& call);

std::shared_ptr<arrow::Schema> ArrowSchema(const std::vector<ColumnarColumn>& columns);

/// A sealed batch as Arrow sees it: views into `batch`, which outlives it unchanged.
std::shared_ptr<arrow::RecordBatch> ArrowBatch(const ColumnBatch& batch,
                                               const std::shared_ptr<arrow::Schema>& schema);

/// An Arrow stream that appends to whatever `target` points to at the time; what is written while
/// that is null is counted and dropped.
std::shared_ptr<arrow::io::OutputStream> MakeStringStream(std::string** target);

}  // namespace tapedeck

#endif  // TAPEDECK_COLUMNAR_ARROW_BRIDGE_H_
