#ifndef TAPEDECK_REPLAY_OUTGOING_H_
#define TAPEDECK_REPLAY_OUTGOING_H_

// Outgoing: a recorded message as a job sends it: topic, partition, timestamp, headers.
//
//   Outgoing outgoing(job, ReplayName("tapedeck", "node-1", job.id), {{"Finhub1-replay", 3}});
//   TD_ASSIGN_OR_RETURN(const OutgoingContent* out, outgoing.Make(*selected, 0, seq, &note, now));
//   TD_RETURN_IF_ERROR(sink->Send(*out->topic, out->message, timeout));
//   note.digest += out->hash;
//
// With provenance the four headers of model/replay_headers.h follow the original ones.
//
// A message without a Kafka timestamp is sent with its time of receipt. Re-encoded, each selected
// record is a message of its own, with key, headers and timestamp of the one that it came in; the
// value is the record as JSON (query/decoded_json.h, with its origin) or as a FlatBuffer
// (schemas/record.fbs): the same record always gives the same bytes.
//
// Owned by one thread; the job outlives it.

#include <array>
#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "codec/record_buffer.h"
#include "kafka/producer.h"
#include "model/replay_headers.h"
#include "replay/job.h"
#include "tape/selection_cursor.h"

namespace tapedeck {

/// How long a message waits in the client for others, at maximum pace. librdkafka's sending thread
/// spins while a message that has waited longer stands behind a request of its partition; so this
/// is longer than an answer takes.
inline constexpr std::chrono::milliseconds kLingerAtMax{50};
/// And where messages have their time.
inline constexpr std::chrono::milliseconds kLingerPaced{1};

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

  /// Messages that this one becomes.
  size_t Count(const SelectedMessage& selected) const {
    return job_.spec.target.value == ReplayValue::kOriginal ? 1 : selected.matching.size();
  }
  /// The nth of them; valid until the next call. The first message of a job that shifts times sets
  /// note->shift_ms. kInvalidArgument: the target lacks its partition.
  Result<const OutgoingContent*> Make(const SelectedMessage& selected, size_t nth, uint64_t seq,
                                      ReplayNote* note, Timestamp now);

 private:
  struct Topic {
    std::string name;
    int partitions = 0;
  };
  Result<const Topic*> TopicOf(const StoredMessage& stored);
  Result<int32_t> PartitionOf(const StoredMessage& stored, const Topic& topic) const;
  int64_t TimeOf(const StoredMessage& stored, ReplayNote* note, Timestamp now) const;
  void AddProvenance(const StoredMessage& stored, std::optional<uint32_t> index, uint64_t seq);
  std::string_view Encode(const SelectedMessage& selected, uint32_t index);

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
  std::string json_;
  RecordBuffer buffer_;
  OutgoingContent content_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_REPLAY_OUTGOING_H_
