#include "replay/job_desk.h"

namespace tapedeck {

// What has not begun has given no number.
JobDesk::JobDesk(ReplayJob job, Persist persist)
    : job_(std::move(job)),
      persist_(std::move(persist)),
      given_(job_.note.next_seq),
      given_known_(!job_.begun) {}

ReplayJob JobDesk::job() const {
  std::lock_guard lock(mutex_);
  return job_;
}

ReplayState JobDesk::state() const {
  std::lock_guard lock(mutex_);
  return job_.state;
}

void JobDesk::Tell() {
  ++news_;
  told_.notify_all();
}

Status JobDesk::Change(const std::function<Status(ReplayJob*)>& change) {
  std::lock_guard one(change_mutex_);
  ReplayJob changed = job();
  TD_RETURN_IF_ERROR(change(&changed));
  TD_RETURN_IF_ERROR(persist_(changed));
  std::lock_guard lock(mutex_);
  changed.note = job_.note;  // the worker's, meanwhile
  job_ = std::move(changed);
  version_.fetch_add(1, std::memory_order_release);
  Tell();
  return Status::Ok();
}

void JobDesk::SetNote(const ReplayNote& note, uint64_t command) {
  std::lock_guard lock(mutex_);
  job_.note = note;
  ForgetCommands(command, &job_);
  note_dirty_ = true;
}

Status JobDesk::SaveNote() {
  std::lock_guard one(change_mutex_);
  ReplayJob written;
  {
    std::lock_guard lock(mutex_);
    if (!note_dirty_) return Status::Ok();
    note_dirty_ = false;
    written = job_;
  }
  Status status = persist_(written);
  if (!status.ok()) {
    std::lock_guard lock(mutex_);
    note_dirty_ = true;
  }
  return status;
}

Status JobDesk::KeepNote(const ReplayNote& note, uint64_t command) {
  std::lock_guard one(change_mutex_);
  ReplayJob kept = job();
  kept.note = note;
  ForgetCommands(command, &kept);
  TD_RETURN_IF_ERROR(persist_(kept));
  std::lock_guard lock(mutex_);
  job_ = std::move(kept);
  note_dirty_ = false;
  return Status::Ok();
}

void JobDesk::SetLive(const ReplayLive& live) {
  std::lock_guard lock(mutex_);
  live_ = live;
  Tell();
}

ReplayLive JobDesk::live() const {
  std::lock_guard lock(mutex_);
  return live_;
}

void JobDesk::Stop() {
  stopping_->store(true, std::memory_order_release);
  std::lock_guard lock(mutex_);
  version_.fetch_add(1, std::memory_order_release);
  Tell();
}

void JobDesk::Forget() {
  {
    std::lock_guard lock(mutex_);
    if (!job_.ended()) job_.state = ReplayState::kCancelled;
  }
  Stop();
}

bool JobDesk::WaitNews(uint64_t* news, std::chrono::milliseconds timeout) const {
  std::unique_lock lock(mutex_);
  const bool told = told_.wait_for(lock, timeout, [&] { return news_ != *news; });
  *news = news_;
  return told;
}

}  // namespace tapedeck
