#ifndef TAPEDECK_KAFKA_MESSAGE_SOURCE_H_
#define TAPEDECK_KAFKA_MESSAGE_SOURCE_H_

// MessageSource: where the record journey gets its messages. A seam: librdkafka's consumer
// (kafka_source.h) on one side, a fake with injected faults in tests on the other;
// tests/kafka/source_conformance.h runs on both.
//
// One thread polls. The group protocol happens inside Poll: the listener is told of partitions that
// come and go, on the same thread, and answers with the offsets to start at. After OnAssigned
// returned, Poll delivers each assigned partition's messages in offset order from exactly the given
// offset; nothing is delivered twice unless the partition is assigned again. Nothing is ever
// sought, paused or resumed: to slow down, stop polling.
//
//   class Recorder : public AssignmentListener { … };
//   while (!stopping) {
//     TD_ASSIGN_OR_RETURN(const SourceBatch* batch, source->Poll(std::chrono::milliseconds(50)));
//     for (const SourceMessage& m : batch->messages) Append(m.partition, m.message);
//   }
//
// Owned by one thread.

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "model/message.h"

namespace tapedeck {

/// Index of an assigned partition, from 0, as OnAssigned listed them; valid until the next
/// assignment.
using PartitionSlot = uint32_t;

struct SourceMessage {
  PartitionSlot slot = 0;
  MessageView message;  // valid until the next Poll
};

/// The end of a partition was reached at `offset` (= the next offset to come): control records and
/// aborted messages before it are behind.
struct PartitionEnd {
  PartitionSlot slot = 0;
  int64_t offset = 0;
};

enum class SourceTrouble : uint8_t {
  kOutOfRange,  // the wanted offset is not in the log (retention, truncation, a new log)
  /// Bytes in the log fail their checksum or do not decompress; the partition delivers nothing more
  /// until it is assigned again.
  kBadBatch,
  kUnknownTopic,  // the topic or partition is gone
  kNotAuthorized,
  kOther,
};

struct PartitionError {
  PartitionSlot slot = 0;
  SourceTrouble trouble = SourceTrouble::kOther;
  std::string detail;
};

/// Trouble that concerns no single partition (all brokers down, authentication): recording goes on
/// when it is over.
struct SourceNotice {
  std::string code;  // librdkafka's name, such as "_ALL_BROKERS_DOWN"
  std::string detail;
};

struct SourceBatch {
  std::vector<SourceMessage> messages;  // in order within each slot
  std::vector<PartitionEnd> ends;       // each after the messages of its slot in this batch
  std::vector<PartitionError> errors;
  std::vector<SourceNotice> notices;
  /// The partitions were assigned anew inside this call; slots have changed, and `messages` is
  /// empty.
  bool reassigned = false;
};

/// Start of an assigned partition: an offset to begin at.
struct StartOffset {
  int64_t offset = 0;
};

/// An offset to commit to the group, with at most 4,096 bytes of metadata.
struct GroupCommit {
  TopicPartition tp;
  int64_t offset = 0;
  std::string metadata;
};

class AssignmentListener {
 public:
  virtual ~AssignmentListener() = default;
  /// Partitions are ours. Returns one start for each, in order; may block (store reads, tail
  /// checks) and may use the probe. An error keeps the source unassigned and comes out of Poll.
  virtual Result<std::vector<StartOffset>> OnAssigned(
      std::span<const TopicPartition> partitions) = 0;
  /// Partitions leave us (all of them: assignment is eager). `lost`: they may be another's already,
  /// so nothing may be committed.
  virtual void OnRevoked(bool lost) = 0;
};

class MessageSource {
 public:
  virtual ~MessageSource() = default;

  /// Waits up to `timeout` for something; the batch is the source's, valid until the next call.
  /// kUnavailable: passing trouble that the caller should log and poll on after;
  /// kFailedPrecondition: fenced by another instance, or another cluster: stop recording.
  virtual Result<const SourceBatch*> Poll(std::chrono::milliseconds timeout) = 0;

  /// Commits to the group. Advisory: the store decides. kUnavailable where it did not work out
  /// within `timeout`.
  virtual Status Commit(std::span<const GroupCommit> commits,
                        std::chrono::milliseconds timeout) = 0;
  /// The same without waiting; failures are only counted and logged.
  virtual void CommitAsync(std::span<const GroupCommit> commits) = 0;

  /// What the group has committed for these partitions: offset -1 where nothing.
  virtual Result<std::vector<GroupCommit>> Committed(std::span<const TopicPartition> partitions,
                                                     std::chrono::milliseconds timeout) = 0;

  /// The cluster's id; "" while no broker was reached.
  virtual std::string ClusterId(std::chrono::milliseconds timeout) = 0;

  /// Asks for a fresh assignment of everything that is assigned now: OnAssigned is called again
  /// inside the next Poll. The way to move a position, and to try again after OnAssigned gave an
  /// error.
  virtual void Reassign() = 0;

  /// Ends consumption and the client within `timeout`; `leave` gives the partitions up at once.
  /// Further calls give kCancelled.
  virtual Status Close(bool leave, std::chrono::milliseconds timeout) = 0;
};

/// First and next offsets of a partition's log, as a read_committed consumer sees them.
struct LogBounds {
  int64_t start = 0;
  int64_t end = 0;  // last stable offset
};

struct ProbedMessage {
  /// False: nothing at that offset; `next_offset` says where the next message or the end is.
  bool found = false;
  int64_t next_offset = 0;
  std::string bytes;  // owner of what `message` views
  std::vector<HeaderView> headers;
  MessageView message;
};

/// The second, unsubscribed consumer: reads single places of the log without touching the first.
/// Owned by one thread.
class LogProbe {
 public:
  virtual ~LogProbe() = default;
  virtual Result<LogBounds> Bounds(const TopicPartition& tp, std::chrono::milliseconds timeout) = 0;
  /// The message at `offset`, if it is there (control records, compaction and retention leave
  /// holes).
  virtual Result<std::unique_ptr<ProbedMessage>> ReadAt(const TopicPartition& tp, int64_t offset,
                                                        std::chrono::milliseconds timeout) = 0;
  /// Calls `visit` for each message in [from, to) in order until it returns false. For comparing
  /// log and tape. kUnavailable where the log ends before `to` (INT64_MAX: wherever it ends).
  virtual Status ReadRange(const TopicPartition& tp, int64_t from, int64_t to,
                           std::chrono::milliseconds idle_timeout,
                           const std::function<bool(const MessageView&)>& visit) = 0;
  /// First offset whose timestamp is at or after `timestamp_ms`; the end where there is none.
  virtual Result<int64_t> OffsetForTime(const TopicPartition& tp, int64_t timestamp_ms,
                                        std::chrono::milliseconds timeout) = 0;
};

}  // namespace tapedeck

#endif  // TAPEDECK_KAFKA_MESSAGE_SOURCE_H_
