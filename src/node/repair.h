#ifndef TAPEDECK_NODE_REPAIR_H_
#define TAPEDECK_NODE_REPAIR_H_

// RepairNode: makes the store of a node that is stopped whole again where `verify` finds damage
// (docs/faults.md, A5).
//
//   TD_ASSIGN_OR_RETURN(RepairedNode made, RepairNode({.data_dir = dir}, &clock));
//   for (const TapeGap& gap : made.report.damaged) …      // what is nowhere to be had
//
// The new store is filled beside the old one (repair/repair.h), in `<dir>.repairing`, verified, and
// then takes the folder's name in one step that a crash cannot cut in two; the old one stays as
// `<dir>.damaged` for the operator to look at and delete. So nothing is lost before what stands for
// it is durable, and an interrupted run is begun anew; one that fails takes away what it made. A
// store in which nothing is wrong is left as it is. Room for the part that is recorded again is
// needed. The new folder and its files belong to whom the old one does.
//
// Replay jobs are taken over, but none goes on by itself: what is left of a store may be an earlier
// state of a job, or one that was deleted. They have failed until somebody resumes them.
//
// Errors: kNotFound: no store there; kFailedPrecondition: a process holds it, a disk is mounted
// there, or something else lies in the folder that would move away with the old store, as an
// archive; kCorruption: what cannot be repaired, and why; kInternal: the new store does not verify;
// those of repair/repair.h, the archive and the disk. Thread-safe: a function on files.

#include <atomic>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "config/config.h"
#include "query/verify.h"
#include "repair/repair.h"

namespace tapedeck {

struct RepairRequest {
  /// Of its node: archive, topics and mappings. Without an archive none is asked.
  Config config;
  std::filesystem::path data_dir;
  bool accept_loss = false;                // RepairOptions
  size_t flush_bytes = size_t{128} << 20;  // of rows in memory
  const std::atomic<bool>* stop = nullptr;
  std::function<void(const VerifyProgress&)> verifying;
  std::function<void(const RepairProgress&)> repairing;
};

struct RepairedNode {
  bool was_whole = false;         // then nothing was done, and nothing else is said
  std::vector<Finding> findings;  // of the old store
  RepairReport report;
  std::string store_id;
  std::filesystem::path old_store;  // where it lies now
};

Result<RepairedNode> RepairNode(const RepairRequest& request, Clock* clock);

}  // namespace tapedeck

#endif  // TAPEDECK_NODE_REPAIR_H_
