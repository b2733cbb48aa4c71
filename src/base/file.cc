#include "base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <system_error>
#include <utility>

namespace tapedeck {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }
  bool open() const { return fd_ >= 0; }
  /// 0, or the error of close, which a network file system may use to report a lost write.
  int Close() {
    int failed = ::close(fd_) != 0 ? errno : 0;
    fd_ = -1;
    return failed;
  }

 private:
  int fd_;
};

/// Calls again while a signal interrupts.
template <typename Call>
auto Retry(Call call) {
  for (;;) {
    auto result = call();
    if (result >= 0 || errno != EINTR) return result;
  }
}

Status WriteAll(int fd, std::string_view content, const std::string& path) {
  while (!content.empty()) {
    ssize_t written = Retry([&] { return ::write(fd, content.data(), content.size()); });
    if (written < 0) return StatusFromErrno(errno, "writing " + path);
    content.remove_prefix(static_cast<size_t>(written));
  }
  return Status::Ok();
}

/// Writes and syncs the file behind `file`, which is at `path`.
Status FillAndSync(Descriptor* file, const std::string& path, std::string_view content,
                   mode_t mode) {
  TD_RETURN_IF_ERROR(WriteAll(file->get(), content, path));
  if (::fchmod(file->get(), mode) != 0)
    return StatusFromErrno(errno, "setting the mode of " + path);
  if (Retry([&] { return ::fsync(file->get()); }) != 0) {
    return StatusFromErrno(errno, "syncing " + path);
  }
  if (int error = file->Close(); error != 0) return StatusFromErrno(error, "closing " + path);
  return Status::Ok();
}

std::string DirectoryOf(const std::string& path) {
  size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

StatusCode CodeOf(int error) {
  switch (error) {
    case ENOENT:
      return StatusCode::kNotFound;
    case EEXIST:
      return StatusCode::kAlreadyExists;
    case EACCES:
    case EPERM:
    case EROFS:
      return StatusCode::kFailedPrecondition;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
      return StatusCode::kResourceExhausted;
    case EAGAIN:
    case EBUSY:
    case EINTR:
    case ETIMEDOUT:
      return StatusCode::kUnavailable;
    case EINVAL:
    case EISDIR:
    case ENOTDIR:
    case ENAMETOOLONG:
    case ELOOP:
      return StatusCode::kInvalidArgument;
    default:
      return StatusCode::kInternal;
  }
}

}  // namespace

Status StatusFromErrno(int error, std::string_view doing) {
  std::string message(doing);
  message += ": ";
  message += std::generic_category().message(error);
  return {CodeOf(error), std::move(message)};
}

Result<std::string> ReadFile(const std::string& path, size_t bytes_max) {
  Descriptor file(Retry([&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC); }));
  if (!file.open()) return StatusFromErrno(errno, "opening " + path);
  struct stat about {};
  if (::fstat(file.get(), &about) != 0) return StatusFromErrno(errno, "looking at " + path);
  if (S_ISDIR(about.st_mode)) return StatusFromErrno(EISDIR, "reading " + path);
  // The size is a hint only: it is 0 for pipes and /proc, and the file may grow while it is read.
  constexpr size_t kStep = 4096;
  std::string content;
  size_t hint = about.st_size > 0 ? static_cast<size_t>(about.st_size) : 0;
  content.resize(std::min(hint, bytes_max) + 1);
  size_t size = 0;
  for (;;) {
    if (size > bytes_max) {
      return Status::ResourceExhausted(path + " is larger than " + std::to_string(bytes_max) +
                                       " bytes");
    }
    if (size == content.size()) {
      content.resize(size + std::min(std::max(size, kStep), bytes_max + 1 - size));
    }
    ssize_t got =
        Retry([&] { return ::read(file.get(), content.data() + size, content.size() - size); });
    if (got < 0) return StatusFromErrno(errno, "reading " + path);
    if (got == 0) break;
    size += static_cast<size_t>(got);
  }
  content.resize(size);
  return content;
}

Status WriteFileAtomically(const std::string& path, std::string_view content, mode_t mode) {
  std::string beside = path + ".new-XXXXXX";
  {
    Descriptor file(::mkostemp(beside.data(), O_CLOEXEC));
    if (!file.open()) return StatusFromErrno(errno, "creating a file beside " + path);
    Status filled = FillAndSync(&file, beside, content, mode);
    if (!filled.ok()) {
      ::unlink(beside.c_str());
      return filled;
    }
  }
  if (::rename(beside.c_str(), path.c_str()) != 0) {
    Status failed = StatusFromErrno(errno, "renaming onto " + path);
    ::unlink(beside.c_str());
    return failed;
  }
  return SyncDirectory(DirectoryOf(path));
}

Status SyncDirectory(const std::string& path) {
  Descriptor directory(
      Retry([&] { return ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); }));
  if (!directory.open()) return StatusFromErrno(errno, "opening " + path);
  if (Retry([&] { return ::fsync(directory.get()); }) != 0) {
    return StatusFromErrno(errno, "syncing " + path);
  }
  return Status::Ok();
}

Status SyncFilesOf(const std::string& path) {
  std::error_code error;
  std::filesystem::directory_iterator files(path, error);
  if (error) return StatusFromErrno(error.value(), "listing " + path);
  for (const std::filesystem::directory_entry& entry : files) {
    if (!entry.is_regular_file()) continue;
    Descriptor file(::open(entry.path().c_str(), O_RDONLY | O_CLOEXEC));
    if (!file.open()) return StatusFromErrno(errno, "opening " + entry.path().string());
    if (Retry([&] { return ::fsync(file.get()); }) != 0) {
      return StatusFromErrno(errno, "syncing " + entry.path().string());
    }
  }
  return SyncDirectory(path);
}

Result<TemporaryFolder> TemporaryFolder::Make(std::string_view name) {
  std::error_code error;
  const std::filesystem::path place = std::filesystem::temp_directory_path(error);
  if (error) return StatusFromErrno(error.value(), "looking for a place for temporary files");
  std::string path = (place / ("tapedeck-" + std::string(name) + "-XXXXXX")).string();
  if (::mkdtemp(path.data()) == nullptr) return StatusFromErrno(errno, "making " + path);
  TemporaryFolder folder;
  folder.path_ = path;
  return folder;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;  // what stays is in the system's place for such things
  if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
}

TemporaryFolder::TemporaryFolder(TemporaryFolder&& other) noexcept
    : path_(std::exchange(other.path_, {})) {}

TemporaryFolder& TemporaryFolder::operator=(TemporaryFolder&& other) noexcept {
  path_.swap(other.path_);  // what this held goes with `other`
  return *this;
}

}  // namespace tapedeck
