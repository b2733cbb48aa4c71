// Counting records: from entries and block headers where they say it, else by decoding.

#include <algorithm>
#include <map>

#include "base/text.h"
#include "codec/series_block.h"
#include "model/keys.h"
#include "query/archive_source.h"
#include "query/range_facts.h"
#include "query/series_cursor.h"
#include "tape/archive_plan.h"

namespace tapedeck {
namespace {

Result<uint64_t> CountByReading(std::shared_ptr<const ReadPoint> point, RecordQuery query) {
  TD_ASSIGN_OR_RETURN(auto cursor, RecordCursor::Open(std::move(point), std::move(query)));
  for (RowRun run;;) {
    TD_RETURN_IF_ERROR(cursor->Next(&run));
    if (run.count == 0) return cursor->rows();
  }
}

// Records of an append table, all of which count. No row of the range is in two places.
class AppendCounter {
 public:
  AppendCounter(const ReadPoint* point, const Table* table, const RecordQuery* query,
                const ArchivePlan* plan)
      : point_(point), table_(table), query_(query), plan_(plan) {}

  Result<uint64_t> Count() {
    CountOpen();
    for (const ManifestRows& part : plan_->parts) {
      // The catalog's entry of a symbol counts rows of pruned days, too.
      if (!part.own || query_->symbols.empty()) TD_RETURN_IF_ERROR(CountPart(part, nullptr));
    }
    if (query_->symbols.empty()) {
      TD_RETURN_IF_ERROR(CountDays(nullptr));
    }
    for (const std::string& symbol : query_->symbols) {
      TD_RETURN_IF_ERROR(CountSymbol(symbol));
    }
    return count_;
  }

 private:
  bool BeforeEnd(int64_t ts) const {
    return ts < query_->end.ns() || query_->end == Timestamp::Max();
  }
  bool Inside(Timestamp first, Timestamp last) const {
    return first >= query_->start && BeforeEnd(last.ns());
  }
  bool Outside(Timestamp first, Timestamp last) const {
    return last < query_->start || !BeforeEnd(first.ns());
  }
  // Whether all times of the day (or month, or year) lie in the range.
  bool HoldsDay(Day day) const {
    return day.start() >= query_->start &&
           (query_->end == Timestamp::Max() || table_->DayOf(query_->end) > day);
  }

  void CountSeries(const Chunk& chunk, SeriesId series) {
    const std::span<const uint32_t> rows = chunk.RowsOf(series);
    auto before = [&](uint32_t row, int64_t ts) { return chunk.row(row).ts < ts; };
    auto from = std::lower_bound(rows.begin(), rows.end(), query_->start.ns(), before);
    auto to = query_->end == Timestamp::Max()
                  ? rows.end()
                  : std::lower_bound(from, rows.end(), query_->end.ns(), before);
    count_ += static_cast<uint64_t>(to - from);
  }

  void CountOpen() {
    const SeriesDirectory& directory = *point_->directory();
    for (const auto& chunk : point_->chunks()) {
      for (const std::string& symbol : query_->symbols) {
        const SeriesId series = directory.Find(table_->id, symbol);
        if (series != kNoSeries) CountSeries(*chunk, series);
      }
      if (!query_->symbols.empty()) continue;
      for (SeriesId series : chunk->series()) {
        if (directory.At(series).table == table_->id) CountSeries(*chunk, series);
      }
    }
  }

  // Rows in the archive: of one symbol, or of those of the query.
  Status CountPart(const ManifestRows& part, const std::string* symbol) {
    if (query_->symbols.empty() && HoldsDay(part.manifest().day)) {
      count_ += part.manifest().rows;
      return Status::Ok();
    }
    RowSelection selection;
    selection.table = table_;
    selection.symbols = query_->symbols;
    if (symbol != nullptr) selection.symbols = {*symbol};
    std::sort(selection.symbols.begin(), selection.symbols.end());
    selection.start = query_->start.ns();
    selection.end = query_->end.ns();
    selection.stop = query_->stop.get();
    TD_ASSIGN_OR_RETURN(const uint64_t rows, CountArchived(*point_, selection, part));
    count_ += rows;
    return Status::Ok();
  }

  Status CountSymbol(const std::string& symbol) {
    if (point_->pinned()) return CountInDays(symbol);
    Result<std::string> stored = point_->view().Get(keys::Catalog(table_->id, symbol));
    if (stored.status().code() == StatusCode::kNotFound) return Status::Ok();
    TD_RETURN_IF_ERROR(stored.status());
    TD_ASSIGN_OR_RETURN(CatalogEntry entry, DecodeCatalog(*stored));
    if (Outside(entry.first_ts, entry.last_ts)) return Status::Ok();
    if (Inside(entry.first_ts, entry.last_ts)) {
      count_ += entry.rows;
      return Status::Ok();
    }
    return CountInDays(symbol);
  }

  Status CountInDays(const std::string& symbol) {
    for (const ManifestRows& part : plan_->parts) {
      if (part.own) TD_RETURN_IF_ERROR(CountPart(part, &symbol));
    }
    return CountDays(&symbol);
  }

  // Of one symbol, or of all.
  Status CountDays(const std::string* symbol) {
    if (query_->stop != nullptr) TD_RETURN_IF_ERROR(query_->stop->Check());
    const Day first = table_->DayOf(query_->start);
    const Day last = table_->DayOf(query_->end);
    TD_ASSIGN_OR_RETURN(const DayRange days, point_->Days(*table_, first, last));
    for (const auto& [key, entry] : days) {
      if (entry.phase == DayPhase::kPruned) continue;  // a part of the plan
      if (symbol == nullptr && HoldsDay(key.day)) {
        count_ += entry.rows;
        continue;
      }
      TD_RETURN_IF_ERROR(CountBlocks(
          symbol == nullptr ? keys::SeriesPrefix(table_->id, key.day, key.generation)
                            : keys::SeriesPrefix(table_->id, key.day, key.generation, *symbol),
          symbol == nullptr ? ScanKind::kLong : ScanKind::kPoint));
    }
    return Status::Ok();
  }

  Status CountBlocks(const std::string& prefix, ScanKind kind) {
    auto scan = point_->view().Scan(prefix, keys::After(prefix), kind);
    for (scan->SeekToFirst(); scan->Valid();) {
      if (query_->stop != nullptr) TD_RETURN_IF_ERROR(query_->stop->Check());
      TD_ASSIGN_OR_RETURN(keys::SeriesKey key, keys::ParseSeries(scan->key()));
      if (!BeforeEnd(key.first_ts.ns())) {
        // So are the other blocks of this series.
        scan->Seek(keys::After(keys::SeriesPrefix(key.table, key.day, key.generation, key.symbol)));
        continue;
      }
      TD_RETURN_IF_ERROR(CountBlock(key, scan->key(), scan->value())
                             .WithContext("series block of " + table_->name + " " +
                                          Quoted(key.symbol) + " " + key.day.ToString()));
      scan->Next();
    }
    return scan->status();
  }

  Status CountBlock(const keys::SeriesKey& key, std::string_view bytes, std::string_view block) {
    TD_ASSIGN_OR_RETURN(SeriesBlockHeader header, ParseSeriesHeader(block));
    if (header.first_ts != key.first_ts) {
      return Status::Corruption("its header names another time");
    }
    if (Inside(header.first_ts, header.last_ts)) {
      count_ += header.rows;
    } else if (!Outside(header.first_ts, header.last_ts)) {
      TD_RETURN_IF_ERROR(DecodeSeriesBlock(bytes, block, {}, &buffers_, &rows_));
      for (int64_t ts : rows_.ts) count_ += ts >= query_->start.ns() && BeforeEnd(ts) ? 1 : 0;
    }
    return Status::Ok();
  }

  const ReadPoint* point_;
  const Table* table_;
  const RecordQuery* query_;
  const ArchivePlan* plan_;
  uint64_t count_ = 0;
  CodecBuffers buffers_;
  Rows rows_;
};

}  // namespace

Result<uint64_t> CountRecords(std::shared_ptr<const ReadPoint> point, const RecordQuery& query) {
  RecordQuery all = query;
  all.columns.emplace();
  all.limit = UINT64_MAX;
  all.order = ReadOrder::kAscending;
  all.after.reset();
  all.pauses = false;
  TD_ASSIGN_OR_RETURN(const Table* table, point->FindTable(query.table));
  const bool plain = !table->upsert() && query.where.empty() && query.topics.empty();
  if (plain) all.limit = 0;  // says only whether the query is a good one
  TD_ASSIGN_OR_RETURN(auto cursor, RecordCursor::Open(point, all));
  if (!plain) {
    for (RowRun run;;) {
      TD_RETURN_IF_ERROR(cursor->Next(&run));
      if (run.count == 0) return cursor->rows();
    }
  }
  if (query.start >= query.end && query.end != Timestamp::Max()) return uint64_t{0};
  TD_ASSIGN_OR_RETURN(ArchivePlan plan,
                      PlanArchive(*point, *table, query.start.ns(), query.end.ns()));
  if (plan.Overlaps()) {
    all.limit = UINT64_MAX;
    return CountByReading(std::move(point), std::move(all));
  }
  return AppendCounter(point.get(), table, &query, &plan).Count();
}

}  // namespace tapedeck
