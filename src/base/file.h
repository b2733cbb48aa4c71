#ifndef TAPEDECK_BASE_FILE_H_
#define TAPEDECK_BASE_FILE_H_

// Small whole files: configuration, secrets, markers beside a store. Not for bulk data.
//
//   TD_ASSIGN_OR_RETURN(std::string text, ReadFile(path, limits::kMappingBytesMax));
//   TD_RETURN_IF_ERROR(WriteFileAtomically(path, text));
//
// Errors name the path: kNotFound, kAlreadyExists, kResourceExhausted (disk or quota full, too many
// open files, or above the limit given), kInvalidArgument (a directory, or a path that cannot be),
// kFailedPrecondition (no permission), kUnavailable (a passing trouble), kInternal (everything
// else, input/output errors included).
//
// Thread-safe.

#include <sys/types.h>

#include <cstddef>
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

/// The status of a failed system call: `doing` with the path, such as "opening /etc/tapedeck.toml".
Status StatusFromErrno(int error, std::string_view doing);

}  // namespace tapedeck

#endif  // TAPEDECK_BASE_FILE_H_
