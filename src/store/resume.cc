// Recovery from a full disk: RocksStore::TryResume and what it needs.
//
// DB::Resume is half a plan at 7.8.3: with less free room than its memtables it answers Busy
// without end, and it can report success while the next write fails. So: make room (ballast),
// resume with a deadline, prove it by a real write, else close and open again.

#include <algorithm>

#include "base/bytes.h"
#include "base/log.h"
#include "store/batch_rep.h"
#include "store/preflight.h"
#include "store/rocks_store.h"

namespace tapedeck::rocks {
namespace {

constexpr std::chrono::seconds kResumeDeadline{10};
constexpr std::chrono::milliseconds kResumePause{50};
/// How long a reopening waits for queries to give back their views.
constexpr std::chrono::seconds kDrainDeadline{10};
/// Between looks at the ballast and at errors in the background.
constexpr std::chrono::seconds kTendPause{5};
/// Free room beside what the memtables take: MANIFEST, the next WAL, the file system's own.
constexpr uint64_t kSpareBytes = uint64_t{4} << 20;

}  // namespace

// Both ways write the memtables out; their content is that of the WALs, of which they may be the
// larger.
uint64_t RocksStore::BytesToResume() const {
  uint64_t in_memory = 0;
  if (engine_ != nullptr) {
    engine_->db().GetIntProperty(rocksdb::DB::Properties::kCurSizeAllMemTables, &in_memory);
  }
  const uint64_t bytes = std::max(in_memory, WalBytes(dir_));
  return bytes + bytes / 8 + kSpareBytes;
}

Status RocksStore::MakeRoom(uint64_t needed_bytes) {
  TD_ASSIGN_OR_RETURN(DiskUse disk, Disk());
  if (disk.free_bytes >= needed_bytes) return Status::Ok();
  TD_RETURN_IF_ERROR(ballast_.Release());
  TD_ASSIGN_OR_RETURN(disk, Disk());
  if (disk.free_bytes >= needed_bytes) return Status::Ok();
  return Status::ResourceExhausted(
      "the disk of " + dir_.string() + " has " + std::to_string(disk.free_bytes) +
      " bytes free; the store needs " + std::to_string(needed_bytes) + " to go on: free some");
}

Status RocksStore::TryResume() {
  if (!writer_)
    return Status::FailedPrecondition("only a store that is open for writing is resumed");
  if (!failed_.ok()) return failed_;
  TD_RETURN_IF_ERROR(MakeRoom(BytesToResume()));
  Status resumed = engine_ == nullptr ? Status::Unavailable("closed")
                   : engine_->manifest_error()
                       ? Status::Unavailable("the MANIFEST may be unfinished")
                       : ResumeEngine();
  if (resumed.code() == StatusCode::kInternal || resumed.code() == StatusCode::kCorruption)
    return resumed;
  if (!resumed.ok()) {
    TD_LOG(kWarn, "store", "reopening", "RocksDB does not resume; opening the store again",
           {{"error", resumed.ToString()}});
    TD_RETURN_IF_ERROR(Reopen());
    TD_RETURN_IF_ERROR(Probe());
  }
  RestoreBallast();
  TD_LOG(kInfo, "store", "resumed", "the store takes writes again");
  return Status::Ok();
}

Status RocksStore::ResumeEngine() {
  const MonotonicTime deadline = SystemClock().Monotonic() + kResumeDeadline;
  for (;;) {
    rocksdb::Status resumed = engine_->db().Resume();
    if (resumed.ok()) {
      engine_->ForgetBackgroundError();
      return Probe();
    }
    Status status = ToStatus(resumed, Access::kWrite);
    if (status.code() == StatusCode::kInternal || status.code() == StatusCode::kCorruption)
      failed_ = status;
    if (!resumed.IsBusy() || SystemClock().Monotonic() >= deadline) return status;
    SystemClock().SleepFor(kResumePause);
  }
}

// A real write, synced.
Status RocksStore::Probe() {
  std::string value;
  PutVarint(&value, ++probes_);
  rocksdb::WriteBatch batch;
  TD_RETURN_IF_ERROR(ToStatus(batch.Put(keys::Meta(meta_names::kProbe), value), Access::kWrite));
  return Commit(&batch);
}

Status RocksStore::DrainViews() {
  const MonotonicTime deadline = SystemClock().Monotonic() + kDrainDeadline;
  while (engine_.use_count() > 1) {
    if (SystemClock().Monotonic() >= deadline) {
      return Status::Unavailable("the store must be opened again, and " +
                                 std::to_string(engine_->views().load()) +
                                 " views are in use: end the long queries");
    }
    SystemClock().SleepFor(kResumePause);
  }
  return Status::Ok();
}

// Readers that come meanwhile wait; those that hold a view are waited for.
Status RocksStore::Reopen() {
  {
    std::lock_guard lock(mutex_);
    reopening_ = true;
  }
  Status drained = engine_ == nullptr ? Status::Ok() : DrainViews();
  Status opened = drained;
  std::shared_ptr<Engine> fresh;
  if (drained.ok()) {
    engine_.reset();  // nobody else has it: every other holder waits for `reopening_`
    Result<Engine::Opened> primary = Engine::OpenPrimary(dir_, options_);
    opened = primary.status();
    if (primary.ok()) fresh = std::move(primary->engine);
  }
  {
    std::lock_guard lock(mutex_);
    if (fresh != nullptr) engine_ = std::move(fresh);
    reopening_ = false;
  }
  reopened_.notify_all();
  TD_RETURN_IF_ERROR(opened);
  if (engine_->db().GetLatestSequenceNumber() < acknowledged_sequence_) {
    failed_ = Status::Internal("the store " + dir_.string() +
                               " lost acknowledged writes when it was opened again");
    return failed_;
  }
  return Status::Ok();
}

// Between writes that work: takes the ballast's room again once there is some, and lets compaction
// go on that stopped for want of room (RocksDB goes on writing meanwhile, until level 0 is full).
void RocksStore::TendSometimes() {
  const MonotonicTime now = SystemClock().Monotonic();
  if (now - tended_ < kTendPause) return;
  tended_ = now;
  RestoreBallast();
  if (!engine_->background_error()) return;
  Result<DiskUse> disk = Disk();
  if (!disk.ok() || disk->free_bytes < BytesToResume()) return;
  rocksdb::Status resumed = engine_->db().Resume();
  if (resumed.ok()) engine_->ForgetBackgroundError();
}

void RocksStore::RestoreBallast() {
  if (ballast_.whole()) return;
  Result<DiskUse> disk = Disk();
  Status restored = disk.ok() ? ballast_.Restore(disk->free_bytes, BytesToResume()) : disk.status();
  if (!restored.ok()) {
    TD_LOG(kWarn, "store", "ballast", "the ballast could not be made",
           {{"error", restored.ToString()}});
  } else if (!ballast_.whole()) {
    TD_LOG(kWarn, "store", "ballast", "no room for the ballast: a full disk may need a hand",
           {{"dir", dir_.string()}});
  }
}

}  // namespace tapedeck::rocks
