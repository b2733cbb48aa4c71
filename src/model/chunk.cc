#include "model/chunk.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <tuple>

#include "model/run_sort.h"

namespace tapedeck {
namespace {

constexpr size_t kSlabBytes = size_t{64} << 10;

}  // namespace

TapeRanks::TapeRanks(std::span<const std::pair<TpId, TapeId>> tapes) {
  std::vector<size_t> by_name(tapes.size());
  std::iota(by_name.begin(), by_name.end(), size_t{0});
  std::sort(by_name.begin(), by_name.end(), [&](size_t a, size_t b) {
    const TapeId& x = tapes[a].second;
    const TapeId& y = tapes[b].second;
    return std::tie(x.topic, x.partition, x.lineage, x.cluster) <
           std::tie(y.topic, y.partition, y.lineage, y.cluster);
  });
  for (size_t rank = 0; rank < by_name.size(); ++rank) {
    const uint32_t tp = Raw(tapes[by_name[rank]].first);
    if (tp >= ranks_.size()) ranks_.resize(tp + 1, UINT32_MAX);
    ranks_[tp] = static_cast<uint32_t>(rank);
  }
}

std::string_view TextArena::Copy(std::string_view text) {
  if (text.empty()) return {};
  if (used_ + text.size() > capacity_) {
    capacity_ = std::max(kSlabBytes, text.size());
    slabs_.push_back(std::make_unique<char[]>(capacity_));
    bytes_ += capacity_;
    used_ = 0;
  }
  char* at = slabs_.back().get() + used_;
  std::memcpy(at, text.data(), text.size());
  used_ += text.size();
  return {at, text.size()};
}

size_t Chunk::bytes() const {
  return rows_.capacity() * (sizeof(ChunkRow) + sizeof(uint32_t)) +
         values_.capacity() * sizeof(Value) + texts_.bytes();
}

std::span<const uint32_t> Chunk::RowsOf(SeriesId series) const {
  auto found = std::lower_bound(series_.begin(), series_.end(), series);
  if (found == series_.end() || *found != series) return {};
  const size_t at = static_cast<size_t>(found - series_.begin());
  return std::span<const uint32_t>(order_).subspan(starts_[at], starts_[at + 1] - starts_[at]);
}

/// Where a row is and what it is sorted by, within its series.
struct Chunk::Place {
  int64_t ts;
  uint32_t rank;  // of its tape
  uint32_t row;
};

// Moves rows and values into order. The rows of one commit are still in the processor's cache; a
// flush, a minute later, would fetch each of them from memory on its own.
void Chunk::LayOut(std::span<const Place> places) {
  constexpr size_t kAhead = 12;
  std::vector<ChunkRow> rows;
  std::vector<Value> values;
  rows.reserve(rows_.size());
  values.reserve(values_.size());
  for (size_t i = 0; i < places.size(); ++i) {
    if (i + kAhead < places.size()) {
      const ChunkRow& later = rows_[places[i + kAhead].row];
      __builtin_prefetch(&later);
      __builtin_prefetch(values_.data() + rows_[places[i + kAhead / 2].row].first_value);
    }
    ChunkRow row = rows_[places[i].row];
    const auto first = values_.begin() + row.first_value;
    row.first_value = static_cast<uint32_t>(values.size());
    values.insert(values.end(), first, first + row.value_count);
    rows.push_back(row);
  }
  rows_ = std::move(rows);
  values_ = std::move(values);
  order_.resize(rows_.size());
  std::iota(order_.begin(), order_.end(), 0u);
}

ChunkBuilder::ChunkBuilder(SeriesDirectory* directory) : directory_(directory), chunk_(new Chunk) {}

SeriesId ChunkBuilder::Append(const RecordView& record) {
  std::vector<Value>& values = chunk_->values_;
  const SeriesId series = directory_->Intern(record.table, record.symbol);
  const size_t first = values.size();
  chunk_->rows_.push_back({.series = series,
                           .first_value = static_cast<uint32_t>(first),
                           .ts = record.ts.ns(),
                           .ts_kafka = record.ts_kafka.ns(),
                           .offset = record.origin.offset,
                           .tp = record.origin.tp,
                           .index = record.origin.index,
                           .value_count = static_cast<uint32_t>(record.values.size())});
  values.insert(values.end(), record.values.begin(), record.values.end());
  for (size_t i = first; i < values.size(); ++i) {
    if (values[i].has_text()) [[unlikely]]
      KeepText(&values[i]);
  }
  return series;
}

void ChunkBuilder::KeepText(Value* value) {
  const std::string_view text = chunk_->texts_.Copy(value->text());
  *value = value->kind() == Value::Kind::kText ? Value::OfText(text) : Value::OfDecimalText(text);
}

OpenChunk ChunkBuilder::Cut() {
  OpenChunk cut(std::move(chunk_), directory_->size());
  chunk_ = std::make_unique<Chunk>();
  // The next commit is likely to be of the same size.
  chunk_->rows_.reserve(cut.chunk_->rows_.size());
  chunk_->values_.reserve(cut.chunk_->values_.size());
  return cut;
}

std::shared_ptr<const Chunk> OpenChunk::Finish(uint64_t commit, const TapeRanks& ranks) && {
  if (size() == 0) return nullptr;
  std::unique_ptr<Chunk> chunk = std::move(chunk_);
  chunk->commit_ = commit;
  const std::vector<ChunkRow>& rows = chunk->rows_;

  // Counting sort by series; what is left to sort within a series is mostly in order already.
  std::vector<uint32_t> counts(series_ + 1, 0);
  for (const ChunkRow& row : rows) ++counts[row.series + 1];
  for (size_t s = 0; s < series_; ++s) {
    if (counts[s + 1] != 0) {
      chunk->series_.push_back(static_cast<SeriesId>(s));
      chunk->starts_.push_back(counts[s]);
    }
    counts[s + 1] += counts[s];
  }
  chunk->starts_.push_back(static_cast<uint32_t>(rows.size()));
  std::vector<Chunk::Place> places(rows.size()), scratch;
  for (uint32_t i = 0; i < rows.size(); ++i)
    places[counts[rows[i].series]++] = {rows[i].ts, ranks[rows[i].tp], i};

  auto before = [&](const Chunk::Place& a, const Chunk::Place& b) {
    if (a.ts != b.ts) return a.ts < b.ts;
    if (a.rank != b.rank) return a.rank < b.rank;
    const ChunkRow& x = rows[a.row];
    const ChunkRow& y = rows[b.row];
    return std::tie(x.offset, x.index) < std::tie(y.offset, y.index);
  };
  for (size_t s = 0; s < chunk->series_.size(); ++s) {
    const size_t from = chunk->starts_[s];
    RunSort(std::span(places).subspan(from, chunk->starts_[s + 1] - from), &scratch, before);
  }
  chunk->LayOut(places);
  return chunk;
}

void ChunkBuilder::Discard() { chunk_ = std::make_unique<Chunk>(); }

}  // namespace tapedeck
