#include "blob/folder.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "base/file.h"

namespace tapedeck {
namespace {

template <typename Call>
auto Retry(Call call) {
  for (;;) {
    auto result = call();
    if (result >= 0 || errno != EINTR) return result;
  }
}

/// One part after the other, none of them a link: what openat2 does, for kernels and sandboxes
/// without it.
int OpenStepByStep(int folder, const std::string& path, int flags) {
  OpenFile current;
  int at = folder;
  for (size_t begin = 0;;) {
    size_t slash = path.find('/', begin);
    const std::string part = path.substr(begin, slash == path.npos ? slash : slash - begin);
    const bool is_last = slash == path.npos;
    const int how = is_last ? flags : O_PATH | O_DIRECTORY | O_CLOEXEC;
    int fd = Retry([&] { return ::openat(at, part.c_str(), how | O_NOFOLLOW); });
    if (fd < 0 || is_last) return fd;
    current = OpenFile(fd);
    at = current.fd();
    begin = slash + 1;
  }
}

}  // namespace

OpenFile& OpenFile::operator=(OpenFile&& other) noexcept {
  if (this == &other) return *this;
  if (fd_ >= 0) ::close(fd_);
  fd_ = other.fd_;
  other.fd_ = -1;
  return *this;
}

OpenFile::~OpenFile() {
  if (fd_ >= 0) ::close(fd_);
}

int OpenFile::Close() {
  int error = ::close(fd_) != 0 ? errno : 0;
  fd_ = -1;
  return error;
}

Result<OpenFile> OpenBeneath(int folder, const std::string& path, int flags) {
  const std::string relative = path.empty() ? "." : path;
  open_how how{};
  how.flags = static_cast<uint64_t>(flags | O_CLOEXEC);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  // EAGAIN: something was renamed meanwhile, and the kernel could not tell that we stay inside.
  int fd = -1;
  for (int tries = 0; tries < 16; ++tries) {
    fd = Retry([&] {
      return static_cast<int>(::syscall(SYS_openat2, folder, relative.c_str(), &how, sizeof how));
    });
    if (fd >= 0 || errno != EAGAIN) break;
  }
  if (fd < 0 && (errno == ENOSYS || errno == EPERM))
    fd = OpenStepByStep(folder, relative, flags | O_CLOEXEC);
  if (fd < 0) return StatusFromErrno(errno, "opening " + path);
  return OpenFile(fd);
}

Result<OpenFile> MakeFolderBeneath(int folder, const std::string& path) {
  constexpr int kFlags = O_RDONLY | O_DIRECTORY;
  Result<OpenFile> there = OpenBeneath(folder, path, kFlags);
  if (there.ok() || there.status().code() != StatusCode::kNotFound) return there;
  const size_t slash = path.rfind('/');
  const std::string above = slash == path.npos ? "" : path.substr(0, slash);
  const std::string last = slash == path.npos ? path : path.substr(slash + 1);
  TD_ASSIGN_OR_RETURN(OpenFile parent, MakeFolderBeneath(folder, above));
  if (::mkdirat(parent.fd(), last.c_str(), 0755) != 0 && errno != EEXIST)
    return StatusFromErrno(errno, "making the folder " + path);
  TD_RETURN_IF_ERROR(SyncFd(parent.fd(), "the folder " + above));
  return OpenBeneath(folder, path, kFlags);
}

Status SyncFd(int fd, const std::string& what) {
  if (Retry([&] { return ::fsync(fd); }) == 0) return Status::Ok();
  return StatusFromErrno(errno, "syncing " + what);
}

Status WriteAllTo(int fd, std::string_view bytes, const std::string& what) {
  while (!bytes.empty()) {
    ssize_t written = Retry([&] { return ::write(fd, bytes.data(), bytes.size()); });
    if (written < 0) return StatusFromErrno(errno, "writing " + what);
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return Status::Ok();
}

Status RenameToFree(int folder, const std::string& from, const std::string& to) {
  if (::renameat2(folder, from.c_str(), folder, to.c_str(), RENAME_NOREPLACE) == 0)
    return Status::Ok();
  // Some file systems do not know that flag; all know that a link needs a free name.
  if (errno == EINVAL || errno == ENOSYS) {
    if (::linkat(folder, from.c_str(), folder, to.c_str(), 0) == 0) {
      ::unlinkat(folder, from.c_str(), 0);
      return Status::Ok();
    }
  }
  return StatusFromErrno(errno, "renaming to " + to);
}

}  // namespace tapedeck
