#include "blob/source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace tapedeck {
namespace {

constexpr size_t kPieceBytes = size_t{1} << 20;

}  // namespace

Result<Source> Source::Open(const BlobContent& content) {
  if (!content.is_file()) return Source(content.bytes(), -1, content.bytes().size(), {});
  // A pipe would block when it is opened, and is refused after it was.
  int fd = ::open(content.path().c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return StatusFromErrno(errno, "opening " + content.path());
  Source source({}, fd, 0, content.path());
  struct stat about {};
  if (::fstat(fd, &about) != 0) return StatusFromErrno(errno, "looking at " + content.path());
  if (!S_ISREG(about.st_mode)) return Status::InvalidArgument(content.path() + " is no plain file");
  return Source({}, std::exchange(source.fd_, -1), static_cast<uint64_t>(about.st_size),
                content.path());
}

Source::Source(Source&& other) noexcept
    : bytes_(other.bytes_),
      fd_(std::exchange(other.fd_, -1)),
      size_(other.size_),
      path_(other.path_) {}

Source::~Source() {
  if (fd_ >= 0) ::close(fd_);
}

WebBody Source::Body(uint64_t offset, uint64_t size) const {
  if (fd_ >= 0) return WebBody::File(fd_, offset, size);
  return WebBody::Bytes(bytes_.substr(offset, size));
}

Status Source::ReadAt(uint64_t offset, char* out, size_t size) const {
  while (size > 0) {
    ssize_t got = ::pread(fd_, out, size, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return StatusFromErrno(errno, "reading " + path_);
    if (got == 0) return Status::FailedPrecondition(path_ + " became shorter while it was put");
    offset += static_cast<uint64_t>(got);
    out += got;
    size -= static_cast<size_t>(got);
  }
  return Status::Ok();
}

Status Source::Stream(uint64_t offset, uint64_t size, const BlobSink& sink) const {
  std::string buffer;
  while (size > 0) {
    const size_t count = std::min<uint64_t>(size, kPieceBytes);
    if (fd_ < 0) {
      TD_RETURN_IF_ERROR(sink(bytes_.substr(offset, count)));
    } else {
      buffer.resize(count);
      TD_RETURN_IF_ERROR(ReadAt(offset, buffer.data(), count));
      TD_RETURN_IF_ERROR(sink(buffer));
    }
    offset += count;
    size -= count;
  }
  return Status::Ok();
}

Result<std::string> Source::Hash(SecureHash::Kind kind, uint64_t offset, uint64_t size) const {
  SecureHash hash(kind);
  TD_RETURN_IF_ERROR(Stream(offset, size, [&](std::string_view piece) {
    hash.Update(piece);
    return Status::Ok();
  }));
  return hash.Finish();
}

Result<bool> Source::Equals(Blob* blob) const {
  if (blob->stat().bytes != size_) return false;
  uint64_t compared = 0;
  bool is_equal = true;
  const Status differs = Status::Cancelled("the contents differ");
  Status read = blob->StreamAll([&](std::string_view theirs) -> Status {
    Status ours = Stream(compared, theirs.size(), [&](std::string_view piece) {
      is_equal = theirs.substr(0, piece.size()) == piece;
      theirs.remove_prefix(piece.size());
      compared += piece.size();
      return is_equal ? Status::Ok() : differs;
    });
    return ours;
  });
  if (!is_equal) return false;
  TD_RETURN_IF_ERROR(read);
  return true;
}

}  // namespace tapedeck
