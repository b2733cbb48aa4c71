#include "store/ballast.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/file.h"

namespace tapedeck {
namespace {

uint64_t AllocatedBytes(const std::filesystem::path& file) {
  struct stat info {};
  if (::stat(file.c_str(), &info) != 0) return 0;
  return static_cast<uint64_t>(info.st_blocks) * 512;
}

}  // namespace

bool Ballast::whole() const { return bytes_ == 0 || AllocatedBytes(file_) >= bytes_; }

Status Ballast::Release() {
  if (::unlink(file_.c_str()) != 0 && errno != ENOENT) {
    return StatusFromErrno(errno, "removing the ballast " + file_.string());
  }
  return Status::Ok();
}

Status Ballast::Restore(uint64_t free_bytes, uint64_t spare_bytes) {
  if (whole()) return Status::Ok();
  const uint64_t held = AllocatedBytes(file_);
  if (free_bytes + held < bytes_ + spare_bytes) return Status::Ok();
  const int fd = ::open(file_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return StatusFromErrno(errno, "making the ballast " + file_.string());
  // Reserves blocks; where the file system cannot, the C library writes into each.
  int error = ::posix_fallocate(fd, 0, static_cast<off_t>(bytes_));
  if (error == 0 && ::fsync(fd) != 0) error = errno;
  ::close(fd);
  if (error != 0) {
    TD_RETURN_IF_ERROR(Release());
    return StatusFromErrno(error, "filling the ballast " + file_.string());
  }
  return SyncDirectory(file_.parent_path().string());
}

}  // namespace tapedeck
