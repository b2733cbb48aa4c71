#include "record/flush_builder.h"

#include <algorithm>
#include <array>
#include <tuple>

#include "base/check.h"
#include "base/limits.h"
#include "codec/series_block.h"
#include "model/run_sort.h"

namespace tapedeck {
namespace {

// Where the last generation before `day` that covers the tape ends.
int64_t EndBefore(const TapeBook& book, keys::DayKey day, TpId tp) {
  while (day.generation > 0) {
    --day.generation;
    const DayEntry before = book.DayOf(day);
    auto range = std::ranges::find(before.vector, tp, &DayEntry::Range::tp);
    if (range != before.vector.end()) return range->to;
  }
  return book.checkpoint(tp).start;
}

// Brings the tape's range in the entry up to the book's checkpoint. Ranges are in order of tapes.
void Cover(const TapeBook& book, const keys::DayKey& day, TpId tp, DayEntry* entry) {
  auto range = std::ranges::lower_bound(entry->vector, tp, {}, &DayEntry::Range::tp);
  if (range == entry->vector.end() || range->tp != tp)
    range = entry->vector.insert(range, {tp, EndBefore(book, day, tp), 0});
  range->to = book.checkpoint(tp).next;
}

}  // namespace

FlushBuilder::FlushBuilder(const SeriesDirectory* directory, const Store* store, Kind kind)
    : directory_(directory), store_(store), kind_(kind) {}

Status FlushBuilder::Build(const OpenRows::List& chunks, const TapeBook& book,
                           const CloseOrder& close, Timestamp now, StoreBatch* batch,
                           Result* result) {
  pending_.clear();
  now_ = now;
  LearnTapes(book);
  // (series, chunk) pairs, so that each series meets only the chunks that hold it.
  std::vector<std::pair<SeriesId, uint32_t>> places;
  for (uint32_t c = 0; c < chunks.size(); ++c) {
    for (SeriesId series : chunks[c]->series()) places.emplace_back(series, c);
  }
  std::sort(places.begin(), places.end());
  for (size_t i = 0; i < places.size();) {
    const SeriesId series = places[i].first;
    refs_.clear();
    for (; i < places.size() && places[i].first == series; ++i) {
      const Chunk* chunk = chunks[places[i].second].get();
      for (uint32_t row : chunk->RowsOf(series)) {
        const ChunkRow& r = chunk->row(row);
        refs_.push_back({r.ts, chunk, book.ranks()[r.tp], row});
      }
    }
    SortRefs();
    TD_RETURN_IF_ERROR(BuildSeries(series, book, batch, result));
  }
  Close(book, close, result);
  if (kind_ == Kind::kBlocks) return Status::Ok();
  for (const auto& [key, entry] : result->days) batch->PutDay(key, entry);
  return Status::Ok();
}

// Each chunk's part is in order; mostly the whole is, too.
void FlushBuilder::SortRefs() {
  RunSort(std::span(refs_), &scratch_, [](const RowRef& a, const RowRef& b) {
    if (a.ts != b.ts) return a.ts < b.ts;
    if (a.rank != b.rank) return a.rank < b.rank;
    const ChunkRow& x = a.chunk->row(a.row);
    const ChunkRow& y = b.chunk->row(b.row);
    return std::tie(x.offset, x.index) < std::tie(y.offset, y.index);
  });
}

Status FlushBuilder::BuildSeries(SeriesId series, const TapeBook& book, StoreBatch* batch,
                                 Result* result) {
  const SeriesName& name = directory_->At(series);
  const Table* table = book.tables.Find(name.table);
  TD_CHECK(table != nullptr, "rows have a table of the registry");
  for (size_t from = 0; from < refs_.size();) {
    const Day day = table->DayOf(Timestamp(refs_[from].ts));
    size_t to = from + 1;
    while (to < refs_.size() && table->DayOf(Timestamp(refs_[to].ts)) == day) ++to;
    TD_RETURN_IF_ERROR(BuildDay(*table, name, book,
                                {table->id, day, book.OpenGeneration(table->id, day)}, from, to,
                                batch, result));
    from = to;
  }
  return UpdateCatalog(series, *table, name, book, batch);
}

Status FlushBuilder::BuildDay(const Table& table, const SeriesName& name, const TapeBook& book,
                              const keys::DayKey& day, size_t from, size_t to, StoreBatch* batch,
                              Result* result) {
  DayEntry& entry = result->days.try_emplace(day, book.DayOf(day)).first->second;
  RecordHasher hasher(table);
  const Hash128 series_hash = SeriesHash(table.name, name.symbol);
  keys::SeriesKey key{.table = table.id,
                      .day = day.day,
                      .generation = day.generation,
                      .symbol = name.symbol,
                      .flush = book.flush + 1};
  FillRows(table, from, to);
  entry.digest += hasher.DigestOf(series_hash, tape_hashes_, rows_);
  entry.rows += rows_.size();
  if (entry.first_at == Timestamp()) entry.first_at = now_;
  entry.last_at = now_;
  NoteTapes(book, day, &entry);
  result->rows += rows_.size();
  for (size_t at = 0; at < rows_.size();) {
    const size_t count = SeriesRowsThatFit(rows_, at, limits::kSeriesBlockRows);
    key.first_ts = Timestamp(rows_.ts[at]);
    TD_RETURN_IF_ERROR(EncodeSeriesBlock(keys::Series(key), rows_, table.columns, at, count,
                                         Effort::kLive, &buffers_, &block_));
    batch->PutSeriesBlock(key, block_);
    result->blocks.push_back({key, count});
    result->block_bytes += block_.size();
    ++key.block;
    at += count;
  }
  return Status::Ok();
}

void FlushBuilder::FillRows(const Table& table, size_t from, size_t to) {
  // Values lie by rows: so many rows stay in the cache while they are taken column by column.
  constexpr size_t kTile = 256;
  rows_.Clear();
  rows_.columns.resize(table.columns.size());
  for (size_t c = 0; c < table.columns.size(); ++c) rows_.columns[c].type = table.columns[c].type;
  std::array<std::span<const Value>, kTile> values;
  for (; from < to; from += std::min(kTile, to - from)) {
    const size_t count = std::min(kTile, to - from);
    for (size_t i = 0; i < count; ++i) {
      const RowRef& ref = refs_[from + i];
      const ChunkRow& row = ref.chunk->row(ref.row);
      rows_.ts.push_back(row.ts);
      rows_.ts_kafka.push_back(row.ts_kafka);
      rows_.tp.push_back(Raw(row.tp));
      rows_.offset.push_back(row.offset);
      rows_.index.push_back(row.index);
      values[i] = ref.chunk->values(ref.row);
    }
    for (size_t c = 0; c < rows_.columns.size(); ++c) {
      rows_.columns[c].AppendAll(
          count, [&](size_t i) { return c < values[i].size() ? &values[i][c] : nullptr; });
    }
  }
}

// Which tapes have rows in the generation. Each range begins where an earlier generation of the day
// ended, and ends at the watermark that this flush brings.
void FlushBuilder::NoteTapes(const TapeBook& book, const keys::DayKey& day, DayEntry* entry) {
  has_rows_.assign(tape_hashes_.size(), 0);
  for (const uint32_t tp : rows_.tp) has_rows_[tp] = 1;
  for (uint32_t tp = 0; tp < has_rows_.size(); ++tp) {
    if (has_rows_[tp] != 0) Cover(book, day, TpId{tp}, entry);
  }
  if (healed_) CoverHealed(entry);
}

// Rows that were healed below the tape's range, where an earlier generation reached over them.
void FlushBuilder::CoverHealed(DayEntry* entry) const {
  auto range = std::ranges::lower_bound(entry->vector, healed_->tp, {}, &DayEntry::Range::tp);
  if (range == entry->vector.end() || range->tp != healed_->tp) return;
  DayEntry::Range below{healed_->tp, healed_->from, std::min(healed_->to, range->from)};
  bool any = false;
  for (size_t row = 0; row < rows_.size() && !any; ++row) {
    any = TpId{rows_.tp[row]} == below.tp && rows_.offset[row] >= below.from &&
          rows_.offset[row] < below.to;
  }
  if (!any) return;
  for (auto other = ++range; other != entry->vector.end() && other->tp == below.tp;) {
    if (other->to < below.from || below.to < other->from) {
      ++other;
      continue;
    }
    below.from = std::min(below.from, other->from);
    below.to = std::max(below.to, other->to);
    other = entry->vector.erase(other);
    range = other;
  }
  range = std::ranges::lower_bound(entry->vector, below.tp, {}, &DayEntry::Range::tp) + 1;
  entry->vector.insert(range, below);
}

void FlushBuilder::Close(const TapeBook& book, const CloseOrder& order, Result* result) {
  for (const auto& [table, day] : order.days) {
    const keys::DayKey key = {table, day, book.OpenGeneration(table, day)};
    DayEntry entry = result->days.contains(key) ? result->days[key] : book.DayOf(key);
    if (entry.rows == 0) continue;  // nothing to close: rows to come find it open
    const DayEntry::Range* before = nullptr;
    for (DayEntry::Range& range : entry.vector) {  // what was healed stays as it is
      if (before == nullptr || before->tp != range.tp) range.to = book.checkpoint(range.tp).next;
      before = &range;
    }
    if (auto feeding = order.feeding.find(table); feeding != order.feeding.end()) {
      for (TpId tp : feeding->second) Cover(book, key, tp, &entry);
    }
    entry.phase = DayPhase::kClosing;
    entry.since = now_;
    entry.closed = book.flush + 1;
    result->days[key] = std::move(entry);
    result->closed.push_back(key);
  }
}

// A tape's name never changes, so neither does its hash.
void FlushBuilder::LearnTapes(const TapeBook& book) {
  for (const auto& [tp, tape] : book.tapes()) {
    if (Raw(tp) >= tape_hashes_.size()) tape_hashes_.resize(Raw(tp) + 1);
    if (tape_hashes_[Raw(tp)] == Hash128()) tape_hashes_[Raw(tp)] = TapeHash(tape);
  }
}

RecordView FlushBuilder::RowAt(const RowRef& ref, const Table& table) const {
  const ChunkRow& row = ref.chunk->row(ref.row);
  return {.table = table.id,
          .ts = Timestamp(row.ts),
          .ts_kafka = Timestamp(row.ts_kafka),
          .origin = {row.tp, row.offset, row.index},
          .values = ref.chunk->values(ref.row)};
}

// Of the rows in hand. They are in the order of append tables; an upsert table's last time may have
// several.
RecordView FlushBuilder::NewestRow(const RecordOrder& order, const Table& table) const {
  RecordView newest = RowAt(refs_.back(), table);
  if (!table.upsert()) return newest;
  for (size_t i = refs_.size() - 1; i > 0 && refs_[i - 1].ts == refs_.back().ts; --i) {
    const RecordView row = RowAt(refs_[i - 1], table);
    if (order.Before(newest, row)) newest = row;
  }
  return newest;
}

// The catalog holds absolute values: what is stored, widened by the rows in hand.
Status FlushBuilder::UpdateCatalog(SeriesId series, const Table& table, const SeriesName& name,
                                   const TapeBook& book, StoreBatch* batch) {
  auto known = catalog_.find(series);
  if (known == catalog_.end()) {
    CatalogEntry entry;
    tapedeck::Result<std::string> stored = Status::NotFound("");
    if (kind_ == Kind::kFlush) stored = store_->View()->Get(keys::Catalog(name.table, name.symbol));
    if (stored.ok()) {
      TD_ASSIGN_OR_RETURN(entry, DecodeCatalog(*stored));
    } else if (stored.status().code() != StatusCode::kNotFound) {
      return stored.status();
    }
    known = catalog_.emplace(series, entry).first;
  }
  CatalogEntry entry = known->second;
  const RecordOrder order(&table, &book.ranks());
  TD_RETURN_IF_ERROR(WidenCatalog(order, Timestamp(refs_.front().ts), refs_.size(),
                                  NewestRow(order, table), &entry)
                         .WithContext("catalog entry of " + table.name));
  pending_[series] = entry;
  if (kind_ == Kind::kFlush) batch->PutCatalog(name.table, name.symbol, entry);
  return Status::Ok();
}

void FlushBuilder::Accept() {
  for (auto& [series, entry] : pending_) catalog_[series] = entry;
  pending_.clear();
}

}  // namespace tapedeck
