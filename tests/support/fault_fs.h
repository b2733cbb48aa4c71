#ifndef TAPEDECK_TESTS_SUPPORT_FAULT_FS_H_
#define TAPEDECK_TESTS_SUPPORT_FAULT_FS_H_

// FaultFs: RocksDB's files on a disk that fails on demand, and a power cut.
//
// Everything goes through to the real files; beside it, FaultFs keeps what would not survive a
// power cut: bytes appended since the last sync of their file, and names made, renamed or removed
// since the last sync of their folder.
//
//   auto faults = std::make_shared<FaultFs>();
//   StoreOptions options{.dir = dir, ..., .file_system = faults};
//   faults->Fail({.kind = Op::kSync, .name = ".log", .after = 3, .error = FaultFs::Eio(), .times =
//   1});
//   ...
//   faults->PowerOff();           // from now on nothing is written
//   store.reset();
//   faults->LosePower(&random);   // unsynced bytes and names go
//
// Thread-safe.

#include <rocksdb/env.h>
#include <rocksdb/file_system.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/random.h"

namespace tapedeck::testing {

enum class Op : uint8_t { kAppend, kSync, kRead, kMake, kRename, kRemove, kSyncDir };

class FaultFs final : public rocksdb::FileSystemWrapper {
 public:
  using IOStatus = rocksdb::IOStatus;
  using IOOptions = rocksdb::IOOptions;
  using Debug = rocksdb::IODebugContext;

  /// Fails `op` on files whose name contains `name`: not the first `after` times, then one in
  /// `one_in` times, at most `times` times.
  struct Rule {
    Op op = Op::kSync;
    std::string name;
    uint64_t after = 0;
    uint64_t one_in = 1;
    uint64_t times = UINT64_MAX;
    IOStatus error;
    /// kRead: only reads that start at this offset.
    uint64_t at_offset = UINT64_MAX;
  };
  static IOStatus Eio() { return IOStatus::IOError("injected: input/output error"); }
  static IOStatus Enospc() {
    IOStatus full = IOStatus::NoSpace("injected: no space left on device");
    full.SetRetryable(true);
    return full;
  }
  static IOStatus Erofs() { return IOStatus::IOError("injected: read-only file system"); }

  explicit FaultFs(uint64_t seed = 1)
      : rocksdb::FileSystemWrapper(rocksdb::FileSystem::Default()), random_(seed) {}
  const char* Name() const override { return "FaultFs"; }

  void Fail(Rule rule) {
    std::lock_guard lock(mutex_);
    rules_.push_back(std::move(rule));
  }
  void Heal() {
    std::lock_guard lock(mutex_);
    rules_.clear();
  }
  /// Errors given so far.
  uint64_t given() const {
    std::lock_guard lock(mutex_);
    return given_;
  }
  /// Syncs that were tried on a file after one of its syncs had failed.
  uint64_t syncs_after_failure() const {
    std::lock_guard lock(mutex_);
    return syncs_after_failure_;
  }
  uint64_t Count(Op op) const {
    std::lock_guard lock(mutex_);
    auto found = counts_.find(op);
    return found == counts_.end() ? 0 : found->second;
  }
  /// From now on every change fails; reading goes on.
  void PowerOff() {
    std::lock_guard lock(mutex_);
    off_ = true;
  }
  /// Takes back what was not synced. Of each file's unsynced bytes a random prefix stays (all of
  /// them go without `random`), as kernels write back when they like; likewise only the last few of
  /// a folder's unsynced changes may be undone. The store must be closed.
  void LosePower(Random* random);

  rocksdb::IOStatus NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* result,
                                    Debug* debug) override;
  IOStatus NewRandomAccessFile(const std::string& name, const rocksdb::FileOptions& options,
                               std::unique_ptr<rocksdb::FSRandomAccessFile>* result,
                               Debug* debug) override;
  IOStatus NewSequentialFile(const std::string& name, const rocksdb::FileOptions& options,
                             std::unique_ptr<rocksdb::FSSequentialFile>* result,
                             Debug* debug) override;
  IOStatus NewDirectory(const std::string& name, const IOOptions& options,
                        std::unique_ptr<rocksdb::FSDirectory>* result, Debug* debug) override;
  IOStatus DeleteFile(const std::string& name, const IOOptions& options, Debug* debug) override;
  IOStatus RenameFile(const std::string& from, const std::string& to, const IOOptions& options,
                      Debug* debug) override;

 private:
  class Writable;
  class Random_;
  class Sequential;
  class Folder;
  struct FileState {
    uint64_t bytes = 0;
    uint64_t synced = 0;
    bool sync_failed = false;
  };
  /// A change of names that its folder has not synced. `kept` holds the content that comes back.
  struct NameChange {
    Op op = Op::kMake;
    std::string name;
    std::string target;  // kRename
    std::string kept;    // kRemove: the file; kRename: what the target was, or ""
  };

  IOStatus Before(Op op, const std::string& name, uint64_t offset = UINT64_MAX);
  void Appended(const std::string& name, uint64_t bytes);
  void Synced(const std::string& name);
  void SyncFailed(const std::string& name);
  void Cut(const std::string& name, uint64_t bytes);
  void FolderSynced(const std::string& folder);
  void Undo(const NameChange& change);
  std::string Keep(const std::string& name);

  mutable std::mutex mutex_;
  Random random_;
  std::vector<Rule> rules_;
  std::map<Op, uint64_t> counts_;
  std::map<std::string, FileState> files_;
  std::vector<NameChange> changes_;
  uint64_t kept_ = 0;
  uint64_t given_ = 0;
  uint64_t syncs_after_failure_ = 0;
  bool off_ = false;
};

}  // namespace tapedeck::testing

#endif  // TAPEDECK_TESTS_SUPPORT_FAULT_FS_H_
