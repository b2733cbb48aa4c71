#include "record/reindex_build.h"

#include <algorithm>

#include "base/failpoint.h"

namespace tapedeck {
namespace {

// The store's small state with only the planned generations, open: so that rows go there.
StoreState StateFor(const ReindexScope& scope, const std::vector<keys::DayKey>& days) {
  StoreState state = scope.point().state();
  state.days.clear();
  for (const keys::DayKey& key : days) state.days.emplace_back(key, DayEntry{});
  state.flush = 0;
  // Tapes of other stores have no checkpoints here, and no rows of ours.
  std::set<TpId> known;
  for (const auto& [tp, checkpoint] : state.checkpoints) known.insert(tp);
  std::erase_if(state.tapes, [&](const auto& tape) { return !known.contains(tape.first); });
  return state;
}

std::optional<RefusalEntry> RefusalOf(const DecodedMessage& message) {
  if (message.decoded->refused == 0) return std::nullopt;
  return RefusalEntry{.reason = std::string(message.decoded->first_refusal()),
                      .refused = message.decoded->refused,
                      .kept = static_cast<uint32_t>(message.decoded->records.size()),
                      .received = message.received,
                      .kafka_ms = message.message->timestamp_ms};
}

bool Skipped(const DecodedMessage& message) {
  return message.decoded->marks.size() > message.decoded->refused;
}

size_t BytesOf(const RefusalChange& change) {
  return kReindexChangeBytes + (change.second ? change.second->reason.size() : 0);
}

}  // namespace

ReindexBuilder::ReindexBuilder(const ReindexScope* scope, const std::vector<keys::DayKey>& days,
                               const Store* store, Timestamp now,
                               const ReindexBuildOptions& options, std::atomic<uint64_t>* messages,
                               Write write)
    : scope_(scope),
      store_(store),
      now_(now),
      options_(options),
      messages_(messages),
      write_(std::move(write)),
      book_(StateFor(*scope, days)),
      rows_(&directory_),
      flusher_(&directory_, store, FlushBuilder::Kind::kBlocks) {
  for (const keys::DayKey& key : days) {
    planned_[{key.table, key.day}] = key;
    built_.days[key] = DayEntry{};
  }
}

const keys::DayKey* ReindexBuilder::Planned(TableId id, Timestamp ts) const {
  const Table* table = scope_->point().state().tables.Find(id);
  if (table == nullptr) return nullptr;
  auto found = planned_.find({id, table->DayOf(ts)});
  return found == planned_.end() ? nullptr : &found->second;
}

bool ReindexBuilder::Wants(const TapeIndexEntry& index, bool same) {
  if (!same) return true;
  if (index.records == 0) return false;
  for (const TableId id : scope_->tables()) {
    const Table* table = scope_->point().state().tables.Find(id);
    const Day last = table->DayOf(Timestamp(index.event_max_ns));
    const auto day = planned_.lower_bound({id, table->DayOf(Timestamp(index.event_min_ns))});
    if (day != planned_.end() && day->first.first == id && day->first.second <= last) return true;
  }
  return false;
}

Status ReindexBuilder::Begin(const ReindexPart& part) {
  part_ = Part{};
  if (part.index == nullptr) return Status::Ok();
  part_.index = *part.index;
  part_.summary.Start(Hash128(), -1);
  return Status::Ok();
}

// The rows that go into planned days; true where all do.
bool ReindexBuilder::TakeRows(const DecodedMessage& message, bool keep,
                              std::set<keys::DayKey>* days) {
  bool all = true;
  for (size_t n = 0; n < message.decoded->records.size(); ++n) {
    const RecordView row = message.Row(n);
    const keys::DayKey* day = Planned(row.table, row.ts);
    all = all && day != nullptr;
    if (day != nullptr) days->insert(*day);
    if (!keep) continue;
    SeriesId series = kNoSeries;
    if (day != nullptr) {
      series = rows_.Append(row);
      ++built_.records;
    } else if (part_.index) {
      series = directory_.Intern(row.table, row.symbol);
    }
    if (part_.index && part_.changed) part_.summary.AddRecord(series, row.symbol, row.ts);
  }
  return all;
}

Result<std::optional<RefusalEntry>> ReindexBuilder::StoredRefusal(TpId tp, int64_t offset) {
  const std::string wanted = keys::Refusal(tp, offset);
  if (stored_refusals_ == nullptr || refusals_of_ != tp) {
    const std::string prefix = wanted.substr(0, wanted.size() - sizeof(int64_t));
    stored_refusals_ = scope_->point().view().Scan(prefix, keys::After(prefix), ScanKind::kPoint);
    stored_refusals_->Seek(wanted);
    refusals_of_ = tp;
  }
  StoreCursor& cursor = *stored_refusals_;
  if (cursor.Valid() && cursor.key() < wanted) cursor.Next();
  if (cursor.Valid() && cursor.key() < wanted) cursor.Seek(wanted);
  TD_RETURN_IF_ERROR(cursor.status());
  if (!cursor.Valid() || cursor.key() != wanted) return std::optional<RefusalEntry>();
  TD_ASSIGN_OR_RETURN(RefusalEntry entry, DecodeRefusal(cursor.value()));
  return std::optional(std::move(entry));
}

Status ReindexBuilder::TakeRefusal(const ReindexMessage& message, CountChange* counts,
                                   std::vector<RefusalChange>* changes) {
  const int64_t offset = message.message->offset;
  TD_ASSIGN_OR_RETURN(const auto stored, StoredRefusal(message.now.tp, offset));
  std::optional<RefusalEntry> now = RefusalOf(message.now);
  counts->refused += int64_t{now.has_value()} - int64_t{stored.has_value()};
  if (now != stored) changes->emplace_back(offset, std::move(now));
  return Status::Ok();
}

Status ReindexBuilder::Take(const ReindexMessage& message) {
  ++built_.messages;
  messages_->fetch_add(1, std::memory_order_relaxed);
  part_.tp = message.now.tp;
  ++part_.messages;
  part_.changed = part_.changed || message.before != nullptr;
  std::set<keys::DayKey> days;
  bool inside = TakeRows(message.now, /*keep=*/true, &days);
  if (message.before != nullptr) {
    inside = TakeRows(*message.before, /*keep=*/false, &days) && inside;
    if (part_.index) {
      part_.counts.records += static_cast<int64_t>(message.now.decoded->records.size()) -
                              static_cast<int64_t>(message.before->decoded->records.size());
      part_.counts.skipped += int64_t{Skipped(message.now)} - int64_t{Skipped(*message.before)};
      TD_RETURN_IF_ERROR(TakeRefusal(message, &part_.counts, &part_.refusals));
      part_.outside = part_.outside || !inside;
      part_.days.merge(days);
    } else if (inside) {
      std::vector<RefusalChange>& changes = built_.archived[message.now.tp];
      const size_t had = changes.size();
      CountChange counts;
      TD_RETURN_IF_ERROR(TakeRefusal(message, &counts, &changes));
      for (size_t i = had; i < changes.size(); ++i) changes_bytes_ += BytesOf(changes[i]);
      built_.refusals += changes.size() - had;
      built_.archived_refused[message.now.tp] += counts.refused;
    } else {
      mixed_.merge(days);
    }
  }
  return rows_.bytes() >= options_.piece_bytes ? WritePiece() : Status::Ok();
}

Status ReindexBuilder::End() {
  if (!part_.index || !part_.changed) return CheckRoom();
  // One that has grown since the days were reserved is the next reindex's.
  if (part_.outside || part_.messages != part_.index->count) {
    mixed_.merge(part_.days);
    return CheckRoom();
  }
  const TapeIndexEntry found = part_.summary.Finish();
  BlockChange change{*part_.index, std::move(part_.refusals), part_.counts};
  TapeIndexEntry& index = change.index;
  for (const ReindexScope::Tape& tape : scope_->tapes()) {
    if (tape.tp == part_.tp && tape.spec != nullptr) index.mapping = tape.spec->hash();
  }
  index.event_min_ns = found.event_min_ns;
  index.event_max_ns = found.event_max_ns;
  index.records = found.records;
  index.many_symbols = found.many_symbols;
  index.symbols = found.symbols;
  built_.refusals += change.refusals.size();
  changes_bytes_ += ReindexBytes(index);
  for (const RefusalChange& refusal : change.refusals) changes_bytes_ += BytesOf(refusal);
  built_.blocks[part_.tp].push_back(std::move(change));
  return CheckRoom();
}

// They all go into one batch.
Status ReindexBuilder::CheckRoom() const {
  if (changes_bytes_ <= options_.changes_bytes_max) return Status::Ok();
  return Status::FailedPrecondition("what changes in index entries and refusals takes more than " +
                                    std::to_string(options_.changes_bytes_max >> 20) +
                                    " MiB at once: reindex fewer days");
}

Status ReindexBuilder::WritePiece() {
  if (rows_.size() == 0) return Status::Ok();
  OpenRows::List chunks{rows_.Finish(1, book_.ranks())};
  StoreBatch batch;
  FlushBuilder::Result result;
  TD_RETURN_IF_ERROR(flusher_.Build(chunks, book_, {}, now_, &batch, &result));
  chunks.clear();
  TD_RETURN_IF_ERROR(write_(std::move(batch)));
  flusher_.Accept();
  ++book_.flush;
  for (const auto& [key, entry] : result.days) book_.SetDay(key, entry);
  return FailpointHit("reindex.piece");
}

Result<ReindexBuilt> ReindexBuilder::Finish() {
  TD_RETURN_IF_ERROR(WritePiece());
  for (auto& [key, entry] : built_.days) {
    entry = book_.DayOf(key);
    entry.vector.clear();
    entry.mixed = mixed_.contains(key);
  }
  for (const auto& [series, entry] : flusher_.catalog()) {
    const SeriesName& name = directory_.At(series);
    built_.catalog[{name.table, name.symbol}] = entry;
  }
  return std::move(built_);
}

}  // namespace tapedeck
