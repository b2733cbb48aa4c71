#include "columnar/parquet_tail.h"

#include <arrow/status.h>
#include <parquet/index_location.h>
#include <parquet/metadata.h>
#include <parquet/properties.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <string_view>
#include <vector>

#include "columnar/parquet_sums.h"

namespace tapedeck {
namespace {

struct Part {
  uint64_t begin = UINT64_MAX;
  uint64_t end = 0;
  void Include(const std::optional<parquet::IndexLocation>& location) {
    if (!location.has_value()) return;
    begin = std::min(begin, static_cast<uint64_t>(location->offset));
    end = std::max(end, static_cast<uint64_t>(location->offset + location->length));
  }
};

}  // namespace

arrow::Status FillTailSums(std::span<char> tail, uint64_t tail_offset) {
  constexpr size_t kEndBytes = 8;  // length:u32 "PAR1"
  uint32_t length = 0;
  if (tail.size() < kEndBytes) return arrow::Status::Invalid("a Parquet file without a footer");
  std::memcpy(&length, tail.data() + tail.size() - kEndBytes, sizeof(length));
  if (length > tail.size() - kEndBytes) return arrow::Status::Invalid("half of a footer");
  const std::span<char> footer = tail.subspan(tail.size() - kEndBytes - length, length);
  const auto meta = parquet::FileMetaData::Make(footer.data(), static_cast<int64_t>(length),
                                                parquet::default_reader_properties());
  auto bytes = [&](const Part& part) -> std::string_view {
    if (part.end <= part.begin) return {};
    return {tail.data() + (part.begin - tail_offset), part.end - part.begin};
  };
  std::vector<uint64_t> sums;
  for (int g = 0; g < meta->num_row_groups(); ++g) {
    const auto group = meta->RowGroup(g);
    Part columns;
    Part offsets;
    for (int c = 0; c < group->num_columns(); ++c) {
      const auto chunk = group->ColumnChunk(c);
      columns.Include(chunk->GetColumnIndexLocation());
      offsets.Include(chunk->GetOffsetIndexLocation());
    }
    for (const Part& part : {columns, offsets}) {
      if (part.end > part.begin &&
          (part.begin < tail_offset || part.end - tail_offset > tail.size())) {
        return arrow::Status::Invalid("a page index before the end of the file");
      }
    }
    sums.push_back(IndexSum(bytes(columns), bytes(offsets)));
  }
  const Status filled = FillSums(sums, footer.data(), footer.size());
  return filled.ok() ? arrow::Status::OK() : arrow::Status::Invalid(filled.ToString());
}

}  // namespace tapedeck
