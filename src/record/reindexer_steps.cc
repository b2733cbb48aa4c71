// The steps of a reindex job that make something: reserve, build, switch.

#include <algorithm>

#include "archive/name_owner.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "query/tape_spans.h"
#include "record/reindexer.h"

namespace tapedeck {
namespace {

// What a flush has changed since a switch was prepared is prepared again; it converges.
constexpr int kSwitchAttempts = 50;

const Checkpoint& CheckpointOf(const StoreState& state, TpId tp) {
  static const Checkpoint kNone;
  const auto found =
      std::ranges::find(state.checkpoints, tp, [](const auto& c) { return c.first; });
  return found == state.checkpoints.end() ? kNone : found->second;
}

bool Feeds(const ReindexScope::Tape& tape, const Table& table) {
  return tape.tables.contains(table.name);
}

// Where the generations of the day below `generation` end that cover the tape.
int64_t EndBelow(const StoreState& state, const keys::DayKey& key, TpId tp) {
  int64_t end = CheckpointOf(state, tp).start;
  for (const auto& [other, entry] : state.days) {
    if (other.table != key.table || other.day != key.day || other.generation >= key.generation)
      continue;
    for (const DayEntry::Range& range : entry.vector) {
      if (range.tp == tp) end = std::max(end, range.to);
    }
  }
  return end;
}

// As a flush closes a day: up to the watermarks, with every tape that could have brought rows.
void Close(const StoreState& state, const ReindexScope& scope, const keys::DayKey& key,
           Timestamp now, DayEntry* entry) {
  const Table& table = *state.tables.Find(key.table);
  for (DayEntry::Range& range : entry->vector) range.to = CheckpointOf(state, range.tp).watermark;
  for (const ReindexScope::Tape& tape : scope.tapes()) {
    auto range = std::ranges::lower_bound(entry->vector, tape.tp, {}, &DayEntry::Range::tp);
    if (!Feeds(tape, table) || (range != entry->vector.end() && range->tp == tape.tp)) continue;
    entry->vector.insert(
        range, {tape.tp, EndBelow(state, key, tape.tp), CheckpointOf(state, tape.tp).watermark});
  }
  entry->phase = DayPhase::kClosing;
  entry->since = now;
  entry->closed = std::max<uint64_t>(1, state.flush);
}

// Rows of a day whose messages retention has dropped would be lost.
Status CheckRetained(const ReindexScope& scope, const std::set<ReindexDay>& days) {
  for (const ReindexScope::Tape& tape : scope.tapes()) {
    TD_ASSIGN_OR_RETURN(const std::vector<Gap> gaps, scope.point().view().Gaps(tape.tp));
    for (const Gap& gap : gaps) {
      if (gap.reason != GapReason::kRetain) continue;
      for (const auto& [id, day] : days) {
        const Table& table = *scope.point().state().tables.Find(id);
        const bool before =
            gap.event_before_ns != INT64_MIN && day < table.DayOf(Timestamp(gap.event_before_ns));
        const bool behind =
            gap.event_after_ns != INT64_MIN && day > table.DayOf(Timestamp(gap.event_after_ns));
        if (before || behind || !Feeds(tape, table)) continue;
        return Status::FailedPrecondition("messages of " + tape.tape.ToString() + " that fill " +
                                          table.name + " on " + day.ToString() +
                                          " were dropped by store.retain: begin with a later day");
      }
    }
  }
  return Status::Ok();
}

// Objects that the store shipped under an earlier id are another store's: none of its manifests can
// replace them.
Status CheckOwned(const ReindexScope& scope, const std::set<ReindexDay>& days,
                  const std::string& store) {
  for (const auto& [key, entry] : scope.point().state().days) {
    if (entry.phase < DayPhase::kShipped || !days.contains({key.table, key.day})) continue;
    if (!IsOfAnotherStore(entry.manifest, store)) continue;
    return Status::FailedPrecondition(
        scope.point().state().tables.Find(key.table)->name + " of " + key.day.ToString() +
        " was shipped under an earlier id of this store: " + entry.manifest +
        " cannot be replaced");
  }
  return Status::Ok();
}

}  // namespace

Status Reindexer::Reserve(ReindexJob* job) {
  Enter(ReindexStep::kPlanning, 0);
  TD_ASSIGN_OR_RETURN(const auto scope, MakeScope(job->request));
  TD_ASSIGN_OR_RETURN(const std::set<ReindexDay> days, scope->FindDays());
  TD_RETURN_IF_ERROR(CheckRetained(*scope, days));
  TD_RETURN_IF_ERROR(CheckOwned(*scope, days, parts_.store->meta().store_id));
  TD_RETURN_IF_ERROR(FailpointHit("reindex.planned"));
  ReindexJob reserved;
  TD_RETURN_IF_ERROR(parts_.queue->WriteQuiet([&](StoreBatch* batch) -> Status {
    TD_ASSIGN_OR_RETURN(const std::string bytes, parts_.store->View()->Get(keys::Job(job->id)));
    TD_ASSIGN_OR_RETURN(reserved, DecodeReindexJob(job->id, bytes));
    if (reserved.over()) return Status::Cancelled("the job was cancelled");
    return AddReserved(*scope, days, &reserved, batch);
  }));
  *job = reserved;
  return TakeStored(job->id);
}

Status Reindexer::AddReserved(const ReindexScope& scope, const std::set<ReindexDay>& days,
                              ReindexJob* job, StoreBatch* batch) const {
  TD_ASSIGN_OR_RETURN(const StoreState now, parts_.store->View()->LoadState());
  const Timestamp at = time_.Now();
  job->state = days.empty() ? ReindexState::kDone : ReindexState::kRunning;
  if (days.empty()) job->ended = at;
  job->mappings = mappings_.fingerprint();
  job->days.clear();
  job->ends.clear();
  for (const ReindexScope::Tape& tape : scope.tapes())
    job->ends.push_back({tape.tp, CheckpointOf(now, tape.tp).watermark});
  for (const auto& [id, day] : days) {
    const Table& table = *now.tables.Find(id);
    keys::DayKey key{id, day, 0};
    for (const auto& [other, stored] : now.days) {
      if (other.table != id || other.day != day) continue;
      if (stored.building) return Status::FailedPrecondition("the day is being built already");
      key.generation = std::max(key.generation, other.generation + 1);
      if (stored.phase != DayPhase::kOpen) continue;
      DayEntry closed = stored;
      Close(now, scope, other, at, &closed);
      batch->PutDay(other, closed);
    }
    DayEntry entry{.phase = DayPhase::kClosing};
    entry.since = at;
    entry.building = true;
    for (const ReindexScope::Tape& tape : scope.tapes()) {
      const Checkpoint& checkpoint = CheckpointOf(now, tape.tp);
      if (Feeds(tape, table))
        entry.vector.push_back({tape.tp, checkpoint.start, checkpoint.watermark});
    }
    batch->PutDay(key, entry);
    job->days.push_back(key);
  }
  batch->PutJob(job->id, EncodeReindexJob(*job));
  return Status::Ok();
}

Result<ReindexBuilt> Reindexer::Build(const ReindexJob& job) {
  TD_ASSIGN_OR_RETURN(const auto scope, MakeScope(job.request));
  std::map<TpId, int64_t> ends;
  for (const ReindexJob::End& end : job.ends) ends[end.tp] = end.to;
  uint64_t total = 0;
  for (const ReindexScope::Tape& tape : scope->tapes()) {
    if (auto end = ends.find(tape.tp); end != ends.end())
      total += static_cast<uint64_t>(std::max<int64_t>(0, end->second - tape.from));
  }
  Enter(ReindexStep::kBuilding, total);
  ReindexBuilder builder(scope.get(), job.days, parts_.store, time_.Now(), options_.build,
                         &messages_, [&](StoreBatch built) {
                           return parts_.queue->Write([&](StoreBatch* batch) -> Status {
                             *batch = std::move(built);
                             return CheckStop();
                           });
                         });
  for (const ReindexScope::Tape& tape : scope->tapes()) {
    auto end = ends.find(tape.tp);
    if (end == ends.end()) continue;  // it feeds the tables since
    TD_RETURN_IF_ERROR(scope->Read(tape, end->second, &builder).WithContext(tape.tape.ToString()));
  }
  return builder.Finish();
}

Status Reindexer::SwitchTo(const ReindexJob& job, const ReindexBuilt& built) {
  Enter(ReindexStep::kSwitching, 0);
  Status outcome;
  for (int attempt = 0; attempt < kSwitchAttempts; ++attempt) {
    TD_ASSIGN_OR_RETURN(const auto scope, MakeScope(job.request));
    std::shared_ptr<const ReadStop> stop;
    {
      std::lock_guard lock(mutex_);
      stop = reading_;
    }
    ReindexSwitch change({parts_.store, parts_.queue, &time_}, scope.get(), &built, job, stop);
    outcome = change.Prepare();
    if (outcome.ok()) {
      Result<ReindexJob> done = change.Write();
      if (done.ok()) {
        TD_LOG(kInfo, "reindex", "done", "days were rebuilt",
               {{"job", job.id},
                {"days", std::to_string(job.days.size())},
                {"messages", std::to_string(done->result.messages)},
                {"records", std::to_string(done->result.records)}});
        return TakeStored(job.id);
      }
      outcome = done.status();
    }
    if (outcome.code() != StatusCode::kUnavailable) return outcome;
    TD_RETURN_IF_ERROR(CheckStop());
  }
  return outcome;
}

}  // namespace tapedeck
