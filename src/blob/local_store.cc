#include "blob/local_store.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <mutex>
#include <set>
#include <utility>

#include "base/clock.h"
#include "base/file.h"
#include "blob/blob_name.h"
#include "blob/folder.h"
#include "blob/local_list.h"
#include "blob/source.h"

namespace tapedeck {
namespace {

// Folders that a store remembers to have synced; beyond it they are synced again.
constexpr size_t kDurableFoldersMax = 10'000;

/// Folder and last part of a name.
std::pair<std::string, std::string> Split(const std::string& name) {
  size_t slash = name.rfind('/');
  if (slash == name.npos) return {"", name};
  return {name.substr(0, slash), name.substr(slash + 1)};
}

class LocalBlob final : public Blob {
 public:
  LocalBlob(BlobStat stat, OpenFile file) : Blob(std::move(stat)), file_(std::move(file)) {}

 protected:
  Status DoStream(uint64_t offset, uint64_t size, const BlobSink& sink) override {
    constexpr uint64_t kPieceBytes = uint64_t{1} << 20;
    std::string buffer(std::min(size, kPieceBytes), '\0');
    while (size > 0) {
      ssize_t got = ::pread(file_.fd(), buffer.data(), std::min<uint64_t>(size, buffer.size()),
                            static_cast<off_t>(offset));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return StatusFromErrno(errno, "reading " + stat().name);
      if (got == 0) return Status::Corruption(stat().name + " became shorter");
      TD_RETURN_IF_ERROR(sink(std::string_view(buffer).substr(0, static_cast<size_t>(got))));
      offset += static_cast<uint64_t>(got);
      size -= static_cast<uint64_t>(got);
    }
    return Status::Ok();
  }

 private:
  const OpenFile file_;
};

class LocalStore final : public BlobStore {
 public:
  LocalStore(std::string folder, OpenFile root)
      : folder_(std::move(folder)), root_(std::move(root)) {}

  Result<PutReport> Put(const std::string& name, const BlobContent& content, PutMode mode) override;
  Result<std::unique_ptr<Blob>> Open(const std::string& name) override;
  Result<BlobStat> Stat(const std::string& name) override;
  Result<BlobPage> List(const std::string& prefix, const std::string& after) override;
  Status Delete(const std::string& name) override;
  Result<uint64_t> RemoveUnfinished(const std::string& prefix,
                                    std::chrono::seconds min_age) override;
  std::string Describe() const override { return "file://" + folder_; }

 private:
  Result<std::pair<OpenFile, BlobStat>> OpenObject(const std::string& name);
  /// Makes a file of its own for a Put, locked as long as it is open.
  Result<OpenFile> MakeUnfinished(int folder, std::string* name);
  Result<PutReport> CompareWithPresent(const std::string& name, const Source& source);
  Status Fill(OpenFile* file, const Source& source, const std::string& name);
  /// The folder, which a power cut does not take away any more.
  Result<OpenFile> DurableFolder(const std::string& name);

  const std::string folder_;
  const OpenFile root_;
  std::atomic<uint64_t> next_unfinished_{0};
  std::mutex mutex_;
  std::set<std::string> durable_;  // folders; protected by mutex_
};

Result<std::pair<OpenFile, BlobStat>> LocalStore::OpenObject(const std::string& name) {
  TD_RETURN_IF_ERROR(CheckBlobName(name));
  Result<OpenFile> file = OpenBeneath(root_.fd(), name, O_RDONLY | O_NONBLOCK);
  // A part of the name that is a file: there is no such object.
  if (!file.ok() && file.status().code() == StatusCode::kInvalidArgument)
    return Status::NotFound(Describe() + " has no object " + name);
  if (!file.ok()) return std::move(file).status().WithContext(Describe());
  struct stat about {};
  if (::fstat(file->fd(), &about) != 0) return StatusFromErrno(errno, "looking at " + name);
  if (!S_ISREG(about.st_mode)) return Status::NotFound(Describe() + " has no object " + name);
  return std::pair(std::move(*file), LocalStat(name, about));
}

Result<OpenFile> LocalStore::MakeUnfinished(int folder, std::string* name) {
  constexpr int kTriesMax = 10'000;
  for (int i = 0; i < kTriesMax; ++i) {
    *name = "." + std::to_string(::getpid()) + "-" + std::to_string(next_unfinished_++) +
            std::string(kUnfinishedEnding);
    OpenFile file(::openat(folder, name->c_str(),
                           O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644));
    if (file.fd() < 0 && errno == EEXIST) continue;  // left by a process that had this id
    if (file.fd() < 0) return StatusFromErrno(errno, "making a file in " + Describe());
    // A cleaner may have come in between; then the name is not ours any more.
    struct stat about {};
    if (::flock(file.fd(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) continue;
    if (::fstat(file.fd(), &about) != 0 || about.st_nlink == 0) continue;
    return file;
  }
  return Status::ResourceExhausted(Describe() + ": too many unfinished files");
}

// A folder that is there may be the work of a process that ended before it synced the one above: so
// each is synced once by every store that puts into it.
Result<OpenFile> LocalStore::DurableFolder(const std::string& name) {
  Result<OpenFile> folder = MakeFolderBeneath(root_.fd(), name);
  if (!folder.ok()) return std::move(folder).status().WithContext(Describe());
  {
    std::lock_guard lock(mutex_);
    if (durable_.contains(name)) return folder;
  }
  for (std::string below = name; !below.empty();) {
    below = Split(below).first;
    TD_ASSIGN_OR_RETURN(OpenFile above, OpenBeneath(root_.fd(), below, O_RDONLY | O_DIRECTORY));
    TD_RETURN_IF_ERROR(SyncFd(above.fd(), "the folder " + below));
  }
  std::lock_guard lock(mutex_);
  if (durable_.size() >= kDurableFoldersMax) durable_.clear();
  durable_.insert(name);
  return folder;
}

Status LocalStore::Fill(OpenFile* file, const Source& source, const std::string& name) {
  const std::string what = Describe() + "/" + name;
  TD_RETURN_IF_ERROR(source.Stream(0, source.size(), [&](std::string_view piece) {
    return WriteAllTo(file->fd(), piece, what);
  }));
  return SyncFd(file->fd(), what);
}

/// An object of this name is there. Equal: it is made durable, because who renamed it may have died
/// before its folder was synced.
Result<PutReport> LocalStore::CompareWithPresent(const std::string& name, const Source& source) {
  TD_ASSIGN_OR_RETURN(auto present, OpenObject(name));
  const int fd = present.first.fd();
  OpenFile again(::dup(fd));
  LocalBlob blob(present.second, std::move(present.first));
  TD_ASSIGN_OR_RETURN(bool is_equal, source.Equals(&blob));
  if (!is_equal)
    return Status::AlreadyExists(Describe() + " has an object " + name + " with other content");
  TD_RETURN_IF_ERROR(SyncFd(again.fd(), name));
  TD_ASSIGN_OR_RETURN(OpenFile folder,
                      OpenBeneath(root_.fd(), Split(name).first, O_RDONLY | O_DIRECTORY));
  TD_RETURN_IF_ERROR(SyncFd(folder.fd(), "the folder of " + name));
  return PutReport{.bytes = source.size(), .was_there = true};
}

Result<PutReport> LocalStore::Put(const std::string& name, const BlobContent& content,
                                  PutMode mode) {
  TD_RETURN_IF_ERROR(CheckBlobName(name));
  TD_ASSIGN_OR_RETURN(Source source, Source::Open(content));
  if (mode == PutMode::kCreate) {
    Result<PutReport> present = CompareWithPresent(name, source);
    if (present.ok() || present.status().code() != StatusCode::kNotFound) return present;
  }
  const auto [folder_name, last] = Split(name);
  TD_ASSIGN_OR_RETURN(const OpenFile folder, DurableFolder(folder_name));
  std::string unfinished;
  TD_ASSIGN_OR_RETURN(OpenFile file, MakeUnfinished(folder.fd(), &unfinished));
  Status done = Fill(&file, source, name);
  if (done.ok() && mode == PutMode::kCreate) {
    done = RenameToFree(folder.fd(), unfinished, last);
  } else if (done.ok() &&
             ::renameat(folder.fd(), unfinished.c_str(), folder.fd(), last.c_str()) != 0) {
    done = StatusFromErrno(errno, "renaming to " + name);
  }
  if (!done.ok()) ::unlinkat(folder.fd(), unfinished.c_str(), 0);
  if (done.code() == StatusCode::kAlreadyExists) {
    Result<PutReport> present = CompareWithPresent(name, source);
    if (present.ok() || present.status().code() != StatusCode::kNotFound) return present;
    return Status::FailedPrecondition(Describe() + "/" + name +
                                      " is a folder, or was deleted at this moment");
  }
  TD_RETURN_IF_ERROR(done);
  TD_RETURN_IF_ERROR(SyncFd(folder.fd(), "the folder of " + name));
  return PutReport{.bytes = source.size()};
}

Result<std::unique_ptr<Blob>> LocalStore::Open(const std::string& name) {
  TD_ASSIGN_OR_RETURN(auto opened, OpenObject(name));
  return std::unique_ptr<Blob>(new LocalBlob(std::move(opened.second), std::move(opened.first)));
}

Result<BlobStat> LocalStore::Stat(const std::string& name) {
  TD_ASSIGN_OR_RETURN(auto opened, OpenObject(name));
  return std::move(opened.second);
}

Result<BlobPage> LocalStore::List(const std::string& prefix, const std::string& after) {
  TD_RETURN_IF_ERROR(CheckBlobPrefix(prefix));
  return ListFolder(root_.fd(), prefix, after);
}

Status LocalStore::Delete(const std::string& name) {
  TD_RETURN_IF_ERROR(CheckBlobName(name));
  const auto [folder_name, last] = Split(name);
  Result<OpenFile> folder = OpenBeneath(root_.fd(), folder_name, O_RDONLY | O_DIRECTORY);
  if (!folder.ok()) {
    Status status = std::move(folder).status();
    const bool is_absent =
        status.code() == StatusCode::kNotFound || status.code() == StatusCode::kInvalidArgument;
    return is_absent ? Status::Ok() : status.WithContext(Describe());
  }
  if (::unlinkat(folder->fd(), last.c_str(), 0) != 0 && errno != ENOENT && errno != EISDIR)
    return StatusFromErrno(errno, "deleting " + Describe() + "/" + name);
  return SyncFd(folder->fd(), "the folder of " + name);
}

Result<uint64_t> LocalStore::RemoveUnfinished(const std::string& prefix,
                                              std::chrono::seconds min_age) {
  TD_RETURN_IF_ERROR(CheckBlobPrefix(prefix));
  const Timestamp before = SystemClock().Now().SaturatingAdd(
      -std::chrono::duration_cast<std::chrono::nanoseconds>(min_age).count());
  return RemoveUnfinishedBeneath(root_.fd(), prefix, before);
}

}  // namespace

Result<std::unique_ptr<BlobStore>> OpenLocalStore(const std::string& folder) {
  if (folder.empty() || folder.front() != '/')
    return Status::InvalidArgument("the folder of a store is an absolute path");
  std::string path = folder;
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  const bool made = ::mkdir(path.c_str(), 0750) == 0;
  if (!made && errno != EEXIST) return StatusFromErrno(errno, "making the folder " + path);
  const size_t slash = path.rfind('/');
  const std::string above = slash == 0 ? "/" : path.substr(0, slash);
  const Status synced = SyncDirectory(above);
  // One that others made in a folder that is not ours to read has been there for long.
  if (!synced.ok() && (made || ::access(above.c_str(), R_OK) == 0)) return synced;
  OpenFile root(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (root.fd() < 0) return StatusFromErrno(errno, "opening " + path);
  return std::unique_ptr<BlobStore>(new LocalStore(std::move(path), std::move(root)));
}

}  // namespace tapedeck
