#include "archive/object_source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/file.h"

namespace tapedeck {
namespace {

Status CheckRange(const ObjectSource& object, uint64_t offset, uint64_t size) {
  if (offset <= object.bytes() && size <= object.bytes() - offset) return Status::Ok();
  return Status::InvalidArgument("bytes " + std::to_string(offset) + " and " +
                                 std::to_string(size) + " more of " + object.name() +
                                 ", which has " + std::to_string(object.bytes()));
}

class LocalObject final : public ObjectSource {
 public:
  LocalObject(std::string name, int file, uint64_t bytes)
      : ObjectSource(std::move(name)), file_(file), bytes_(bytes) {}
  ~LocalObject() override { ::close(file_); }
  LocalObject(const LocalObject&) = delete;
  LocalObject& operator=(const LocalObject&) = delete;

  uint64_t bytes() const override { return bytes_; }
  Status Read(uint64_t offset, std::span<char> to) const override {
    TD_RETURN_IF_ERROR(CheckRange(*this, offset, to.size()));
    while (!to.empty()) {
      const ssize_t got = ::pread(file_, to.data(), to.size(), static_cast<off_t>(offset));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return StatusFromErrno(errno, "reading " + name());
      if (got == 0) return Status::Corruption(name() + " has become shorter");
      to = to.subspan(static_cast<size_t>(got));
      offset += static_cast<uint64_t>(got);
    }
    return Status::Ok();
  }

 private:
  const int file_;
  const uint64_t bytes_;
};

class BlobObject final : public ObjectSource {
 public:
  explicit BlobObject(std::unique_ptr<Blob> blob)
      : ObjectSource(blob->stat().name), blob_(std::move(blob)) {}

  uint64_t bytes() const override { return blob_->stat().bytes; }
  Status Read(uint64_t offset, std::span<char> to) const override {
    TD_RETURN_IF_ERROR(CheckRange(*this, offset, to.size()));
    if (to.empty()) return Status::Ok();
    size_t filled = 0;
    TD_RETURN_IF_ERROR(blob_->Stream(offset, to.size(), [&](std::string_view piece) {
      if (piece.size() > to.size() - filled) return Status::Internal(name() + " gave too much");
      std::memcpy(to.data() + filled, piece.data(), piece.size());
      filled += piece.size();
      return Status::Ok();
    }));
    if (filled != to.size()) return Status::Corruption(name() + " gave too little");
    return Status::Ok();
  }

 private:
  const std::unique_ptr<Blob> blob_;
};

}  // namespace

Result<std::unique_ptr<ObjectSource>> OpenLocalObject(const std::string& path, std::string name) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return StatusFromErrno(errno, "opening " + path);
  struct stat stat {};
  if (::fstat(file, &stat) != 0) {
    const int error = errno;
    ::close(file);
    return StatusFromErrno(error, "looking at " + path);
  }
  return std::unique_ptr<ObjectSource>(
      std::make_unique<LocalObject>(std::move(name), file, static_cast<uint64_t>(stat.st_size)));
}

std::unique_ptr<ObjectSource> OpenBlobObject(std::unique_ptr<Blob> blob) {
  return std::make_unique<BlobObject>(std::move(blob));
}

}  // namespace tapedeck
