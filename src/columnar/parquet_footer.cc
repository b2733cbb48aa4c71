#include <arrow/util/key_value_metadata.h>
#include <parquet/file_reader.h>
#include <parquet/metadata.h>
#include <parquet/properties.h>
#include <parquet/schema.h>
#include <parquet/statistics.h>

#include <algorithm>
#include <cstring>

#include "base/bytes.h"
#include "columnar/arrow_bridge.h"
#include "columnar/parquet_footer_state.h"
#include "columnar/parquet_sums.h"

namespace tapedeck {
namespace {

constexpr std::string_view kMagic = "PAR1";
constexpr size_t kTailBytes = 8;  // length:u32 magic
constexpr size_t kFirstRead = size_t{64} << 10;
/// 512 MiB files of 25 columns have 300 KiB; ten times the columns and row groups still fit.
constexpr size_t kFooterBytesMax = size_t{64} << 20;
constexpr int kColumnsMax = 4096;

Status Odd(const std::string& what) { return Status::Corruption(what); }

Result<ParquetColumn> ColumnOf(const parquet::ColumnDescriptor& column) {
  ParquetColumn out;
  out.path = column.path()->ToDotString();
  out.definition_max = column.max_definition_level();
  out.repetition_max = column.max_repetition_level();
  switch (column.physical_type()) {
    case parquet::Type::BOOLEAN:
      out.kind = ParquetKind::kFlag;
      break;
    case parquet::Type::INT32:
      out.kind = ParquetKind::kInt32;
      break;
    case parquet::Type::INT64:
      out.kind = ParquetKind::kInt64;
      break;
    case parquet::Type::BYTE_ARRAY:
      out.kind = ParquetKind::kBytes;
      break;
    case parquet::Type::FIXED_LEN_BYTE_ARRAY:
      if (column.type_length() < 1 || column.type_length() > 16) {
        return Odd("column " + out.path + " has values of a size that we never write");
      }
      out.kind = ParquetKind::kInt128;
      break;
    default:
      return Odd("column " + out.path + " is of a type that we never write");
  }
  if (column.logical_type() != nullptr && column.logical_type()->is_decimal()) {
    const auto& type = static_cast<const parquet::DecimalLogicalType&>(*column.logical_type());
    if (type.precision() < 1 || type.precision() > 38 || type.scale() < 0 ||
        type.scale() > type.precision()) {
      return Odd("column " + out.path + " is an impossible decimal");
    }
    out.decimal = {static_cast<uint8_t>(type.precision()), static_cast<uint8_t>(type.scale())};
  }
  return out;
}

// [offset, offset + size) within the first `end` bytes.
bool Within(int64_t offset, int64_t size, uint64_t end) {
  return offset >= 0 && size >= 0 && static_cast<uint64_t>(offset) <= end &&
         static_cast<uint64_t>(size) <= end - static_cast<uint64_t>(offset);
}

Status AddEncodings(const parquet::ColumnChunkMetaData& meta, ParquetChunk* chunk) {
  std::pair<int, uint64_t> dictionary{parquet::Encoding::RLE_DICTIONARY, 0};
  std::vector<std::pair<int, uint64_t>> others;
  for (const parquet::PageEncodingStats& stats : meta.encoding_stats()) {
    if (stats.count < 0) return Odd("a negative number of pages");
    if (stats.page_type != parquet::PageType::DATA_PAGE) continue;
    if (stats.encoding == parquet::Encoding::RLE_DICTIONARY) {
      dictionary.second += static_cast<uint64_t>(stats.count);
    } else {
      others.emplace_back(stats.encoding, static_cast<uint64_t>(stats.count));
    }
  }
  if (others.size() > 1) return Odd("more encodings than a column of ours has");
  // A dictionary that has grown too large is given up: the pages after that do without.
  if (dictionary.second > 0) chunk->encodings.push_back(dictionary);
  for (const auto& other : others) chunk->encodings.push_back(other);
  return Status::Ok();
}

void AddStatistics(const parquet::ColumnChunkMetaData& meta, ParquetKind kind,
                   ParquetChunk* chunk) {
  if (!meta.is_stats_set()) return;
  const std::shared_ptr<parquet::EncodedStatistics> stats = meta.encoded_statistics();
  if (stats == nullptr) return;
  if (stats->has_null_count && stats->null_count >= 0) {
    chunk->has_nulls_count = true;
    chunk->nulls = static_cast<uint64_t>(stats->null_count);
  }
  if (stats->has_min && stats->has_max) {
    SetParquetBounds(kind, stats->min(), stats->max(), &chunk->bounds);
  }
}

Result<ParquetChunk> ChunkOf(const parquet::ColumnChunkMetaData& meta, const ParquetColumn& column,
                             uint64_t pages_end) {
  ParquetChunk chunk;
  const int64_t data = meta.data_page_offset();
  const int64_t first =
      meta.has_dictionary_page() ? std::min(meta.dictionary_page_offset(), data) : data;
  if (!Within(first, meta.total_compressed_size(), pages_end) || data < first ||
      data - first > meta.total_compressed_size()) {
    return Odd("pages of column " + column.path + " lie outside the file");
  }
  chunk.offset = static_cast<uint64_t>(first);
  chunk.bytes = static_cast<uint64_t>(meta.total_compressed_size());
  chunk.data_offset = static_cast<uint64_t>(data);
  chunk.has_dictionary = data > first;
  chunk.codec = static_cast<int>(meta.compression());
  TD_RETURN_IF_ERROR(AddEncodings(meta, &chunk));
  AddStatistics(meta, column.kind, &chunk);
  auto place = [&](const auto& location, uint64_t* offset, uint64_t* bytes) {
    if (!location.has_value()) return Status::Ok();
    if (!Within(location->offset, location->length, pages_end)) {
      return Odd("a page index lies outside the file");
    }
    *offset = static_cast<uint64_t>(location->offset);
    *bytes = static_cast<uint64_t>(location->length);
    return Status::Ok();
  };
  TD_RETURN_IF_ERROR(
      place(meta.GetColumnIndexLocation(), &chunk.column_index, &chunk.column_index_bytes));
  TD_RETURN_IF_ERROR(
      place(meta.GetOffsetIndexLocation(), &chunk.offset_index, &chunk.offset_index_bytes));
  return chunk;
}

}  // namespace

bool SetParquetBounds(ParquetKind kind, std::string_view min, std::string_view max,
                      ParquetBounds* bounds) {
  if (kind == ParquetKind::kBytes) {
    bounds->min_bytes = min;
    bounds->max_bytes = max;
    return bounds->known = true;
  }
  auto number = [&](std::string_view encoded, int64_t* out) {
    if (kind == ParquetKind::kInt64 && encoded.size() == sizeof(int64_t)) {
      std::memcpy(out, encoded.data(), sizeof(int64_t));
      return true;
    }
    int32_t narrow = 0;
    if (kind != ParquetKind::kInt32 || encoded.size() != sizeof(narrow)) return false;
    std::memcpy(&narrow, encoded.data(), sizeof(narrow));
    *out = narrow;
    return true;
  };
  return bounds->known = number(min, &bounds->min) && number(max, &bounds->max);
}

namespace {

Status TakeColumns(const parquet::FileMetaData& meta, ParquetFooterState* state) {
  if (meta.num_columns() < 1 || meta.num_columns() > kColumnsMax) {
    return Odd("an impossible number of columns");
  }
  state->schema = std::make_shared<parquet::SchemaDescriptor>();
  state->schema->Init(meta.schema()->schema_root());
  for (int i = 0; i < meta.num_columns(); ++i) {
    TD_ASSIGN_OR_RETURN(ParquetColumn column, ColumnOf(*state->schema->Column(i)));
    state->columns.push_back(std::move(column));
  }
  return Status::Ok();
}

Status TakeGroups(const parquet::FileMetaData& meta, const std::vector<uint64_t>& sums,
                  uint64_t pages_end, ParquetFooterState* state) {
  if (sums.size() != static_cast<size_t>(meta.num_row_groups())) {
    return Odd("sums of another number of row groups");
  }
  for (int g = 0; g < meta.num_row_groups(); ++g) {
    const std::unique_ptr<parquet::RowGroupMetaData> from = meta.RowGroup(g);
    if (from->num_rows() < 1 || from->num_columns() != meta.num_columns()) {
      return Odd("row group " + std::to_string(g) + " is not as we write them");
    }
    ParquetGroup group;
    group.rows = static_cast<uint64_t>(from->num_rows());
    group.index_sum = sums[static_cast<size_t>(g)];
    for (int c = 0; c < from->num_columns(); ++c) {
      const ParquetColumn& column = state->columns[static_cast<size_t>(c)];
      TD_ASSIGN_OR_RETURN(ParquetChunk chunk, ChunkOf(*from->ColumnChunk(c), column, pages_end));
      group.chunks.push_back(std::move(chunk));
    }
    state->rows += group.rows;
    state->groups.push_back(std::move(group));
  }
  if (meta.num_rows() < 0 || state->rows != static_cast<uint64_t>(meta.num_rows())) {
    return Odd("the rows of the row groups are not those of the file");
  }
  return Status::Ok();
}

size_t MemoryOf(const ParquetFooterState& state) {
  size_t bytes = sizeof(state) + state.columns.size() * 1024;  // Arrow's descriptors among them
  for (const auto& [key, value] : state.values) bytes += key.size() + value.size() + 64;
  for (const ParquetGroup& group : state.groups) {
    bytes += sizeof(group);
    for (const ParquetChunk& chunk : group.chunks) {
      bytes += sizeof(chunk) + chunk.encodings.size() * sizeof(chunk.encodings[0]) +
               chunk.bounds.min_bytes.capacity() + chunk.bounds.max_bytes.capacity();
    }
  }
  return bytes;
}

Result<std::string> ReadFooterBytes(const RandomAccess& file) {
  const uint64_t size = file.bytes();
  if (size < kMagic.size() + kTailBytes) return Odd("too short for a Parquet file");
  std::string tail(std::min<uint64_t>(size, kFirstRead), '\0');
  TD_RETURN_IF_ERROR(file.Read(size - tail.size(), tail));
  if (!tail.ends_with(kMagic)) return Odd("it does not end as a Parquet file does");
  uint32_t length = 0;
  std::memcpy(&length, tail.data() + tail.size() - kTailBytes, sizeof(length));
  if (length > kFooterBytesMax || length > size - kMagic.size() - kTailBytes) {
    return Odd("a footer of an impossible size");
  }
  if (length + kTailBytes <= tail.size()) {
    return tail.substr(tail.size() - kTailBytes - length, length);
  }
  std::string footer(length, '\0');
  const size_t have = tail.size() - kTailBytes;
  std::memcpy(footer.data() + length - have, tail.data(), have);
  TD_RETURN_IF_ERROR(
      file.Read(size - kTailBytes - length, std::span<char>(footer.data(), length - have)));
  return footer;
}

}  // namespace

ParquetFooter::ParquetFooter(std::unique_ptr<ParquetFooterState> state)
    : state_(std::move(state)) {}
ParquetFooter::~ParquetFooter() = default;

Result<std::shared_ptr<const ParquetFooter>> ParquetFooter::Read(const RandomAccess& file) {
  TD_ASSIGN_OR_RETURN(const std::string footer, ReadFooterBytes(file));
  TD_ASSIGN_OR_RETURN(const std::vector<uint64_t> sums, CheckSums(footer));
  auto state = std::make_unique<ParquetFooterState>();
  state->file_bytes = file.bytes();
  const uint64_t pages_end = file.bytes() - kTailBytes - footer.size();
  Status taken;
  TD_RETURN_IF_ERROR(GuardedRead([&] {
    const auto meta = parquet::FileMetaData::Make(
        footer.data(), static_cast<int64_t>(footer.size()), parquet::default_reader_properties());
    taken = TakeColumns(*meta, state.get());
    if (taken.ok()) taken = TakeGroups(*meta, sums, pages_end, state.get());
    if (meta->key_value_metadata() != nullptr) {
      const arrow::KeyValueMetadata& values = *meta->key_value_metadata();
      for (int64_t i = 0; i < values.size(); ++i) {
        state->values.emplace_back(values.key(i), values.value(i));
      }
    }
    return arrow::Status::OK();
  }));
  TD_RETURN_IF_ERROR(taken);
  state->memory_bytes = MemoryOf(*state);
  return std::shared_ptr<const ParquetFooter>(new ParquetFooter(std::move(state)));
}

size_t ParquetFooter::memory_bytes() const { return state_->memory_bytes; }
uint64_t ParquetFooter::rows() const { return state_->rows; }
std::span<const ParquetColumn> ParquetFooter::columns() const { return state_->columns; }
size_t ParquetFooter::row_groups() const { return state_->groups.size(); }
uint64_t ParquetFooter::rows(size_t group) const { return state_->groups[group].rows; }

std::optional<std::string_view> ParquetFooter::FindValue(std::string_view key) const {
  for (const auto& [name, value] : state_->values) {
    if (name == key) return value;
  }
  return std::nullopt;
}

ParquetBounds ParquetFooter::Bounds(size_t group, size_t column) const {
  return state_->groups[group].chunks[column].bounds;
}

Result<uint64_t> ParquetFooter::Nulls(size_t group, size_t column) const {
  const ParquetChunk& chunk = state_->groups[group].chunks[column];
  if (!chunk.has_nulls_count) return Odd("no number of nulls");
  return chunk.nulls;
}

std::pair<uint64_t, uint64_t> ParquetFooter::Extent(size_t group) const {
  uint64_t begin = UINT64_MAX;
  uint64_t end = 0;
  for (const ParquetChunk& chunk : state_->groups[group].chunks) {
    begin = std::min(begin, chunk.offset);
    end = std::max(end, chunk.offset + chunk.bytes);
  }
  return {begin, end};
}

}  // namespace tapedeck
