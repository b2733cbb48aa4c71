#include "columnar/arrow_bridge.h"

#include <arrow/array/data.h>
#include <arrow/buffer.h>
#include <arrow/io/interfaces.h>
#include <arrow/record_batch.h>
#include <arrow/status.h>
#include <arrow/type.h>

#include <exception>
#include <new>

namespace tapedeck {
namespace {

class StringStream final : public arrow::io::OutputStream {
 public:
  explicit StringStream(std::string** target) : target_(target) {}

  using arrow::io::OutputStream::Write;
  arrow::Status Write(const void* data, int64_t bytes) override {
    if (*target_ != nullptr) {
      (*target_)->append(static_cast<const char*>(data), static_cast<size_t>(bytes));
    }
    written_ += bytes;
    return arrow::Status::OK();
  }
  arrow::Status Close() override {
    closed_ = true;
    return arrow::Status::OK();
  }
  arrow::Result<int64_t> Tell() const override { return written_; }
  bool closed() const override { return closed_; }

 private:
  std::string** target_;
  int64_t written_ = 0;
  bool closed_ = false;
};

arrow::TimeUnit::type UnitOf(ColumnarTime time) {
  switch (time) {
    case ColumnarTime::kNanoseconds:
      return arrow::TimeUnit::NANO;
    case ColumnarTime::kMicroseconds:
      return arrow::TimeUnit::MICRO;
    case ColumnarTime::kMilliseconds:
      return arrow::TimeUnit::MILLI;
    case ColumnarTime::kSeconds:
      return arrow::TimeUnit::SECOND;
  }
  return arrow::TimeUnit::NANO;
}

std::shared_ptr<arrow::DataType> TypeOf(const ColumnarColumn& column) {
  switch (column.storage) {
    case Storage::kTimestamp:
      return arrow::timestamp(UnitOf(column.time), "UTC");
    case Storage::kInt64:
      return arrow::int64();
    case Storage::kInt32:
      return arrow::int32();
    case Storage::kInt8:
      return arrow::int8();
    case Storage::kFlag:
      return arrow::boolean();
    case Storage::kText:
      return arrow::utf8();
    case Storage::kBytes:
      return arrow::binary();
    case Storage::kDecimal64:
      return arrow::decimal64(column.decimal.precision, column.decimal.scale);
    case Storage::kDecimal128:
      return arrow::decimal128(column.decimal.precision, column.decimal.scale);
  }
  return arrow::null();
}

std::shared_ptr<arrow::Buffer> View(const void* data, size_t bytes) {
  return std::make_shared<arrow::Buffer>(static_cast<const uint8_t*>(data),
                                         static_cast<int64_t>(bytes));
}

template <typename T>
std::shared_ptr<arrow::Buffer> View(const Slab<T>& slab) {
  return View(slab.data(), slab.size() * sizeof(T));
}

// Of columns of text without any text: as long as a batch can need.
std::shared_ptr<arrow::Buffer> Zeros(size_t bytes) {
  alignas(64) static constexpr uint8_t kZeros[(kBatchRows + 1) * sizeof(int32_t)] = {};
  return View(kZeros, bytes);
}

std::vector<std::shared_ptr<arrow::Buffer>> BuffersOf(const ColumnBatch& batch, size_t i) {
  const BatchColumn& column = batch.column(i);
  const BatchColumn& presence = batch.presence(i);
  std::shared_ptr<arrow::Buffer> valid;
  if (presence.nulls > 0) valid = View(presence.valid_bits.data(), presence.valid_bits.size());
  switch (batch.columns()[i].storage) {
    case Storage::kTimestamp:
    case Storage::kInt64:
    case Storage::kDecimal64:
      return {valid, View(column.longs)};
    case Storage::kInt32:
      return {valid, View(column.ints)};
    case Storage::kInt8:
      return {valid, View(column.bytes)};
    case Storage::kFlag:
      return {valid, View(column.flag_bits.data(), column.flag_bits.size())};
    case Storage::kDecimal128:
      return {valid, View(column.wides)};
    case Storage::kText:
    case Storage::kBytes:
      break;
  }
  if (column.offsets.empty()) {
    return {Zeros((batch.rows() + 7) / 8), Zeros((batch.rows() + 1) * sizeof(int32_t)), Zeros(0)};
  }
  return {valid, View(column.offsets), View(column.text.data(), column.text.size())};
}

}  // namespace

Status FromArrow(const arrow::Status& status) {
  if (status.ok()) return Status::Ok();
  if (status.IsOutOfMemory()) return Status::ResourceExhausted("Arrow: " + status.message());
  return Status::Internal("Arrow: " + status.ToString());
}

Status Guarded(const std::function<arrow::Status()>& call) {
  try {
    return FromArrow(call());
  } catch (const std::bad_alloc&) {
    return Status::ResourceExhausted("Arrow: no memory");
  } catch (const std::exception& e) {
    return Status::Internal(std::string("Arrow: ") + e.what());
  }
}

Status GuardedRead(const std::function<arrow::Status()>& call) {
  try {
    const arrow::Status status = call();
    return status.ok() ? Status::Ok() : Status::Corruption("Parquet: " + status.message());
  } catch (const std::bad_alloc&) {
    return Status::ResourceExhausted("Parquet: no memory");
  } catch (const std::exception& e) {
    return Status::Corruption(std::string("Parquet: ") + e.what());
  }
}

std::shared_ptr<arrow::Schema> ArrowSchema(const std::vector<ColumnarColumn>& columns) {
  std::vector<std::shared_ptr<arrow::Field>> fields;
  for (const ColumnarColumn& column : columns) {
    fields.push_back(arrow::field(column.name, TypeOf(column), column.nullable));
  }
  return arrow::schema(std::move(fields));
}

std::shared_ptr<arrow::RecordBatch> ArrowBatch(const ColumnBatch& batch,
                                               const std::shared_ptr<arrow::Schema>& schema) {
  const auto rows = static_cast<int64_t>(batch.rows());
  std::vector<std::shared_ptr<arrow::ArrayData>> arrays;
  for (size_t i = 0; i < batch.columns().size(); ++i) {
    arrays.push_back(arrow::ArrayData::Make(schema->field(static_cast<int>(i))->type(), rows,
                                            BuffersOf(batch, i),
                                            static_cast<int64_t>(batch.presence(i).nulls)));
  }
  return arrow::RecordBatch::Make(schema, rows, std::move(arrays));
}

std::shared_ptr<arrow::io::OutputStream> MakeStringStream(std::string** target) {
  return std::make_shared<StringStream>(target);
}

}  // namespace tapedeck
