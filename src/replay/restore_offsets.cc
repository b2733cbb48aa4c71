#include "replay/restore_offsets.h"

#include <algorithm>

#include "tape/selection_cursor.h"

namespace tapedeck {
namespace {

constexpr std::chrono::milliseconds kTurn{50};
// Whoever must open the store again need not wait for this reading.
constexpr std::chrono::seconds kViewLife{1};
constexpr uint64_t kLookEvery = 1024;  // messages

Result<std::map<TopicPartition, OffsetRuns>> RecordedOffsets(const WorkerParts& parts,
                                                             const ReplayJob& job,
                                                             const GiveUp& stop) {
  std::map<TopicPartition, OffsetRuns> recorded;
  TD_ASSIGN_OR_RETURN(auto cursor, SelectionCursor::Open({.open_point = parts.open_point,
                                                          .clock = parts.clock,
                                                          .memory_bytes = parts.memory_bytes,
                                                          .view_life = kViewLife,
                                                          .missing = job.missing,
                                                          .gone = stop.flag},
                                                         job.selection, std::nullopt));
  for (uint64_t n = 0;; ++n) {
    if ((n % kLookEvery == 0 || cursor->searching()) && stop.ordered()) {
      return Status::Cancelled("the table of offsets was interrupted");
    }
    TD_ASSIGN_OR_RETURN(const SelectedMessage* message,
                        cursor->NextBy(parts.clock->Monotonic() + kTurn));
    if (message == nullptr && cursor->searching()) continue;
    if (message == nullptr) return recorded;
    const TapeId& tape = *message->stored->tape;
    OffsetRuns& runs = recorded[TopicPartition{tape.topic, tape.partition}];
    TD_RETURN_IF_ERROR(runs.Add(message->stored->message.offset));
  }
}

}  // namespace

Result<OffsetMap> MapOffsets(const WorkerParts& parts, const ReplayJob& job,
                             const FoundOffsets& found, const GiveUp& stop) {
  TD_ASSIGN_OR_RETURN(const auto recorded, RecordedOffsets(parts, job, stop));
  OffsetMap map;
  for (const TapeRange& range : job.selection.ranges) {
    OffsetMap::Partition partition;
    partition.source = range.tape.topic;
    partition.target = job.spec.target.TopicFor(range.tape.topic);
    partition.partition = range.tape.partition;
    partition.old_end = range.to;
    const auto ours = recorded.find({partition.source, partition.partition});
    const auto theirs = found.find({partition.target, partition.partition});
    const OffsetRuns none;
    TD_ASSIGN_OR_RETURN(partition.runs, PairRuns(ours == recorded.end() ? none : ours->second,
                                                 theirs == found.end() ? none : theirs->second));
    const auto start = job.target_starts.find({partition.target, partition.partition});
    partition.new_end = start == job.target_starts.end() ? 0 : start->second;
    if (!partition.runs.empty()) {
      const OffsetMap::Run& last = partition.runs.back();
      partition.new_end = last.new_from + last.count;
    }
    map.partitions.push_back(std::move(partition));
  }
  return map;
}

}  // namespace tapedeck
