#include "columnar/parquet_reader.h"

#include <arrow/io/memory.h>
#include <arrow/memory_pool.h>
#include <parquet/column_page.h>
#include <parquet/column_reader.h>
#include <parquet/exception.h>
#include <parquet/page_index.h>
#include <parquet/properties.h>
#include <parquet/schema.h>

#include <algorithm>

#include "columnar/arrow_bridge.h"
#include "columnar/parquet_footer_state.h"
#include "columnar/parquet_pages.h"
#include "columnar/parquet_sums.h"

namespace tapedeck {

// The page index of one row group.
struct ParquetReader::Index {
  size_t group = 0;
  std::string column_indexes;  // bytes as in the file, from column_begin on
  uint64_t column_begin = 0;
  std::vector<std::vector<ParquetPage>> pages;  // by column
};

void ParquetValues::Clear() {
  first_row = 0;
  rows = 0;
  numbers.Clear();
  wides.Clear();
  ends.Clear();
  bytes.clear();
  present.Clear();
  definition.Clear();
  repetition.Clear();
}

size_t ParquetValues::memory_bytes() const {
  return numbers.size() * sizeof(int64_t) + wides.size() * sizeof(Int128) +
         ends.size() * sizeof(uint32_t) + bytes.capacity() + present.size() +
         2 * definition.size() * sizeof(int16_t);
}

ParquetReader::ParquetReader(const RandomAccess* file, std::shared_ptr<const ParquetFooter> footer)
    : file_(file), footer_(std::move(footer)) {}
ParquetReader::~ParquetReader() = default;

namespace {

/// A megabyte holds the index of a thousand pages in twenty columns.
constexpr uint64_t kIndexBytesMax = uint64_t{256} << 20;

struct ByteRange {
  uint64_t begin = UINT64_MAX;
  uint64_t end = 0;
  void Include(uint64_t offset, uint64_t bytes) {
    if (bytes == 0) return;
    begin = std::min(begin, offset);
    end = std::max(end, offset + bytes);
  }
  uint64_t size() const { return end > begin ? end - begin : 0; }
};

Result<std::string> ReadRange(const RandomAccess& file, const ByteRange& range) {
  if (range.size() > kIndexBytesMax) return Status::Corruption("a page index without measure");
  std::string bytes(range.size(), '\0');
  if (!bytes.empty()) TD_RETURN_IF_ERROR(file.Read(range.begin, bytes));
  return bytes;
}

Status CheckPages(const ParquetChunk& chunk, uint64_t rows, std::vector<ParquetPage>* pages) {
  uint64_t at = chunk.data_offset;
  for (size_t i = 0; i < pages->size(); ++i) {
    ParquetPage& page = (*pages)[i];
    const uint64_t next = i + 1 < pages->size() ? (*pages)[i + 1].first_row : rows;
    if (page.offset != at || page.bytes > chunk.offset + chunk.bytes - at ||
        next <= page.first_row || (i == 0 && page.first_row != 0)) {
      return Status::Corruption("a page index that fits no pages");
    }
    page.rows = next - page.first_row;
    at += page.bytes;
  }
  if (pages->empty() || at != chunk.offset + chunk.bytes) {
    return Status::Corruption("a page index that lacks pages");
  }
  return Status::Ok();
}

}  // namespace

Status ParquetReader::LoadIndex(size_t group) {
  if (index_ != nullptr && index_->group == group) return Status::Ok();
  index_.reset();
  const ParquetGroup& from = footer_->state_->groups[group];
  ByteRange columns;
  ByteRange offsets;
  for (const ParquetChunk& chunk : from.chunks) {
    columns.Include(chunk.column_index, chunk.column_index_bytes);
    offsets.Include(chunk.offset_index, chunk.offset_index_bytes);
  }
  auto index = std::make_unique<Index>();
  index->group = group;
  index->column_begin = columns.begin;
  if (columns.size() > 0 && offsets.size() > 0) {
    const ByteExtent both[] = {{columns.begin, columns.size()}, {offsets.begin, offsets.size()}};
    TD_RETURN_IF_ERROR(file_->Expect(both));
  }
  TD_ASSIGN_OR_RETURN(index->column_indexes, ReadRange(*file_, columns));
  TD_ASSIGN_OR_RETURN(const std::string offset_indexes, ReadRange(*file_, offsets));
  if (IndexSum(index->column_indexes, offset_indexes) != from.index_sum) {
    return Status::Corruption("the page index is not what was written");
  }
  for (const ParquetChunk& chunk : from.chunks) {
    std::vector<ParquetPage> pages;
    if (chunk.offset_index_bytes == 0) return Status::Corruption("a column has no page index");
    TD_RETURN_IF_ERROR(GuardedRead([&] {
      const auto parsed = parquet::OffsetIndex::Make(
          offset_indexes.data() + (chunk.offset_index - offsets.begin),
          static_cast<uint32_t>(chunk.offset_index_bytes), parquet::default_reader_properties());
      for (const parquet::PageLocation& page : parsed->page_locations()) {
        pages.push_back({static_cast<uint64_t>(page.first_row_index), 0,
                         static_cast<uint64_t>(page.offset),
                         static_cast<uint64_t>(page.compressed_page_size)});
      }
      return arrow::Status::OK();
    }));
    TD_RETURN_IF_ERROR(CheckPages(chunk, from.rows, &pages));
    index->pages.push_back(std::move(pages));
  }
  index_ = std::move(index);
  return Status::Ok();
}

Result<std::span<const ParquetPage>> ParquetReader::Pages(size_t group, size_t column) {
  TD_RETURN_IF_ERROR(LoadIndex(group));
  return std::span<const ParquetPage>(index_->pages[column]);
}

Result<std::vector<ParquetBounds>> ParquetReader::PageBounds(size_t group, size_t column) {
  TD_RETURN_IF_ERROR(LoadIndex(group));
  const ParquetChunk& chunk = footer_->state_->groups[group].chunks[column];
  const ParquetKind kind = footer_->columns()[column].kind;
  std::vector<ParquetBounds> bounds(index_->pages[column].size());
  if (chunk.column_index_bytes == 0) return bounds;
  Status odd;
  TD_RETURN_IF_ERROR(GuardedRead([&] {
    const auto parsed = parquet::ColumnIndex::Make(
        *footer_->state_->schema->Column(static_cast<int>(column)),
        index_->column_indexes.data() + (chunk.column_index - index_->column_begin),
        static_cast<uint32_t>(chunk.column_index_bytes), parquet::default_reader_properties());
    const std::vector<bool>& nulls = parsed->null_pages();
    const std::vector<std::string>& least = parsed->encoded_min_values();
    const std::vector<std::string>& greatest = parsed->encoded_max_values();
    if (nulls.size() != bounds.size() || least.size() != bounds.size() ||
        greatest.size() != bounds.size()) {
      odd = Status::Corruption("a page index of another number of pages");
      return arrow::Status::OK();
    }
    for (size_t i = 0; i < bounds.size(); ++i) {
      if (!nulls[i]) SetParquetBounds(kind, least[i], greatest[i], &bounds[i]);
    }
    return arrow::Status::OK();
  }));
  TD_RETURN_IF_ERROR(odd);
  return bounds;
}

Status ParquetReader::Read(size_t group, size_t column, uint64_t from, uint64_t to,
                           ParquetValues* values) {
  TD_RETURN_IF_ERROR(LoadIndex(group));
  TD_ASSIGN_OR_RETURN(const PageRange pages, PagesOf(group, column, from, to));
  return ReadPages(group, column, pages.first, pages.last, values);
}

// The index of the row group is loaded.
Result<ParquetReader::PageRange> ParquetReader::PagesOf(size_t group, size_t column, uint64_t from,
                                                        uint64_t to) const {
  const std::vector<ParquetPage>& pages = index_->pages[column];
  if (from >= to || to > footer_->rows(group)) {
    return Status::InvalidArgument("rows that the row group does not have");
  }
  const auto after = [](uint64_t row, const ParquetPage& page) { return row < page.first_row; };
  const auto first = std::upper_bound(pages.begin(), pages.end(), from, after) - pages.begin() - 1;
  const auto last = std::upper_bound(pages.begin(), pages.end(), to - 1, after) - pages.begin() - 1;
  return PageRange{static_cast<size_t>(first), static_cast<size_t>(last)};
}

// What ReadPages asks for.
Status ParquetReader::Expect(size_t group, std::span<const size_t> columns, uint64_t from,
                             uint64_t to) {
  TD_RETURN_IF_ERROR(LoadIndex(group));
  std::vector<ByteExtent> extents;
  for (const size_t column : columns) {
    TD_ASSIGN_OR_RETURN(const PageRange range, PagesOf(group, column, from, to));
    const ParquetChunk& chunk = footer_->state_->groups[group].chunks[column];
    const ParquetPage& first = index_->pages[column][range.first];
    const ParquetPage& last = index_->pages[column][range.last];
    const bool joined = first.offset == chunk.data_offset;  // to the dictionary
    if (chunk.has_dictionary && !joined)
      extents.push_back({chunk.offset, chunk.data_offset - chunk.offset});
    const uint64_t begin = joined && chunk.has_dictionary ? chunk.offset : first.offset;
    extents.push_back({begin, last.offset + last.bytes - begin});
  }
  return file_->Expect(extents);
}

Status ParquetReader::ReadPages(size_t group, size_t column, size_t first, size_t last,
                                ParquetValues* values) {
  const ParquetChunk& chunk = footer_->state_->groups[group].chunks[column];
  const std::vector<ParquetPage>& pages = index_->pages[column];
  const uint64_t dictionary = chunk.has_dictionary ? chunk.data_offset - chunk.offset : 0;
  const uint64_t begin = pages[first].offset;
  const uint64_t data = pages[last].offset + pages[last].bytes - begin;
  if (dictionary + data > kParquetReadBytesMax) {
    return Status::Corruption("pages of " + std::to_string(dictionary + data) + " bytes");
  }
  std::string bytes(dictionary + data, '\0');
  const std::span<char> all(bytes);
  if (begin == chunk.data_offset) {
    TD_RETURN_IF_ERROR(file_->Read(chunk.offset, all));
  } else {
    if (dictionary > 0) TD_RETURN_IF_ERROR(file_->Read(chunk.offset, all.first(dictionary)));
    TD_RETURN_IF_ERROR(file_->Read(begin, all.subspan(dictionary)));
  }
  values->Clear();
  values->first_row = pages[first].first_row;
  values->rows = pages[last].first_row + pages[last].rows - pages[first].first_row;
  const ParquetColumn& shape = footer_->columns()[column];
  return GuardedRead([&] {
    DecodePages({.column = footer_->state_->schema->Column(static_cast<int>(column)),
                 .kind = shape.kind,
                 .chunk = &chunk,
                 .pages = std::span<const ParquetPage>(pages).subspan(first, last - first + 1),
                 .first_page = first,
                 .bytes = bytes},
                values);
    return arrow::Status::OK();
  });
}

}  // namespace tapedeck
