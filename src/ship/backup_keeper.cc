#include "ship/backup_keeper.h"

#include <algorithm>

#include "base/log.h"

namespace tapedeck {
namespace {

constexpr std::chrono::nanoseconds kRetryMost = std::chrono::hours(1);
// Of a store that has none: there is something to back up by then.
constexpr std::chrono::nanoseconds kFirstAfter = std::chrono::hours(1);

}  // namespace

std::chrono::nanoseconds BackupKeeper::Left() const {
  return std::max(*due_ - clock_->Monotonic(), std::chrono::nanoseconds(0));
}

Result<std::chrono::nanoseconds> BackupKeeper::Work(const std::atomic<bool>& stop) {
  if (!due_) {
    const StoreMeta& meta = store_->meta();
    TD_ASSIGN_OR_RETURN(const std::vector<BackupRef> there, ListBackups(blobs_, meta.node_id));
    const auto ours = std::ranges::find(there, meta.store_id, &BackupRef::store);
    due_ = clock_->Monotonic() + std::min(options_.interval, kFirstAfter);
    if (ours != there.end()) {
      // A clock that was set back must not put the next one off for ever.
      const std::chrono::nanoseconds age(std::max<int64_t>(clock_->Now().ns() - ours->at.ns(), 0));
      due_ = clock_->Monotonic() + std::max(options_.interval - age, std::chrono::nanoseconds(0));
      std::lock_guard lock(mutex_);
      state_.last_at = ours->at;
    }
  }
  if (Left() > std::chrono::nanoseconds(0)) return Left();
  TD_ASSIGN_OR_RETURN(const BackupReport made,
                      MakeBackup(store_, blobs_, clock_, options_.backup, &stop));
  due_ = clock_->Monotonic() + options_.interval;
  std::lock_guard lock(mutex_);
  state_.last_at = made.made.at;
  state_.last_error.clear();
  ++state_.made;
  return options_.interval;
}

std::chrono::nanoseconds BackupKeeper::Round(const std::atomic<bool>& stop) {
  const Result<std::chrono::nanoseconds> wait = Work(stop);
  if (wait.ok()) return *wait;
  if (wait.status().code() == StatusCode::kCancelled) return std::chrono::nanoseconds(0);
  TD_LOG(kError, "ship", "backup-failed", wait.status().ToString());
  std::lock_guard lock(mutex_);
  state_.last_error = wait.status().ToString();
  return std::min(options_.interval / 10, kRetryMost);
}

BackupState BackupKeeper::State() const {
  std::lock_guard lock(mutex_);
  return state_;
}

}  // namespace tapedeck
