#include <arrow/array/data.h>
#include <arrow/io/interfaces.h>
#include <arrow/memory_pool.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <arrow/util/key_value_metadata.h>
#include <parquet/properties.h>

#include <algorithm>

#include "base/text.h"
#include "columnar/batched_writer.h"
#include "columnar/parquet_groups.h"
#include "columnar/parquet_sums.h"
#include "columnar/parquet_tail.h"

namespace tapedeck {
namespace {

constexpr ShortDecimals kDecimals = ShortDecimals::kDecimal64;  // INT64 in the file
constexpr uint32_t kRowGroupRowsMax = 1u << 20;
constexpr int64_t kPageRows = 20'000;
constexpr int64_t kPageBytes = 1 << 20;
// Twice what 131,072 different decimals take: columns that repeat keep their dictionary.
constexpr int64_t kDictionaryBytes = 2 << 20;

// Whether a dictionary pays: values come four times or more on average. The measurements are in
// docs/decisions/0012-columns-of-decimals.md.
bool RepeatsOften(const int64_t* values, size_t count) {
  constexpr int kBits = 16;
  static_assert(kBatchRows <= size_t{1} << kBits);
  std::vector<int64_t> slots(size_t{1} << kBits);
  std::vector<bool> used(slots.size());
  const size_t limit = count / 4;
  size_t distinct = 0;
  for (size_t i = 0; i < count && distinct <= limit; ++i) {
    size_t at = (static_cast<uint64_t>(values[i]) * 0x9E3779B97F4A7C15u) >> (64 - kBits);
    while (used[at] && slots[at] != values[i]) at = (at + 1) % slots.size();
    distinct += used[at] ? 0 : 1;
    used[at] = true;
    slots[at] = values[i];
  }
  return distinct <= limit;
}

// `first`: the first batch, by which dictionaries are chosen; null where there are no rows.
std::shared_ptr<parquet::WriterProperties> Properties(const std::vector<ColumnarColumn>& columns,
                                                      const ParquetOptions& options,
                                                      const arrow::RecordBatch* first) {
  parquet::WriterProperties::Builder builder;
  builder.compression(parquet::Compression::ZSTD)
      ->compression_level(options.zstd_level)
      ->version(parquet::ParquetVersion::PARQUET_2_6)
      ->max_row_group_length(options.row_group_rows)
      ->max_rows_per_page(kPageRows)
      ->data_pagesize(kPageBytes)
      ->dictionary_pagesize_limit(kDictionaryBytes)
      ->enable_store_decimal_as_integer()
      ->enable_page_checksum()
      ->enable_write_page_index()
      ->created_by("tapedeck");
  std::vector<parquet::SortingColumn> sorted;
  for (const SortedBy& by : options.sorted_by) {
    const auto at = std::find_if(columns.begin(), columns.end(),
                                 [&](const ColumnarColumn& c) { return c.name == by.name; });
    parquet::SortingColumn column;
    column.column_idx = static_cast<int32_t>(at - columns.begin());
    column.descending = by.direction == SortedDirection::kDescending;
    column.nulls_first = column.descending;
    sorted.push_back(column);
  }
  builder.set_sorting_columns(std::move(sorted));
  for (size_t i = 0; i < columns.size(); ++i) {
    const ColumnarColumn& column = columns[i];
    bool is_delta = column.storage == Storage::kTimestamp || column.storage == Storage::kInt64 ||
                    column.storage == Storage::kInt32;
    if (column.storage == Storage::kDecimal64 && first != nullptr) {
      const auto values = first->column_data(static_cast<int>(i));
      is_delta = !RepeatsOften(values->GetValues<int64_t>(1), static_cast<size_t>(values->length));
    }
    if (is_delta) {
      builder.disable_dictionary(column.name)
          ->encoding(column.name, parquet::Encoding::DELTA_BINARY_PACKED);
    }
  }
  return builder.build();
}

class ParquetWriter final : public BatchedWriter {
 public:
  ParquetWriter(ColumnarLayout layout, std::vector<ColumnarColumn> columns, ParquetOptions options)
      : BatchedWriter(std::move(layout), std::move(columns), kDecimals),
        options_(std::move(options)) {}

 private:
  arrow::Status Open() override { return arrow::Status::OK(); }
  arrow::Status OpenFor(const arrow::RecordBatch* first) {
    return ParquetGroups::Open(*schema(), columns(), Properties(columns(), options_, first),
                               stream(), &groups_);
  }
  // Row groups end by rows, in the middle of a batch where they must, or by bytes, behind one.
  arrow::Status Write(const ColumnBatch& batch, const arrow::RecordBatch& arrays) override {
    if (groups_ == nullptr) ARROW_RETURN_NOT_OK(OpenFor(&arrays));
    const size_t bytes_of_row = batch.bytes() / batch.rows() + 1;
    for (size_t from = 0; from < batch.rows();) {
      const bool is_full =
          group_rows_ >= options_.row_group_rows || group_bytes_ >= options_.row_group_bytes;
      if (group_count_ == 0 || is_full) {
        groups_->StartGroup();
        ++group_count_;
        group_bytes_ = 0;
        group_rows_ = 0;
      }
      const size_t count = std::min(batch.rows() - from, options_.row_group_rows - group_rows_);
      ARROW_RETURN_NOT_OK(groups_->Write(batch, arrays, from, count));
      group_rows_ += count;
      group_bytes_ += count * bytes_of_row;
      from += count;
    }
    return arrow::Status::OK();
  }
  arrow::Status Close() override {
    if (groups_ == nullptr) ARROW_RETURN_NOT_OK(OpenFor(nullptr));
    arrow::KeyValueMetadata metadata;
    for (const auto& [key, value] : options_.metadata) metadata.Append(key, value);
    if (options_.sums) metadata.Append(std::string(kSumsKey), BlankSums(group_count_));
    const size_t from = target()->size();
    ARROW_ASSIGN_OR_RAISE(const int64_t tail_offset, stream()->Tell());
    ARROW_RETURN_NOT_OK(groups_->Close(metadata.size() > 0 ? metadata.Copy() : nullptr));
    if (!options_.sums) return arrow::Status::OK();
    return FillTailSums(std::span<char>(*target()).subspan(from),
                        static_cast<uint64_t>(tail_offset));
  }

  const ParquetOptions options_;
  std::unique_ptr<ParquetGroups> groups_;
  size_t group_bytes_ = 0;
  size_t group_rows_ = 0;
  size_t group_count_ = 0;
};

Status Check(const std::vector<ColumnarColumn>& columns, const ParquetOptions& options) {
  if (options.zstd_level < 1 || options.zstd_level > 22) {
    return Status::InvalidArgument("zstd levels are 1 to 22");
  }
  if (options.row_group_rows < 1 || options.row_group_rows > kRowGroupRowsMax) {
    return Status::InvalidArgument("a row group has 1 to " + std::to_string(kRowGroupRowsMax) +
                                   " rows");
  }
  for (const SortedBy& by : options.sorted_by) {
    const bool known = std::any_of(columns.begin(), columns.end(),
                                   [&](const ColumnarColumn& c) { return c.name == by.name; });
    if (!known)
      return Status::InvalidArgument("sorted by " + Quoted(by.name) + ", which is no field");
  }
  return Status::Ok();
}

}  // namespace

Result<std::unique_ptr<ColumnarWriter>> MakeParquetWriter(ColumnarLayout layout,
                                                          const ParquetOptions& options) {
  TD_ASSIGN_OR_RETURN(std::vector<ColumnarColumn> columns, LayOut(layout, kDecimals));
  TD_RETURN_IF_ERROR(Check(columns, options));
  return std::unique_ptr<ColumnarWriter>(
      std::make_unique<ParquetWriter>(std::move(layout), std::move(columns), options));
}

}  // namespace tapedeck
