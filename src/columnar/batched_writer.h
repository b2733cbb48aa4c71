#ifndef TAPEDECK_COLUMNAR_BATCHED_WRITER_H_
#define TAPEDECK_COLUMNAR_BATCHED_WRITER_H_

// BatchedWriter: what the Arrow and the Parquet writer share: rows become batches, batches become
// bytes, an error is the end.
//
// For the writers of this module only. Owned by one thread.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "columnar/arrow_bridge.h"
#include "columnar/batch.h"
#include "columnar/run_stage.h"
#include "columnar/writer.h"

namespace tapedeck {

class BatchedWriter : public ColumnarWriter {
 public:
  Status Begin(std::string* out) final;
  Status Append(const RowSlice& rows, std::string* out) final;
  Status Settle(std::string* out) final;
  Status Finish(std::string* out) final;

 protected:
  BatchedWriter(ColumnarLayout layout, std::vector<ColumnarColumn> columns, ShortDecimals decimals);

  const std::shared_ptr<arrow::Schema>& schema() const { return schema_; }
  const std::vector<ColumnarColumn>& columns() const { return batch_.columns(); }
  const std::shared_ptr<arrow::io::OutputStream>& stream() const { return stream_; }
  /// Where the bytes of this call go, behind what was there; null after an error.
  std::string* target() const { return target_; }

 private:
  virtual arrow::Status Open() = 0;
  /// A sealed batch and its columns as Arrow's, which go with it.
  virtual arrow::Status Write(const ColumnBatch& batch, const arrow::RecordBatch& arrays) = 0;
  virtual arrow::Status Close() = 0;

  Status AppendToBatch(RowSlice rows, std::string* out);
  Status FlushStage(std::string* out);
  Status FlushBatch(std::string* out);
  Status Run(std::string* out, const std::function<arrow::Status()>& call);

  std::string* target_ = nullptr;  // of stream_, during a call
  RunStage stage_;                 // rows that come before all others that the batch has not
  ColumnBatch batch_;
  std::shared_ptr<arrow::Schema> schema_;
  std::shared_ptr<arrow::io::OutputStream> stream_;
  Status failed_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_COLUMNAR_BATCHED_WRITER_H_
