#ifndef TAPEDECK_REPLAY_RESTORE_OFFSETS_H_
#define TAPEDECK_REPLAY_RESTORE_OFFSETS_H_

// MapOffsets: the table from recorded to new offsets, once everything of a restore was sent and
// read back. A part of ReplayWorker.
//
// A restore adds no headers, so the place of a message tells: the n-th that was selected of a
// partition is the n-th that is found in the target's. The tape is read once more for it.
//
// Errors: as of SelectionCursor, kCorruption where the counts differ, kResourceExhausted where
// there are more holes than a table may have, kCancelled where `stop` says so. kNotFound and
// kFailedPrecondition: what was restored has left the store since.

#include <atomic>
#include <functional>
#include <map>
#include <memory>

#include "base/status.h"
#include "replay/offset_map.h"
#include "replay/worker.h"

namespace tapedeck {

/// Offsets in the target, by its topic and partition.
using FoundOffsets = std::map<TopicPartition, OffsetRuns>;

/// When to stop: asked now and then, and a flag that ends a read under way.
struct GiveUp {
  std::function<bool()> ordered;
  std::shared_ptr<const std::atomic<bool>> flag;
};

Result<OffsetMap> MapOffsets(const WorkerParts& parts, const ReplayJob& job,
                             const FoundOffsets& found, const GiveUp& stop);

}  // namespace tapedeck

#endif  // TAPEDECK_REPLAY_RESTORE_OFFSETS_H_
