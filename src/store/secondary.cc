// Engine::OpenSecondary: reading beside a writer with a RocksDB secondary.
//
// At 7.8.3 a secondary is right only under conditions, which are checked here:
// - It reads the MANIFEST and then the logs. A log whose content went to a file in between is in
//   neither, and later writes show without earlier ones. So the writer must have changed neither
//     during the look (WriterMark).
// - It takes in logs that were flushed already, if they are still there. Compaction sets sequence
//   numbers of old entries to zero, so an entry from such a log hides a later one in a file. So
//     those logs are hidden from it (LogGate).
// - For the same reason TryCatchUpWithPrimary, which keeps what it has in memory, is never called:
//   catching up is opening again.
// - A file that it cannot open it leaves out. So its files are compared with the MANIFEST's.
// - A log record whose length was altered it takes for one that is just being written, and leaves
//   out all that follows; at one whose type became that of a recycled log it spins without end. So
//   the logs are judged by log_scan.h before it sees them.

#include <rocksdb/file_system.h>

#include <algorithm>
#include <chrono>

#include "base/clock.h"
#include "base/file.h"
#include "store/engine.h"
#include "store/manifest.h"
#include "store/preflight.h"
#include "store/sst_tail.h"

namespace tapedeck::rocks {
namespace {

namespace fs = std::filesystem;

/// A look takes milliseconds; a writer that compacts without pause leaves room for one between two
/// changes.
constexpr int kLooks = 400;
constexpr std::chrono::milliseconds kLookPause{2};
/// Looks that fail one after the other while the writer changes nothing: then it is damage.
constexpr int kFailedLooks = 8;

// Hides logs below a number.
class LogGate final : public rocksdb::FileSystemWrapper {
 public:
  LogGate(const std::shared_ptr<rocksdb::FileSystem>& target, uint64_t oldest)
      : rocksdb::FileSystemWrapper(target), oldest_(oldest) {}
  const char* Name() const override { return "LogGate"; }
  rocksdb::IOStatus GetChildren(const std::string& dir, const rocksdb::IOOptions& options,
                                std::vector<std::string>* names,
                                rocksdb::IODebugContext* debug) override {
    rocksdb::IOStatus status = target()->GetChildren(dir, options, names, debug);
    std::erase_if(*names, [&](const std::string& name) {
      std::optional<uint64_t> number = WalNumber(name);
      return number && *number < oldest_;
    });
    return status;
  }

 private:
  uint64_t oldest_;
};

// What a writer changes when it moves data from its log to files: if it is the same before and
// after a look, the look saw one state.
struct WriterMark {
  std::string manifest;
  uint64_t manifest_bytes = 0;
  std::vector<uint64_t> wals;
};

Result<WriterMark> MarkOf(const fs::path& dir) {
  WriterMark mark;
  TD_ASSIGN_OR_RETURN(fs::path manifest, FindManifest(dir));
  mark.manifest = manifest.filename().string();
  std::error_code error;
  mark.manifest_bytes = fs::file_size(manifest, error);
  if (error) return StatusFromErrno(error.value(), "asking for the size of " + manifest.string());
  for (const WalFile& wal : ListWals(dir)) mark.wals.push_back(wal.number);
  return mark;
}

// WALs may come meanwhile, but none that was there before may have gone unread.
bool SameState(const WriterMark& before, const WriterMark& after) {
  return before.manifest == after.manifest && before.manifest_bytes == after.manifest_bytes &&
         std::includes(after.wals.begin(), after.wals.end(), before.wals.begin(),
                       before.wals.end());
}

}  // namespace

Result<bool> Engine::LookOnce() {
  db_.reset();
  TD_ASSIGN_OR_RETURN(WriterMark before, MarkOf(dir_));
  TD_ASSIGN_OR_RETURN(ManifestState state, ReadManifest(dir_ / before.manifest));
  for (uint64_t number : state.files) TD_RETURN_IF_ERROR(CheckSstTail(SstPath(dir_, number)));
  TD_ASSIGN_OR_RETURN(std::optional<WalDamage> damage,
                      FindWalDamage(ListWals(dir_), state.oldest_wal));
  if (damage) return Status::Corruption(damage->description);
  own_env_ = rocksdb::NewCompositeEnv(
      std::make_shared<LogGate>(base_env_->GetFileSystem(), state.oldest_wal));
  rocks_options_.env = own_env_.get();
  rocksdb::DB* raw = nullptr;
  rocksdb::Status opened = rocksdb::DB::OpenAsSecondary(rocks_options_, dir_.string(),
                                                        secondary_folder_.path().string(), &raw);
  if (!opened.ok()) return OpenFailed(dir_, opened);
  db_.reset(raw);
  TD_ASSIGN_OR_RETURN(WriterMark after, MarkOf(dir_));
  if (!SameState(before, after)) return false;
  std::vector<rocksdb::LiveFileMetaData> files;
  db_->GetLiveFilesMetaData(&files);
  for (const rocksdb::LiveFileMetaData& file : files) state.files.erase(file.file_number);
  if (!state.files.empty()) {
    return Status::Corruption(SstPath(dir_, *state.files.begin()).string() + " cannot be opened");
  }
  return true;
}

Result<std::shared_ptr<Engine>> Engine::OpenSecondary(const fs::path& dir,
                                                      const StoreOptions& options) {
  std::shared_ptr<Engine> engine(new Engine(options, dir));
  TD_ASSIGN_OR_RETURN(bool exists, CheckCurrent(dir));
  if (!exists) return Status::NotFound("there is no store in " + dir.string());
  TD_ASSIGN_OR_RETURN(engine->secondary_folder_, TemporaryFolder::Make("secondary"));
  engine->rocks_options_.create_if_missing = false;
  Status failed = Status::Unavailable("the writer of " + dir.string() +
                                      " changes its files too fast to be read: try again");
  // A writer removes files between a look at the MANIFEST and the opening of what it names. Where
  // it did nothing of the kind and the look fails all the same, it is damage.
  int failed_looks = 0;
  for (int look = 0; look < kLooks && failed_looks < kFailedLooks; ++look) {
    Result<WriterMark> before = MarkOf(dir);
    Result<bool> whole = engine->LookOnce();
    if (whole.ok() && *whole) return engine;
    if (!whole.ok()) failed = whole.status();
    Result<WriterMark> after = MarkOf(dir);
    const bool still = before.ok() == after.ok() && (!before.ok() || SameState(*before, *after));
    failed_looks = !whole.ok() && still ? failed_looks + 1 : 0;
    SystemClock().SleepFor(kLookPause);
  }
  return failed;
}

}  // namespace tapedeck::rocks
