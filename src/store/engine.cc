#include "store/engine.h"

#include <rocksdb/listener.h>
#include <rocksdb/sst_file_manager.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>

#include "base/file.h"
#include "base/log.h"
#include "base/open_files.h"
#include "store/lock_owner.h"
#include "store/manifest.h"
#include "store/preflight.h"
#include "store/sst_tail.h"

namespace tapedeck::rocks {
namespace {

namespace fs = std::filesystem;

/// SST files stop here, so that the WAL, the MANIFEST and what others keep on the disk have room.
constexpr double kSstShareOfDisk = 0.95;

std::string Held(const fs::path& dir, const rocksdb::Status& status) {
  std::string text = "the store " + dir.string() + " is open in ";
  if (std::optional<LockOwner> owner = FindLockOwner(dir / "LOCK")) {
    text += "process " + std::to_string(owner->pid);
    if (!owner->command.empty()) text += " (" + owner->command + ")";
  } else {
    text += "another process";
  }
  return text + ": stop that first, or read beside it (" + status.ToString() + ")";
}

Status NoStore(const fs::path& dir) {
  return Status::NotFound("there is no store in " + dir.string());
}

uint64_t DiskBytes(const fs::path& dir) {
  struct statvfs info {};
  if (::statvfs(dir.c_str(), &info) != 0) return 0;
  return static_cast<uint64_t>(info.f_blocks) * info.f_frsize;
}

// The lock of the directory for as long as the files are looked at; DB::Open takes its own.
class DirLock {
 public:
  DirLock(rocksdb::Env* env, const fs::path& dir) : env_(env), dir_(dir) {}
  ~DirLock() {
    if (lock_ != nullptr) env_->UnlockFile(lock_).PermitUncheckedError();
  }
  DirLock(const DirLock&) = delete;
  DirLock& operator=(const DirLock&) = delete;
  Status Take() {
    rocksdb::Status locked = env_->LockFile((dir_ / "LOCK").string(), &lock_);
    if (locked.ok()) return Status::Ok();
    if (locked.IsNoSpace()) return ToStatus(locked, Access::kWrite);
    if (::access((dir_ / "LOCK").c_str(), R_OK | W_OK) != 0)
      return StatusFromErrno(errno, "locking the store " + dir_.string());
    return Status::FailedPrecondition(Held(dir_, locked));
  }

 private:
  rocksdb::Env* env_;
  fs::path dir_;
  rocksdb::FileLock* lock_ = nullptr;
};

}  // namespace

class Engine::Listener final : public rocksdb::EventListener {
 public:
  explicit Listener(std::shared_ptr<Trouble> trouble) : trouble_(std::move(trouble)) {}
  void OnBackgroundError(rocksdb::BackgroundErrorReason reason, rocksdb::Status* error) override {
    trouble_->any.store(true);
    if (error->severity() > rocksdb::Status::Severity::kSoftError) trouble_->hard.store(true);
    TD_LOG(kError, "store", "background-error", "RocksDB met an error",
           {{"error", error->ToString()}, {"reason", std::to_string(static_cast<int>(reason))}});
  }
  // RocksDB's own recovery races with ours, and at 7.8.3 it reports success without one.
  void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason, rocksdb::Status error,
                            bool* automatic) override {
    error.PermitUncheckedError();
    *automatic = false;
  }

 private:
  std::shared_ptr<Trouble> trouble_;
};

Engine::Engine(const StoreOptions& options, const fs::path& dir)
    : dir_(dir), memory_(PlanMemory(options.memory_bytes)) {
  if (options.file_system != nullptr) {
    given_env_ = rocksdb::NewCompositeEnv(options.file_system);
    base_env_ = given_env_.get();
  } else {
    base_env_ = rocksdb::Env::Default();
  }
  RaiseOpenFilesLimit();  // every file of the store stays open
  rocks_options_ = MakeOptions(memory_);
  rocks_options_.env = base_env_;
  rocks_options_.create_if_missing = options.create;
  rocks_options_.listeners.push_back(std::make_shared<Listener>(trouble_));
  if (options.mode == StoreMode::kSecondary) return;
  rocks_options_.sst_file_manager.reset(
      rocksdb::NewSstFileManager(base_env_, base_env_->GetFileSystem(), rocks_options_.info_log));
  const uint64_t ballast = options.ballast_bytes.value_or(2 * memory_.memtables_bytes());
  const uint64_t share =
      static_cast<uint64_t>(kSstShareOfDisk * static_cast<double>(DiskBytes(dir)));
  if (share > ballast) rocks_options_.sst_file_manager->SetMaxAllowedSpaceUsage(share - ballast);
}

Status OpenFailed(const fs::path& dir, const rocksdb::Status& status) {
  if (status.IsIOError() && status.subcode() == rocksdb::Status::SubCode::kPathNotFound) {
    return Status::Corruption("the store " + dir.string() + " lacks a file: " + status.ToString());
  }
  return ToStatus(status, Access::kWrite).WithContext("opening the store " + dir.string());
}

Engine::~Engine() = default;

Status Engine::Close() {
  rocksdb::Status closed = db_->Close();
  return ToStatus(closed, Access::kWrite).WithContext("closing the store");
}

Status Engine::CheckFiles(const fs::path& dir, const StoreOptions& options,
                          std::string* wal_damage) {
  TD_ASSIGN_OR_RETURN(bool exists, CheckCurrent(dir));
  if (!exists) {
    return options.create ? Status::Ok() : NoStore(dir);
  }
  // RocksDB takes a CURRENT that access(2) is refused for a missing one, and would write a new
  // store over this one.
  rocks_options_.create_if_missing = false;
  TD_ASSIGN_OR_RETURN(fs::path manifest, FindManifest(dir));
  TD_ASSIGN_OR_RETURN(ManifestState state, ReadManifest(manifest));
  for (uint64_t number : state.files) TD_RETURN_IF_ERROR(CheckSstTail(SstPath(dir, number)));
  const std::vector<WalFile> wals = ListWals(dir);
  TD_ASSIGN_OR_RETURN(std::optional<WalDamage> damage, FindWalDamage(wals, state.oldest_wal));
  if (!damage) return Status::Ok();
  if (options.damaged_wal == StoreOptions::DamagedWal::kRefuse) {
    return Status::Corruption(damage->description);
  }
  *wal_damage = damage->description;
  return CutWals(dir, wals, *damage);
}

Status Engine::Preflight(const fs::path& dir, const StoreOptions& options,
                         std::string* wal_damage) {
  if (!options.create) {  // then a folder that is none of ours stays as it is
    Result<bool> exists = CheckCurrent(dir);
    if (exists.ok() && !*exists) return NoStore(dir);
  }
  DirLock lock(base_env_, dir);
  TD_RETURN_IF_ERROR(lock.Take());
  return CheckFiles(dir, options, wal_damage);
}

Result<Engine::Opened> Engine::OpenPrimary(const fs::path& dir, const StoreOptions& options) {
  std::shared_ptr<Engine> engine(new Engine(options, dir));
  std::string wal_damage;
  TD_RETURN_IF_ERROR(engine->Preflight(dir, options, &wal_damage));
  rocksdb::DB* raw = nullptr;
  rocksdb::Status opened = rocksdb::DB::Open(engine->rocks_options_, dir.string(), &raw);
  if (!opened.ok()) return OpenFailed(dir, opened);
  engine->db_.reset(raw);
  return Opened{std::move(engine), std::move(wal_damage)};
}

}  // namespace tapedeck::rocks
