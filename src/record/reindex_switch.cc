#include "record/reindex_switch.h"

#include <algorithm>
#include <utility>

#include "archive/name_owner.h"
#include "codec/series_block.h"
#include "query/archive_symbols.h"
#include "query/series_cursor.h"
#include "tape/archive_plan.h"
#include "tape/tape_blocks.h"

namespace tapedeck {
namespace {

Status ChangedMeanwhile(const std::string& what) {
  return Status::Unavailable(what + " was changed meanwhile: it is looked at again");
}

uint64_t Plus(uint64_t count, int64_t more) {
  const int64_t sum = static_cast<int64_t>(count) + more;
  return sum < 0 ? 0 : static_cast<uint64_t>(sum);
}

Status DoesNotFit(TpId tp, int64_t offset) {
  return Status::Cancelled("a block of tape " + std::to_string(Raw(tp)) + " at offset " +
                           std::to_string(offset) +
                           " was cut or joined meanwhile: its days are built again");
}

// What the catalog has of a series; nullopt: nothing.
Result<std::optional<CatalogEntry>> StoredCatalog(const StoreView& view, TableId table,
                                                  const std::string& symbol) {
  Result<std::string> bytes = view.Get(keys::Catalog(table, symbol));
  if (bytes.status().code() == StatusCode::kNotFound) return std::optional<CatalogEntry>();
  TD_RETURN_IF_ERROR(bytes.status());
  TD_ASSIGN_OR_RETURN(CatalogEntry entry, DecodeCatalog(*bytes));
  return std::optional(std::move(entry));
}

}  // namespace

Status CheckReplaceable(const Table& table, const keys::DayKey& day, const DayEntry& entry,
                        const std::string& store_id) {
  if (entry.phase < DayPhase::kShipped || entry.replaced != 0) return Status::Ok();
  if (!IsOfAnotherStore(entry.manifest, store_id)) return Status::Ok();
  return Status::FailedPrecondition(
      table.name + " of " + day.day.ToString() +
      " was shipped under an earlier id of this store: " + entry.manifest + " cannot be replaced");
}

ReindexSwitch::ReindexSwitch(const ReindexStore& parts, std::unique_ptr<const ReindexScope> scope,
                             const ReindexBuilt* built, ReindexJob job,
                             std::shared_ptr<const ReadStop> stop)
    : parts_(parts),
      scope_(std::move(scope)),
      built_(built),
      job_(std::move(job)),
      stop_(std::move(stop)) {
  for (const keys::DayKey& key : job_.days) planned_[{key.table, key.day}] = key;
}

Status ReindexSwitch::Prepare() {
  TD_RETURN_IF_ERROR(FindReplaced());
  TD_RETURN_IF_ERROR(CountReplaced());
  TD_RETURN_IF_ERROR(CountKept());
  TD_RETURN_IF_ERROR(PrepareCatalog());
  for (const auto& [tp, blocks] : built_->blocks) TD_RETURN_IF_ERROR(PrepareTape(tp, blocks));
  for (const auto& [tp, changes] : built_->archived) {
    for (const RefusalChange& change : changes) refusals_.push_back({tp, &change});
  }
  for (const auto& [tp, refused] : built_->archived_refused) counts_[tp].refused += refused;
  for (const ReindexScope::Tape& tape : scope_->tapes()) {
    if (tape.spec != nullptr) in_force_.push_back(tape.spec);
  }
  after_.reset();
  scope_.reset();
  return Status::Ok();
}

// The generations that count now and lie below the one that was built.
Status ReindexSwitch::FindReplaced() {
  TD_ASSIGN_OR_RETURN(const DayRange known, scope_->point().AllDays());
  DayList days;
  for (const auto& [key, entry] : known) {
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
  for (const auto& [key, entry] : replaced_) {
    job_.result.replaced += entry.rows;
    const Table& table = *scope_->point().state().tables.Find(key.table);
    if (table.upsert() && entry.phase == DayPhase::kPruned) recounted_.insert(key.table);
  }
  return CountAll(replaced_, &gone_rows_);
}

// Of an upsert table the archive has fewer copies than the catalog has counted. What those were is
// not known any more: the series are counted from what is left.
Status ReindexSwitch::CountKept() {
  if (recounted_.empty()) return Status::Ok();
  Days kept;
  TD_ASSIGN_OR_RETURN(const DayRange days, after_->AllDays());
  for (const auto& one : days) {
    if (recounted_.contains(one.first.table) && !built_->days.contains(one.first))
      kept.push_back(one);
  }
  return CountAll(kept, &kept_rows_);
}

// A day that lost rows has more of them in its entry, and so in the catalog, than in its blocks: no
// difference of counts mends that, so its table's series are counted from what is left, too.
Status ReindexSwitch::CountAll(const Days& days, Counts* counts) {
  std::set<std::string> manifests;  // several generations of an upsert table are in one
  for (const auto& [key, entry] : days) {
    if (entry.phase == DayPhase::kPruned && !manifests.insert(entry.manifest).second) continue;
    if (entry.phase == DayPhase::kPruned) {
      TD_RETURN_IF_ERROR(CountArchived(key, entry, counts));
      continue;
    }
    TD_ASSIGN_OR_RETURN(const uint64_t rows, CountStored(key, counts));
    if (rows != entry.rows) recounted_.insert(key.table);
  }
  return Status::Ok();
}

Result<uint64_t> ReindexSwitch::CountStored(const keys::DayKey& day, Counts* counts) const {
  uint64_t rows = 0;
  const std::string prefix = keys::SeriesPrefix(day.table, day.day, day.generation);
  auto cursor = scope_->point().view().Scan(prefix, keys::After(prefix), ScanKind::kLong);
  for (cursor->SeekToFirst(); cursor->Valid(); cursor->Next()) {
    TD_RETURN_IF_ERROR(stop_->Check());
    TD_ASSIGN_OR_RETURN(keys::SeriesKey key, keys::ParseSeries(cursor->key()));
    TD_ASSIGN_OR_RETURN(const SeriesBlockHeader header, ParseSeriesHeader(cursor->value()));
    (*counts)[{key.table, std::move(key.symbol)}] += header.rows;
    rows += header.rows;
  }
  TD_RETURN_IF_ERROR(cursor->status());
  return rows;
}

Status ReindexSwitch::CountArchived(const keys::DayKey& day, const DayEntry& entry,
                                    Counts* counts) const {
  const Table* table = scope_->point().state().tables.Find(day.table);
  auto add = [&](const std::string& symbol, const CatalogEntry& part) {
    (*counts)[{day.table, symbol}] += part.rows;
    return Status::Ok();
  };
  return VisitManifestSeries(scope_->point(), *table, entry.manifest, day.day, stop_.get(), add);
}

bool ReindexSwitch::IsRebuilt(const Table& table, Timestamp ts) const {
  return planned_.contains({table.id, table.DayOf(ts)});
}

// Whether nothing but what was built has rows of that day.
Result<bool> ReindexSwitch::IsAlone(const Table& table, Timestamp ts) const {
  const Day day = table.DayOf(ts);
  TD_ASSIGN_OR_RETURN(const DayRange days, after_->Days(table, day, day));
  return days.size() == 1;
}

Status ReindexSwitch::PrepareCatalog() {
  Counts affected = gone_rows_;
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
                      StoredCatalog(scope_->point().view(), series.first, series.second));
  const std::optional<CatalogEntry>& was = change.before;
  const auto found = built_->catalog.find(series);
  const CatalogEntry* built = found == built_->catalog.end() ? nullptr : &found->second;
  CatalogEntry now = was.value_or(built == nullptr ? CatalogEntry{} : *built);
  now.rows = was && was->rows > gone ? was->rows - gone : 0;
  if (recounted_.contains(series.first)) {
    const auto kept = kept_rows_.find(series);
    now.rows = kept == kept_rows_.end() ? 0 : kept->second;
  }
  now.rows += built == nullptr ? 0 : built->rows;
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
    TD_ASSIGN_OR_RETURN(const bool alone, IsAlone(table, now.last_ts));
    const bool ours = built != nullptr && built->last_ts == now.last_ts && alone;
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
// there no more has left the store, and its refusals with it. Of one that reaches into days beyond
// the planned ones, and was left as it is, there is no change.
Status ReindexSwitch::PrepareTape(TpId tp, const std::vector<BlockChange>& blocks) {
  TapeBlocks entries(&scope_->point().view(), tp, "tape " + std::to_string(Raw(tp)),
                     ScanKind::kPoint);
  size_t next = 0;
  TD_RETURN_IF_ERROR(entries.Seek(blocks.front().index.first_offset));
  for (; entries.Valid() && next < blocks.size();) {
    const TapeIndexEntry& is = entries.index();
    while (next < blocks.size() && blocks[next].index.last_offset < is.first_offset) ++next;
    std::optional<TapeIndexEntry> joined;
    const size_t from = next;
    for (; next < blocks.size() && blocks[next].index.first_offset <= is.last_offset; ++next) {
      joined = joined ? JoinTapeIndex(*joined, blocks[next].index) : blocks[next].index;
      counts_[tp] += blocks[next].counts;
      for (const RefusalChange& change : blocks[next].refusals) refusals_.push_back({tp, &change});
    }
    if (from < next) {
      if (joined->first_offset != is.first_offset || joined->last_offset != is.last_offset)
        return DoesNotFit(tp, is.first_offset);
      if (joined->count != is.count || joined->raw_bytes != is.raw_bytes) {
        return Status::Internal("the index entry made for " + entries.Where() +
                                " does not count what the block holds");
      }
      index_.push_back({tp, is, std::move(*joined)});
    }
    TD_RETURN_IF_ERROR(entries.Next());
  }
  return Status::Ok();
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
    for (const MappingSpec* spec : in_force_) batch->PutMapping(spec->hash(), spec->canonical());
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
    TD_RETURN_IF_ERROR(
        CheckReplaceable(*now.tables.Find(key.table), key, stored, parts_.store->meta().store_id));
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
    TD_ASSIGN_OR_RETURN(const auto now, StoredCatalog(view, series.first, series.second));
    TD_ASSIGN_OR_RETURN(const auto after, WithNewRows(change, now));
    if (after) {
      batch->PutCatalog(series.first, series.second, *after);
    } else if (now) {
      batch->DeleteCatalog(series.first, series.second);
    }
  }
  return Status::Ok();
}

// What was prepared, and what flushes have brought since: those only add. Where an end of the
// series has moved inward, nothing tells whether what was added lies beyond it.
Result<std::optional<CatalogEntry>> ReindexSwitch::WithNewRows(
    const Change& change, const std::optional<CatalogEntry>& now) {
  const std::optional<CatalogEntry>& was = change.before;
  if (now == was || (now && was && now->rows == was->rows && now->first_ts == was->first_ts &&
                     now->last_ts == was->last_ts)) {
    return change.after;
  }
  if (!now || !was || !change.after || now->rows < was->rows)
    return ChangedMeanwhile("a catalog entry");
  CatalogEntry sum = *change.after;
  sum.rows += now->rows - was->rows;
  if (now->first_ts < was->first_ts) {
    sum.first_ts = std::min(sum.first_ts, now->first_ts);
  } else if (sum.first_ts > was->first_ts) {
    return ChangedMeanwhile("the first record of a series");
  }
  if (now->last_ts > was->last_ts) {
    if (now->last_ts > sum.last_ts) sum.last = now->last;
    if (now->last_ts == sum.last_ts) sum.last.clear();  // readers find it
    sum.last_ts = std::max(sum.last_ts, now->last_ts);
  } else if (sum.last_ts < was->last_ts) {
    return ChangedMeanwhile("the last record of a series");
  } else if (now->last != was->last) {
    sum.last.clear();
  }
  return std::optional(std::move(sum));
}

Status ReindexSwitch::AddTapes(const StoreView& view, const StoreState& now,
                               StoreBatch* batch) const {
  for (const IndexChange& change : index_) {
    const Result<std::string> bytes =
        view.Get(keys::TapeIndex(change.tp, change.after.first_offset));
    if (bytes.status().code() == StatusCode::kNotFound)
      return ChangedMeanwhile("a block of a tape");
    TD_RETURN_IF_ERROR(bytes.status());
    TD_ASSIGN_OR_RETURN(TapeIndexEntry stored, DecodeTapeIndex(*bytes));
    TapeIndexEntry after = change.after;  // what was healed before it may have raised that
    after.kafka_running_max_ms =
        std::exchange(stored.kafka_running_max_ms, change.before.kafka_running_max_ms);
    if (stored != change.before) return ChangedMeanwhile("a block of a tape");
    batch->PutTapeIndex(change.tp, after.first_offset, after);
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
