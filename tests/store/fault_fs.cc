#include "support/fault_fs.h"

#include <system_error>

namespace tapedeck::testing {
namespace {

namespace fs = std::filesystem;

std::string FolderOf(const std::string& name) { return fs::path(name).parent_path().string(); }

}  // namespace

class FaultFs::Writable final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  Writable(FaultFs* faults, std::string name, std::unique_ptr<rocksdb::FSWritableFile>&& file)
      : rocksdb::FSWritableFileOwnerWrapper(std::move(file)),
        faults_(faults),
        name_(std::move(name)) {}

  IOStatus Append(const rocksdb::Slice& data, const IOOptions& options, Debug* debug) override {
    IOStatus status = faults_->Before(Op::kAppend, name_);
    if (!status.ok()) {
      // A write that fails may have put a part of its bytes.
      const size_t part = data.size() / 2;
      if (status.IsNoSpace() && part > 0 &&
          target()->Append({data.data(), part}, options, debug).ok()) {
        faults_->Appended(name_, part);
      }
      return status;
    }
    status = target()->Append(data, options, debug);
    if (status.ok()) faults_->Appended(name_, data.size());
    return status;
  }
  IOStatus Append(const rocksdb::Slice& data, const IOOptions& options,
                  const rocksdb::DataVerificationInfo&, Debug* debug) override {
    return Append(data, options, debug);
  }
  IOStatus Sync(const IOOptions& options, Debug* debug) override {
    return SyncBy([&] { return target()->Sync(options, debug); });
  }
  IOStatus Fsync(const IOOptions& options, Debug* debug) override {
    return SyncBy([&] { return target()->Fsync(options, debug); });
  }
  IOStatus Truncate(uint64_t size, const IOOptions& options, Debug* debug) override {
    IOStatus status = target()->Truncate(size, options, debug);
    if (status.ok()) faults_->Cut(name_, size);
    return status;
  }
  // Space set aside would hide what was cut.
  IOStatus Allocate(uint64_t, uint64_t, const IOOptions&, Debug*) override {
    return IOStatus::OK();
  }
  void PrepareWrite(size_t, size_t, const IOOptions&, Debug*) override {}

 private:
  template <typename F>
  IOStatus SyncBy(F sync) {
    IOStatus status = faults_->Before(Op::kSync, name_);
    if (status.ok()) status = sync();
    if (status.ok()) {
      faults_->Synced(name_);
    } else {
      faults_->SyncFailed(name_);
    }
    return status;
  }

  FaultFs* faults_;
  std::string name_;
};

class FaultFs::Random_ final : public rocksdb::FSRandomAccessFileOwnerWrapper {
 public:
  Random_(FaultFs* faults, std::string name, std::unique_ptr<rocksdb::FSRandomAccessFile>&& file)
      : rocksdb::FSRandomAccessFileOwnerWrapper(std::move(file)),
        faults_(faults),
        name_(std::move(name)) {}

  IOStatus Read(uint64_t offset, size_t n, const IOOptions& options, rocksdb::Slice* result,
                char* scratch, Debug* debug) const override {
    IOStatus status = faults_->Before(Op::kRead, name_, offset);
    if (!status.ok()) return status;
    return target()->Read(offset, n, options, result, scratch, debug);
  }
  IOStatus MultiRead(rocksdb::FSReadRequest* requests, size_t count, const IOOptions& options,
                     Debug* debug) override {
    return rocksdb::FSRandomAccessFile::MultiRead(requests, count, options, debug);
  }
  IOStatus Prefetch(uint64_t, size_t, const IOOptions&, Debug*) override {
    return IOStatus::NotSupported("by this file");
  }

 private:
  FaultFs* faults_;
  std::string name_;
};

class FaultFs::Sequential final : public rocksdb::FSSequentialFileOwnerWrapper {
 public:
  Sequential(FaultFs* faults, std::string name, std::unique_ptr<rocksdb::FSSequentialFile>&& file)
      : rocksdb::FSSequentialFileOwnerWrapper(std::move(file)),
        faults_(faults),
        name_(std::move(name)) {}

  IOStatus Read(size_t n, const IOOptions& options, rocksdb::Slice* result, char* scratch,
                Debug* debug) override {
    IOStatus status = faults_->Before(Op::kRead, name_);
    if (!status.ok()) return status;
    return target()->Read(n, options, result, scratch, debug);
  }

 private:
  FaultFs* faults_;
  std::string name_;
};

class FaultFs::Folder final : public rocksdb::FSDirectoryWrapper {
 public:
  Folder(FaultFs* faults, std::string name, std::unique_ptr<rocksdb::FSDirectory>&& folder)
      : rocksdb::FSDirectoryWrapper(std::move(folder)), faults_(faults), name_(std::move(name)) {}

  IOStatus Fsync(const IOOptions& options, Debug* debug) override {
    IOStatus status = faults_->Before(Op::kSyncDir, name_);
    if (status.ok()) status = rocksdb::FSDirectoryWrapper::Fsync(options, debug);
    if (status.ok()) faults_->FolderSynced(name_);
    return status;
  }
  IOStatus FsyncWithDirOptions(const IOOptions& options, Debug* debug,
                               const rocksdb::DirFsyncOptions&) override {
    return Fsync(options, debug);
  }

 private:
  FaultFs* faults_;
  std::string name_;
};

rocksdb::IOStatus FaultFs::Before(Op op, const std::string& name, uint64_t offset) {
  std::lock_guard lock(mutex_);
  ++counts_[op];
  if (off_ && op != Op::kRead) return IOStatus::IOError("injected: power is off");
  if (op == Op::kSync && files_[name].sync_failed) ++syncs_after_failure_;
  const std::string base = fs::path(name).filename().string();
  for (Rule& rule : rules_) {
    if (rule.op != op || base.find(rule.name) == std::string::npos || rule.times == 0) continue;
    if (rule.at_offset != UINT64_MAX && rule.at_offset != offset) continue;
    if (rule.after > 0) {
      --rule.after;
      continue;
    }
    if (!random_.OneIn(rule.one_in)) continue;
    --rule.times;
    ++given_;
    return rule.error;
  }
  return IOStatus::OK();
}

void FaultFs::Appended(const std::string& name, uint64_t bytes) {
  std::lock_guard lock(mutex_);
  files_[name].bytes += bytes;
}

void FaultFs::Synced(const std::string& name) {
  std::lock_guard lock(mutex_);
  files_[name].synced = files_[name].bytes;
}

void FaultFs::SyncFailed(const std::string& name) {
  std::lock_guard lock(mutex_);
  files_[name].sync_failed = true;
}

void FaultFs::Cut(const std::string& name, uint64_t bytes) {
  std::lock_guard lock(mutex_);
  FileState& state = files_[name];
  state.bytes = bytes;
  state.synced = std::min(state.synced, bytes);
}

void FaultFs::FolderSynced(const std::string& folder) {
  std::lock_guard lock(mutex_);
  const fs::path synced = fs::path(folder).lexically_normal();
  std::erase_if(changes_, [&](const NameChange& change) {
    if (fs::path(FolderOf(change.name)).lexically_normal() != synced) return false;
    if (!change.kept.empty()) fs::remove(change.kept);
    return true;
  });
}

// A second name for the file's content, outside its folder. Called with the lock.
std::string FaultFs::Keep(const std::string& name) {
  std::error_code error;
  if (!fs::exists(name, error)) return "";
  const fs::path folder = FolderOf(name) + ".kept";
  fs::create_directories(folder, error);
  const fs::path kept = folder / std::to_string(++kept_);
  fs::create_hard_link(name, kept, error);
  return error ? "" : kept.string();
}

rocksdb::IOStatus FaultFs::NewWritableFile(const std::string& name,
                                           const rocksdb::FileOptions& options,
                                           std::unique_ptr<rocksdb::FSWritableFile>* result,
                                           Debug* debug) {
  IOStatus status = Before(Op::kMake, name);
  if (!status.ok()) return status;
  std::unique_ptr<rocksdb::FSWritableFile> file;
  status = target()->NewWritableFile(name, options, &file, debug);
  if (!status.ok()) return status;
  {
    std::lock_guard lock(mutex_);
    files_[name] = {};
    changes_.push_back({.op = Op::kMake, .name = name, .target = "", .kept = ""});
  }
  *result = std::make_unique<Writable>(this, name, std::move(file));
  return status;
}

rocksdb::IOStatus FaultFs::NewRandomAccessFile(const std::string& name,
                                               const rocksdb::FileOptions& options,
                                               std::unique_ptr<rocksdb::FSRandomAccessFile>* result,
                                               Debug* debug) {
  std::unique_ptr<rocksdb::FSRandomAccessFile> file;
  IOStatus status = target()->NewRandomAccessFile(name, options, &file, debug);
  if (status.ok()) *result = std::make_unique<Random_>(this, name, std::move(file));
  return status;
}

rocksdb::IOStatus FaultFs::NewSequentialFile(const std::string& name,
                                             const rocksdb::FileOptions& options,
                                             std::unique_ptr<rocksdb::FSSequentialFile>* result,
                                             Debug* debug) {
  std::unique_ptr<rocksdb::FSSequentialFile> file;
  IOStatus status = target()->NewSequentialFile(name, options, &file, debug);
  if (status.ok()) *result = std::make_unique<Sequential>(this, name, std::move(file));
  return status;
}

rocksdb::IOStatus FaultFs::NewDirectory(const std::string& name, const IOOptions& options,
                                        std::unique_ptr<rocksdb::FSDirectory>* result,
                                        Debug* debug) {
  std::unique_ptr<rocksdb::FSDirectory> folder;
  IOStatus status = target()->NewDirectory(name, options, &folder, debug);
  if (status.ok()) *result = std::make_unique<Folder>(this, name, std::move(folder));
  return status;
}

rocksdb::IOStatus FaultFs::DeleteFile(const std::string& name, const IOOptions& options,
                                      Debug* debug) {
  IOStatus status = Before(Op::kRemove, name);
  if (!status.ok()) return status;
  {
    std::lock_guard lock(mutex_);
    changes_.push_back({.op = Op::kRemove, .name = name, .target = "", .kept = Keep(name)});
  }
  return target()->DeleteFile(name, options, debug);
}

rocksdb::IOStatus FaultFs::RenameFile(const std::string& from, const std::string& to,
                                      const IOOptions& options, Debug* debug) {
  IOStatus status = Before(Op::kRename, from);
  if (!status.ok()) return status;
  {
    std::lock_guard lock(mutex_);
    changes_.push_back({.op = Op::kRename, .name = from, .target = to, .kept = Keep(to)});
    files_[to] = files_[from];
    files_.erase(from);
  }
  return target()->RenameFile(from, to, options, debug);
}

void FaultFs::Undo(const NameChange& change) {
  std::error_code ignored;  // a name that a later change took away again
  switch (change.op) {
    case Op::kMake:
      fs::remove(change.name, ignored);
      break;
    case Op::kRename:
      fs::rename(change.target, change.name, ignored);
      if (!change.kept.empty()) fs::rename(change.kept, change.target, ignored);
      break;
    case Op::kRemove:
      if (!change.kept.empty()) fs::rename(change.kept, change.name, ignored);
      break;
    default:
      break;
  }
}

void FaultFs::LosePower(Random* random) {
  std::lock_guard lock(mutex_);
  for (const auto& [name, state] : files_) {
    if (state.bytes <= state.synced) continue;
    const uint64_t stays = random == nullptr ? 0 : random->Uniform(state.bytes - state.synced + 1);
    std::error_code ignored;  // removed meanwhile
    if (fs::exists(name, ignored)) fs::resize_file(name, state.synced + stays, ignored);
  }
  size_t lost = changes_.size();
  if (random != nullptr) lost = random->Uniform(lost + 1);
  for (; lost > 0; --lost) {
    Undo(changes_.back());
    changes_.pop_back();
  }
  for (const NameChange& change : changes_) {
    std::error_code ignored;
    if (!change.kept.empty()) fs::remove(change.kept, ignored);
  }
  changes_.clear();
  files_.clear();
}

}  // namespace tapedeck::testing
