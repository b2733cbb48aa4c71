#ifndef TAPEDECK_NODE_OPEN_FILES_H_
#define TAPEDECK_NODE_OPEN_FILES_H_

// Who of a node may have how many files open. The store keeps all of its files open, and a store
// that cannot open one stops recording: its files are set aside first, and connections get what is
// left.
//
//   TD_ASSIGN_OR_RETURN(const OpenFilesPlan plan,
//                       PlanOpenFiles(RaiseOpenFilesLimit(), StoredFilesOf(dir), true));
//   if (!plan.warning.empty()) TD_LOG(kWarn, …, plan.warning);
//   options.connections = plan.connections;
//
// Thread-safe: pure functions, but for StoredFilesOf, which looks at a folder.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>

#include "base/status.h"

namespace tapedeck {

/// Of the listener for scrapes and probes: a handful of clients.
inline constexpr size_t kMetricsConnections = 64;

struct StoredFiles {
  uint64_t now = 0;
  uint64_t at_most = 0;  // once the store fills its disk
};
/// No such folder: none now.
StoredFiles StoredFilesOf(const std::filesystem::path& dir);

struct OpenFilesPlan {
  size_t connections = 0;  // of the listener for reads
  std::string warning;     // "" or what an operator should raise, and why
};
/// kFailedPrecondition, with all numbers: recording would run out of files.
Result<OpenFilesPlan> PlanOpenFiles(uint64_t limit, const StoredFiles& stored, bool listens);

}  // namespace tapedeck

#endif  // TAPEDECK_NODE_OPEN_FILES_H_
