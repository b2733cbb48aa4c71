#include "store/salvage.h"

#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/sst_file_reader.h>
#include <rocksdb/write_batch.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <optional>
#include <set>

#include "model/keys.h"
#include "store/log_scan.h"
#include "store/manifest.h"
#include "store/preflight.h"
#include "store/rocks.h"
#include "store/sst_tail.h"

namespace tapedeck {
namespace rocks {
namespace {

namespace fs = std::filesystem;

/// Of entries that are given, small ones first; blocks of the tape after the index entries of all
/// files, whose keys say where to look for them.
constexpr std::string_view kSmall = "mkvpacgjdx";
constexpr char kIndex = 'x';
constexpr char kBlocks = 't';
/// Stands for the logs, whose numbers no SST file has.
constexpr uint64_t kLogs = UINT64_MAX;
constexpr size_t kReadersMax = 64;
/// Bytes behind the prefix by which keys are halved: all of most, and enough of the rest.
constexpr size_t kNumberBytes = 16;
__extension__ using Number = unsigned __int128;

Number NumberOf(std::string_view key) {
  Number number = 0;
  for (size_t i = 0; i < kNumberBytes; ++i) {
    number = number << 8 | (i + 1 < key.size() ? static_cast<uint8_t>(key[i + 1]) : 0);
  }
  return number;
}

std::string KeyOf(char prefix, Number number) {
  std::string key(1 + kNumberBytes, prefix);
  for (size_t i = kNumberBytes; i > 0; --i) {
    key[i] = static_cast<char>(number & 0xff);
    number >>= 8;
  }
  return key;
}

/// What the logs put, in their order; what they delete is forgotten.
class LogEntries final : public rocksdb::WriteBatch::Handler {
 public:
  explicit LogEntries(std::map<std::string, std::string, std::less<>>* entries)
      : entries_(entries) {}
  rocksdb::Status PutCF(uint32_t, const rocksdb::Slice& key, const rocksdb::Slice& value) override {
    const bool given =
        !key.empty() && (key[0] == kBlocks || kSmall.find(key[0]) != std::string_view::npos);
    if (!given) return rocksdb::Status::OK();
    (*entries_)[key.ToString()] = value.ToString();
    return rocksdb::Status::OK();
  }
  rocksdb::Status DeleteCF(uint32_t, const rocksdb::Slice& key) override {
    entries_->erase(key.ToString());
    return rocksdb::Status::OK();
  }
  void LogData(const rocksdb::Slice&) override {}

 private:
  std::map<std::string, std::string, std::less<>>* entries_;
};

class FileSalvage final : public Salvage {
 public:
  explicit FileSalvage(fs::path dir) : dir_(std::move(dir)) {
    options_ = MakeOptions(PlanMemory(size_t{64} << 20));
    options_.info_log = nullptr;  // it complains of files that are opened by themselves
  }
  ~FileSalvage() override {
    readers_.clear();
    if (lock_ != nullptr) rocksdb::Env::Default()->UnlockFile(lock_).PermitUncheckedError();
  }

  Status Lock() {
    const rocksdb::Status locked =
        rocksdb::Env::Default()->LockFile((dir_ / "LOCK").string(), &lock_);
    if (locked.ok()) return Status::Ok();
    return Status::FailedPrecondition("the store " + dir_.string() +
                                      " is in use: stop its node first (" + locked.ToString() +
                                      ")");
  }

  Status Read(const Sink& sink) override {
    sink_ = &sink;
    FindFiles();
    for (const File& file : files_) TD_RETURN_IF_ERROR(ReadSst(file, kSmall));
    for (const File& file : files_) {
      if (!unreadable_.contains(file.number))
        TD_RETURN_IF_ERROR(ReadSst(file, std::string_view(&kBlocks, 1)));
    }
    return ReadLogs();
  }
  bool MayLack(std::string_view lower, std::string_view upper) const override {
    return std::ranges::any_of(lost_, [&](const auto& range) {
      return range.first < upper && (range.second.empty() || lower < range.second);
    });
  }
  const std::vector<std::string>& damage() const override { return damage_; }
  Result<std::string> Get(std::string_view key, uint64_t file) override;

 private:
  struct File {
    uint64_t number = 0;
    SstPlace place;  // keys "": not known
  };
  using Iterator = std::unique_ptr<rocksdb::Iterator>;

  void FindFiles();
  void Lose(const File& file, const std::string& why);
  Result<rocksdb::SstFileReader*> Open(uint64_t number);
  Status ReadSst(const File& file, std::string_view prefixes);
  Status ReadPrefix(rocksdb::SstFileReader* reader, const File& file, char prefix);
  std::optional<std::string> NextReadable(rocksdb::SstFileReader* reader, const std::string& after);
  std::optional<std::string> NextByHalving(rocksdb::SstFileReader* reader,
                                           const std::string& after);
  Status ReadLogs();

  const fs::path dir_;
  rocksdb::Options options_;
  rocksdb::FileLock* lock_ = nullptr;
  const Sink* sink_ = nullptr;
  std::vector<File> files_;
  uint64_t oldest_wal_ = 0;
  std::map<uint64_t, std::unique_ptr<rocksdb::SstFileReader>> readers_;
  std::map<std::string, std::string, std::less<>> logged_;
  std::set<std::string> blocks_;   // keys that index entries of any file speak of
  std::set<uint64_t> unreadable_;  // files
  std::vector<std::pair<std::string, std::string>> lost_;  // keys from, to; "" to the end
  std::vector<std::string> damage_;
};

// Deepest level first: its entries are the oldest. Level 0 in the order in which it was written.
void FileSalvage::FindFiles() {
  const Result<fs::path> manifest = FindManifest(dir_);
  Result<ManifestState> state =
      manifest.ok() ? ReadManifest(*manifest) : Result<ManifestState>(manifest.status());
  if (state.ok()) {
    oldest_wal_ = state->oldest_wal;
    for (const uint64_t number : state->files) files_.push_back({number, state->places[number]});
  } else {
    damage_.emplace_back(state.status().message());
    lost_.emplace_back("", "");
    std::error_code error;
    for (const fs::directory_entry& entry : fs::directory_iterator(dir_, error)) {
      const std::string name = entry.path().filename().string();
      uint64_t number = 0;
      const auto [end, bad] = std::from_chars(name.data(), name.data() + name.size(), number);
      if (bad == std::errc() && std::string_view(end) == ".sst") files_.push_back({number, {}});
    }
  }
  std::ranges::sort(files_, [](const File& a, const File& b) {
    if (a.place.level != b.place.level) return a.place.level > b.place.level;
    return a.number < b.number;
  });
}

void FileSalvage::Lose(const File& file, const std::string& why) {
  damage_.push_back(why);
  std::string end = file.place.last;
  if (!end.empty()) end.push_back('\0');  // its last key included
  lost_.emplace_back(file.place.first, end);
}

Result<rocksdb::SstFileReader*> FileSalvage::Open(uint64_t number) {
  auto found = readers_.find(number);
  if (found != readers_.end()) return found->second.get();
  const fs::path path = SstPath(dir_, number);
  std::error_code error;
  if (!fs::exists(path, error)) return Status::Corruption(path.string() + " is missing");
  TD_RETURN_IF_ERROR(CheckSstTail(path));
  auto reader = std::make_unique<rocksdb::SstFileReader>(options_);
  const rocksdb::Status opened = reader->Open(path.string());
  if (!opened.ok()) return Status::Corruption(path.string() + ": " + opened.ToString());
  if (readers_.size() >= kReadersMax) readers_.clear();
  return readers_.emplace(number, std::move(reader)).first->second.get();
}

Status FileSalvage::ReadSst(const File& file, std::string_view prefixes) {
  const Result<rocksdb::SstFileReader*> reader = Open(file.number);
  if (!reader.ok()) {
    unreadable_.insert(file.number);
    Lose(file, std::string(reader.status().message()));
    return Status::Ok();
  }
  for (const char prefix : prefixes) TD_RETURN_IF_ERROR(ReadPrefix(*reader, file, prefix));
  return Status::Ok();
}

Status FileSalvage::ReadPrefix(rocksdb::SstFileReader* reader, const File& file, char prefix) {
  std::string at(1, prefix);
  const std::string end = keys::After(at);
  Iterator entries(reader->NewIterator(LongRead()));
  entries->Seek(at);
  for (;;) {
    for (; entries->Valid() && entries->key().compare(end) < 0; entries->Next()) {
      at = entries->key().ToString();
      if (prefix == kIndex) blocks_.insert(kBlocks + at.substr(1));
      const rocksdb::Slice value = entries->value();
      TD_RETURN_IF_ERROR((*sink_)({at, {value.data(), value.size()}, file.number}));
    }
    if (entries->status().ok()) return Status::Ok();
    damage_.push_back(SstPath(dir_, file.number).string() + ": " + entries->status().ToString());
    const std::optional<std::string> next = NextReadable(reader, at);
    if (at.size() > 1) at.push_back('\0');  // that one was read
    lost_.emplace_back(at, next.value_or(end));
    if (!next) return Status::Ok();
    entries.reset(reader->NewIterator(LongRead()));
    entries->Seek(*next);
  }
}

// A place behind the block that cannot be read: steps that double reach beyond it, halving them
// finds its end. Doubled steps may reach over blocks that can be read, to one behind further
// damage; so blocks of the tape are also looked for where an index entry says that one is.
std::optional<std::string> FileSalvage::NextReadable(rocksdb::SstFileReader* reader,
                                                     const std::string& after) {
  const std::optional<std::string> far = NextByHalving(reader, after);
  for (auto block = blocks_.upper_bound(after); block != blocks_.end(); ++block) {
    if (far && *block >= *far) break;
    if (after[0] != kBlocks) break;
    Iterator entries(reader->NewIterator(PointRead()));
    entries->Seek(*block);
    if (entries->status().ok()) return *block;
  }
  return far;
}

std::optional<std::string> FileSalvage::NextByHalving(rocksdb::SstFileReader* reader,
                                                      const std::string& after) {
  auto readable = [&](Number number) {
    Iterator entries(reader->NewIterator(PointRead()));
    entries->Seek(KeyOf(after[0], number));
    return entries->status().ok();
  };
  const Number start = NumberOf(after);
  Number step = 1;
  while (step != 0 && start + step > start && !readable(start + step)) step <<= 1;
  if (step == 0 || start + step <= start) return std::nullopt;
  Number bad = start + (step >> 1), good = start + step;
  while (good - bad > 1) {
    const Number middle = bad + (good - bad) / 2;
    (readable(middle) ? good : bad) = middle;
  }
  return KeyOf(after[0], good);
}

// As recovery reads them: what lies behind a damage was never to be seen before it.
Status FileSalvage::ReadLogs() {
  LogEntries handler(&logged_);
  for (const WalFile& wal : ListWals(dir_)) {
    if (wal.number < oldest_wal_) continue;
    const Result<LogScan> scan = ScanLogFile(wal.path, [&](std::string_view record) {
      rocksdb::WriteBatch batch{std::string(record)};
      return ToStatus(batch.Iterate(&handler), Access::kRead);
    });
    if (scan.ok() && scan->end != LogScan::End::kDamaged) continue;
    damage_.push_back(wal.path.string() + ": " +
                      (scan.ok() ? scan->reason : scan.status().ToString()));
    break;
  }
  for (const auto& [key, value] : logged_) TD_RETURN_IF_ERROR((*sink_)({key, value, kLogs}));
  return Status::Ok();
}

Result<std::string> FileSalvage::Get(std::string_view key, uint64_t file) {
  if (file == kLogs) {
    const auto found = logged_.find(key);
    if (found == logged_.end()) return Status::NotFound("not in the logs");
    return found->second;
  }
  TD_ASSIGN_OR_RETURN(rocksdb::SstFileReader * reader, Open(file));
  const Iterator entries(reader->NewIterator(PointRead()));
  entries->Seek(rocksdb::Slice(key.data(), key.size()));
  TD_RETURN_IF_ERROR(ToStatus(entries->status(), Access::kRead));
  if (!entries->Valid() || entries->key() != rocksdb::Slice(key.data(), key.size()))
    return Status::NotFound("not in the file");
  return entries->value().ToString();
}

// A file that this user may not read is not damaged, and must not count as such.
Status CheckMayRead(const fs::path& dir) {
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(dir, error)) {
    if (::access(entry.path().c_str(), R_OK) == 0 || errno != EACCES) continue;
    return Status::FailedPrecondition("this user may not read " + entry.path().string() +
                                      ": run this as the owner of the store, or as root");
  }
  if (error) return Status::FailedPrecondition("listing " + dir.string() + ": " + error.message());
  return Status::Ok();
}

}  // namespace
}  // namespace rocks

Result<std::unique_ptr<Salvage>> Salvage::Open(const std::filesystem::path& dir) {
  std::error_code error;
  const std::filesystem::path real = std::filesystem::canonical(dir, error);
  if (error || !std::filesystem::is_directory(real, error))
    return Status::NotFound("there is no store in " + dir.string());
  const Result<bool> exists = rocks::CheckCurrent(real);  // an error: there are files of a store
  if (exists.ok() && !*exists) return Status::NotFound("there is no store in " + real.string());
  TD_RETURN_IF_ERROR(rocks::CheckMayRead(real));
  auto salvage = std::make_unique<rocks::FileSalvage>(real);
  TD_RETURN_IF_ERROR(salvage->Lock());
  return std::unique_ptr<Salvage>(std::move(salvage));
}

}  // namespace tapedeck
