#include "columnar/message_writer.h"

#include <arrow/builder.h>
#include <arrow/io/interfaces.h>
#include <arrow/record_batch.h>
#include <arrow/table_builder.h>
#include <arrow/type.h>
#include <arrow/util/key_value_metadata.h>
#include <parquet/arrow/writer.h>
#include <parquet/properties.h>

#include "columnar/arrow_bridge.h"
#include "columnar/parquet_sums.h"
#include "columnar/parquet_tail.h"

namespace tapedeck {
namespace {

/// Messages that are handed to Arrow at once.
constexpr int64_t kBatchMessages = int64_t{1} << 16;
constexpr uint64_t kBatchBytes = uint64_t{32} << 20;
/// A page is what must be decoded for one message of it.
constexpr int64_t kPageRows = 20'000;
constexpr int64_t kPageBytes = int64_t{1} << 20;
constexpr int64_t kDictionaryBytes = int64_t{1} << 20;

std::shared_ptr<arrow::Schema> MessageSchema() {
  const auto header = arrow::struct_(
      {arrow::field("key", arrow::binary(), false), arrow::field("value", arrow::binary(), true)});
  return arrow::schema({
      arrow::field("offset", arrow::int64(), false),
      arrow::field("timestamp", arrow::timestamp(arrow::TimeUnit::MILLI, "UTC"), true),
      arrow::field("ts_type", arrow::utf8(), false),
      arrow::field("received", arrow::timestamp(arrow::TimeUnit::MICRO, "UTC"), false),
      arrow::field("received_ns", arrow::int64(), false),
      arrow::field("key", arrow::binary(), true),
      arrow::field("value", arrow::binary(), true),
      arrow::field("headers", arrow::list(arrow::field("element", header, false)), false),
  });
}

std::shared_ptr<parquet::WriterProperties> Properties(int zstd_level) {
  parquet::WriterProperties::Builder builder;
  builder.compression(parquet::Compression::ZSTD)
      ->compression_level(zstd_level)
      ->version(parquet::ParquetVersion::PARQUET_2_6)
      ->max_row_group_length(static_cast<int64_t>(kMessageGroupRows))
      ->max_rows_per_page(kPageRows)
      ->data_pagesize(kPageBytes)
      ->dictionary_pagesize_limit(kDictionaryBytes)
      ->enable_page_checksum()
      ->enable_write_page_index()
      ->created_by("tapedeck");
  builder.set_sorting_columns({parquet::SortingColumn{.column_idx = 0}});
  for (const char* column : {"offset", "timestamp", "received", "received_ns"}) {
    builder.disable_dictionary(column)->encoding(column, parquet::Encoding::DELTA_BINARY_PACKED);
  }
  // Bodies do not repeat, and their bounds help nobody.
  builder.disable_dictionary("value")->disable_statistics("value")->disable_statistics("key");
  return builder.build();
}

const char* TypeName(TimestampType type) {
  switch (type) {
    case TimestampType::kCreate:
      return "create";
    case TimestampType::kLogAppend:
      return "append";
    case TimestampType::kNone:
      break;
  }
  return "none";
}

int64_t FloorMicros(int64_t ns) { return ns / 1000 - (ns % 1000 < 0 ? 1 : 0); }

arrow::Status AppendBytes(const OptionalBytes& bytes, arrow::BinaryBuilder* builder) {
  return bytes.has_value() ? builder->Append(*bytes) : builder->AppendNull();
}

}  // namespace

struct MessageParquetWriter::State {
  MessageParquetOptions options;
  std::shared_ptr<arrow::Schema> schema = MessageSchema();
  std::string* target = nullptr;
  std::shared_ptr<arrow::io::OutputStream> stream = MakeStringStream(&target);
  std::unique_ptr<parquet::arrow::FileWriter> writer;
  std::unique_ptr<arrow::RecordBatchBuilder> batch;
  uint64_t batch_bytes = 0;
  uint64_t group_rows = 0;
  uint64_t group_bytes = 0;
  size_t groups = 0;
  Status failed;

  template <typename T>
  T* Field(int i) {
    return static_cast<T*>(batch->GetField(i));
  }
  arrow::Status Open() {
    ARROW_ASSIGN_OR_RAISE(batch,
                          arrow::RecordBatchBuilder::Make(schema, arrow::default_memory_pool()));
    ARROW_ASSIGN_OR_RAISE(
        writer, parquet::arrow::FileWriter::Open(*schema, arrow::default_memory_pool(), stream,
                                                 Properties(options.zstd_level)));
    return arrow::Status::OK();
  }
  arrow::Status Append(const MessageView& message, Timestamp received) {
    ARROW_RETURN_NOT_OK(Field<arrow::Int64Builder>(0)->Append(message.offset));
    auto* times = Field<arrow::TimestampBuilder>(1);
    const bool has_time =
        message.timestamp_type != TimestampType::kNone || message.timestamp_ms != -1;
    ARROW_RETURN_NOT_OK(has_time ? times->Append(message.timestamp_ms) : times->AppendNull());
    ARROW_RETURN_NOT_OK(
        Field<arrow::StringBuilder>(2)->Append(std::string_view(TypeName(message.timestamp_type))));
    ARROW_RETURN_NOT_OK(Field<arrow::TimestampBuilder>(3)->Append(FloorMicros(received.ns())));
    ARROW_RETURN_NOT_OK(Field<arrow::Int64Builder>(4)->Append(received.ns()));
    ARROW_RETURN_NOT_OK(AppendBytes(message.key, Field<arrow::BinaryBuilder>(5)));
    ARROW_RETURN_NOT_OK(AppendBytes(message.value, Field<arrow::BinaryBuilder>(6)));
    auto* list = Field<arrow::ListBuilder>(7);
    ARROW_RETURN_NOT_OK(list->Append());
    auto* pair = static_cast<arrow::StructBuilder*>(list->value_builder());
    for (const HeaderView& header : message.headers) {
      ARROW_RETURN_NOT_OK(pair->Append());
      ARROW_RETURN_NOT_OK(
          static_cast<arrow::BinaryBuilder*>(pair->field_builder(0))->Append(header.name));
      ARROW_RETURN_NOT_OK(
          AppendBytes(header.value, static_cast<arrow::BinaryBuilder*>(pair->field_builder(1))));
    }
    batch_bytes += message.PayloadBytes();
    return arrow::Status::OK();
  }
  bool BatchIsFull() {
    return batch->GetField(0)->length() >= kBatchMessages || batch_bytes >= kBatchBytes;
  }
  arrow::Status Flush() {
    ARROW_ASSIGN_OR_RAISE(const auto rows, batch->Flush());
    if (rows->num_rows() == 0) return arrow::Status::OK();
    const auto count = static_cast<uint64_t>(rows->num_rows());
    if (groups == 0 || group_bytes + batch_bytes > kMessageGroupBytes ||
        group_rows + count > kMessageGroupRows) {
      ARROW_RETURN_NOT_OK(writer->NewBufferedRowGroup());
      ++groups;
      group_rows = 0;
      group_bytes = 0;
    }
    group_rows += count;
    group_bytes += batch_bytes;
    batch_bytes = 0;
    return writer->WriteRecordBatch(*rows);
  }
  arrow::Status Close() {
    ARROW_RETURN_NOT_OK(Flush());
    arrow::KeyValueMetadata metadata;
    for (const auto& [key, value] : options.metadata) metadata.Append(key, value);
    metadata.Append(std::string(kSumsKey), BlankSums(groups));
    ARROW_RETURN_NOT_OK(writer->AddKeyValueMetadata(metadata.Copy()));
    const size_t from = target->size();
    ARROW_ASSIGN_OR_RAISE(const int64_t tail_offset, stream->Tell());
    ARROW_RETURN_NOT_OK(writer->Close());
    return FillTailSums(std::span<char>(*target).subspan(from), static_cast<uint64_t>(tail_offset));
  }
};

MessageParquetWriter::MessageParquetWriter(std::unique_ptr<State> state)
    : state_(std::move(state)) {}

// What Arrow writes while it is dropped goes nowhere.
MessageParquetWriter::~MessageParquetWriter() {
  static_cast<void>(Guarded([&] {
    state_->writer.reset();
    return arrow::Status::OK();
  }));
}

Result<std::unique_ptr<MessageParquetWriter>> MessageParquetWriter::Make(
    MessageParquetOptions options) {
  if (options.zstd_level < 1 || options.zstd_level > 22) {
    return Status::InvalidArgument("zstd levels are 1 to 22");
  }
  auto state = std::make_unique<State>();
  state->options = std::move(options);
  return std::unique_ptr<MessageParquetWriter>(new MessageParquetWriter(std::move(state)));
}

Status MessageParquetWriter::Append(const MessageView& message, Timestamp received,
                                    std::string* out) {
  State& state = *state_;
  if (!state.failed.ok()) return state.failed;
  state.target = out;
  state.failed = Guarded([&] {
    if (state.writer == nullptr) ARROW_RETURN_NOT_OK(state.Open());
    ARROW_RETURN_NOT_OK(state.Append(message, received));
    return state.BatchIsFull() ? state.Flush() : arrow::Status::OK();
  });
  state.target = nullptr;
  return state.failed;
}

Status MessageParquetWriter::Finish(std::string* out) {
  State& state = *state_;
  if (!state.failed.ok()) return state.failed;
  state.target = out;
  state.failed = Guarded([&] {
    if (state.writer == nullptr) ARROW_RETURN_NOT_OK(state.Open());
    return state.Close();
  });
  state.target = nullptr;
  return state.failed;
}

}  // namespace tapedeck
