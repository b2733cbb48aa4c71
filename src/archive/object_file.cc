#include "archive/object_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "base/encoding.h"
#include "base/file.h"

namespace tapedeck {

Result<std::unique_ptr<ObjectFile>> ObjectFile::Create(std::string path) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
                          static_cast<mode_t>(0600));
  if (file < 0) return StatusFromErrno(errno, "creating " + path);
  return std::unique_ptr<ObjectFile>(new ObjectFile(std::move(path), file));
}

ObjectFile::~ObjectFile() {
  if (file_ < 0) return;
  ::close(file_);
  ::unlink(path_.c_str());
}

Status ObjectFile::Append(std::string_view bytes) {
  sum_.Update(bytes);
  bytes_ += bytes.size();
  while (!bytes.empty()) {
    const ssize_t written = ::write(file_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return StatusFromErrno(errno, "writing " + path_);
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return Status::Ok();
}

Result<std::string> ObjectFile::Finish() {
  if (::fsync(file_) != 0) return StatusFromErrno(errno, "syncing " + path_);
  if (::close(file_) != 0) {
    const int error = errno;
    file_ = -1;
    ::unlink(path_.c_str());
    return StatusFromErrno(error, "closing " + path_);
  }
  file_ = -1;
  const size_t slash = path_.rfind('/');
  TD_RETURN_IF_ERROR(SyncDirectory(slash == std::string::npos ? "." : path_.substr(0, slash + 1)));
  return ToHex(sum_.Finish());
}

}  // namespace tapedeck
