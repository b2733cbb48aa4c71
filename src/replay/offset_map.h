#ifndef TAPEDECK_REPLAY_OFFSET_MAP_H_
#define TAPEDECK_REPLAY_OFFSET_MAP_H_

// OffsetMap: where the messages of a restored topic lie now: recorded offset to offset in the
// target, for moving consumer groups.
//
//   map.Find({"ticks", 0}, 4711)      // where a group that had committed 4711 goes on
//
// Both sides rise together, with holes of their own: gaps and compaction in the recording,
// transaction markers in the target. So a partition is a list of runs in which both go up by one.
// The place of an offset is that of the first message at or behind it; behind the last one it is
// the end of what was restored.
//
//   entry := version:u8=1 partitions:varint { source:blob target:blob partition:zigzag
//            old_end:zigzag new_end:zigzag runs:varint { old:zigzag new:zigzag count:varint } }
// `old` and `new` of a run are differences to the end of the one before it (of the first, to 0).
// docs/formats.md, "Offsets of a restore".
//
// Values; thread-compatible.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "model/message.h"

namespace tapedeck {

/// Runs of one restore at the most: each takes 24 bytes while it is made.
inline constexpr size_t kOffsetRunsMax = size_t{1} << 22;

/// Offsets in rising order, as runs without holes.
class OffsetRuns {
 public:
  struct Run {
    int64_t from = 0;
    int64_t count = 0;
    bool operator==(const Run&) const = default;
  };
  /// kInvalidArgument: not above the last one. kResourceExhausted: too many holes.
  Status Add(int64_t offset);
  const std::vector<Run>& runs() const { return runs_; }
  uint64_t size() const { return size_; }

 private:
  std::vector<Run> runs_;
  uint64_t size_ = 0;
};

struct OffsetMap {
  struct Run {
    int64_t old_from = 0;
    int64_t new_from = 0;
    int64_t count = 0;
    bool operator==(const Run&) const = default;
  };
  struct Partition {
    std::string source;  // topic
    std::string target;  // topic
    int32_t partition = 0;
    int64_t old_end = 0;  // of what was asked for
    int64_t new_end = 0;  // behind the last message
    std::vector<Run> runs;
    bool operator==(const Partition&) const = default;

    /// Of a consumer that goes on at `old`.
    int64_t Find(int64_t old) const;
  };
  std::vector<Partition> partitions;  // by (source, partition)
  bool operator==(const OffsetMap&) const = default;

  /// Null: there is none.
  const Partition* Of(std::string_view source, int32_t partition) const;
};

/// The n-th message of a recorded partition is the n-th of the target's. kCorruption: there are
/// more on one side.
Result<std::vector<OffsetMap::Run>> PairRuns(const OffsetRuns& recorded, const OffsetRuns& found);

std::string EncodeOffsetMap(const OffsetMap& map);
/// kCorruption: not what EncodeOffsetMap writes.
Result<OffsetMap> DecodeOffsetMap(std::string_view bytes);

/// The name of the entry in the store; no job has such an id, and all of them sort before it.
std::string OffsetEntryId(std::string_view job_id);
/// As older versions named it. Read and deleted where it is there, not written.
std::string OldOffsetEntryId(std::string_view job_id);

}  // namespace tapedeck

#endif  // TAPEDECK_REPLAY_OFFSET_MAP_H_
