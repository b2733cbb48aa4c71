// Recovery from a full disk: RocksStore::TryResume and what it needs.
//
// DB::Resume is not used for it. At 7.8.3 it answers Busy without end where there is less free room
// than memtables, it can report success while the next write fails, and where a flush fails again
// while it runs it never returns at all (seen on a small tmpfs). So: make room (ballast), open
// again, prove it by a real write. Until then the old engine goes on answering reads.

#include <algorithm>

#include "base/bytes.h"
#include "base/log.h"
#include "store/batch_rep.h"
#include "store/preflight.h"
#include "store/rocks_store.h"

namespace tapedeck::rocks {
namespace {

/// How long a reopening waits for queries to give back their views.
constexpr std::chrono::seconds kDrainDeadline{10};
constexpr std::chrono::milliseconds kDrainPause{5};
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
  if (engine_ != nullptr && !engine_->background_error() && Probe().ok()) {
    RestoreBallast();
    return Status::Ok();
  }
  TD_RETURN_IF_ERROR(failed_);
  TD_RETURN_IF_ERROR(MakeRoom(BytesToResume()));
  TD_RETURN_IF_ERROR(Reopen());
  TD_RETURN_IF_ERROR(Probe());
  RestoreBallast();
  TD_LOG(kInfo, "store", "resumed", "the store takes writes again");
  return Status::Ok();
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
    SystemClock().SleepFor(kDrainPause);
  }
  return Status::Ok();
}

// Readers that come meanwhile wait; those that hold a view are waited for.
Status RocksStore::Reopen() {
  {
    std::lock_guard lock(mutex_);
    reopening_ = true;
  }
  if (release_) release_();
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
  if (!engine_->background_error() || engine_->hard_error()) return;
  Result<DiskUse> disk = Disk();
  if (!disk.ok() || disk->free_bytes < BytesToResume()) return;
  rocksdb::Status resumed = engine_->db().Resume();
  if (resumed.ok()) engine_->ForgetBackgroundError();
}

void RocksStore::RestoreBallast() {
  tended_ = SystemClock().Monotonic();
  if (ballast_.whole()) return;
  Result<DiskUse> disk = Disk();
  Status restored = disk.ok() ? ballast_.Restore(disk->free_bytes, BytesToResume()) : disk.status();
  const bool missing = !restored.ok() || !ballast_.whole();
  if (missing && !ballast_missing_) {
    TD_LOG(kWarn, "store", "ballast", "no room for the ballast: a full disk may need a hand",
           {{"dir", dir_.string()}, {"error", restored.ToString()}});
  }
  ballast_missing_ = missing;
}

}  // namespace tapedeck::rocks
