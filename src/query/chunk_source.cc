#include "query/chunk_source.h"

#include <algorithm>
#include <span>

namespace tapedeck {
namespace {

// Rows copied at a time: enough that a copy's fixed cost vanishes, little enough for a thousand
// chunks.
constexpr size_t kBatchRows = 256;

class ChunkSource final : public RowSource {
 public:
  ChunkSource(std::shared_ptr<const Chunk> chunk, const SeriesDirectory* directory,
              const RowSelection* selection, std::vector<uint32_t> order)
      : chunk_(std::move(chunk)),
        directory_(directory),
        selection_(selection),
        order_(std::move(order)),
        rows_(selection->EmptyRows()) {}

  Status Fill() override {
    if (head_.count > 0) return Status::Ok();
    if (at_ == series_.size()) Copy();
    head_ = RowRun{};
    if (series_.empty()) return Status::Ok();
    size_t to = at_ + 1;
    while (to < series_.size() && series_[to] == series_[at_]) ++to;
    head_.symbol = directory_->At(series_[at_]).symbol;
    head_.rows = &rows_;
    head_.first = static_cast<uint32_t>(at_);
    head_.count = static_cast<uint32_t>(to - at_);
    at_ = to;
    return Status::Ok();
  }

 private:
  void OnAdvance(uint32_t) override {}

  void Copy() {
    rows_.Clear();
    series_.clear();
    at_ = 0;
    const size_t to = std::min(next_ + kBatchRows, order_.size());
    for (; next_ < to; ++next_) {
      const ChunkRow& r = chunk_->row(order_[next_]);
      const std::span<const Value> values = chunk_->values(order_[next_]);
      series_.push_back(r.series);
      rows_.ts.push_back(r.ts);
      rows_.ts_kafka.push_back(r.ts_kafka);
      rows_.tp.push_back(Raw(r.tp));
      rows_.offset.push_back(r.offset);
      rows_.index.push_back(r.index);
      for (size_t c = 0; c < rows_.columns.size(); ++c) {
        const uint32_t place = selection_->places[c];
        rows_.columns[c].Append(place < values.size() ? values[place] : Value());
      }
    }
  }

  std::shared_ptr<const Chunk> chunk_;
  const SeriesDirectory* directory_;
  const RowSelection* selection_;
  std::vector<uint32_t> order_;   // rows of the chunk in the order of reading
  size_t next_ = 0;               // of order_, not copied yet
  Rows rows_;                     // the copied ones
  std::vector<SeriesId> series_;  // of each of them
  size_t at_ = 0;                 // the first of them that no head showed
};

// The part of one series' rows that lies in the times asked for.
std::span<const uint32_t> InTimes(const Chunk& chunk, SeriesId series, const RowSelection& s) {
  std::span<const uint32_t> rows = chunk.RowsOf(series);
  auto before = [&](uint32_t row, int64_t ts) { return chunk.row(row).ts < ts; };
  auto from = std::lower_bound(rows.begin(), rows.end(), s.start, before);
  auto to = s.end == INT64_MAX ? rows.end() : std::lower_bound(from, rows.end(), s.end, before);
  return {from, to};
}

// The series of the selection, by symbol.
std::vector<SeriesId> SeriesOf(const Chunk& chunk, const SeriesDirectory& directory,
                               const RowSelection& s) {
  std::vector<std::pair<std::string_view, SeriesId>> named;
  for (const std::string& symbol : s.symbols) {
    const SeriesId series = directory.Find(s.table->id, symbol);
    if (series != kNoSeries) named.emplace_back(symbol, series);
  }
  if (s.symbols.empty()) {
    for (SeriesId series : chunk.series()) {
      const SeriesName& name = directory.At(series);
      if (name.table == s.table->id) named.emplace_back(name.symbol, series);
    }
  }
  std::sort(named.begin(), named.end());
  std::vector<SeriesId> ids;
  for (const auto& [symbol, series] : named) ids.push_back(series);
  return ids;
}

}  // namespace

std::unique_ptr<RowSource> MakeChunkSource(std::shared_ptr<const Chunk> chunk,
                                           const SeriesDirectory* directory,
                                           const RowSelection* selection) {
  std::vector<uint32_t> order;
  for (SeriesId series : SeriesOf(*chunk, *directory, *selection)) {
    const std::span<const uint32_t> rows = InTimes(*chunk, series, *selection);
    order.insert(order.end(), rows.begin(), rows.end());
  }
  if (order.empty()) return nullptr;
  // Stable: the rows of one series are in order, and the series were added by symbol.
  auto earlier = [&](uint32_t a, uint32_t b) { return chunk->row(a).ts < chunk->row(b).ts; };
  if (!std::is_sorted(order.begin(), order.end(), earlier)) {
    std::stable_sort(order.begin(), order.end(), earlier);
  }
  if (!selection->ascending()) std::reverse(order.begin(), order.end());
  return std::make_unique<ChunkSource>(std::move(chunk), directory, selection, std::move(order));
}

}  // namespace tapedeck
