// The part of the record journey that turns open rows into series: flushes, the days they close,
// and the batches of the merger.

#include <algorithm>

#include "base/failpoint.h"
#include "base/log.h"
#include "base/text.h"
#include "record/recorder_impl.h"

namespace tapedeck {

bool RecorderImpl::FlushIsDue(MonotonicTime now) const {
  // Who waits for a quiet moment goes first: the next step has one.
  if (flusher_->busy() || (parts_.queue != nullptr && parts_.queue->wants_quiet())) return false;
  if (parts_.open_rows->bytes() >= options_.flush_bytes) return true;
  return now - last_flush_ >= options_.flush_interval && parts_.open_rows->rows() > 0;
}

uint64_t RecorderImpl::RequestFlush(std::vector<TableDay> close) {
  std::lock_guard lock(request_mutex_);
  to_close_.insert(to_close_.end(), std::make_move_iterator(close.begin()),
                   std::make_move_iterator(close.end()));
  return ++flush_requests_;
}

Status RecorderImpl::FlushIfAsked() {
  if (flusher_->busy()) return Status::Ok();
  {
    std::lock_guard lock(request_mutex_);
    if (flush_requests_ == requests_in_hand_) return Status::Ok();
  }
  TD_RETURN_IF_ERROR(Commit());
  return StartFlush(TakeCloses());
}

// What was asked for so far. A tape feeds the tables that its mapping in force fills.
CloseOrder RecorderImpl::TakeCloses() {
  const std::vector<TableDay>& wanted = closes_in_hand_;
  {
    std::lock_guard lock(request_mutex_);
    requests_in_hand_ = flush_requests_;
    closes_in_hand_ = std::exchange(to_close_, {});
  }
  CloseOrder order;
  for (const TableDay& close : wanted) {
    const Table* table = book_->tables.Find(close.table);
    if (table == nullptr) {
      TD_LOG(kWarn, "record", "close-unknown-table", "there is no table " + Quoted(close.table));
      continue;
    }
    order.days.emplace_back(table->id, table->DayOf(close.day.start()));
  }
  if (order.days.empty()) return order;
  for (const auto& lane : lanes_) {
    if (!lane->has_tape()) continue;
    for (const std::string& name : lane->topic->mapping.tables()) {
      if (const Table* table = book_->tables.Find(name))
        order.feeding[table->id].push_back(lane->tape);
    }
  }
  return order;
}

// Hands exactly the published chunks (never rows that are decoded but not committed) to the worker.
Status RecorderImpl::StartFlush(CloseOrder close) {
  last_flush_ = parts_.clock->Monotonic();
  TD_RETURN_IF_ERROR(FailpointHit("record.before_flush"));
  FlushJob job{parts_.open_rows->Take(), *book_, std::move(close), time_.Now(), std::nullopt};
  if (healing_ != nullptr) AddHealing(&job);
  flusher_->Start(std::move(job));
  return Status::Ok();
}

// Takes in a flush that the worker has finished. Where rows come faster than they are flushed,
// recording waits for it here: half as much again as flush_bytes is the most that is ever open.
Status RecorderImpl::TakeFlush() {
  std::unique_ptr<BuiltFlush> built = flusher_->TakeBuilt();
  if (built == nullptr && flusher_->busy() &&
      parts_.open_rows->bytes() >= options_.flush_bytes + options_.flush_bytes / 2) {
    built = flusher_->WaitBuilt();
  }
  return built == nullptr ? Status::Ok() : ApplyFlush(built.get());
}

// Everything that is committed becomes series now: at the end of a run.
Status RecorderImpl::FlushAll() {
  if (flusher_->busy()) TD_RETURN_IF_ERROR(ApplyFlush(flusher_->WaitBuilt().get()));
  TD_RETURN_IF_ERROR(StartFlush(TakeCloses()));
  return ApplyFlush(flusher_->WaitBuilt().get());
}

// A flush that is not to be: what was asked for is for another one, and a gap that it healed stays.
void RecorderImpl::GiveBackFlush() {
  std::lock_guard lock(request_mutex_);
  to_close_.insert(to_close_.begin(), closes_in_hand_.begin(), closes_in_hand_.end());
  requests_in_hand_ = live_.flush_requests_done;
  closes_in_hand_.clear();
  healing_.reset();
}

Status RecorderImpl::ApplyFlush(BuiltFlush* built) {
  const Status applied = built->status.ok() ? WriteFlush(built) : built->status;
  if (!applied.ok()) GiveBackFlush();
  return applied;
}

// Series blocks, catalog, days and watermarks in one batch; then the chunks are dropped.
Status RecorderImpl::WriteFlush(BuiltFlush* built) {
  // A commit on its way would set the watermarks back, and the counts of what was healed.
  TD_RETURN_IF_ERROR(healing_ == nullptr ? CompleteCommit() : Commit());
  std::vector<std::pair<TpId, Checkpoint>> moved;
  for (const auto& [tp, next] : built->marks) {
    Checkpoint checkpoint = book_->checkpoint(tp);
    const bool heals = healing_ != nullptr && healing_->read.of->tp == tp;
    if (checkpoint.watermark == next && !heals) continue;
    checkpoint.watermark = next;
    if (heals) AddHealedCounts(&checkpoint);
    built->batch.PutCheckpoint(tp, checkpoint);
    moved.emplace_back(tp, checkpoint);
  }
  if (moved.empty() && built->result.rows == 0 && built->result.closed.empty()) {
    live_.flush_requests_done = requests_in_hand_;
    closes_in_hand_.clear();
    return Status::Ok();
  }
  built->batch.PutFlushNumber(book_->flush + 1, built->through_commit);
  if (healing_ == nullptr) {
    TD_RETURN_IF_ERROR(WriteOrStall(&built->batch, "flush"));
  } else {
    // It builds on what shippers and retention may change while this one waits for room.
    TD_RETURN_IF_ERROR(PutHealing(&built->batch));
    const Status written = parts_.store->Write(built->batch);
    if (!written.ok()) {
      GiveBackFlush();
      TD_RETURN_IF_ERROR(Stall(written, "flush", false));
      EndStall();
      return Status::Ok();
    }
  }
  TD_RETURN_IF_ERROR(FailpointHit("record.after_flush"));

  metrics_->Flushed(parts_.clock->Monotonic() - last_flush_);
  ++book_->flush;
  ++live_.flushes;
  live_.flush_requests_done = requests_in_hand_;
  closes_in_hand_.clear();
  flusher_.Accept();
  for (const auto& [key, entry] : built->result.days) book_->SetDay(key, entry);
  for (const auto& [tp, checkpoint] : moved) {
    book_->SetCheckpoint(tp, checkpoint);
    for (const auto& lane : lanes_) {
      if (lane->tape != tp) continue;
      lane->now.watermark = checkpoint.watermark;
      if (healing_ != nullptr && healing_->read.of->tp == tp) AddHealedCounts(&lane->now);
    }
  }
  if (healing_ != nullptr) EndHealing();
  parts_.open_rows->DropThrough(built->through_commit);
  if (merger_ != nullptr) merger_->Poke(std::move(built->result.blocks));
  return Status::Ok();
}

Status RecorderImpl::ApplyMerges() {
  if (merger_ == nullptr) return Status::Ok();
  TD_RETURN_IF_ERROR(LearnServed());
  while (std::unique_ptr<PreparedMerge> merge = merger_->TakePrepared()) {
    TD_RETURN_IF_ERROR(FailpointHit("record.merge_prepared"));
    // A day that was closed since then keeps its blocks as they are. Nor come blocks back that were
    // pruned. What else takes blocks out or makes them anew tells the merger (TakeInDropped).
    auto closed = [&](const keys::DayKey& day) {
      return book_->DayOf(day).phase != DayPhase::kOpen;
    };
    auto pruned = [&](const keys::TpOffsetKey& tape) {
      return tape.offset < book_->ship(tape.tp).pruned;
    };
    if (std::ranges::any_of(merge->days, closed) || std::ranges::any_of(merge->tapes, pruned)) {
      merger_->Forget();
      merger_->Applied();
      continue;
    }
    const Status written = parts_.store->Write(merge->batch);
    if (written.ok()) TD_RETURN_IF_ERROR(FailpointHit("record.merge_applied"));
    if (!written.ok()) merger_->Forget();
    merger_->Applied();
    if (written.ok()) continue;
    // It is not kept: others may prune now what it joins, and the merger makes it again.
    merge.reset();
    TD_RETURN_IF_ERROR(Stall(written, "merge", false));
    EndStall();
  }
  return Status::Ok();
}

}  // namespace tapedeck
