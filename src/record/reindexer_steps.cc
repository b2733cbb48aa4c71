// The steps of a reindex job that make something: reserve, build, switch.

#include <algorithm>

#include "base/failpoint.h"
#include "base/log.h"
#include "record/reindexer.h"
#include "tape/tape_spans.h"

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

using Tapes = std::vector<ReindexScope::Tape>;

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
void Close(const StoreState& state, const Tapes& tapes, const keys::DayKey& key, Timestamp now,
           DayEntry* entry) {
  const Table& table = *state.tables.Find(key.table);
  const DayEntry::Range* before = nullptr;
  for (DayEntry::Range& range : entry->vector) {  // what was healed stays as it is
    if (before == nullptr || before->tp != range.tp)
      range.to = CheckpointOf(state, range.tp).watermark;
    before = &range;
  }
  for (const ReindexScope::Tape& tape : tapes) {
    auto range = std::ranges::lower_bound(entry->vector, tape.tp, {}, &DayEntry::Range::tp);
    if (!Feeds(tape, table) || (range != entry->vector.end() && range->tp == tape.tp)) continue;
    entry->vector.insert(
        range, {tape.tp, EndBelow(state, key, tape.tp), CheckpointOf(state, tape.tp).watermark});
  }
  entry->phase = DayPhase::kClosing;
  entry->since = now;
  entry->closed = std::max<uint64_t>(1, state.flush);
}

// Whether messages of the day may be among those of the gap.
bool MayTouch(const Gap& gap, const Table& table, Day day) {
  const bool before =
      gap.event_before_ns != INT64_MIN && day < table.DayOf(Timestamp(gap.event_before_ns));
  const bool behind =
      gap.event_after_ns != INT64_MIN && day > table.DayOf(Timestamp(gap.event_after_ns));
  return !before && !behind;
}

// Offsets of a tape that hold rows of the day, or could: those that its generations cover, whatever
// fills the table now, and of a tape that feeds it all.
TapeOffsets NeededOf(const StoreState& state, const Tapes& tapes, const Table& table, Day day) {
  TapeOffsets needed;
  for (const auto& [key, entry] : state.days) {
    if (key.table != table.id || key.day != day || !entry.counts()) continue;
    for (const DayEntry::Range& range : entry.vector) needed.Add(range.tp, range.from, range.to);
  }
  for (const ReindexScope::Tape& tape : tapes) {
    if (Feeds(tape, table)) needed.Add(tape.tp, tape.from, tape.to);
  }
  return needed;
}

// Rows of a day whose messages retention has dropped would be lost.
Status CheckRetained(const StoreView& view, const StoreState& state, const Tapes& tapes,
                     const std::set<ReindexDay>& days) {
  std::map<TpId, std::vector<Gap>> dropped;
  for (const auto& [tp, checkpoint] : state.checkpoints) {
    TD_ASSIGN_OR_RETURN(dropped[tp], view.Gaps(tp));
    std::erase_if(dropped[tp], [](const Gap& gap) { return gap.reason != GapReason::kRetain; });
    if (dropped[tp].empty()) dropped.erase(tp);
  }
  if (dropped.empty()) return Status::Ok();
  for (const auto& [id, day] : days) {
    const Table& table = *state.tables.Find(id);
    const TapeOffsets needed = NeededOf(state, tapes, table, day);
    for (const auto& [tp, gaps] : dropped) {
      for (const Gap& gap : gaps) {
        TapeOffsets lost;
        lost.Add(tp, gap.from, gap.to);
        if (!needed.Meets(lost) || !MayTouch(gap, table, day)) continue;
        const auto tape = std::ranges::find(state.tapes, tp, [](const auto& t) { return t.first; });
        return Status::FailedPrecondition("messages of " + tape->second.ToString() + " that fill " +
                                          table.name + " on " + day.ToString() +
                                          " were dropped by store.retain: begin with a later day");
      }
    }
  }
  return Status::Ok();
}

// Of a tape that the plan has not nothing would be built: its rows would be replaced by nothing.
Status CheckKnown(const StoreState& state, const std::set<TpId>& known,
                  const std::set<ReindexDay>& days) {
  for (const auto& [key, entry] : state.days) {
    if (!entry.counts() || !days.contains({key.table, key.day})) continue;
    const bool all = std::ranges::all_of(
        entry.vector, [&](const DayEntry::Range& range) { return known.contains(range.tp); });
    if (!all) return Status::Unavailable("a tape was begun meanwhile: the days are planned again");
  }
  return Status::Ok();
}

// What is reserved covers these offsets, and no others: as recorded at this moment.
Result<std::vector<ReindexJob::End>> EndsNow(const StoreView& view, const StoreState& state,
                                             const Tapes& tapes) {
  std::vector<ReindexJob::End> ends;
  for (const ReindexScope::Tape& tape : tapes) {
    ReindexJob::End end{tape.tp, CheckpointOf(state, tape.tp).watermark};
    TD_ASSIGN_OR_RETURN(const std::vector<Gap> gaps, view.Gaps(tape.tp));
    for (const Gap& gap : gaps) {
      if (gap.from < end.to) end.gaps.push_back({gap.from, gap.to});
    }
    ends.push_back(std::move(end));
  }
  return ends;
}

}  // namespace

Status Reindexer::Reserve(ReindexJob* job) {
  Enter(ReindexStep::kPlanning, 0);
  TD_ASSIGN_OR_RETURN(auto scope, MakeScope(job->request));
  Plan plan;
  TD_ASSIGN_OR_RETURN(plan.days, scope->FindDays(options_.build.changes_bytes_max));
  plan.tapes = scope->tapes();
  for (const auto& [tp, checkpoint] : scope->point().state().checkpoints) plan.known.insert(tp);
  scope.reset();  // who waits for the writer holds no view: the store may have to be opened again
  TD_RETURN_IF_ERROR(FailpointHit("reindex.planned"));
  ReindexJob reserved;
  TD_RETURN_IF_ERROR(parts_.queue->WriteQuiet([&](StoreBatch* batch) -> Status {
    TD_ASSIGN_OR_RETURN(const std::string bytes, parts_.store->View()->Get(keys::Job(job->id)));
    TD_ASSIGN_OR_RETURN(reserved, DecodeReindexJob(job->id, bytes));
    if (reserved.over()) return Status::Cancelled("the job was cancelled");
    return AddReserved(plan, &reserved, batch);
  }));
  *job = reserved;
  return TakeStored(job->id);
}

Status Reindexer::AddReserved(const Plan& plan, ReindexJob* job, StoreBatch* batch) const {
  const auto& [known, tapes, days] = plan;
  const std::unique_ptr<StoreView> view = parts_.store->View();
  TD_ASSIGN_OR_RETURN(const StoreState now, view->LoadState());
  TD_RETURN_IF_ERROR(CheckKnown(now, known, days));
  TD_RETURN_IF_ERROR(CheckRetained(*view, now, tapes, days));
  const Timestamp at = time_.Now();
  job->state = days.empty() ? ReindexState::kDone : ReindexState::kRunning;
  if (days.empty()) job->ended = at;
  job->mappings = mappings_.fingerprint();
  job->days.clear();
  TD_ASSIGN_OR_RETURN(job->ends, EndsNow(*view, now, tapes));
  for (const auto& [id, day] : days) {
    const Table& table = *now.tables.Find(id);
    keys::DayKey key{id, day, 0};
    for (const auto& [other, stored] : now.days) {
      if (other.table != id || other.day != day) continue;
      if (stored.building) return Status::FailedPrecondition("the day is being built already");
      TD_RETURN_IF_ERROR(CheckReplaceable(table, other, stored, parts_.store->meta().store_id));
      key.generation = std::max(key.generation, other.generation + 1);
      if (stored.phase != DayPhase::kOpen) continue;
      DayEntry closed = stored;
      Close(now, tapes, other, at, &closed);
      batch->PutDay(other, closed);
    }
    DayEntry entry{.phase = DayPhase::kClosing};
    entry.since = at;
    entry.building = true;
    for (const ReindexScope::Tape& tape : tapes) {
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
  std::set<ReindexDay> days;
  for (const keys::DayKey& day : job.days) days.emplace(day.table, day.day);
  const ReadPoint& point = scope->point();
  // With its days, which the state of a read point lacks.
  TD_ASSIGN_OR_RETURN(const StoreState stored, point.view().LoadState());
  TD_RETURN_IF_ERROR(CheckRetained(point.view(), stored, scope->tapes(), days));
  TapeOffsets wanted;
  for (const ReindexJob::End& end : job.ends) {
    wanted.Add(end.tp, CheckpointOf(point.state(), end.tp).start, end.to);
    for (const ReindexJob::Span& gap : end.gaps) wanted.Remove(end.tp, gap.from, gap.to);
  }
  uint64_t total = 0;
  for (const auto& [tp, spans] : wanted.spans()) {
    for (const OffsetSpan& span : spans) total += static_cast<uint64_t>(span.to - span.from);
  }
  Enter(ReindexStep::kBuilding, total);
  ReindexBuilder builder(scope.get(), job.days, parts_.store, time_.Now(), options_.build,
                         &messages_, [&](StoreBatch built) -> Status {
                           TD_RETURN_IF_ERROR(CheckRoom(options_.disk_stop));
                           return parts_.queue->Write([&](StoreBatch* batch) -> Status {
                             *batch = std::move(built);
                             return CheckStop();
                           });
                         });
  for (const ReindexScope::Tape& tape : scope->tapes())
    TD_RETURN_IF_ERROR(scope->Read(tape, wanted, &builder).WithContext(tape.tape.ToString()));
  return builder.Finish();
}

Status Reindexer::SwitchTo(const ReindexJob& job, const ReindexBuilt& built) {
  Enter(ReindexStep::kSwitching, 0);
  Status outcome;
  for (int attempt = 0; attempt < kSwitchAttempts; ++attempt) {
    TD_ASSIGN_OR_RETURN(auto scope, MakeScope(job.request));
    std::shared_ptr<const ReadStop> stop;
    {
      std::lock_guard lock(mutex_);
      stop = reading_;
    }
    ReindexSwitch change({parts_.store, parts_.queue, &time_}, std::move(scope), &built, job, stop);
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
