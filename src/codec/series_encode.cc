#include <algorithm>

#include "base/bytes.h"
#include "base/check.h"
#include "base/limits.h"
#include "codec/column_codec.h"
#include "codec/series_block_generated.h"
#include "codec/series_layout.h"

namespace tapedeck {
namespace {

int ZstdLevel(Effort effort) {
  return effort == Effort::kLive ? kSeriesLevelLive : kSeriesLevelMerge;
}

// Bytes of text of one row of one column.
size_t TextBytes(const RowsColumn& column, size_t row) {
  if (column.text_ends.empty()) return 0;
  return column.text_ends[row] - (row == 0 ? 0 : column.text_ends[row - 1]);
}

size_t RowTextBytes(const Rows& rows, size_t row) {
  size_t bytes = 0;
  for (const RowsColumn& column : rows.columns) bytes += TextBytes(column, row);
  return bytes;
}

// Of `count` rows.
size_t TextBytesOf(const Rows& rows, size_t from, size_t count) {
  size_t bytes = 0;
  for (const RowsColumn& column : rows.columns) {
    if (column.text_ends.empty() || count == 0) continue;
    bytes += column.text_ends[from + count - 1] - (from == 0 ? 0 : column.text_ends[from - 1]);
  }
  return bytes;
}

bool IsSorted(std::span<const int64_t> times) {
  size_t back = 0;
  for (size_t i = 1; i < times.size(); ++i) back += times[i] < times[i - 1] ? 1 : 0;
  return back == 0;
}

class SeriesEncoder {
 public:
  SeriesEncoder(const Rows& rows, size_t from, size_t count, Effort effort,
                CodecBuffers::State* state)
      : rows_(rows), from_(from), count_(count), writer_{&state->integers, effort}, state_(state) {}

  void EncodeOwn() {
    Numbers(OwnColumn::kTs, std::span(rows_.ts).subspan(from_, count_));
    Numbers(OwnColumn::kTsKafka, std::span(rows_.ts_kafka).subspan(from_, count_));
    Numbers(OwnColumn::kTopic, Widened(rows_.tp));
    Numbers(OwnColumn::kOffset, std::span(rows_.offset).subspan(from_, count_));
    Numbers(OwnColumn::kIndex, Widened(rows_.index));
  }

  void Encode(const RowsColumn& column, const std::string& name) {
    ColumnDraft& draft = Next(name);
    if (!EncodeColumn(column, from_, count_, Earlier(), &writer_, &draft)) --used_;
  }

  // Streams of numbers are compressed one by one; what is left are texts, and in small blocks names
  // and offsets.
  bool WholeIsWorthIt(size_t content_bytes) const {
    size_t texts = 0;
    for (const ColumnDraft& draft : std::span(state_->drafts).first(used_))
      texts += draft.rest.size();
    return content_bytes < kSeriesSmallBytes || texts > content_bytes / 8;
  }

  std::string_view Content() {
    flatbuffers::FlatBufferBuilder& builder = state_->builder;
    std::vector<flatbuffers::Offset<wire::SeriesColumn>> columns;
    for (const ColumnDraft& draft : std::span(state_->drafts).first(used_))
      columns.push_back(Table(draft));
    builder.Finish(wire::CreateSeriesColumns(builder, builder.CreateVector(columns)));
    return {reinterpret_cast<const char*>(builder.GetBufferPointer()), builder.GetSize()};
  }

 private:
  ColumnDraft& Next(std::string_view name) {
    if (used_ == state_->drafts.size()) state_->drafts.emplace_back();
    ColumnDraft& draft = state_->drafts[used_++];
    draft.Clear();
    draft.name = name;
    return draft;
  }
  std::span<const ColumnDraft> Earlier() const {
    return std::span(state_->drafts).first(used_ - 1);
  }

  std::span<const int64_t> Widened(const std::vector<uint32_t>& numbers) {
    auto first = numbers.begin() + static_cast<std::ptrdiff_t>(from_);
    state_->others.assign(first, first + static_cast<std::ptrdiff_t>(count_));
    return state_->others;
  }

  void Numbers(OwnColumn which, std::span<const int64_t> numbers) {
    ColumnDraft& draft = Next(kOwnColumns[static_cast<size_t>(which)]);
    bool time = which == OwnColumn::kTs || which == OwnColumn::kTsKafka;
    draft.type = time ? ColumnType::kTimestamp : ColumnType::kInteger;
    uint8_t reference = which == OwnColumn::kTsKafka ? static_cast<uint8_t>(OwnColumn::kTs) + 1 : 0;
    EncodeNumbers(numbers, Earlier(), reference, &writer_, &draft);
  }

  flatbuffers::Offset<wire::SeriesColumn> Table(const ColumnDraft& draft) {
    flatbuffers::FlatBufferBuilder& builder = state_->builder;
    auto part = [&](const std::string& bytes) {
      if (bytes.empty()) return flatbuffers::Offset<flatbuffers::Vector<uint8_t>>();
      return builder.CreateVector(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
    };
    auto rest = part(draft.rest);
    auto scales = part(draft.scales);
    auto nulls = part(draft.nulls);
    auto bytes = part(draft.bytes);
    auto name = builder.CreateString(draft.name);
    return wire::CreateSeriesColumn(builder, name, static_cast<uint8_t>(draft.type),
                                    static_cast<uint8_t>(draft.encoding), bytes, nulls, scales,
                                    rest, draft.reference);
  }

  const Rows& rows_;
  size_t from_, count_;
  NumberWriter writer_;
  CodecBuffers::State* state_;
  size_t used_ = 0;
};

}  // namespace

size_t SeriesRowsThatFit(const Rows& rows, size_t from, size_t rows_max) {
  size_t count = std::min(rows_max, rows.size() - from);
  if (TextBytesOf(rows, from, count) <= kSeriesTextBytesMax) return count;
  size_t bytes = 0;
  for (size_t i = 0; i < count; ++i) {
    bytes += RowTextBytes(rows, from + i);
    if (bytes > kSeriesTextBytesMax) return std::max<size_t>(i, 1);
  }
  return count;
}

Status EncodeSeriesBlock(std::string_view key, const Rows& rows, std::span<const Column> columns,
                         size_t from, size_t count, Effort effort, CodecBuffers* buffers,
                         std::string* out) {
  TD_CHECK(count > 0 && count <= limits::kSeriesBlockRowsMax && from + count <= rows.size(),
           "rows of one block");
  TD_CHECK(rows.columns.size() <= columns.size(), "every column of the rows has a name");
  TD_CHECK(IsSorted(std::span(rows.ts).subspan(from, count)), "rows are sorted by ts");
  if (TextBytesOf(rows, from, count) > limits::kSeriesBlockRawBytesMax) {
    return Status::ResourceExhausted("the texts of a series block exceed its limit");
  }
  CodecBuffers::State& state = buffers->state();
  SeriesEncoder encoder(rows, from, count, effort, &state);
  encoder.EncodeOwn();
  for (size_t i = 0; i < rows.columns.size(); ++i) encoder.Encode(rows.columns[i], columns[i].name);
  std::string_view content = encoder.Content();
  if (content.size() > limits::kSeriesBlockRawBytesMax) {
    state.Trim();
    return Status::ResourceExhausted("the content of a series block exceeds its limit");
  }
  out->assign(kSeriesHeaderBytes, '\0');
  TD_ASSIGN_OR_RETURN(
      BlockCodec codec,
      AppendContent(content, encoder.WholeIsWorthIt(content.size()) ? ZstdLevel(effort) : 0,
                    &state.compressor, out));
  SeriesBlockHeader header;
  header.codec = static_cast<uint8_t>(codec);
  header.rows = static_cast<uint32_t>(count);
  header.content_bytes = static_cast<uint32_t>(content.size());
  header.stored_bytes = static_cast<uint32_t>(out->size() - kSeriesHeaderBytes);
  header.first_ts = Timestamp(rows.ts[from]);
  header.last_ts = Timestamp(rows.ts[from + count - 1]);
  std::string bytes = EncodeSeriesHeader(header);
  header.hash = HashBlock(key, std::string_view(bytes).substr(0, kSeriesHeaderBytes - 8),
                          std::string_view(*out).substr(kSeriesHeaderBytes));
  out->replace(0, kSeriesHeaderBytes, EncodeSeriesHeader(header));
  state.Trim();
  return Status::Ok();
}

}  // namespace tapedeck
