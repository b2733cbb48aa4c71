#ifndef TAPEDECK_ARCHIVE_OBJECT_FILE_H_
#define TAPEDECK_ARCHIVE_OBJECT_FILE_H_

// ObjectFile: a file that becomes an object: written from begin to end, summed on the way, synced.
//
//   TD_ASSIGN_OR_RETURN(auto file, ObjectFile::Create(path));
//   TD_RETURN_IF_ERROR(file->Append(bytes));                    // as often as there are some
//   TD_ASSIGN_OR_RETURN(std::string sha256, file->Finish());    // hexadecimal; bytes are durable
//
// Errors as in base/file.h. Dropped without Finish it removes itself. Owned by one thread.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/secure_hash.h"
#include "base/status.h"

namespace tapedeck {

class ObjectFile {
 public:
  /// Overwrites what is there.
  static Result<std::unique_ptr<ObjectFile>> Create(std::string path);
  ~ObjectFile();
  ObjectFile(const ObjectFile&) = delete;
  ObjectFile& operator=(const ObjectFile&) = delete;

  Status Append(std::string_view bytes);
  /// The file and its name are synced. Once.
  Result<std::string> Finish();
  const std::string& path() const { return path_; }
  uint64_t bytes() const { return bytes_; }

 private:
  ObjectFile(std::string path, int file) : path_(std::move(path)), file_(file) {}

  const std::string path_;
  int file_;
  uint64_t bytes_ = 0;
  SecureHash sum_{SecureHash::Kind::kSha256};
};

}  // namespace tapedeck

#endif  // TAPEDECK_ARCHIVE_OBJECT_FILE_H_
