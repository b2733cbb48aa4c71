#ifndef TAPEDECK_BASE_OPEN_FILES_H_
#define TAPEDECK_BASE_OPEN_FILES_H_

// How many files this process may have open at once (RLIMIT_NOFILE).
//
//   const uint64_t limit = RaiseOpenFilesLimit();
//
// The soft limit is for programs that use select(); nothing here does. Thread-safe.

#include <cstdint>

namespace tapedeck {

/// Raises the soft limit to the hard one. Returns the limit that is then in force: the old one
/// where raising is not allowed, UINT64_MAX where there is none.
uint64_t RaiseOpenFilesLimit();

}  // namespace tapedeck

#endif  // TAPEDECK_BASE_OPEN_FILES_H_
