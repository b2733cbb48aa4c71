#ifndef TAPEDECK_BLOB_FOLDER_H_
#define TAPEDECK_BLOB_FOLDER_H_

// Paths below an open folder that cannot leave it. Inside blob only.
//
// Thread-safe: functions on descriptors.

#include <sys/types.h>

#include <string>
#include <string_view>

#include "base/status.h"

namespace tapedeck {

/// An open file or folder, closed at the end.
class OpenFile {
 public:
  OpenFile() = default;
  explicit OpenFile(int fd) : fd_(fd) {}
  OpenFile(OpenFile&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
  OpenFile& operator=(OpenFile&& other) noexcept;
  ~OpenFile();
  int fd() const { return fd_; }
  /// 0 or the error of close.
  int Close();

 private:
  int fd_ = -1;
};

/// Opens `path` below `folder` without following a symbolic link or leaving it; `path` is relative
/// and has no empty, "." or ".." parts. Empty: the folder itself.
Result<OpenFile> OpenBeneath(int folder, const std::string& path, int flags);

/// The same for a folder, which is made, with those above it, where it is missing; what was made is
/// durable.
Result<OpenFile> MakeFolderBeneath(int folder, const std::string& path);

Status SyncFd(int fd, const std::string& what);
Status WriteAllTo(int fd, std::string_view bytes, const std::string& what);

/// Gives the file `from` of `folder` the name `to`; kAlreadyExists where that is taken.
Status RenameToFree(int folder, const std::string& from, const std::string& to);

}  // namespace tapedeck

#endif  // TAPEDECK_BLOB_FOLDER_H_
