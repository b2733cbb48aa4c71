#ifndef TAPEDECK_REPLAY_OUTGOING_H_
#define TAPEDECK_REPLAY_OUTGOING_H_

// Outgoing: a recorded message as a job sends it: topic, partition, timestamp, headers.
//
//   Outgoing outgoing(job, ReplayName("tapedeck", "node-1", job.id), {{"Finhub1-replay", 3}});
//   TD_ASSIGN_OR_RETURN(const OutgoingContent* out, outgoing.Make(*selected, seq, &note, now));
//   TD_RETURN_IF_ERROR(sink->Send(*out->topic, out->message, timeout));
//   note.digest += out->hash;
//
// With provenance four headers follow the original ones:
//   tapedeck-replay   <group>/<node>/<job>
//   tapedeck-seq      1, 2, 3, … over the whole job
//   tapedeck-origin   topic/partition/lineage/offset
//   tapedeck-ts       the recorded Kafka timestamp in milliseconds; -1 where there was none
//
// A message without a Kafka timestamp is sent with its time of receipt.
//
// Owned by one thread; the job outlives it.

#include <array>
#include <map>
#include <string>
#include <vector>

#include "base/status.h"
#include "kafka/producer.h"
#include "query/selection_cursor.h"
#include "replay/job.h"

namespace tapedeck {

inline constexpr std::string_view kReplayHeader = "tapedeck-replay";
inline constexpr std::string_view kSeqHeader = "tapedeck-seq";
inline constexpr std::string_view kOriginHeader = "tapedeck-origin";
inline constexpr std::string_view kTimeHeader = "tapedeck-ts";

/// The value of tapedeck-replay.
std::string ReplayName(std::string_view group, std::string_view node, std::string_view job);

struct OutgoingContent {
  const std::string* topic = nullptr;
  OutgoingMessage message;  // its tag is the sequence number
  Hash128 hash;             // of it as it is sent, see SentHasher
  size_t bytes = 0;         // of key, value and headers
};

/// Hash of a message of the target: timestamp (left out where the target or the job sets it), key,
/// value, headers.
class SentHasher {
 public:
  explicit SentHasher(const ReplayJob& job);
  Hash128 Hash(MessageView message);

 private:
  HashTime time_;
  MessageHasher hasher_;
};

class Outgoing {
 public:
  /// `partitions`: of the target topics.
  Outgoing(const ReplayJob& job, std::string name, std::map<std::string, int> partitions);

  /// Valid until the next call. The first message of a job that shifts times sets note->shift_ms.
  /// kInvalidArgument: the target lacks its partition.
  Result<const OutgoingContent*> Make(const SelectedMessage& selected, uint64_t seq,
                                      ReplayNote* note, Timestamp now);

 private:
  struct Topic {
    std::string name;
    int partitions = 0;
  };
  Result<const Topic*> TopicOf(const StoredMessage& stored);
  Result<int32_t> PartitionOf(const StoredMessage& stored, const Topic& topic) const;
  int64_t TimeOf(const StoredMessage& stored, ReplayNote* note, Timestamp now) const;
  void AddProvenance(const StoredMessage& stored, uint64_t seq);

  const ReplayJob& job_;
  const std::string name_;
  const std::map<std::string, int> partitions_;
  SentHasher hasher_;
  std::map<std::string, Topic, std::less<>> by_source_;
  std::string last_source_;
  const Topic* last_topic_ = nullptr;
  std::vector<HeaderView> headers_;
  std::string seq_;
  std::string origin_;
  std::string time_;
  OutgoingContent content_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_REPLAY_OUTGOING_H_
