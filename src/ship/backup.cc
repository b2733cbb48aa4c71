#include "ship/backup.h"

#include <algorithm>
#include <fstream>
#include <map>
#include <optional>
#include <set>
#include <tuple>

#include "archive/names.h"
#include "base/encoding.h"
#include "base/file.h"
#include "base/log.h"
#include "base/secure_hash.h"
#include "blob/blob_name.h"
#include "query/verify.h"

namespace tapedeck {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kListingName = "SHA256SUMS";
constexpr std::string_view kFirstLine = "# tapedeck backup 1";
constexpr uint64_t kListingBytesMax = uint64_t{16} << 20;
constexpr size_t kPieceBytes = size_t{1} << 20;

bool Stopped(const std::atomic<bool>* stop) { return stop != nullptr && stop->load(); }
Status StoppedStatus() { return Status::Cancelled("asked to stop"); }

// A folder that is gone at the end.
class Scratch {
 public:
  explicit Scratch(fs::path dir) : dir_(std::move(dir)) {}
  ~Scratch() {
    std::error_code ignored;
    fs::remove_all(dir_, ignored);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  const fs::path& dir() const { return dir_; }

 private:
  const fs::path dir_;
};

Result<std::string> Sha256OfFile(const fs::path& path, const std::atomic<bool>* stop) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return StatusFromErrno(errno, "opening " + path.string());
  SecureHash hash(SecureHash::Kind::kSha256);
  std::string piece(kPieceBytes, '\0');
  while (in) {
    if (Stopped(stop)) return StoppedStatus();
    in.read(piece.data(), static_cast<std::streamsize>(piece.size()));
    hash.Update(std::string_view(piece).substr(0, static_cast<size_t>(in.gcount())));
  }
  if (in.bad()) return Status::Unavailable(path.string() + " cannot be read");
  return ToHex(hash.Finish());
}

// A store that is opened writes new files of its own and removes old ones: so not the files that
// are put, but other links to them.
Status VerifyCopy(const fs::path& copy, const fs::path& links) {
  std::error_code error;
  fs::create_directories(links, error);
  if (error) return StatusFromErrno(error.value(), "making " + links.string());
  for (const fs::directory_entry& file : fs::directory_iterator(copy, error)) {
    fs::create_hard_link(file.path(), links / file.path().filename(), error);
    if (error) return StatusFromErrno(error.value(), "linking " + file.path().string());
  }
  if (error) return StatusFromErrno(error.value(), "listing " + copy.string());
  TD_ASSIGN_OR_RETURN(VerifyReport report, VerifyDataDir(links, {.findings_max = 3}));
  if (report.ok()) return Status::Ok();
  return Status::Corruption("the store is damaged, so there is no backup of it: " +
                            report.findings[0].where + ": " + report.findings[0].what);
}

// The number of the last commit in a store that nobody uses.
Result<uint64_t> CommitOf(const fs::path& dir) {
  TD_ASSIGN_OR_RETURN(std::unique_ptr<Store> store,
                      Store::Open({.dir = dir, .create = false, .ballast_bytes = 0}));
  TD_ASSIGN_OR_RETURN(StoreState state, store->View()->LoadState());
  return state.commit;
}

Result<BackupListing> ListCopy(const fs::path& copy, const BackupOptions& options,
                               const std::atomic<bool>* stop) {
  BackupListing listing;
  listing.version = options.version;
  std::error_code error;
  for (const fs::directory_entry& file : fs::directory_iterator(copy, error)) {
    BackupFile entry{.name = file.path().filename().string(), .sha256 = {}};
    TD_RETURN_IF_ERROR(CheckBlobName(entry.name));
    TD_ASSIGN_OR_RETURN(entry.sha256, Sha256OfFile(file.path(), stop));
    listing.files.push_back(std::move(entry));
  }
  if (error) return StatusFromErrno(error.value(), "listing " + copy.string());
  std::sort(listing.files.begin(), listing.files.end(),
            [](const BackupFile& a, const BackupFile& b) { return a.name < b.name; });
  return listing;
}

// What lies in a node's backups, folder by folder.
struct Folder {
  std::string store;
  std::vector<std::string> names;
  std::optional<Timestamp> whole_at;
};

Result<std::map<std::string, Folder>> Folders(BlobStore* blobs, const std::string& node) {
  TD_ASSIGN_OR_RETURN(std::vector<BlobStat> blobs_there, blobs->ListAll(BackupsPrefix(node)));
  std::map<std::string, Folder> folders;
  for (const BlobStat& blob : blobs_there) {
    const Result<ArchiveName> name = ParseArchiveName(blob.name);
    if (!name.ok() || name->kind != ArchiveNameKind::kBackup) continue;  // not ours
    const size_t slash = blob.name.rfind('/');
    Folder& folder = folders[blob.name.substr(0, slash + 1)];
    folder.store = name->store;
    folder.names.push_back(blob.name);
    if (std::string_view(blob.name).substr(slash + 1) == kListingName) {
      folder.whole_at = blob.modified;
    }
  }
  return folders;
}

std::vector<BackupRef> WholeOnes(const std::map<std::string, Folder>& folders) {
  std::vector<BackupRef> whole;
  for (const auto& [name, folder] : folders) {
    if (folder.whole_at) whole.push_back({name, folder.store, *folder.whole_at});
  }
  std::sort(whole.begin(), whole.end(), [](const BackupRef& a, const BackupRef& b) {
    return std::tie(b.at, b.folder) < std::tie(a.at, a.folder);
  });
  return whole;
}

// The listing goes first, so that what is half removed is no backup any more.
Status RemoveFolder(BlobStore* blobs, const std::string& folder,
                    const std::vector<std::string>& names) {
  TD_RETURN_IF_ERROR(blobs->Delete(folder + std::string(kListingName)));
  for (const std::string& name : names) TD_RETURN_IF_ERROR(blobs->Delete(name));
  return Status::Ok();
}

// Removes this store's backups beyond `keep`, and what interrupted ones have left. `made` stays.
Result<uint64_t> RemoveOld(BlobStore* blobs, const StoreMeta& meta, const BackupRef& made,
                           size_t keep) {
  TD_ASSIGN_OR_RETURN(auto folders, Folders(blobs, meta.node_id));
  std::set<std::string> kept{made.folder};
  for (const BackupRef& whole : WholeOnes(folders)) {
    if (whole.store == meta.store_id && kept.size() < keep) kept.insert(whole.folder);
  }
  uint64_t removed = 0;
  for (const auto& [name, folder] : folders) {
    if (folder.store != meta.store_id || kept.contains(name)) continue;
    TD_RETURN_IF_ERROR(RemoveFolder(blobs, name, folder.names));
    if (folder.whole_at) ++removed;
  }
  return removed;
}

Status FetchFile(BlobStore* blobs, const std::string& name, const BackupFile& file,
                 const fs::path& to, const std::atomic<bool>* stop) {
  Result<std::unique_ptr<Blob>> blob = blobs->Open(name);
  if (blob.status().code() == StatusCode::kNotFound) {
    return Status::Corruption("the backup lacks " + name);
  }
  TD_RETURN_IF_ERROR(blob.status());
  std::ofstream out(to, std::ios::binary | std::ios::trunc);
  SecureHash hash(SecureHash::Kind::kSha256);
  TD_RETURN_IF_ERROR((*blob)->StreamAll([&](std::string_view bytes) {
    if (Stopped(stop)) return StoppedStatus();
    hash.Update(bytes);
    out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    return out ? Status::Ok() : StatusFromErrno(errno, "writing " + to.string());
  }));
  out.close();
  if (!out) return StatusFromErrno(errno, "writing " + to.string());
  if (ToHex(hash.Finish()) == file.sha256) return Status::Ok();
  return Status::Corruption(name + " is not what the backup's " + std::string(kListingName) +
                            " says: it was altered");
}

// "# key value" of a listing's line; empty key: another kind of line.
std::pair<std::string_view, std::string_view> CommentOf(std::string_view line) {
  if (!line.starts_with("# ")) return {};
  line.remove_prefix(2);
  const size_t blank = line.find(' ');
  if (blank == std::string_view::npos) return {line, {}};
  return {line.substr(0, blank), line.substr(blank + 1)};
}

Result<BackupFile> FileOf(std::string_view line) {
  constexpr size_t kDigits = 2 * kSha256Bytes;
  const bool hex = line.size() > kDigits + 2 && line.substr(kDigits, 2) == "  " &&
                   std::all_of(line.begin(), line.begin() + kDigits, [](char c) {
                     return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
                   });
  const std::string name(hex ? line.substr(kDigits + 2) : "");
  if (!hex || name.find('/') != std::string::npos || !CheckBlobName(name).ok()) {
    return Status::Corruption("a backup's listing has the line '" +
                              std::string(line.substr(0, 100)) + "'");
  }
  return BackupFile{name, std::string(line.substr(0, kDigits))};
}

}  // namespace

std::string ToText(const BackupListing& listing) {
  std::string text(kFirstLine);
  text += "\n# node " + EncodeNamePart(listing.node) + "\n# store " + listing.store +
          "\n# commit " + std::to_string(listing.commit) + "\n# version " + listing.version + "\n";
  for (const BackupFile& file : listing.files) text += file.sha256 + "  " + file.name + "\n";
  return text;
}

Result<BackupListing> ParseBackupListing(std::string_view text) {
  BackupListing listing;
  bool known = false;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    if (end == std::string_view::npos) {
      return Status::Corruption("a backup's listing ends in mid-line");
    }
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end + 1);
    known = known || line == kFirstLine;
    if (!known) return Status::Corruption("a backup's listing does not begin as version 1 does");
    if (!line.starts_with('#')) {
      TD_ASSIGN_OR_RETURN(BackupFile file, FileOf(line));
      listing.files.push_back(std::move(file));
      continue;
    }
    const auto [key, value] = CommentOf(line);
    if (key == "node") {
      TD_ASSIGN_OR_RETURN(listing.node, DecodeNamePart(value));
    } else if (key == "store") {
      listing.store = value;
    } else if (key == "commit") {
      listing.commit = std::strtoull(std::string(value).c_str(), nullptr, 10);
    } else if (key == "version") {
      listing.version = value;
    }
  }
  if (listing.files.empty()) return Status::Corruption("a backup's listing names no file");
  return listing;
}

Result<BackupReport> MakeBackup(Store* store, BlobStore* blobs, Clock* clock,
                                const BackupOptions& options, const std::atomic<bool>* stop) {
  const StoreMeta meta = store->meta();
  const Scratch work(options.work_dir / "backup");
  std::error_code error;
  fs::remove_all(work.dir(), error);
  const fs::path copy = work.dir() / "copy";
  TD_RETURN_IF_ERROR(store->BackUp(copy));
  if (Stopped(stop)) return StoppedStatus();
  TD_RETURN_IF_ERROR(VerifyCopy(copy, work.dir() / "verified"));
  TD_ASSIGN_OR_RETURN(BackupListing listing, ListCopy(copy, options, stop));
  listing.node = meta.node_id;
  listing.store = meta.store_id;
  TD_ASSIGN_OR_RETURN(listing.commit, CommitOf(work.dir() / "verified"));
  const std::string text = ToText(listing);

  BackupReport report{.commit = listing.commit, .files = listing.files.size()};
  report.made.store = meta.store_id;
  report.made.folder =
      BackupPrefix({.node = meta.node_id, .store = meta.store_id}, Day::Of(clock->Now()),
                   NameHash(ToHex(Sha256(text)), options.version));
  for (const BackupFile& file : listing.files) {
    if (Stopped(stop)) return StoppedStatus();
    const std::string path = (copy / file.name).string();
    TD_ASSIGN_OR_RETURN(PutReport put, blobs->Put(report.made.folder + file.name,
                                                  BlobContent::File(path), PutMode::kCreate));
    report.bytes += put.bytes;
  }
  const std::string last = report.made.folder + std::string(kListingName);
  TD_RETURN_IF_ERROR(blobs->Put(last, BlobContent::Bytes(text), PutMode::kCreate).status());
  report.made.at = clock->Now();
  TD_ASSIGN_OR_RETURN(report.removed,
                      RemoveOld(blobs, meta, report.made, std::max<size_t>(options.keep, 1)));
  TD_LOG(kInfo, "ship", "backup", "the store is backed up",
         {{"folder", report.made.folder}, {"bytes", std::to_string(report.bytes)}});
  return report;
}

Result<std::vector<BackupRef>> ListBackups(BlobStore* blobs, const std::string& node) {
  TD_ASSIGN_OR_RETURN(auto folders, Folders(blobs, node));
  return WholeOnes(folders);
}

Result<BackupListing> RestoreBackup(BlobStore* blobs, const BackupRef& backup, const fs::path& dir,
                                    const std::atomic<bool>* stop) {
  std::error_code error;
  if (fs::exists(dir, error) && !fs::is_empty(dir, error)) {
    return Status::InvalidArgument(dir.string() +
                                   " is not empty: restore into a directory that is");
  }
  TD_ASSIGN_OR_RETURN(std::unique_ptr<Blob> blob,
                      blobs->Open(backup.folder + std::string(kListingName)));
  if (blob->stat().bytes > kListingBytesMax) {
    return Status::Corruption(blob->stat().name + " is too large to be a listing");
  }
  TD_ASSIGN_OR_RETURN(std::string text, blob->Read(0, blob->stat().bytes));
  TD_ASSIGN_OR_RETURN(BackupListing listing, ParseBackupListing(text));
  const Scratch fetched(dir.string() + ".restoring");
  fs::remove_all(fetched.dir(), error);
  fs::create_directories(fetched.dir(), error);
  if (error) return StatusFromErrno(error.value(), "making " + fetched.dir().string());
  for (const BackupFile& file : listing.files) {
    TD_RETURN_IF_ERROR(
        FetchFile(blobs, backup.folder + file.name, file, fetched.dir() / file.name, stop));
  }
  TD_RETURN_IF_ERROR(SyncFilesOf(fetched.dir().string()));
  fs::remove(dir, error);  // empty, or not there
  fs::rename(fetched.dir(), dir, error);
  if (error) return StatusFromErrno(error.value(), "naming " + dir.string());
  TD_RETURN_IF_ERROR(SyncDirectory(fs::absolute(dir).parent_path().string()));
  return listing;
}

}  // namespace tapedeck
