#include <arrow/ipc/writer.h>
#include <arrow/record_batch.h>
#include <arrow/util/compression.h>

#include "columnar/batched_writer.h"

namespace tapedeck {
namespace {

constexpr ShortDecimals kDecimals = ShortDecimals::kDecimal128;  // the one that all readers know

class ArrowWriter final : public BatchedWriter {
 public:
  ArrowWriter(ColumnarLayout layout, std::vector<ColumnarColumn> columns, ArrowOptions options)
      : BatchedWriter(std::move(layout), std::move(columns), kDecimals), options_(options) {}

 private:
  arrow::Status Open() override {
    arrow::ipc::IpcWriteOptions options = arrow::ipc::IpcWriteOptions::Defaults();
    options.use_threads = false;
    if (options_.compression == ArrowCompression::kZstd) {
      ARROW_ASSIGN_OR_RAISE(
          options.codec, arrow::util::Codec::Create(arrow::Compression::ZSTD, options_.zstd_level));
    } else if (options_.compression == ArrowCompression::kLz4) {
      ARROW_ASSIGN_OR_RAISE(options.codec,
                            arrow::util::Codec::Create(arrow::Compression::LZ4_FRAME));
    }
    ARROW_ASSIGN_OR_RAISE(writer_, arrow::ipc::MakeStreamWriter(stream(), schema(), options));
    return arrow::Status::OK();
  }
  arrow::Status Write(const ColumnBatch&, const arrow::RecordBatch& arrays) override {
    return writer_->WriteRecordBatch(arrays);
  }
  arrow::Status Close() override { return writer_->Close(); }

  const ArrowOptions options_;
  std::shared_ptr<arrow::ipc::RecordBatchWriter> writer_;
};

}  // namespace

Result<std::unique_ptr<ColumnarWriter>> MakeArrowWriter(ColumnarLayout layout,
                                                        const ArrowOptions& options) {
  TD_ASSIGN_OR_RETURN(std::vector<ColumnarColumn> columns, LayOut(layout, kDecimals));
  if (options.zstd_level < 1 || options.zstd_level > 22) {
    return Status::InvalidArgument("zstd levels are 1 to 22");
  }
  return std::unique_ptr<ColumnarWriter>(
      std::make_unique<ArrowWriter>(std::move(layout), std::move(columns), options));
}

}  // namespace tapedeck
