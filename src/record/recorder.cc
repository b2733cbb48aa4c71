#include "record/recorder.h"

#include <algorithm>

#include "base/failpoint.h"
#include "base/log.h"
#include "record/recorder_impl.h"
#include "tape/tail.h"

namespace tapedeck {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// A poll returns at latest after this, so that timers are looked at.
constexpr milliseconds kPollMax(50);
// While a commit is being built it returns at latest after this.
constexpr milliseconds kPollBuilding(1);
// A commit of less is built by the record thread, at once.
constexpr size_t kBuildAheadBytes = size_t{1} << 20;
constexpr seconds kDiskCheckInterval(1);
constexpr seconds kMergePokeInterval(5);
constexpr milliseconds kStateInterval(100);
constexpr seconds kCloseTimeout(10);
constexpr seconds kFinalCommitTimeout(5);
constexpr milliseconds kReassignDelayFirst(200);
constexpr seconds kReassignDelayMax(30);
constexpr size_t kNoticesMax = 16;

// As a metric's label.
const char* TroubleName(SourceTrouble trouble) {
  switch (trouble) {
    case SourceTrouble::kOutOfRange:
      return "out-of-range";
    case SourceTrouble::kBadBatch:
      return "bad-batch";
    case SourceTrouble::kUnknownTopic:
      return "unknown-topic";
    case SourceTrouble::kNotAuthorized:
      return "not-authorized";
    case SourceTrouble::kOther:
      break;
  }
  return "other";
}

}  // namespace

Result<std::unique_ptr<Recorder>> Recorder::Make(RecorderOptions options, RecorderParts parts) {
  if (options.topics.empty()) {
    return Status::InvalidArgument(
        "no topic to record: add a [[topics]] section with name and mapping");
  }
  auto recorder = std::make_unique<RecorderImpl>(std::move(options), std::move(parts));
  TD_RETURN_IF_ERROR(recorder->Open());
  return std::unique_ptr<Recorder>(std::move(recorder));
}

RecorderImpl::RecorderImpl(RecorderOptions options, RecorderParts parts)
    : options_(std::move(options)),
      parts_(std::move(parts)),
      time_(parts_.clock),
      stuck_(options_.stuck_after, options_.tail_check_interval),
      rows_(parts_.directory),
      flusher_(parts_.directory, parts_.store),
      committer_([this](CommitJob job) { return commit_builder_.Build(std::move(job)); }) {}

Status RecorderImpl::Open() {
  TD_ASSIGN_OR_RETURN(StoreState state, parts_.store->View()->LoadState());
  book_ = std::make_unique<TapeBook>(std::move(state));
  cluster_id_ = parts_.store->meta().cluster_id;
  metrics_ = std::make_unique<RecordMetrics>(parts_.metrics, &book_->tables);
  StoreBatch batch;
  for (const RecordTopic& topic : options_.topics) {
    TopicSetup setup{.topic = &topic};
    if (!topic.name.empty() && topic.name[0] == '^') {
      try {
        setup.pattern.emplace(topic.name, std::regex::extended | std::regex::optimize);
      } catch (const std::regex_error& error) {
        return Status::InvalidArgument("topic pattern '" + topic.name + "': " + error.what());
      }
    }
    TD_ASSIGN_OR_RETURN(setup.decoder, Decoder::Make(topic.mapping, &book_->tables));
    batch.PutMapping(topic.mapping.hash(), topic.mapping.canonical());
    setups_.push_back(std::move(setup));
  }
  for (const Table& table : book_->tables.tables()) batch.PutTable(table);
  return parts_.store->Write(batch).WithContext("storing tables and mappings");
}

Status RecorderImpl::Recover() {
  TD_RETURN_IF_ERROR(FailpointHit("record.recover"));
  // A tail is what was open when the process ended: flush_bytes and one commit at most.
  std::unique_ptr<StoreView> view = parts_.store->View();
  TailDecoder tail(view.get(), parts_.directory);
  for (const auto& [tp, tape] : book_->tapes()) {
    TD_ASSIGN_OR_RETURN(TailCounts counts, tail.Decode(tp, book_->checkpoint(tp), &rows_));
    if (counts.records > 0) {
      TD_LOG(kInfo, "record", "recovered", "rows above the watermark decoded again",
             {{"partition", tape.ToString()}, {"records", std::to_string(counts.records)}});
    }
  }
  parts_.open_rows->Publish(rows_.Finish(book_->commit, book_->ranks()));
  parts_.open_rows->MarkPublished(book_->commit);
  PublishState();
  return Status::Ok();
}

Status RecorderImpl::Run(const std::atomic<bool>& stop) {
  stop_ = &stop;
  TD_ASSIGN_OR_RETURN(probe_, parts_.open_probe());
  checker_ =
      std::make_unique<TailChecker>(parts_.open_probe, options_.broker_timeout, parts_.clock);
  StartMerger();
  healer_ = std::make_unique<Healer>(parts_.open_probe, parts_.clock,
                                     HealerOptions{.heal_after = options_.heal_after,
                                                   .broker_timeout = options_.broker_timeout,
                                                   .unlisted = parts_.unlisted,
                                                   .stop = stop_});
  TD_ASSIGN_OR_RETURN(source_, parts_.open_source(this));
  last_flush_ = parts_.clock->Monotonic();
  live_.running = true;
  return Finish(Loop());
}

Status RecorderImpl::Loop() {
  while (!stop_->load(std::memory_order_relaxed)) {
    Status status = Step();
    if (status.code() == StatusCode::kUnavailable) {
      metrics_->KafkaError("unavailable");
      Notice(status.ToString());
      TD_LOG(kWarn, "record", "trouble", status.ToString());
      ReassignSoon(reassign_delay_);
      if (unlearnt_ != Unlearnt::kNothing) parts_.clock->SleepFor(kRetryWrite);
      continue;
    }
    if (status.code() == StatusCode::kCancelled && stop_->load()) return Status::Ok();
    TD_RETURN_IF_ERROR(status);
  }
  return Status::Ok();
}

Status RecorderImpl::Step() {
  const MonotonicTime now = parts_.clock->Monotonic();
  TD_RETURN_IF_ERROR(StallIfDiskIsFull(now));
  std::chrono::nanoseconds wait = kPollMax;
  if (pending_)
    wait = std::clamp<std::chrono::nanoseconds>(pending_since_ + options_.commit_interval - now,
                                                milliseconds(0), kPollMax);
  if (committer_.busy()) wait = std::min<std::chrono::nanoseconds>(wait, kPollBuilding);
  TD_RETURN_IF_ERROR(ServeQueue());
  TD_ASSIGN_OR_RETURN(const SourceBatch* batch,
                      source_->Poll(std::chrono::ceil<milliseconds>(wait)));
  TD_RETURN_IF_ERROR(FailpointHit("record.after_poll"));
  const Status taken = Take(*batch);
  if (!taken.ok()) source_->Reassign();  // the rest of the batch is read again
  TD_RETURN_IF_ERROR(taken);
  const MonotonicTime after = parts_.clock->Monotonic();
  TD_RETURN_IF_ERROR(TakeCommit());
  if (CommitIsDue(after))
    TD_RETURN_IF_ERROR(pending_bytes_ < kBuildAheadBytes ? Commit() : CommitAhead());
  TD_RETURN_IF_ERROR(TakeFlush());
  TD_RETURN_IF_ERROR(FlushIfAsked());
  if (FlushIsDue(after)) TD_RETURN_IF_ERROR(StartFlush());
  return Periodic();
}

Status RecorderImpl::Take(const SourceBatch& batch) {
  for (const SourceMessage& m : batch.messages) {
    Lane* lane = lanes_[m.slot].get();
    TD_RETURN_IF_ERROR(Append(lane, m.message));
    // A large batch is committed in the middle: commit_bytes bounds what is open.
    if (pending_bytes_ >= options_.commit_bytes) TD_RETURN_IF_ERROR(CommitAhead());
  }
  for (const PartitionEnd& end : batch.ends)
    TD_RETURN_IF_ERROR(ReachEnd(lanes_[end.slot].get(), end.offset));
  for (const PartitionError& error : batch.errors) TakeError(error);
  for (const SourceNotice& notice : batch.notices) {
    Notice(notice.code + ": " + notice.detail);
    metrics_->KafkaError(notice.code);
    TD_LOG(kWarn, "record", "kafka-notice", notice.detail, {{"code", notice.code}});
  }
  return Status::Ok();
}

void RecorderImpl::TakeError(const PartitionError& error) {
  Lane* lane = lanes_[error.slot].get();
  TD_LOG(kWarn, "record", "partition-error", error.detail, {{"partition", lane->tp.ToString()}});
  metrics_->KafkaError(TroubleName(error.trouble));
  switch (error.trouble) {
    case SourceTrouble::kBadBatch:
      lane->health = "Kafka cannot deliver what follows offset " + std::to_string(lane->now.next) +
                     " (" + error.detail + "); if it stays so: tapedeck skip --topic " +
                     lane->tp.topic + " --partition " + std::to_string(lane->tp.partition);
      break;
    case SourceTrouble::kUnknownTopic:
    case SourceTrouble::kNotAuthorized:
      lane->health = error.detail;
      break;
    case SourceTrouble::kOutOfRange:
    case SourceTrouble::kOther:
      break;
  }
  ReassignSoon(reassign_delay_);
}

// Reassigns after a delay that doubles while trouble goes on; a delay that runs already is kept. An
// assignment that succeeds says little: one partition may go on failing, and every other one gives
// up what it has fetched each time. So the delay is forgotten only after as long again without
// trouble.
void RecorderImpl::ReassignSoon(std::chrono::nanoseconds delay) {
  last_trouble_ = parts_.clock->Monotonic();
  if (reassign_at_) return;
  reassign_at_ = parts_.clock->Monotonic() + delay;
  reassign_delay_ = std::clamp<std::chrono::nanoseconds>(reassign_delay_ * 2, kReassignDelayFirst,
                                                         kReassignDelayMax);
}

Status RecorderImpl::Periodic() {
  const MonotonicTime now = parts_.clock->Monotonic();
  TakeTailAnswers();
  if (now - last_tail_check_ >= options_.tail_check_interval) {
    AskTails(now);
    TellStuck();
  }
  if (reassign_at_ && now >= *reassign_at_) {
    reassign_at_.reset();
    TD_RETURN_IF_ERROR(Commit());
    source_->Reassign();
  }
  if (!reassign_at_ && now - last_trouble_ > 2 * reassign_delay_)
    reassign_delay_ = kReassignDelayFirst;
  if (merger_ != nullptr && now - last_merge_poke_ >= kMergePokeInterval) {
    last_merge_poke_ = now;
    merger_->Poke();
  }
  TD_RETURN_IF_ERROR(ApplyMerges());
  TD_RETURN_IF_ERROR(AskHealer(now));
  TD_RETURN_IF_ERROR(TakeHealed());
  if (now - last_state_ >= kStateInterval) {
    last_state_ = now;
    PublishState();
  }
  return Status::Ok();
}

void RecorderImpl::AskTails(MonotonicTime now) {
  last_tail_check_ = now;
  if (!checker_->idle()) return;  // the broker is slow: one round at a time
  stuck_.Turn(now);
  std::vector<TailQuestion> questions;
  for (const auto& lane : lanes_) {
    if (!lane->has_tape()) continue;
    const Checkpoint& committed = book_->checkpoint(lane->tape);
    const bool stands = lane->health.empty() && stuck_.WantsEnd(lane->tp, lane->now.next);
    if (committed.last.offset >= 0 && committed.last != committed.anchor) {
      questions.push_back({lane->tp, committed.next, committed.last, committed.anchor});
    } else if (stands) {
      questions.push_back({lane->tp, committed.next, Landmark{}, Landmark{}});  // only the end
    }
  }
  if (!questions.empty()) checker_->Ask(std::move(questions));
}

void RecorderImpl::TakeTailAnswers() {
  for (TailAnswer& answer : checker_->TakeAnswers()) {
    auto lane = std::find_if(lanes_.begin(), lanes_.end(),
                             [&](const auto& l) { return l->tp == answer.question.tp; });
    if (lane == lanes_.end()) continue;
    (*lane)->log_end = answer.bounds.end;
    (*lane)->log_first_ms = answer.log_first_ms;
    stuck_.TakeEnd(answer.question.tp, answer.question.next, answer.bounds.end);
    if (answer.verdict == TailVerdict::kChanged) {
      if (!(*lane)->health.empty()) continue;  // halted, or about to be assigned again anyway
      TD_LOG(kWarn, "record", "log-changed", answer.reason,
             {{"partition", answer.question.tp.ToString()}});
      ReassignSoon(std::chrono::nanoseconds(0));
    } else if (answer.verdict == TailVerdict::kSame &&
               (*lane)->now.last.offset >= answer.question.last.offset) {
      // What compared equal becomes the anchor: older than anything a later change can hide behind.
      (*lane)->now.anchor = answer.question.last;
      (*lane)->dirty = true;
    }
  }
}

// A fetcher that lost its way finds it again when the partition is assigned anew; damage stays.
void RecorderImpl::TellStuck() {
  for (const TopicPartition& tp : stuck_.NewlyStuck()) {
    auto lane =
        std::find_if(lanes_.begin(), lanes_.end(), [&](const auto& l) { return l->tp == tp; });
    if (lane == lanes_.end()) continue;
    TD_LOG(kWarn, "record", "stuck", stuck_.Reason(tp, (*lane)->now.next),
           {{"partition", tp.ToString()}});
    ReassignSoon(reassign_delay_);
  }
}

Status RecorderImpl::StallIfDiskIsFull(MonotonicTime now) {
  if (now - last_disk_check_ < kDiskCheckInterval) return Status::Ok();
  last_disk_check_ = now;
  for (;;) {
    Result<DiskUse> disk = parts_.store->Disk();
    if (disk.ok() && disk->used() >= options_.disk_warn && disk->used() < options_.disk_stop) {
      TD_LOG(kWarn, "record", "disk-warn", "the disk fills up: recording stops at disk_stop",
             {{"used_percent", std::to_string(int(disk->used() * 100))}});
    }
    if (!disk.ok() || disk->used() < options_.disk_stop) break;
    TD_RETURN_IF_ERROR(Commit());
    live_.stall = "the disk is " + std::to_string(int(disk->used() * 100)) +
                  " % full: nothing is pulled from Kafka";
    PublishState();
    TD_LOG(kError, "record", "disk-stop", live_.stall);
    if (stop_->load()) return Status::Ok();
    // What others write goes on: pruning is among it.
    for (auto waited = milliseconds(0); waited < kDiskCheckInterval; waited += kPollMax) {
      TD_RETURN_IF_ERROR(ServeQueue());
      parts_.clock->SleepFor(kPollMax);
    }
    metrics_->Stalled(kDiskCheckInterval);
  }
  live_.stall.clear();
  return Status::Ok();
}

// Writes of other threads, between two of ours.
Status RecorderImpl::ServeQueue(StoreQueue::Writer writer) {
  TD_RETURN_IF_ERROR(LearnServed());
  StoreQueue* queue = parts_.queue;
  if (queue == nullptr || !queue->waiting()) return Status::Ok();
  // A flush on its way was built from days and catalog entries as they were.
  bool quiet = writer == StoreQueue::Writer::kQuiet && queue->wants_quiet();
  if (quiet && flusher_->busy()) TD_RETURN_IF_ERROR(TakeFlush());
  if (flusher_->busy()) quiet = false;
  // Nor is a commit on its way: it would put checkpoints back as they were.
  if (quiet) TD_RETURN_IF_ERROR(CompleteCommit());
  unlearnt_ = quiet ? Unlearnt::kAll : Unlearnt::kShips;
  TD_RETURN_IF_ERROR(
      queue->Serve(parts_.store, quiet ? StoreQueue::Writer::kQuiet : StoreQueue::Writer::kBusy));
  return LearnServed();
}

// What others wrote may have moved what is shipped and pruned, and when we were quiet, days, tapes
// and counts. Where it cannot be read now, nothing of ours is built or written until it can.
Status RecorderImpl::LearnServed() {
  if (unlearnt_ == Unlearnt::kNothing) return Status::Ok();
  TD_ASSIGN_OR_RETURN(auto ships, parts_.store->View()->Ships());
  book_->SetShips(std::move(ships));
  if (unlearnt_ == Unlearnt::kAll) TD_RETURN_IF_ERROR(TakeInDropped());
  unlearnt_ = Unlearnt::kNothing;
  return Status::Ok();
}

// Days, rows and tapes that retention took out just now, and what a reindex has put in their place.
Status RecorderImpl::TakeInDropped() {
  const std::unique_ptr<StoreView> view = parts_.store->View();
  TD_ASSIGN_OR_RETURN(StoreState state, view->LoadState());
  if (merger_ != nullptr) merger_->Forget();
  book_->SetDays(std::move(state.days));
  for (const auto& [tp, checkpoint] : state.checkpoints) {
    Result<std::string> bytes = view->Get(keys::Gap(tp, checkpoint.start));
    if (bytes.status().code() == StatusCode::kNotFound) continue;
    TD_RETURN_IF_ERROR(bytes.status());
    TD_ASSIGN_OR_RETURN(const Gap gap, DecodeGap(checkpoint.start, *bytes));
    if (gap.reason == GapReason::kRetain) dropped_to_[tp] = gap.to;
  }
  flusher_.Forget();
  if (state.flush > book_->flush) {
    book_->flush = state.flush;
    for (const auto& [tp, checkpoint] : state.checkpoints) TakeInCounts(tp, checkpoint);
  }
  parts_.open_rows->DropThrough(state.flushed_commit);  // answers are others now
  return Status::Ok();
}

// What a tape's messages came to, decoded anew: the counters go on from there.
void RecorderImpl::TakeInCounts(TpId tp, const Checkpoint& stored) {
  const Checkpoint before = book_->checkpoint(tp);
  book_->SetCheckpoint(tp, stored);
  for (const auto& lane : lanes_) {
    if (lane->tape != tp) continue;
    lane->now.records += stored.records - before.records;
    lane->now.refused += stored.refused - before.refused;
    lane->now.skipped += stored.skipped - before.skipped;
  }
}

Status RecorderImpl::Finish(Status end) {
  TD_RETURN_IF_ERROR(FailpointHit("record.shutdown"));
  checker_.reset();
  healer_.reset();
  merger_.reset();
  const bool store_is_sound =
      end.code() != StatusCode::kInternal && end.code() != StatusCode::kCorruption;
  if (store_is_sound) {
    Status last = LearnServed();
    if (last.ok()) last = Commit();
    if (last.ok()) last = FlushAll();
    if (last.ok()) last = ServeQueue();
    if (!last.ok()) TD_LOG(kError, "record", "last-commit", last.ToString());
    if (last.ok() && !lanes_.empty()) {
      Status told = source_->Commit(GroupCommits(),
                                    std::chrono::duration_cast<milliseconds>(kFinalCommitTimeout));
      if (!told.ok()) TD_LOG(kWarn, "record", "last-broker-commit", told.ToString());
    }
  }
  Status closed = source_->Close(options_.leave_on_stop, kCloseTimeout);
  if (!closed.ok()) TD_LOG(kWarn, "record", "close", closed.ToString());
  live_.running = false;
  live_.assigned = false;
  if (!end.ok()) live_.stall = end.ToString();
  PublishState();
  return end;
}

void RecorderImpl::Notice(std::string text) {
  live_.notices.push_back(std::move(text));
  if (live_.notices.size() > kNoticesMax) live_.notices.erase(live_.notices.begin());
}

void RecorderImpl::PublishState() {
  live_.partitions.clear();
  for (const auto& lane : lanes_) {
    if (!lane->has_tape()) {
      live_.partitions.push_back({.tp = lane->tp, .health = lane->health});
      continue;
    }
    const Checkpoint& committed = book_->checkpoint(lane->tape);
    live_.partitions.push_back(
        {.tp = lane->tp,
         .lineage = book_->tape(lane->tape).lineage,
         .received = lane->now.next,
         .stored = committed.next,
         .watermark = committed.watermark,
         .shipped = book_->ship(lane->tape).shipped,
         .log_end = lane->log_end,
         .kafka_ms = committed.kafka_max_ms,
         .log_first_ms = lane->log_first_ms,
         .messages = committed.messages,
         .records = committed.records,
         .refused = committed.refused,
         .skipped = committed.skipped,
         .health = lane->health.empty() ? stuck_.Reason(lane->tp, lane->now.next) : lane->health,
         .tables = lane->topic->mapping.tables()});
  }
  std::lock_guard lock(state_mutex_);
  state_ = live_;
}

RecorderState RecorderImpl::State() const {
  std::lock_guard lock(state_mutex_);
  return state_;
}

}  // namespace tapedeck
