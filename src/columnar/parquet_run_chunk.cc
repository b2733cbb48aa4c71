#include "columnar/parquet_run_chunk.h"

#include <arrow/buffer.h>
#include <parquet/column_page.h>
#include <parquet/column_writer.h>
#include <parquet/metadata.h>
#include <parquet/properties.h>
#include <parquet/schema.h>
#include <parquet/statistics.h>

#include <algorithm>
#include <bit>
#include <cstring>

namespace tapedeck {
namespace {

template <typename T>
T PlainValue(const std::string& bytes) {
  if constexpr (std::is_same_v<T, parquet::ByteArray>) {
    return {static_cast<uint32_t>(bytes.size()), reinterpret_cast<const uint8_t*>(bytes.data())};
  } else {
    T value;
    std::memcpy(&value, bytes.data(), sizeof(value));
    return value;
  }
}

void AppendLittle(uint64_t value, uint32_t bytes, std::string* out) {
  for (uint32_t i = 0; i < bytes; ++i) out->push_back(static_cast<char>(value >> (8 * i)));
}

// Parquet's RLE hybrid, of whose two forms only this one is written:
//   run = varint(2 * count), value in whole bytes, lowest first
void AppendRleRun(uint64_t count, uint64_t value, uint32_t value_bytes, std::string* out) {
  uint64_t header = count << 1;
  for (; header >= 0x80; header >>= 7) out->push_back(static_cast<char>(header | 0x80));
  out->push_back(static_cast<char>(header));
  AppendLittle(value, value_bytes, out);
}

// As Parquet's own writer: one bit for one value, none for none.
uint32_t BitsOfCodes(size_t values) {
  if (values <= 1) return static_cast<uint32_t>(values);
  return static_cast<uint32_t>(std::bit_width(values - 1));
}

template <typename DType>
class RunChunk {
 public:
  RunChunk(const RunColumn& column, const RunChunkTarget& target)
      : column_(column),
        target_(target),
        code_bits_(BitsOfCodes(column.values().size())),
        page_stats_(parquet::MakeStatistics<DType>(target.column)),
        chunk_stats_(parquet::MakeStatistics<DType>(target.column)),
        page_sizes_(parquet::SizeStatistics::Make(target.column)),
        chunk_sizes_(parquet::SizeStatistics::Make(target.column)) {}

  int64_t Write() {
    int64_t bytes = WriteDictionary();
    for (const RunColumn::Run& run : column_.runs()) {
      for (uint64_t left = run.rows; left > 0;) {
        const uint64_t rows = std::min(left, target_.page_rows - page_rows_);
        AddToPage(rows, run.code);
        left -= rows;
        if (page_rows_ == target_.page_rows) bytes += EndPage();
      }
    }
    if (page_rows_ > 0) bytes += EndPage();
    target_.metadata->SetStatistics(Encoded(chunk_stats_.get()));
    if (chunk_sizes_->is_set()) target_.metadata->SetSizeStatistics(*chunk_sizes_);
    target_.pages->Close(true, false);
    return bytes;
  }

 private:
  using T = typename DType::c_type;

  static std::shared_ptr<arrow::Buffer> View(const std::string& bytes) {
    return std::make_shared<arrow::Buffer>(reinterpret_cast<const uint8_t*>(bytes.data()),
                                           static_cast<int64_t>(bytes.size()));
  }

  int64_t WriteDictionary() {
    std::string plain;
    for (const std::string& value : column_.values()) {
      if (std::is_same_v<T, parquet::ByteArray>) AppendLittle(value.size(), 4, &plain);
      plain += value;
    }
    return target_.pages->WriteDictionaryPage(
        parquet::DictionaryPage(View(plain), static_cast<int32_t>(column_.values().size()),
                                target_.properties->dictionary_page_encoding()));
  }

  void AddToPage(uint64_t rows, int32_t code) {
    const bool is_null = code == RunColumn::kNull;
    if (target_.column->max_definition_level() > 0) {
      if (is_null != level_is_null_) FlushLevel();
      level_is_null_ = is_null;
      level_rows_ += rows;
    }
    page_rows_ += rows;
    const auto count = static_cast<int64_t>(rows);
    auto& levels = page_sizes_->definition_level_histogram;  // none where there are no levels
    if (!levels.empty()) levels[is_null ? 0 : 1] += count;
    if (is_null) return page_stats_->Update(nullptr, 0, count);
    const std::string& value = column_.values()[static_cast<size_t>(code)];
    AppendRleRun(rows, static_cast<uint64_t>(code), (code_bits_ + 7) / 8, &codes_);
    const T plain = PlainValue<T>(value);
    page_stats_->Update(&plain, 1, 0);
    page_stats_->IncrementNumValues(count - 1);
    if (std::is_same_v<T, parquet::ByteArray>) {
      page_sizes_->IncrementUnencodedByteArrayDataBytes(count * static_cast<int64_t>(value.size()));
    }
  }

  void FlushLevel() {
    if (level_rows_ > 0) AppendRleRun(level_rows_, level_is_null_ ? 0 : 1, 1, &levels_);
    level_rows_ = 0;
  }

  parquet::EncodedStatistics Encoded(parquet::Statistics* stats) const {
    parquet::EncodedStatistics encoded = stats->Encode();
    encoded.ApplyStatSizeLimits(target_.properties->max_statistics_size(target_.column->path()));
    encoded.set_is_signed(target_.column->sort_order() == parquet::SortOrder::SIGNED);
    return encoded;
  }

  // data page = [u32 size of levels, levels], u8 bits of a code, codes; both as RLE runs
  int64_t EndPage() {
    FlushLevel();
    std::string page;
    if (target_.column->max_definition_level() > 0) {
      AppendLittle(levels_.size(), 4, &page);
      page += levels_;
    }
    page.push_back(static_cast<char>(code_bits_));
    page += codes_;
    std::shared_ptr<arrow::Buffer> content = View(page);
    if (target_.pages->has_compressor()) {
      auto compressed = parquet::AllocateBuffer();
      target_.pages->Compress(*content, compressed.get());
      content = std::move(compressed);
    }
    const parquet::DataPageV1 data(
        content, static_cast<int32_t>(page_rows_), target_.properties->dictionary_index_encoding(),
        parquet::Encoding::RLE, parquet::Encoding::RLE, static_cast<int64_t>(page.size()),
        Encoded(page_stats_.get()), static_cast<int64_t>(first_row_), *page_sizes_);
    const int64_t bytes = target_.pages->WriteDataPage(data);
    chunk_stats_->Merge(*page_stats_);
    chunk_sizes_->Merge(*page_sizes_);
    page_stats_->Reset();
    page_sizes_->Reset();
    first_row_ += page_rows_;
    page_rows_ = 0;
    levels_.clear();
    codes_.clear();
    return bytes;
  }

  const RunColumn& column_;
  const RunChunkTarget& target_;
  const uint32_t code_bits_;
  const std::shared_ptr<parquet::TypedStatistics<DType>> page_stats_, chunk_stats_;
  const std::unique_ptr<parquet::SizeStatistics> page_sizes_, chunk_sizes_;
  std::string levels_, codes_;
  uint64_t first_row_ = 0, page_rows_ = 0, level_rows_ = 0;
  bool level_is_null_ = false;
};

}  // namespace

int64_t WriteRunChunk(const RunColumn& column, const RunChunkTarget& target) {
  switch (target.column->physical_type()) {
    case parquet::Type::INT32:
      return RunChunk<parquet::Int32Type>(column, target).Write();
    case parquet::Type::INT64:
      return RunChunk<parquet::Int64Type>(column, target).Write();
    case parquet::Type::BYTE_ARRAY:
      return RunChunk<parquet::ByteArrayType>(column, target).Write();
    default:
      throw parquet::ParquetException("a column of runs of another type");
  }
}

}  // namespace tapedeck
