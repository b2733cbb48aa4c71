#ifndef TAPEDECK_RECORD_START_PLAN_H_
#define TAPEDECK_RECORD_START_PLAN_H_

// StartPlan: where recording of an assigned partition begins, and which gaps that leaves
// (docs/faults.md, G5).
//
// The store decides, except at a hand-over: where another store has recorded further than we have,
// its commit in the group says so. Pure: facts in, plan out.
//
//   c = own checkpoint, k = commit of another store, r = where that store's run began
//   k <= c           start at c
//   k > c, r <= c    start at k, gap elsewhere  [c, k)
//   k > c, r > c     start at k, gaps elsewhere? [c, r) and elsewhere [r, k)
//   no c, k          as above with the start of the log for c
//   no c, no k       the topic's start; the log's start for a partition that appeared later
//
// A commit under our node's name by another store means that the disk is gone. A store that was
// restored from the archive (restore.h) goes on at its own checkpoint, whatever that commit says;
// an empty one begins at the topic's start, with a warning. A commit without our metadata is an
// operator's; it counts for nothing where there is a checkpoint.
//
// Thread-safe: a pure function.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "kafka/message_source.h"
#include "model/stored.h"

namespace tapedeck {

/// Another owner's commit in the group, as far as we believe it.
struct OtherCommit {
  std::string node_id;
  std::string store_id;
  int64_t next = 0;
  int64_t run_start = 0;
};

struct StartFacts {
  std::string node_id;
  std::string store_id;
  std::optional<int64_t> own_next;        // next offset of our checkpoint
  std::optional<OtherCommit> commit;      // by any store, with metadata of ours
  std::optional<int64_t> foreign_offset;  // committed by somebody without our metadata
  LogBounds bounds;
  int64_t topic_start = 0;   // the topic's configured start, resolved to an offset
  bool topic_known = false;  // another partition of the topic has been recorded before
  Timestamp now;
};

struct StartPlan {
  int64_t coverage_start = 0;  // for a new checkpoint
  int64_t next = 0;            // where to read
  bool new_run = false;        // the run of this store does not go on
  std::vector<Gap> gaps;       // in order, not overlapping
  std::string warning;         // "" or what an operator should know
};

StartPlan PlanStart(const StartFacts& facts);

}  // namespace tapedeck

#endif  // TAPEDECK_RECORD_START_PLAN_H_
