#ifndef TAPEDECK_STORE_LOCK_OWNER_H_
#define TAPEDECK_STORE_LOCK_OWNER_H_

// Who holds a file lock, for the message that refuses a second opener.
//
// Reads the kernel's list of locks and never opens the file itself: closing any descriptor of a
// file drops every POSIX lock that the process has on it.
//
// Thread-safe.

#include <filesystem>
#include <optional>
#include <string>

namespace tapedeck {

struct LockOwner {
  int pid = 0;
  std::string command;  // "" where it is not known
};

/// Empty where nobody holds one, or it cannot be known.
std::optional<LockOwner> FindLockOwner(const std::filesystem::path& file);

}  // namespace tapedeck

#endif  // TAPEDECK_STORE_LOCK_OWNER_H_
