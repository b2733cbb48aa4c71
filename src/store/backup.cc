// RocksStore::BackUp: a copy of the whole store by RocksDB's Checkpoint.

#include <rocksdb/utilities/checkpoint.h>

#include <memory>

#include "base/file.h"
#include "store/rocks_store.h"

namespace tapedeck::rocks {
namespace {

namespace fs = std::filesystem;

Status CopyAll(rocksdb::DB* db, const fs::path& dir) {
  rocksdb::Checkpoint* made = nullptr;
  TD_RETURN_IF_ERROR(ToStatus(rocksdb::Checkpoint::Create(db, &made), Access::kWrite));
  const std::unique_ptr<rocksdb::Checkpoint> checkpoint(made);
  // 0: memtables are always flushed first, so the copy needs no write-ahead log; 7.8 would not sync
  // a linked one.
  constexpr uint64_t kLogBytesForFlush = 0;
  TD_RETURN_IF_ERROR(
      ToStatus(checkpoint->CreateCheckpoint(dir.string(), kLogBytesForFlush), Access::kWrite));
  // RocksDB 7.8 leaves the copy's files to the system's cache, but for the tables, which are links.
  TD_RETURN_IF_ERROR(SyncFilesOf(dir.string()));
  return SyncDirectory(dir.parent_path().string());
}

}  // namespace

Status RocksStore::BackUp(const fs::path& dir) {
  if (!writer_) {
    return Status::FailedPrecondition("a store that is open for reading only makes no backup");
  }
  std::error_code error;
  const fs::path target = fs::absolute(dir, error).lexically_normal();
  if (error || !target.has_filename()) {
    return Status::InvalidArgument("a backup cannot be made in '" + dir.string() + "'");
  }
  if (fs::exists(fs::symlink_status(target, error))) {
    return Status::InvalidArgument("a backup needs a new directory, and " + target.string() +
                                   " is there already");
  }
  fs::create_directories(target.parent_path(), error);
  if (error) return StatusFromErrno(error.value(), "making " + target.parent_path().string());
  // Whoever opens the store again waits for views, so that it waits for this, too.
  const std::unique_ptr<StoreView> held = View();
  TD_ASSIGN_OR_RETURN(std::shared_ptr<Engine> current, NeedEngine());
  const Status made = CopyAll(&current->db(), target).WithContext("a backup in " + target.string());
  if (!made.ok()) fs::remove_all(target, error);
  return made;
}

}  // namespace tapedeck::rocks
