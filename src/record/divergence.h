#ifndef TAPEDECK_RECORD_DIVERGENCE_H_
#define TAPEDECK_RECORD_DIVERGENCE_H_

// Compares a log that has changed with the tape that was made from the earlier one.
//
// Whatever is equal at the same offset is held by the old lineage; a new lineage records only what
// differs. The comparison starts at a landmark that is known to be equal (the anchor, or one found
// by looking back in growing steps) and goes forward to the end of whichever is shorter.
//
// Owned by one thread.

#include <chrono>
#include <cstdint>
#include <functional>
#include <vector>

#include "base/status.h"
#include "kafka/message_source.h"
#include "model/stored.h"

namespace tapedeck {

/// Reads one tape. Implemented over the store's blocks; a test may use a vector.
class RecordedTape {
 public:
  virtual ~RecordedTape() = default;
  /// Calls `visit` for each recorded message with from <= offset < to in order until it returns
  /// false.
  virtual Status ReadRange(int64_t from, int64_t to,
                           const std::function<bool(const MessageView&)>& visit) = 0;
};

struct Divergence {
  /// First offset of the log that the tape does not hold as it is: a new lineage starts to record
  /// here.
  int64_t first_different = 0;
  /// Runs of offsets [from, to) that the tape holds as the log has them: one up to first_different,
  /// and any later ones. What lies before the tape's own start stays out of both.
  struct Run {
    int64_t from = 0;
    int64_t to = 0;
    bool operator==(const Run&) const = default;
  };
  std::vector<Run> held;
};

/// `tape_start`, `tape_next`: what the tape covers. `anchor`: may be equal or not, it is looked at
/// first.
Result<Divergence> CompareLogAndTape(LogProbe* probe, RecordedTape* tape, const TopicPartition& tp,
                                     const LogBounds& bounds, int64_t tape_start, int64_t tape_next,
                                     const Landmark& anchor, std::chrono::milliseconds timeout);

}  // namespace tapedeck

#endif  // TAPEDECK_RECORD_DIVERGENCE_H_
