#include "columnar/batched_writer.h"

#include <arrow/io/interfaces.h>
#include <arrow/record_batch.h>

namespace tapedeck {

BatchedWriter::BatchedWriter(ColumnarLayout layout, std::vector<ColumnarColumn> columns,
                             ShortDecimals decimals)
    : stage_(layout),
      batch_(layout, std::move(columns), decimals),
      schema_(ArrowSchema(batch_.columns())),
      stream_(MakeStringStream(&target_)) {}

// Every call into Arrow: with a place for its bytes, and without one after an error.
Status BatchedWriter::Run(std::string* out, const std::function<arrow::Status()>& call) {
  if (!failed_.ok()) return failed_;
  target_ = out;
  failed_ = Guarded(call);
  target_ = nullptr;
  return failed_;
}

Status BatchedWriter::Begin(std::string* out) {
  return Run(out, [&] { return Open(); });
}

Status BatchedWriter::FlushBatch(std::string* out) {
  Status written = Run(out, [&] {
    batch_.Seal();
    return Write(batch_, *ArrowBatch(batch_, schema_));
  });
  batch_.Clear();
  return written;
}

Status BatchedWriter::AppendToBatch(RowSlice rows, std::string* out) {
  while (rows.count > 0) {
    Result<uint32_t> taken = batch_.Append(rows);
    if (!taken.ok()) return failed_ = taken.status();
    rows.first = rows.RowAt(*taken);
    rows.count -= *taken;
    if (rows.count > 0 || batch_.full()) TD_RETURN_IF_ERROR(FlushBatch(out));
  }
  return Status::Ok();
}

Status BatchedWriter::FlushStage(std::string* out) {
  if (stage_.empty()) return Status::Ok();
  TD_RETURN_IF_ERROR(AppendToBatch(stage_.Slice(), out));
  stage_.Clear();
  return Status::Ok();
}

Status BatchedWriter::Append(const RowSlice& rows, std::string* out) {
  if (!failed_.ok()) return failed_;
  if (!stage_.Takes(rows)) {
    TD_RETURN_IF_ERROR(FlushStage(out));
    return AppendToBatch(rows, out);
  }
  stage_.Add(rows);
  return stage_.full() ? FlushStage(out) : Status::Ok();
}

Status BatchedWriter::Settle(std::string* out) {
  TD_RETURN_IF_ERROR(FlushStage(out));
  return batch_.full() ? FlushBatch(out) : failed_;
}

Status BatchedWriter::Finish(std::string* out) {
  TD_RETURN_IF_ERROR(FlushStage(out));
  if (batch_.rows() > 0) TD_RETURN_IF_ERROR(FlushBatch(out));
  return Run(out, [&] { return Close(); });
}

}  // namespace tapedeck
