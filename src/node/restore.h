#ifndef TAPEDECK_NODE_RESTORE_H_
#define TAPEDECK_NODE_RESTORE_H_

// RestoreNode: a node's directory from its archive alone: a new store filled by record/restore.h,
// or the newest backup of the lost one.
//
//   TD_ASSIGN_OR_RETURN(RestoredNode made, RestoreNode({.archive = config.archive, .node = "n1",
//                                                       .data_dir = dir}, &clock));
//
// The directory must not exist or be empty. It gets its name when everything is in it and synced;
// until then it is `<dir>.restoring`, which a run that was interrupted leaves behind and the next
// one removes.
//
// Errors: kInvalidArgument: the directory, the archive's url; kNotFound: nothing of this node is
// there; kCorruption: what is damaged or missing, also a manifest that cannot be read and might
// belong to it; those of the archive and the disk.
//
// Thread-safe: a function on files.

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "base/clock.h"
#include "base/status.h"
#include "config/config.h"
#include "record/restore.h"

namespace tapedeck {

struct RestoreRequest {
  ArchiveConfig archive;
  std::string node;
  std::filesystem::path data_dir;
  enum class From : uint8_t { kArchive, kBackup };
  From from = From::kArchive;
  size_t flush_bytes = size_t{128} << 20;  // of rows in memory
  const std::atomic<bool>* stop = nullptr;
  std::function<void(const RestoreProgress&)> progress;
};

struct RestoredNode {
  std::string store_id;
  RestoreReport report;  // kArchive
  std::string backup;    // kBackup: the folder it came from
  uint64_t commit = 0;   // kBackup: the last one in it
};

Result<RestoredNode> RestoreNode(const RestoreRequest& request, Clock* clock);

}  // namespace tapedeck

#endif  // TAPEDECK_NODE_RESTORE_H_
