#include "record/reindex_switch.h"

#include <algorithm>

#include "codec/series_block.h"
#include "query/archive_plan.h"
#include "query/archive_symbols.h"
#include "query/series_cursor.h"

namespace tapedeck {
namespace {

Status ChangedMeanwhile(const std::string& what) {
  return Status::Unavailable(what + " was changed meanwhile: it is looked at again");
}

uint64_t Plus(uint64_t count, int64_t more) {
  const int64_t sum = static_cast<int64_t>(count) + more;
  return sum < 0 ? 0 : static_cast<uint64_t>(sum);
}

// What the store has under a key; nullopt: nothing.
Result<std::optional<std::string>> Stored(const StoreView& view, const std::string& key) {
  Result<std::string> bytes = view.Get(key);
  if (bytes.status().code() == StatusCode::kNotFound) return std::optional<std::string>();
  TD_RETURN_IF_ERROR(bytes.status());
  return std::optional(std::move(bytes).value());
}

}  // namespace

ReindexSwitch::ReindexSwitch(const ReindexStore& parts, const ReindexScope* scope,
                             const ReindexBuilt* built, ReindexJob job,
                             std::shared_ptr<const ReadStop> stop)
    : parts_(parts), scope_(scope), built_(built), job_(std::move(job)), stop_(std::move(stop)) {
  for (const keys::DayKey& key : job_.days) planned_[{key.table, key.day}] = key;
}

Status ReindexSwitch::Prepare() {
  TD_RETURN_IF_ERROR(FindReplaced());
  TD_RETURN_IF_ERROR(CountReplaced());
  TD_RETURN_IF_ERROR(PrepareCatalog());
  for (const auto& [tp, blocks] : built_->blocks) TD_RETURN_IF_ERROR(PrepareTape(tp, blocks));
  for (const auto& [tp, changes] : built_->archived) {
    for (const RefusalChange& change : changes) refusals_.push_back({tp, &change});
  }
  for (const auto& [tp, refused] : built_->archived_refused) counts_[tp].refused += refused;
  return Status::Ok();
}

// The generations that count now and lie below the one that was built.
Status ReindexSwitch::FindReplaced() {
  std::vector<std::pair<keys::DayKey, DayEntry>> days;
  for (const auto& [key, entry] : scope_->point().state().days) {
    const auto planned = planned_.find({key.table, key.day});
    if (planned != planned_.end() && key.generation < planned->second.generation) {
      replaced_.emplace_back(key, entry);
    } else {
      days.emplace_back(key, entry);
    }
  }
  for (const auto& [key, built] : built_->days) {
    DayEntry entry = built;
    entry.phase = DayPhase::kClosing;
    days.emplace_back(key, std::move(entry));
  }
  after_ = ReadPoint::AsStored(scope_->shared_point(), std::move(days));
  return Status::Ok();
}

Status ReindexSwitch::CountReplaced() {
  std::set<std::string> manifests;  // several generations of an upsert table are in one
  for (const auto& [key, entry] : replaced_) {
    job_.result.replaced += entry.rows;
    if (entry.phase == DayPhase::kPruned && !manifests.insert(entry.manifest).second) continue;
    TD_RETURN_IF_ERROR(entry.phase == DayPhase::kPruned ? CountArchived(key, entry)
                                                        : CountStored(key));
  }
  return Status::Ok();
}

Status ReindexSwitch::CountStored(const keys::DayKey& day) {
  const std::string prefix = keys::SeriesPrefix(day.table, day.day, day.generation);
  auto cursor = scope_->point().view().Scan(prefix, keys::After(prefix), ScanKind::kLong);
  for (cursor->SeekToFirst(); cursor->Valid(); cursor->Next()) {
    TD_RETURN_IF_ERROR(stop_->Check());
    TD_ASSIGN_OR_RETURN(keys::SeriesKey key, keys::ParseSeries(cursor->key()));
    TD_ASSIGN_OR_RETURN(const SeriesBlockHeader header, ParseSeriesHeader(cursor->value()));
    gone_rows_[{key.table, std::move(key.symbol)}] += header.rows;
  }
  return cursor->status();
}

Status ReindexSwitch::CountArchived(const keys::DayKey& day, const DayEntry& entry) {
  const Table* table = scope_->point().state().tables.Find(day.table);
  auto add = [&](const std::string& symbol, const CatalogEntry& part) {
    gone_rows_[{day.table, symbol}] += part.rows;
    return Status::Ok();
  };
  return VisitManifestSeries(scope_->point(), *table, entry.manifest, day.day, stop_.get(), add);
}

bool ReindexSwitch::IsRebuilt(const Table& table, Timestamp ts) const {
  return planned_.contains({table.id, table.DayOf(ts)});
}

// Whether nothing but what was built has rows of that day.
bool ReindexSwitch::IsAlone(const Table& table, Timestamp ts) const {
  const Day day = table.DayOf(ts);
  return std::ranges::count_if(after_->state().days, [&](const auto& one) {
           return one.first.table == table.id && one.first.day == day;
         }) == 1;
}

Status ReindexSwitch::PrepareCatalog() {
  std::map<Series, uint64_t> affected = gone_rows_;
  for (const auto& [series, entry] : built_->catalog) affected.try_emplace(series);
  for (const auto& [series, gone] : affected) {
    TD_RETURN_IF_ERROR(stop_->Check());
    TD_RETURN_IF_ERROR(PrepareSeries(series, gone));
  }
  return Status::Ok();
}

Status ReindexSwitch::PrepareSeries(const Series& series, uint64_t gone) {
  const Table& table = *scope_->point().state().tables.Find(series.first);
  Change change;
  TD_ASSIGN_OR_RETURN(change.before,
                      Stored(scope_->point().view(), keys::Catalog(series.first, series.second)));
  std::optional<CatalogEntry> was;
  if (change.before) {
    TD_ASSIGN_OR_RETURN(was, DecodeCatalog(*change.before));
  }
  const auto found = built_->catalog.find(series);
  const CatalogEntry* built = found == built_->catalog.end() ? nullptr : &found->second;
  CatalogEntry now = was.value_or(built == nullptr ? CatalogEntry{} : *built);
  now.rows =
      (was && was->rows > gone ? was->rows - gone : 0) + (built == nullptr ? 0 : built->rows);
  if (was && IsRebuilt(table, was->first_ts)) {
    TD_ASSIGN_OR_RETURN(const auto first, EdgeOf(series, ReadOrder::kAscending));
    if (first) now.first_ts = *first;
    if (!first) now.rows = 0;
  } else if (was && built != nullptr) {
    now.first_ts = std::min(now.first_ts, built->first_ts);
  }
  if (was && now.rows > 0 && IsRebuilt(table, was->last_ts)) {
    TD_ASSIGN_OR_RETURN(const auto last, EdgeOf(series, ReadOrder::kDescending));
    now.last_ts = last.value_or(now.last_ts);
    const bool ours =
        built != nullptr && built->last_ts == now.last_ts && IsAlone(table, now.last_ts);
    now.last = ours ? built->last : "";  // "": readers find it
  } else if (was && built != nullptr && built->last_ts > was->last_ts) {
    now.last_ts = built->last_ts;
    now.last = built->last;
  }
  if (now.rows > 0) change.after = std::move(now);
  catalog_[series] = std::move(change);
  return Status::Ok();
}

// The first or last time of the series in the store as it will be.
Result<std::optional<Timestamp>> ReindexSwitch::EdgeOf(const Series& series, ReadOrder order) {
  RecordQuery query;
  query.table = scope_->point().state().tables.Find(series.first)->name;
  query.symbols = {series.second};
  query.order = order;
  query.columns.emplace();
  query.limit = 1;
  query.stop = stop_;
  TD_ASSIGN_OR_RETURN(auto cursor, RecordCursor::Open(after_, std::move(query)));
  RowRun run;
  TD_RETURN_IF_ERROR(cursor->Next(&run));
  if (run.count == 0) return std::optional<Timestamp>();
  return std::optional(Timestamp(run.rows->ts[run.RowAt(0)]));
}

// The entries that are there now: blocks may have been joined since they were decoded. One that is
// there no more has left the store, and its refusals with it.
Status ReindexSwitch::PrepareTape(TpId tp, const std::vector<BlockChange>& blocks) {
  auto cursor = scope_->point().view().Scan(
      keys::TapeIndex(tp, blocks.front().index.first_offset),
      keys::TapeIndex(tp, blocks.back().index.last_offset + 1), ScanKind::kPoint);
  size_t next = 0;
  for (cursor->SeekToFirst(); cursor->Valid(); cursor->Next()) {
    TD_ASSIGN_OR_RETURN(const TapeIndexEntry is, DecodeTapeIndex(cursor->value()));
    while (next < blocks.size() && blocks[next].index.last_offset < is.first_offset) ++next;
    std::optional<TapeIndexEntry> joined;
    CountChange counts;
    const size_t from = next;
    for (; next < blocks.size() && blocks[next].index.last_offset <= is.last_offset; ++next) {
      joined = joined ? JoinTapeIndex(*joined, blocks[next].index) : blocks[next].index;
      counts += blocks[next].counts;
    }
    // A block that reaches into days beyond the planned ones was left as it is.
    if (!joined) continue;
    if (joined->first_offset != is.first_offset || joined->last_offset != is.last_offset)
      return ChangedMeanwhile("a block of the tape");
    joined->kafka_running_max_ms = is.kafka_running_max_ms;
    for (size_t i = from; i < next; ++i) {
      for (const RefusalChange& change : blocks[i].refusals) refusals_.push_back({tp, &change});
    }
    counts_[tp] += counts;
    index_.push_back({tp, std::string(cursor->value()), std::move(*joined)});
  }
  return cursor->status();
}

Result<ReindexJob> ReindexSwitch::Write() {
  ReindexJob done = job_;
  const Status written = parts_.queue->WriteQuiet([&](StoreBatch* batch) -> Status {
    const std::unique_ptr<StoreView> view = parts_.store->View();
    TD_ASSIGN_OR_RETURN(const std::string bytes, view->Get(keys::Job(job_.id)));
    TD_ASSIGN_OR_RETURN(const ReindexJob stored, DecodeReindexJob(job_.id, bytes));
    if (stored.over()) return Status::Cancelled("the job was cancelled");
    TD_ASSIGN_OR_RETURN(const StoreState now, view->LoadState());
    const uint64_t number = now.flush + 1;
    TD_RETURN_IF_ERROR(AddDays(now, number, batch));
    TD_RETURN_IF_ERROR(AddCatalog(*view, batch));
    TD_RETURN_IF_ERROR(AddTapes(*view, now, batch));
    for (const ReindexScope::Tape& tape : scope_->tapes()) {
      if (tape.spec != nullptr) batch->PutMapping(tape.spec->hash(), tape.spec->canonical());
    }
    batch->PutFlushNumber(number, now.flushed_commit);
    done.state = ReindexState::kDone;
    done.ended = parts_.time->Now();
    done.result.messages = built_->messages;
    done.result.records = built_->records;
    done.result.refused = built_->refusals;
    done.days.clear();
    done.ends.clear();
    batch->PutJob(done.id, EncodeReindexJob(done));
    return Status::Ok();
  });
  TD_RETURN_IF_ERROR(written);
  return done;
}

Status ReindexSwitch::AddDays(const StoreState& now, uint64_t number, StoreBatch* batch) {
  const Timestamp at = parts_.time->Now();
  std::set<keys::DayKey> expected;
  for (const auto& [key, entry] : replaced_) expected.insert(key);
  std::map<ReindexDay, bool> any;  // whether something is replaced
  for (const auto& [key, stored] : now.days) {
    const auto planned = planned_.find({key.table, key.day});
    if (planned == planned_.end() || key.generation >= planned->second.generation) continue;
    if (!stored.counts()) continue;
    if (expected.erase(key) == 0) return ChangedMeanwhile("a day");
    DayEntry entry = stored;
    entry.replaced = number;
    entry.replaced_at = at;
    batch->PutDay(key, entry);
    any[planned->first] = true;
  }
  if (!expected.empty()) return ChangedMeanwhile("a day");
  for (const auto& [key, built] : built_->days) {
    const auto stored = std::ranges::find(now.days, key, [](const auto& day) { return day.first; });
    if (stored == now.days.end() || !stored->second.building)
      return Status::FailedPrecondition("a day that is built has no entry");
    if (built.rows == 0 && !any.contains({key.table, key.day})) {
      batch->DeleteDay(key);
      continue;
    }
    DayEntry entry = built;
    entry.phase = DayPhase::kClosing;
    entry.vector = stored->second.vector;
    entry.since = at;
    entry.rebuilt = true;
    entry.closed = number;
    batch->PutDay(key, entry);
  }
  return Status::Ok();
}

Status ReindexSwitch::AddCatalog(const StoreView& view, StoreBatch* batch) const {
  for (const auto& [series, change] : catalog_) {
    TD_ASSIGN_OR_RETURN(const auto now, Stored(view, keys::Catalog(series.first, series.second)));
    if (now != change.before) return ChangedMeanwhile("a catalog entry");
    if (change.after) {
      batch->PutCatalog(series.first, series.second, *change.after);
    } else if (now) {
      batch->DeleteCatalog(series.first, series.second);
    }
  }
  return Status::Ok();
}

Status ReindexSwitch::AddTapes(const StoreView& view, const StoreState& now,
                               StoreBatch* batch) const {
  for (const IndexChange& change : index_) {
    const std::string key = keys::TapeIndex(change.tp, change.after.first_offset);
    TD_ASSIGN_OR_RETURN(const auto stored, Stored(view, key));
    if (stored != change.before) return ChangedMeanwhile("a block of a tape");
    batch->PutTapeIndex(change.tp, change.after.first_offset, change.after);
  }
  for (const Refusal& refusal : refusals_) {
    if (refusal.change->second) {
      batch->PutRefusal(refusal.tp, refusal.change->first, *refusal.change->second);
    } else {
      batch->DeleteRefusal(refusal.tp, refusal.change->first);
    }
  }
  for (const auto& [tp, stored] : now.checkpoints) {
    const auto found = counts_.find(tp);
    if (found == counts_.end()) continue;
    Checkpoint checkpoint = stored;
    checkpoint.records = Plus(checkpoint.records, found->second.records);
    checkpoint.refused = Plus(checkpoint.refused, found->second.refused);
    checkpoint.skipped = Plus(checkpoint.skipped, found->second.skipped);
    batch->PutCheckpoint(tp, checkpoint);
  }
  return Status::Ok();
}

}  // namespace tapedeck
