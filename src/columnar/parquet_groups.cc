#include "columnar/parquet_groups.h"

#include <arrow/array.h>
#include <arrow/array/data.h>
#include <arrow/io/interfaces.h>
#include <arrow/record_batch.h>
#include <arrow/status.h>
#include <arrow/type.h>
#include <arrow/util/key_value_metadata.h>
#include <parquet/arrow/schema.h>
#include <parquet/column_writer.h>
#include <parquet/file_writer.h>
#include <parquet/metadata.h>
#include <parquet/page_index.h>
#include <parquet/properties.h>
#include <parquet/schema.h>

#include <algorithm>
#include <limits>
#include <string>

#include "columnar/parquet_run_chunk.h"
#include "columnar/run_column.h"

namespace tapedeck {
namespace {

constexpr std::string_view kMagic = "PAR1";

std::shared_ptr<arrow::Buffer> BufferOf(std::string bytes) {
  return arrow::Buffer::FromString(std::move(bytes));
}

std::string Repeated(std::string_view bytes, size_t times) {
  std::string out;
  out.reserve(bytes.size() * times);
  for (size_t i = 0; i < times; ++i) out += bytes;
  return out;
}

// `rows` times one value of a RunColumn; null without one.
std::shared_ptr<arrow::Array> Constant(const std::shared_ptr<arrow::DataType>& type,
                                       Storage storage, const std::string* value, size_t rows) {
  const auto count = static_cast<int64_t>(rows);
  std::shared_ptr<arrow::Buffer> valid;
  if (value == nullptr) valid = BufferOf(std::string((rows + 7) / 8, '\0'));
  const int64_t nulls = value == nullptr ? count : 0;
  if (storage == Storage::kText || storage == Storage::kBytes) {
    const size_t size = value == nullptr ? 0 : value->size();
    std::string ends;
    for (size_t i = 0; i <= rows; ++i) {
      const auto end = static_cast<int32_t>(i * size);
      ends.append(reinterpret_cast<const char*>(&end), sizeof(end));
    }
    std::string text = value == nullptr ? "" : Repeated(*value, rows);
    return arrow::MakeArray(arrow::ArrayData::Make(
        type, count, {valid, BufferOf(std::move(ends)), BufferOf(std::move(text))}, nulls));
  }
  // An int8 of Arrow's is an INT32 of Parquet's, lowest byte first.
  const size_t width = static_cast<size_t>(type->byte_width());
  const std::string one = value == nullptr ? std::string(width, '\0')
                                           : value->substr(0, std::min(width, value->size()));
  return arrow::MakeArray(
      arrow::ArrayData::Make(type, count, {valid, BufferOf(Repeated(one, rows))}, nulls));
}

class Groups final : public ParquetGroups {
 public:
  Groups(std::vector<ColumnarColumn> columns, std::shared_ptr<parquet::WriterProperties> properties,
         std::shared_ptr<arrow::io::OutputStream> stream)
      : columns_(std::move(columns)),
        properties_(std::move(properties)),
        arrow_properties_(parquet::default_arrow_writer_properties()),
        stream_(std::move(stream)),
        context_(properties_->memory_pool(), arrow_properties_.get()),
        all_present_(kBatchRows, 1),
        all_null_(kBatchRows, 0) {}

  arrow::Status Begin(const arrow::Schema& schema);
  void StartGroup() override;
  arrow::Status Write(const ColumnBatch& batch, const arrow::RecordBatch& arrays, size_t from,
                      size_t count) override;
  arrow::Status Close(std::shared_ptr<const arrow::KeyValueMetadata> metadata) override;

 private:
  struct Chunk {
    parquet::ColumnChunkMetaDataBuilder* metadata = nullptr;
    std::unique_ptr<RunColumn> runs;                // while it comes in long runs
    std::shared_ptr<parquet::ColumnWriter> writer;  // from then on
  };

  void EndGroup();
  /// Of the group; files of more groups than it can count leave it out.
  int16_t Ordinal() const {
    return groups_ > std::numeric_limits<int16_t>::max() ? int16_t{-1}
                                                         : static_cast<int16_t>(groups_);
  }
  std::unique_ptr<parquet::PageWriter> OpenPages(size_t i, bool buffered);
  arrow::Status UseWriter(size_t i, const std::shared_ptr<arrow::DataType>& type);
  arrow::Status WriteArray(size_t i, const int16_t* levels, const arrow::Array& array);
  const int16_t* Levels(const ColumnBatch& batch, size_t i, size_t from, size_t count);

  const std::vector<ColumnarColumn> columns_;
  const std::shared_ptr<parquet::WriterProperties> properties_;
  const std::shared_ptr<parquet::ArrowWriterProperties> arrow_properties_;
  const std::shared_ptr<arrow::io::OutputStream> stream_;
  std::shared_ptr<parquet::SchemaDescriptor> schema_;
  std::unique_ptr<parquet::PageIndexBuilder> index_;
  std::unique_ptr<parquet::FileMetaDataBuilder> metadata_;
  parquet::ArrowWriteContext context_;
  const std::vector<int16_t> all_present_, all_null_;
  std::vector<int16_t> levels_;

  parquet::RowGroupMetaDataBuilder* group_ = nullptr;
  int groups_ = 0;
  int64_t group_rows_ = 0;
  std::vector<Chunk> chunks_;
};

arrow::Status Groups::Begin(const arrow::Schema& schema) {
  ARROW_RETURN_NOT_OK(
      parquet::arrow::ToParquetSchema(&schema, *properties_, *arrow_properties_, &schema_));
  metadata_ = parquet::FileMetaDataBuilder::Make(schema_.get(), properties_);
  index_ = parquet::PageIndexBuilder::Make(schema_.get());
  return stream_->Write(kMagic.data(), kMagic.size());
}

std::unique_ptr<parquet::PageWriter> Groups::OpenPages(size_t i, bool buffered) {
  const auto column = static_cast<int16_t>(i);
  const auto& path = schema_->Column(column)->path();
  return parquet::PageWriter::Open(
      stream_, properties_->compression(path), chunks_[i].metadata, Ordinal(), column,
      properties_->memory_pool(), buffered, nullptr, nullptr, properties_->page_checksum_enabled(),
      index_->GetColumnIndexBuilder(column), index_->GetOffsetIndexBuilder(column),
      *properties_->codec_options(path));
}

void Groups::StartGroup() {
  EndGroup();
  group_ = metadata_->AppendRowGroup();
  index_->AppendRowGroup();
  chunks_.clear();
  for (const ColumnarColumn& column : columns_) {
    Chunk chunk{.metadata = group_->NextColumnChunk()};
    if (RunColumn::Fits(column)) chunk.runs = std::make_unique<RunColumn>(column);
    chunks_.push_back(std::move(chunk));
  }
}

void Groups::EndGroup() {
  if (group_ == nullptr) return;
  int64_t bytes = 0;
  for (size_t i = 0; i < chunks_.size(); ++i) {
    Chunk& chunk = chunks_[i];
    if (chunk.writer != nullptr) {
      bytes += chunk.writer->Close();
      continue;
    }
    const std::unique_ptr<parquet::PageWriter> pages = OpenPages(i, false);
    bytes += WriteRunChunk(*chunk.runs, {.column = schema_->Column(static_cast<int>(i)),
                                         .properties = properties_.get(),
                                         .pages = pages.get(),
                                         .metadata = chunk.metadata,
                                         .page_rows = uint64_t(properties_->max_rows_per_page())});
  }
  group_->set_num_rows(group_rows_);
  group_->Finish(bytes, Ordinal());
  ++groups_;
  group_ = nullptr;
  group_rows_ = 0;
}

const int16_t* Groups::Levels(const ColumnBatch& batch, size_t i, size_t from, size_t count) {
  if (!columns_[i].nullable) return nullptr;
  const BatchColumn& presence = batch.presence(i);
  if (presence.nulls == 0) return all_present_.data();
  if (presence.nulls == batch.rows()) return all_null_.data();
  levels_.resize(count);
  for (size_t n = 0; n < count; ++n) levels_[n] = presence.is_present[from + n];
  return levels_.data();
}

arrow::Status Groups::WriteArray(size_t i, const int16_t* levels, const arrow::Array& array) {
  return chunks_[i].writer->WriteArrow(levels, nullptr, array.length(), array, &context_,
                                       columns_[i].nullable);
}

// What was gathered, run by run, in arrays as long as those of batches.
arrow::Status Groups::UseWriter(size_t i, const std::shared_ptr<arrow::DataType>& type) {
  Chunk& chunk = chunks_[i];
  chunk.writer = parquet::ColumnWriter::Make(chunk.metadata, OpenPages(i, true), properties_.get());
  const std::unique_ptr<RunColumn> gathered = std::move(chunk.runs);
  if (gathered == nullptr) return arrow::Status::OK();
  for (const RunColumn::Run& run : gathered->runs()) {
    const bool is_null = run.code == RunColumn::kNull;
    const std::string* value =
        is_null ? nullptr : &gathered->values()[static_cast<size_t>(run.code)];
    const size_t size = is_null ? 0 : value->size();
    const size_t most = std::clamp<size_t>(kBatchTextBytes / (size + 1), 1, kBatchRows);
    for (size_t left = run.rows; left > 0;) {
      const size_t rows = std::min(left, most);
      const int16_t* levels = !columns_[i].nullable ? nullptr
                              : is_null             ? all_null_.data()
                                                    : all_present_.data();
      ARROW_RETURN_NOT_OK(WriteArray(i, levels, *Constant(type, gathered->storage(), value, rows)));
      left -= rows;
    }
  }
  return arrow::Status::OK();
}

arrow::Status Groups::Write(const ColumnBatch& batch, const arrow::RecordBatch& arrays, size_t from,
                            size_t count) {
  for (size_t i = 0; i < chunks_.size(); ++i) {
    Chunk& chunk = chunks_[i];
    if (chunk.runs != nullptr && chunk.runs->Add(batch, i, from, count)) continue;
    const std::shared_ptr<arrow::Array> array =
        arrays.column(static_cast<int>(i))
            ->Slice(static_cast<int64_t>(from), static_cast<int64_t>(count));
    if (chunk.writer == nullptr) ARROW_RETURN_NOT_OK(UseWriter(i, array->type()));
    ARROW_RETURN_NOT_OK(WriteArray(i, Levels(batch, i, from, count), *array));
  }
  group_rows_ += static_cast<int64_t>(count);
  return arrow::Status::OK();
}

arrow::Status Groups::Close(std::shared_ptr<const arrow::KeyValueMetadata> metadata) {
  EndGroup();
  index_->Finish();
  const parquet::PageIndexBuilder::WriteResult places = index_->WriteTo(stream_.get());
  metadata_->SetIndexLocations(parquet::IndexKind::kColumnIndex, places.column_index_locations);
  metadata_->SetIndexLocations(parquet::IndexKind::kOffsetIndex, places.offset_index_locations);
  parquet::WriteFileMetaData(*metadata_->Finish(std::move(metadata)), stream_.get());
  return arrow::Status::OK();
}

}  // namespace

arrow::Status ParquetGroups::Open(const arrow::Schema& schema, std::vector<ColumnarColumn> columns,
                                  std::shared_ptr<parquet::WriterProperties> properties,
                                  std::shared_ptr<arrow::io::OutputStream> stream,
                                  std::unique_ptr<ParquetGroups>* groups) {
  auto made =
      std::make_unique<Groups>(std::move(columns), std::move(properties), std::move(stream));
  ARROW_RETURN_NOT_OK(made->Begin(schema));
  *groups = std::move(made);
  return arrow::Status::OK();
}

}  // namespace tapedeck
