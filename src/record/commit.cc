// The part of the record journey that turns messages into tape, rows and commits.

#include <algorithm>

#include "base/failpoint.h"
#include "base/log.h"
#include "kafka/commit_metadata.h"
#include "record/recorder_impl.h"
#include "tape/tail.h"

namespace tapedeck {
namespace {

// Checking a hole asks the broker; no more than a tenth of the time goes there.
constexpr int kHoleCheckShare = 10;

}  // namespace

Status RecorderImpl::Append(Lane* lane, const MessageView& message) {
  if (!lane->health.empty() || message.offset < lane->now.next) return Status::Ok();
  if (message.offset > lane->now.next + 1) TD_RETURN_IF_ERROR(CheckHole(lane, message.offset));
  return AppendChecked(lane, message);
}

// A hole of one offset is a commit marker; a longer one may be aborted messages or compaction, or a
// fetch bug of the client (docs/faults.md). It is read once more by the probe: a message found
// there was skipped, is recorded now, in order, and alarms.
Status RecorderImpl::CheckHole(Lane* lane, int64_t to) {
  const MonotonicTime start = parts_.clock->Monotonic();
  if (start < hole_checks_from_) {
    metrics_->Hole(HoleCheck::kUnchecked);
    return Status::Ok();
  }
  uint64_t found = 0;
  Status append;
  Status read = probe_->ReadRange(lane->tp, lane->now.next, to, options_.broker_timeout,
                                  [&](const MessageView& m) {
                                    if (m.offset < lane->now.next || m.offset >= to) return true;
                                    ++found;
                                    append = AppendChecked(lane, m);
                                    return append.ok();
                                  });
  TD_RETURN_IF_ERROR(append);
  const MonotonicTime end = parts_.clock->Monotonic();
  hole_checks_from_ = end + (end - start) * kHoleCheckShare;
  metrics_->Hole(found > 0   ? HoleCheck::kFound
                 : read.ok() ? HoleCheck::kEmpty
                             : HoleCheck::kFailed,
                 end - start, found);
  if (!read.ok())
    TD_LOG(kWarn, "record", "hole-unchecked", read.ToString(),
           {{"partition", lane->tp.ToString()}});
  if (found > 0) {
    std::string text = std::to_string(found) + " messages before offset " + std::to_string(to) +
                       " of " + lane->tp.ToString() +
                       " were left out by the client; read again and recorded";
    TD_LOG(kError, "record", "skipped-by-client", text);
    Notice(std::move(text));
  }
  return Status::Ok();
}

// The first message of a commit gives all of them their time of receipt: in milliseconds, which is
// as exact as Kafka's own times and costs a byte less per message.
void RecorderImpl::BeginPending() {
  constexpr int64_t kMillisecond = 1'000'000;
  pending_ = true;
  pending_since_ = parts_.clock->Monotonic();
  const int64_t now = parts_.clock->Now().ns();
  received_ = Timestamp(now - now % kMillisecond);
}

// Messages that an older lineage holds as they are, are not recorded again.
bool RecorderImpl::DropsHeld(Lane* lane, int64_t offset) {
  while (lane->held_next < lane->held.size() && lane->held[lane->held_next].to <= offset)
    ++lane->held_next;
  return lane->held_next < lane->held.size() && lane->held[lane->held_next].from <= offset;
}

Status RecorderImpl::AppendChecked(Lane* lane, const MessageView& message) {
  if (!pending_) BeginPending();
  if (DropsHeld(lane, message.offset)) {
    lane->now.next = message.offset + 1;
    lane->dirty = true;
    return Status::Ok();
  }
  if (!message.headers.empty() && DropsReplayed(lane, message)) return Status::Ok();
  lane->decoder->Decode(lane->tp, message, received_, &decoded_);
  if (decoded_.refused > 0 && lane->topic->mapping.stop_on_error()) {
    lane->health = "on_error = stop: offset " + std::to_string(message.offset) +
                   " is refused: " + std::string(decoded_.first_refusal());
    TD_LOG(kError, "record", "stopped-on-refusal", lane->health,
           {{"partition", lane->tp.ToString()}});
    return Status::Ok();
  }
  if (lane->blocks.empty() || lane->blocks.back().messages.Full()) OpenNextBlock(lane);
  Status appended = lane->blocks.back().messages.Append(message, lane->decoder->Shape());
  if (!appended.ok()) {
    lane->health = appended.ToString() + "; past it: tapedeck skip --topic " + lane->tp.topic +
                   " --partition " + std::to_string(lane->tp.partition) + " --to " +
                   std::to_string(message.offset + 1);
    TD_LOG(kError, "record", "message-refused-by-tape", lane->health,
           {{"partition", lane->tp.ToString()}});
    return Status::Ok();
  }
  Record(lane, message);
  pending_bytes_ += message.PayloadBytes();
  lane->meter->Message(message.PayloadBytes());
  return Status::Ok();
}

void RecorderImpl::OpenNextBlock(Lane* lane) {
  if (spare_blocks_.empty()) {
    lane->blocks.emplace_back();
  } else {
    lane->blocks.push_back(std::move(spare_blocks_.back()));
    spare_blocks_.pop_back();
  }
  lane->blocks.back().summary.Start(lane->now.mapping, lane->now.kafka_max_ms);
}

// Counts and keeps what Decode made of the message.
void RecorderImpl::Record(Lane* lane, const MessageView& message) {
  Checkpoint& now = lane->now;
  if (lane->growing) {
    if (std::exchange(lane->grew, false)) lane->gaps.push_back(*lane->growing);
    lane->growing.reset();
  }
  const Hash128 hash = hasher_.Message(message, lane->tp);
  now.last = {message.offset, hash};
  if (now.anchor.offset < 0)
    now.anchor =
        now.last;  // just read: as good as probed, and a log changed before the first check shows
  now.digest += hash;
  now.next = message.offset + 1;
  now.messages += 1;
  now.records += decoded_.records.size();
  now.kafka_max_ms = std::max(now.kafka_max_ms, message.timestamp_ms);
  lane->dirty = true;
  BlockSummary& summary = lane->blocks.back().summary;
  summary.AddMessage(message);

  RecordView record;
  record.ts_kafka = Timestamp(KafkaNanosOf(message));
  record.origin = {lane->tape, message.offset, 0};
  for (const DecodedRecord& decoded : decoded_.records) {
    record.table = decoded.table;
    record.symbol = decoded.symbol;
    record.ts = decoded.ts;
    record.values = decoded.values;
    summary.AddRecord(rows_.Append(record), decoded.symbol, decoded.ts);
    lane->meter->Record(decoded.table);
    ++record.origin.index;
  }
  if (!decoded_.marks.empty()) {
    if (decoded_.refused > 0) {
      now.refused += 1;
      lane->refusals.emplace_back(
          message.offset, RefusalEntry{.reason = std::string(decoded_.first_refusal()),
                                       .refused = decoded_.refused,
                                       .kept = static_cast<uint32_t>(decoded_.records.size()),
                                       .received = received_,
                                       .kafka_ms = message.timestamp_ms});
    }
    if (decoded_.marks.size() > decoded_.refused) now.skipped += 1;
    CountMarks(lane);
  }
}

void RecorderImpl::CountMarks(Lane* lane) {
  if (decoded_.refused > 0) lane->meter->Refused(decoded_.first_refusal());
  const auto skipped =
      std::ranges::find(decoded_.marks, DecodedMark::Kind::kSkipped, &DecodedMark::kind);
  if (skipped != decoded_.marks.end()) lane->meter->Skipped(skipped->reason);
}

// The end of the partition was reached: what lies between (control records, aborted messages) is
// behind us.
Status RecorderImpl::ReachEnd(Lane* lane, int64_t offset) {
  lane->log_end = offset;
  if (!lane->health.empty() || offset <= lane->now.next) return Status::Ok();
  if (offset > lane->now.next + 1) TD_RETURN_IF_ERROR(CheckHole(lane, offset));
  lane->now.next = offset;
  lane->dirty = true;
  if (!pending_) BeginPending();
  return Status::Ok();
}

bool RecorderImpl::CommitIsDue(MonotonicTime now) const {
  return pending_ && (pending_bytes_ >= options_.commit_bytes ||
                      now - pending_since_ >= options_.commit_interval);
}

bool RecorderImpl::SomethingIsOpen() const {
  return pending_ ||
         std::any_of(lanes_.begin(), lanes_.end(), [](const auto& l) { return l->dirty; });
}

// Takes all that is open out of the lanes. No commit is on its way.
CommitJob RecorderImpl::CutCommit() {
  CommitJob job{.number = book_->commit + 1, .received = received_, .ranks = book_->ranks()};
  commit_times_.cut = parts_.clock->Monotonic();
  commit_times_.received = pending_ ? pending_since_ : commit_times_.cut;
  metrics_->Cut();
  for (const auto& lane : lanes_) {
    if (!lane->dirty) continue;
    job.lanes.push_back({lane->tape, lane->now, std::exchange(lane->blocks, {}),
                         std::exchange(lane->refusals, {}), TakeGaps(lane.get())});
    lane->dirty = false;
  }
  job.rows = rows_.Cut();
  pending_ = false;
  pending_bytes_ = 0;
  return job;
}

// Commits all that is open, now.
Status RecorderImpl::Commit() {
  TD_RETURN_IF_ERROR(CompleteCommit());
  if (!SomethingIsOpen()) return Status::Ok();
  TD_RETURN_IF_ERROR(FailpointHit("record.before_commit"));
  built_commit_ = committer_.BuildHere(CutCommit());
  return CompleteCommit();
}

// Begins to commit all that is open, and goes on: the next batch is filled while this one is
// sealed. What was on its way is completed first, so at most two commits are in memory.
Status RecorderImpl::CommitAhead() {
  TD_RETURN_IF_ERROR(CompleteCommit());
  TD_RETURN_IF_ERROR(FailpointHit("record.before_commit"));
  committer_.Start(CutCommit());
  return Status::Ok();
}

// Completes a commit whose batch is ready. One that is still being built is left alone.
Status RecorderImpl::TakeCommit() {
  if (built_commit_ == nullptr) built_commit_ = committer_.TakeBuilt();
  return built_commit_ == nullptr ? Status::Ok() : CompleteCommit();
}

// Commit number N, if one is on its way: one synced batch, then the rows become visible, then the
// broker is told. A batch that could not be written stays in hand, for the next call.
Status RecorderImpl::CompleteCommit() {
  if (built_commit_ == nullptr) {
    if (!committer_.busy()) return Status::Ok();
    built_commit_ = committer_.WaitBuilt();
  }
  TD_RETURN_IF_ERROR(built_commit_->status);
  TD_RETURN_IF_ERROR(WriteOrStall(&built_commit_->batch, "commit"));
  TD_RETURN_IF_ERROR(FailpointHit("record.after_commit"));
  commit_times_.durable = parts_.clock->Monotonic();
  metrics_->Committed(commit_times_);
  std::unique_ptr<BuiltCommit> built = std::move(built_commit_);
  ++book_->commit;
  ++live_.commits;
  live_.raw_bytes += built->raw_bytes;
  live_.tape_bytes += built->tape_bytes;
  for (const auto& [tape, checkpoint] : built->checkpoints) {
    const Checkpoint& before = book_->checkpoint(tape);
    live_.messages += checkpoint.messages - before.messages;
    live_.records += checkpoint.records - before.records;
    live_.refused += checkpoint.refused - before.refused;
    live_.skipped += checkpoint.skipped - before.skipped;
    book_->SetCheckpoint(tape, checkpoint);
  }
  KeepBlocks(std::move(built->emptied));
  TD_RETURN_IF_ERROR(FailpointHit("record.before_publish"));
  parts_.open_rows->Publish(std::move(built->rows));
  parts_.open_rows->MarkPublished(book_->commit);
  TD_RETURN_IF_ERROR(FailpointHit("record.before_broker_commit"));
  source_->CommitAsync(GroupCommits());
  return FailpointHit("record.after_broker_commit");
}

// Emptied blocks are filled again, so that their memory need not be asked for anew: those of one
// commit, with their offsets and tokens about twice its bytes.
void RecorderImpl::KeepBlocks(std::vector<OpenBlock> blocks) {
  size_t bytes = 0;
  for (const OpenBlock& block : spare_blocks_) bytes += block.messages.memory_bytes();
  for (OpenBlock& block : blocks) {
    bytes += block.messages.memory_bytes();
    if (bytes > 2 * options_.commit_bytes) return;
    spare_blocks_.push_back(std::move(block));
  }
}

std::vector<GroupCommit> RecorderImpl::GroupCommits() const {
  std::vector<GroupCommit> commits;
  for (const auto& lane : lanes_) {
    // Of one that waits nobody knows yet whether another has recorded further.
    if (!lane->has_tape() || lane->waits) continue;
    const Checkpoint& committed = book_->checkpoint(lane->tape);
    Result<std::string> metadata = EncodeCommitMetadata({.node = options_.node_id,
                                                         .store = parts_.store->meta().store_id,
                                                         .lineage = book_->tape(lane->tape).lineage,
                                                         .run_start = committed.run_start,
                                                         .last = committed.last});
    // A node id too long for metadata is refused by the configuration; an offset without metadata
    // is still of use to lag tools.
    commits.push_back({lane->tp, committed.next, metadata.ok() ? *metadata : std::string()});
  }
  return commits;
}

// Writes, and waits while the disk is full: the batch is kept, nothing is pulled, reads go on. Only
// `stop` ends the waiting.
Status RecorderImpl::WriteOrStall(StoreBatch* batch, std::string_view what) {
  for (int attempt = 0;; ++attempt) {
    // The store said that it takes writes again, and did not take this one: there is room for less.
    if (attempt > 1) parts_.clock->SleepFor(kRetryWrite);
    const Status written = parts_.store->Write(*batch);
    if (written.ok()) {
      EndStall();
      return written;
    }
    TD_RETURN_IF_ERROR(Stall(written, what, attempt == 0));
  }
}

// Waits until the store takes writes again, which had this outcome. `again_at_once`: if it does so
// at the first asking.
Status RecorderImpl::Stall(const Status& written, std::string_view what, bool again_at_once) {
  const bool waits = written.code() == StatusCode::kResourceExhausted ||
                     written.code() == StatusCode::kUnavailable;
  if (!waits) return written.WithContext(std::string("writing a ") + std::string(what));
  live_.stall = written.ToString();
  PublishState();
  TD_LOG(kError, "record", "write-stalled", live_.stall, {{"what", std::string(what)}});
  MonotonicTime stalled_at = parts_.clock->Monotonic();
  for (Status resumed = parts_.store->TryResume();; resumed = parts_.store->TryResume()) {
    const MonotonicTime now = parts_.clock->Monotonic();
    metrics_->Stalled(now - std::exchange(stalled_at, now));
    if (resumed.code() == StatusCode::kInternal || resumed.code() == StatusCode::kCorruption)
      return resumed;
    if (resumed.ok() && again_at_once) return Status::Ok();
    if (stop_ != nullptr && stop_->load())
      return Status::Cancelled("stopped while the store could not write");
    if (resumed.ok()) return Status::Ok();
    // Others may have what makes room. What they did may be readable only when the store works.
    const Status served = ServeQueue(StoreQueue::Writer::kBusy);
    if (!served.ok() && served.code() != StatusCode::kUnavailable) return served;
    parts_.clock->SleepFor(kRetryWrite);
  }
}

void RecorderImpl::EndStall() {
  if (!live_.stall.empty()) TD_LOG(kInfo, "record", "resumed", "the store takes writes again");
  live_.stall.clear();
}

// Everything since the last durable commit goes: it will be read from Kafka again.
void RecorderImpl::Discard() {
  if (committer_.busy()) committer_.WaitBuilt();
  built_commit_.reset();
  lanes_.clear();
  rows_.Discard();
  metrics_->Discard();
  pending_ = false;
  pending_bytes_ = 0;
}

}  // namespace tapedeck
