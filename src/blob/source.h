#ifndef TAPEDECK_BLOB_SOURCE_H_
#define TAPEDECK_BLOB_SOURCE_H_

// Source: the bytes of one Put, opened once: their number is fixed, and any part can be read,
// hashed and sent again. Inside blob only.
//
// Thread-safe after Open.

#include <string>

#include "base/file.h"
#include "base/secure_hash.h"
#include "base/status.h"
#include "blob/blob_store.h"
#include "web/web_client.h"

namespace tapedeck {

class Source {
 public:
  /// The errors of opening a file; kInvalidArgument where it is not a plain one.
  static Result<Source> Open(const BlobContent& content);
  Source(Source&& other) noexcept;
  Source& operator=(Source&&) = delete;
  ~Source();

  uint64_t size() const { return size_; }
  /// Bytes [offset, offset + size) as the body of a request.
  WebBody Body(uint64_t offset, uint64_t size) const;
  /// Calls `sink` with pieces of at most 1 MiB, in order.
  Status Stream(uint64_t offset, uint64_t size, const BlobSink& sink) const;
  /// Raw bytes of the digest.
  Result<std::string> Hash(SecureHash::Kind kind, uint64_t offset, uint64_t size) const;
  /// Whether `blob` holds exactly these bytes; it is read in full if its size is right.
  Result<bool> Equals(Blob* blob) const;

 private:
  Source(std::string_view bytes, int fd, uint64_t size, std::string path)
      : bytes_(bytes), fd_(fd), size_(size), path_(std::move(path)) {}
  Status ReadAt(uint64_t offset, char* out, size_t size) const;

  const std::string_view bytes_;
  int fd_ = -1;
  const uint64_t size_;
  const std::string path_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_BLOB_SOURCE_H_
