// Jobs of a runner after they were made: requests about them, and the threads that carry them out.

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/text.h"
#include "base/thread.h"
#include "model/keys.h"
#include "replay/attempt.h"
#include "replay/job_json.h"
#include "replay/runner.h"
#include "replay/runner_slot.h"

namespace tapedeck {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kKeepEvery{1'000};
// Brokers forget a group's offsets after seven days by default.
constexpr std::chrono::hours kRenewEvery{24};
// After a renewal that failed: others have their turn.
constexpr std::chrono::minutes kRenewAgain{1};

Status NoJob(std::string_view id) {
  return Status::NotFound("there is no replay job " + Quoted(id));
}

}  // namespace

Result<std::shared_ptr<const JobDesk>> ReplayRunner::Desk(std::string_view id) const {
  std::lock_guard lock(mutex_);
  auto found = slots_.find(id);
  if (found == slots_.end()) return NoJob(id);
  return std::shared_ptr<const JobDesk>(found->second->desk);
}

Result<ReplayView> ReplayRunner::Get(std::string_view id) const {
  TD_ASSIGN_OR_RETURN(const auto desk, Desk(id));
  return ReplayView{desk->job(), desk->live()};
}

Result<OffsetMap> ReplayRunner::Offsets(std::string_view id) const {
  TD_ASSIGN_OR_RETURN(const auto desk, Desk(id));
  const ReplayJob job = desk->job();
  if (!job.spec.restore) {
    return Status::FailedPrecondition("job " + job.id +
                                      " is no restore: only a restore maps offsets");
  }
  if (job.state != ReplayState::kDone) {
    return Status::FailedPrecondition("job " + job.id + " is " +
                                      std::string(ReplayStateName(job.state)) +
                                      ": its offsets are known once it is done");
  }
  TD_ASSIGN_OR_RETURN(const std::shared_ptr<const ReadPoint> point, parts_.open_point());
  Result<std::string> bytes = point->view().Get(keys::Job(OffsetEntryId(job.id)));
  if (bytes.status().code() == StatusCode::kNotFound) {
    bytes = point->view().Get(keys::Job(OldOffsetEntryId(job.id)));
  }
  if (bytes.status().code() == StatusCode::kNotFound) {
    return Status::FailedPrecondition(
        "job " + job.id +
        " has no table of offsets: what it restored had left the store before the table was made, "
        "or a version without tables has done it");
  }
  TD_RETURN_IF_ERROR(bytes.status());
  return DecodeOffsetMap(*bytes);
}

std::vector<ReplayView> ReplayRunner::List() const {
  std::vector<ReplayView> views;
  std::lock_guard lock(mutex_);
  for (const auto& [id, slot] : slots_) {
    if (slot->stored) views.push_back({slot->desk->job(), slot->desk->live()});
  }
  return views;
}

std::array<size_t, kReplayStates> ReplayRunner::Counts() const {
  std::array<size_t, kReplayStates> counts{};
  std::lock_guard lock(mutex_);
  for (const auto& [id, slot] : slots_) {
    if (slot->stored) ++counts[static_cast<size_t>(slot->desk->state())];
  }
  return counts;
}

Result<ReplayView> ReplayRunner::Patch(std::string_view id, std::string_view body,
                                       std::string_view key) {
  if (key.size() > kIdempotencyKeyMax) {
    return Status::InvalidArgument("Idempotency-Key: it is longer than 255 bytes");
  }
  std::shared_ptr<JobDesk> desk;
  {
    std::lock_guard lock(mutex_);
    auto found = slots_.find(id);
    if (found == slots_.end()) return NoJob(id);
    desk = found->second->desk;
  }
  const Timestamp now = parts_.clock->Now();
  // One change: all commands of the request, or none.
  const Status changed = desk->Change([&](ReplayJob* job) -> Status {
    TD_ASSIGN_OR_RETURN(auto commands, ParseReplayPatch(body, *job, now));
    if (!key.empty()) {
      TD_ASSIGN_OR_RETURN(const bool known, RememberRequest(key, HashBytes(body), job));
      if (known) return Status::Ok();
    }
    for (ReplayCommand& command : commands) {
      TD_RETURN_IF_ERROR(AddCommand(std::move(command), job));
    }
    return Status::Ok();
  });
  if (!changed.ok()) return changed;
  std::lock_guard lock(mutex_);
  woken_ = true;
  wake_.notify_all();
  return ReplayView{desk->job(), desk->live()};
}

Status ReplayRunner::Delete(std::string_view id) {
  std::shared_ptr<Slot> slot;
  {
    std::lock_guard lock(mutex_);
    auto found = slots_.find(id);
    if (found == slots_.end()) return NoJob(id);
    slot = found->second;
    if (slot->deleting) {
      return Status::Unavailable("replay job " + Quoted(id) + " is being deleted");
    }
    slot->deleting = true;
  }
  const std::string key(id);
  const Status written = parts_.queue->Write([&](StoreBatch* batch) {
    slot->forgotten.store(true);  // on the writer's thread: nothing comes behind this batch
    batch->DeleteJob(key);
    batch->DeleteJob(OffsetEntryId(key));
    batch->DeleteJob(OldOffsetEntryId(key));
    return Status::Ok();
  });
  if (!written.ok()) {  // it is there as before
    std::lock_guard lock(mutex_);
    slot->forgotten.store(false);
    slot->deleting = false;
    return written;
  }
  slot->desk->Forget();
  std::lock_guard lock(mutex_);
  slots_.erase(key);
  leaving_.push_back(std::move(slot));
  woken_ = true;
  wake_.notify_all();
  return Status::Ok();
}

void ReplayRunner::Reap(bool all) {
  std::vector<std::shared_ptr<Slot>> over;
  {
    std::lock_guard lock(mutex_);
    auto take = [&](const std::shared_ptr<Slot>& slot) {
      if (slot->thread.joinable() && (all || slot->ended.load())) over.push_back(slot);
    };
    for (const auto& [id, slot] : slots_) take(slot);
    for (const auto& slot : leaving_) take(slot);
  }
  for (const auto& slot : over) slot->thread.join();
  std::vector<std::unique_ptr<ReplayWorker>> workers;  // end behind the lock: readers close first
  std::lock_guard lock(mutex_);
  for (const auto& slot : over) {
    workers.push_back(std::move(slot->worker));
    slot->renewing = false;
  }
  std::erase_if(leaving_, [](const auto& slot) { return slot->worker == nullptr; });
}

bool ReplayRunner::Begin(Slot* slot, const ReplayJob& job, std::function<void()> work) {
  WorkerParts parts = PartsOf(job);
  parts.keep_offsets = [this, slot, id = job.id](const std::string& table) {
    return parts_.queue->Write([&](StoreBatch* batch) {
      if (slot->forgotten.load()) return Status::Cancelled("the replay job is being deleted");
      batch->PutJob(OffsetEntryId(id), table);
      return Status::Ok();
    });
  };
  slot->worker = std::make_unique<ReplayWorker>(std::move(parts), slot->desk.get());
  slot->ended.store(false);
  slot->renewed = parts_.clock->Monotonic();
  Result<std::thread> started = StartThread([this, slot, work = std::move(work)] {
    work();
    slot->ended.store(true);
    std::lock_guard done(mutex_);
    woken_ = true;
    wake_.notify_all();
  });
  if (!started.ok()) {
    slot->worker = nullptr;
    slot->renewed.reset();
    if (!std::exchange(lacks_thread_, true))
      TD_LOG(kError, "replay", "no-thread", started.status().ToString(), {{"job", job.id}});
    return false;
  }
  lacks_thread_ = false;
  slot->thread = std::move(started).value();
  return true;
}

void ReplayRunner::StartWorkers() {
  std::lock_guard lock(mutex_);
  if (stopping_) return;
  auto busy = [](const auto& entry) { return entry.second->worker != nullptr; };
  size_t running =
      static_cast<size_t>(std::count_if(slots_.begin(), slots_.end(), busy)) + leaving_.size();
  for (const auto& entry : slots_) {
    Slot* slot = entry.second.get();
    if (running >= options_.max_jobs) return;
    if (slot->worker != nullptr || !slot->stored) continue;
    const ReplayJob job = slot->desk->job();
    if (job.ended() || job.wants() != JobWish::kRun) continue;
    if (!Begin(slot, job, [slot] { slot->worker->Run(); })) return;
    ++running;
  }
}

void ReplayRunner::SaveNotes() {
  std::vector<std::shared_ptr<Slot>> slots;
  {
    std::lock_guard lock(mutex_);
    for (const auto& [id, slot] : slots_) slots.push_back(slot);
  }
  for (const auto& slot : slots) {
    const Status status = slot->desk->SaveNote();
    if (!status.ok()) TD_LOG(kWarn, "replay", "note", status.ToString());
  }
}

// One at a time, on a thread as a worker has it: brokers may take their time. What this process has
// not renewed is due at once: nobody knows for how long the job has stood.
void ReplayRunner::RenewOne() {
  std::lock_guard lock(mutex_);
  if (stopping_) return;
  const MonotonicTime now = parts_.clock->Monotonic();
  auto is_renewing = [](const auto& entry) { return entry.second->renewing; };
  if (std::any_of(slots_.begin(), slots_.end(), is_renewing)) return;
  for (const auto& entry : slots_) {
    Slot* slot = entry.second.get();
    if (slot->worker != nullptr || !slot->stored) continue;
    if (slot->renewed && now - *slot->renewed < kRenewEvery) continue;
    const ReplayJob job = slot->desk->job();
    if (job.state != ReplayState::kPaused || !job.begun ||
        job.spec.delivery != SinkDelivery::kExactlyOnce) {
      continue;
    }
    slot->renewing = Begin(slot, job, [this, slot] {  // without a thread the next round tries again
      const Status status = slot->worker->Renew();
      if (status.ok()) return;
      TD_LOG(kWarn, "replay", "renew", status.ToString());
      std::lock_guard failed(mutex_);
      slot->renewed = parts_.clock->Monotonic() - kRenewEvery + kRenewAgain;
    });
    return;
  }
}

void ReplayRunner::Keep() {
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      wake_.wait_for(lock, kKeepEvery, [this] { return stopping_ || woken_; });
      if (stopping_) break;
      woken_ = false;
    }
    Reap(false);
    StartWorkers();
    SaveNotes();
    RenewOne();
  }
}

}  // namespace tapedeck
