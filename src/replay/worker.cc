#include "replay/worker.h"

#include <algorithm>
#include <deque>
#include <mutex>
#include <optional>

#include "base/failpoint.h"
#include "base/log.h"
#include "replay/attempt.h"
#include "replay/restore_offsets.h"
#include "replay/trail_thread.h"

namespace tapedeck {
namespace {

// In a wait, the desk is looked at this often: a change is in force within 100 ms.
constexpr std::chrono::milliseconds kLook{20};

// Trying again cannot help.
bool IsFinal(const Status& status) {
  switch (status.code()) {
    case StatusCode::kInvalidArgument:
    case StatusCode::kNotFound:
    case StatusCode::kCorruption:
    case StatusCode::kAlreadyExists:
      return true;
    default:
      return false;
  }
}

}  // namespace

struct ReplayWorker::Shared {
  std::mutex mutex;
  ReplayAttempt* attempt = nullptr;  // while one is under way
};

ReplayWorker::ReplayWorker(WorkerParts parts, JobDesk* desk)
    : parts_(std::move(parts)), desk_(desk), shared_(std::make_unique<Shared>()) {}

ReplayWorker::~ReplayWorker() = default;

void ReplayWorker::Break() {
  std::lock_guard lock(shared_->mutex);
  if (shared_->attempt != nullptr) shared_->attempt->Break();
}

ReplayOutcome ReplayWorker::Fail(const Status& status) {
  TD_LOG(kError, "replay", "failed", status.ToString(), {{"job", desk_->job().id}});
  (void)desk_->Change([&](ReplayJob* job) {  // what is not written now is found out again
    if (job->state == ReplayState::kCancelled) return Status::Ok();
    job->state = ReplayState::kFailed;
    job->error = std::string(status.message());
    return Status::Ok();
  });
  return ReplayOutcome::kFailed;
}

// kOk: the worker goes on; else how it ends.
std::optional<ReplayOutcome> ReplayWorker::Ordered() const {
  if (desk_->stopping()) return ReplayOutcome::kStopped;
  switch (desk_->job().wants()) {
    case JobWish::kRun:
      return std::nullopt;
    case JobWish::kPause:
      return ReplayOutcome::kPaused;
    case JobWish::kCancel:
      return ReplayOutcome::kCancelled;
  }
  return std::nullopt;
}

// Waits before another attempt; an order ends the wait.
void ReplayWorker::WaitToRetry(std::chrono::nanoseconds wait) const {
  const MonotonicTime until = parts_.clock->Monotonic() + wait;
  while (parts_.clock->Monotonic() < until && !Ordered()) parts_.clock->SleepFor(kLook);
}

Status ReplayWorker::StartTrail() {
  if (trail_ != nullptr) return Status::Ok();
  auto trail = std::make_unique<TrailThread>(parts_, desk_->job());
  TD_RETURN_IF_ERROR(trail->Start());
  trail_ = std::move(trail);
  return Status::Ok();
}

Status ReplayWorker::Attempt(bool again, std::optional<ReplayOutcome>* outcome) {
  std::optional<ReplayNote> sent_all;
  uint64_t command = 0;
  Status status;
  {
    ReplayAttempt attempt(parts_, desk_, &replaced_);
    {
      std::lock_guard lock(shared_->mutex);
      shared_->attempt = &attempt;
    }
    status = attempt.Start(again);
    if (status.ok()) {
      status = StartTrail();
    }
    if (status.ok()) {
      attempt.Watch(trail_.get());
      status = attempt.Send();
    }
    if (!status.ok()) attempt.Abandon();
    if (status.ok() && attempt.sent_all()) sent_all = attempt.note();
    command = attempt.command();
    std::lock_guard lock(shared_->mutex);
    shared_->attempt = nullptr;
  }
  // Nothing of the store is held on to from here on: reading back takes as long as the target does.
  if (sent_all) {
    *outcome = Verify(*sent_all, command);
  } else if (status.ok()) {
    *outcome = Ordered();
  }
  return status;
}

Status ReplayWorker::KeepOffsets() {
  const ReplayJob job = desk_->job();
  if (!job.spec.restore || !parts_.keep_offsets) return Status::Ok();
  const GiveUp stop{[this] { return !!Ordered(); }, desk_->stop_flag()};
  const Result<OffsetMap> map = MapOffsets(parts_, job, trail_->found(), stop);
  // Too many holes: another try finds as many.
  if (map.status().code() == StatusCode::kResourceExhausted)
    return Status::InvalidArgument(std::string(map.status().message()));
  // The messages are there and were compared: a restore whose source has left the store since is
  // done, without a table.
  if (map.status().code() == StatusCode::kNotFound ||
      map.status().code() == StatusCode::kFailedPrecondition) {
    TD_LOG(kWarn, "replay", "no-offsets", map.status().ToString(), {{"job", job.id}});
    return Status::Ok();
  }
  TD_RETURN_IF_ERROR(map.status());
  return parts_.keep_offsets(EncodeOffsetMap(*map));
}

// Nothing: what was asked for since the last message is to be carried out first.
std::optional<ReplayOutcome> ReplayWorker::Verify(const ReplayNote& note, uint64_t command) {
  bool more = false;
  Status status = desk_->Change([&](ReplayJob* job) {
    more = job->wants() == JobWish::kRun && job->last_command > command;
    if (job->wants() == JobWish::kRun && !more) job->state = ReplayState::kVerifying;
    return Status::Ok();
  });
  if (!status.ok()) return ReplayOutcome::kStopped;
  if (more) return std::nullopt;
  status = FailpointHit("replay.verifying");
  if (status.ok()) {
    status = trail_->Finish(note.next_seq - 1, note.digest, [this] { return !!Ordered(); });
  }
  if (status.ok()) {
    status = KeepOffsets();
    // Everything is sent and verified: what may pass (a store that is opened again, a full disk, an
    // archive that does not answer) does not undo that.
    if (!status.ok() && status.code() != StatusCode::kCancelled && !IsFinal(status)) {
      TD_LOG(kWarn, "replay", "offsets", status.ToString(), {{"job", desk_->job().id}});
      WaitToRetry(parts_.retry_min);
      return std::nullopt;
    }
  }
  if (status.code() == StatusCode::kCancelled) return Ordered().value_or(ReplayOutcome::kStopped);
  if (!status.ok()) return Fail(status);
  status = desk_->Change([&](ReplayJob* job) {
    if (job->state == ReplayState::kCancelled) return Status::Ok();
    job->state = ReplayState::kDone;
    job->verified_messages = note.next_seq - 1;
    job->verified_digest = note.digest;
    return Status::Ok();
  });
  return status.ok() ? ReplayOutcome::kDone : ReplayOutcome::kStopped;
}

Status ReplayWorker::Renew() { return RenewProgress(parts_, desk_); }

ReplayOutcome ReplayWorker::Run() {
  SharpenTimers();
  std::chrono::nanoseconds wait = parts_.retry_min;
  for (bool again = false;; again = true) {
    if (auto ordered = Ordered()) return *ordered;
    std::optional<ReplayOutcome> outcome;
    const uint64_t before = desk_->job().note.next_seq;
    const Status status = Attempt(again, &outcome);
    if (outcome) return *outcome;
    if (status.ok()) continue;  // an order that has been taken back
    if (desk_->stopping()) return ReplayOutcome::kStopped;
    if (IsFinal(status)) return Fail(status);
    if (desk_->job().note.next_seq != before) wait = parts_.retry_min;
    TD_LOG(kWarn, "replay", "again", status.ToString(), {{"job", desk_->job().id}});
    ReplayLive live = desk_->live();
    live.trouble = std::string(status.message());
    desk_->SetLive(live);
    WaitToRetry(status.code() == StatusCode::kFailedPrecondition ? std::max(wait, parts_.fenced_min)
                                                                 : wait);
    wait = std::min(wait * 2, parts_.retry_max);
  }
}

}  // namespace tapedeck
