#ifndef TAPEDECK_BASE_FILE_H_
#define TAPEDECK_BASE_FILE_H_

// Small whole files: configuration, secrets, markers beside a store. Not for bulk data. And folders
// for what is on its way.
//
//   TD_ASSIGN_OR_RETURN(std::string text, ReadFile(path, limits::kMappingBytesMax));
//   TD_RETURN_IF_ERROR(WriteFileAtomically(path, text));
//   TD_ASSIGN_OR_RETURN(TemporaryFolder folder, TemporaryFolder::Make("verify"));
//   folder.path()     // /tmp/tapedeck-verify-x7Rk2q, until `folder` ends
//
// Errors name the path: kNotFound, kAlreadyExists, kResourceExhausted (disk or quota full, too many
// open files, or above the limit given), kInvalidArgument (a directory, or a path that cannot be),
// kFailedPrecondition (no permission), kUnavailable (a passing trouble), kInternal (everything
// else, input/output errors included).
//
// Thread-safe; a TemporaryFolder is a value.

#include <sys/types.h>

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/status.h"

namespace tapedeck {

/// The whole content; kResourceExhausted where it has more than `bytes_max` bytes.
Result<std::string> ReadFile(const std::string& path, size_t bytes_max);

/// Readers and crashes see the old content or the new, never a mix: writes a file beside it, syncs
/// it, renames it over `path` and syncs the directory. After OK the content is durable; after an
/// error `path` holds the old or the new.
Status WriteFileAtomically(const std::string& path, std::string_view content, mode_t mode = 0644);

/// Makes names created, renamed or removed in a directory durable.
Status SyncDirectory(const std::string& path);
/// Syncs every regular file of the directory, not those of its subdirectories, and the directory.
Status SyncFilesOf(const std::string& path);

/// A folder of its own in the system's place for temporary files (TMPDIR); it goes when this does,
/// with all that is in it. Only the user may look into it (mode 0700).
class TemporaryFolder {
 public:
  /// Named tapedeck-`name`- and six characters that no other has.
  static Result<TemporaryFolder> Make(std::string_view name);

  TemporaryFolder() = default;  // none
  ~TemporaryFolder();
  TemporaryFolder(TemporaryFolder&& other) noexcept;
  TemporaryFolder& operator=(TemporaryFolder&& other) noexcept;

  /// "" where there is none.
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// The status of a failed system call: `doing` with the path, such as "opening /etc/tapedeck.toml".
Status StatusFromErrno(int error, std::string_view doing);

}  // namespace tapedeck

#endif  // TAPEDECK_BASE_FILE_H_
