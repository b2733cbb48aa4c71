#include "replay/outgoing.h"

#include "query/decoded_json.h"
#include "tape/tail.h"

namespace tapedeck {
namespace {

constexpr int64_t kNsPerMs = 1'000'000;
// Kafka has no times before 1970, and to librdkafka 0 is "now": the least that can be sent.
constexpr int64_t kLeastMs = 1;

int64_t FloorMs(int64_t ns) { return ns >= 0 ? ns / kNsPerMs : -((-(ns + 1)) / kNsPerMs) - 1; }

// At least once a message may be sent again, later.
bool SetsTime(const ReplayJob& job) {
  return job.target_sets_time || (job.spec.target.timestamps == ReplayTimestamps::kNow &&
                                  job.spec.delivery == SinkDelivery::kAtLeastOnce);
}

}  // namespace

std::string ReplayName(std::string_view group, std::string_view node, std::string_view job) {
  std::string name(group);
  name.append("/").append(node).append("/").append(job);
  return name;
}

SentHasher::SentHasher(const ReplayJob& job)
    : time_(SetsTime(job) ? HashTime::kLeftOut : HashTime::kIncluded) {}

Hash128 SentHasher::Hash(MessageView message) {
  message.timestamp_type = TimestampType::kCreate;
  return hasher_.Content(message, time_);
}

Outgoing::Outgoing(const ReplayJob& job, std::string name, std::map<std::string, int> partitions)
    : job_(job), name_(std::move(name)), partitions_(std::move(partitions)), hasher_(job) {}

Result<const Outgoing::Topic*> Outgoing::TopicOf(const StoredMessage& stored) {
  if (last_topic_ != nullptr && last_source_ == stored.tape->topic) return last_topic_;
  auto found = by_source_.find(stored.tape->topic);
  if (found == by_source_.end()) {
    Topic topic{job_.spec.target.TopicFor(stored.tape->topic), 0};
    auto known = partitions_.find(topic.name);
    if (known == partitions_.end() || known->second <= 0) {
      return Status::NotFound("target topic " + topic.name + " is not there");
    }
    topic.partitions = known->second;
    found = by_source_.emplace(stored.tape->topic, std::move(topic)).first;
  }
  last_source_ = stored.tape->topic;
  last_topic_ = &found->second;
  return last_topic_;
}

Result<int32_t> Outgoing::PartitionOf(const StoredMessage& stored, const Topic& topic) const {
  switch (job_.spec.target.partition) {
    case PartitionPolicy::kSame:
      if (stored.tape->partition < topic.partitions) return stored.tape->partition;
      return Status::InvalidArgument("target topic " + topic.name + " has no partition " +
                                     std::to_string(stored.tape->partition));
    case PartitionPolicy::kFixed:
      return job_.spec.target.fixed_partition;
    case PartitionPolicy::kKey:
      // Without a key the order of the source partition is kept.
      if (stored.message.key) return -1;
      return stored.tape->partition % topic.partitions;
  }
  return Status::Internal("no such partition policy");
}

int64_t Outgoing::TimeOf(const StoredMessage& stored, ReplayNote* note, Timestamp now) const {
  const int64_t recorded = FloorMs(stored.time.ns());
  switch (job_.spec.target.timestamps) {
    case ReplayTimestamps::kOriginal:
      return std::max(kLeastMs, recorded);
    case ReplayTimestamps::kNow:
      return FloorMs(now.ns());
    case ReplayTimestamps::kShift:
      break;
  }
  if (!note->shifted) {
    note->shifted = true;
    note->shift_ms = FloorMs(now.ns()) - recorded;
  }
  return std::max(kLeastMs, recorded + note->shift_ms);
}

void Outgoing::AddProvenance(const StoredMessage& stored, std::optional<uint32_t> index,
                             uint64_t seq) {
  const TapeId& tape = *stored.tape;
  seq_ = std::to_string(seq);
  origin_ = tape.topic;
  origin_.append("/").append(std::to_string(tape.partition));
  origin_.append("/").append(std::to_string(tape.lineage));
  origin_.append("/").append(std::to_string(stored.message.offset));
  if (index) origin_.append("/").append(std::to_string(*index));
  time_ = std::to_string(stored.message.timestamp_ms);
  headers_.push_back({kReplayHeader, name_});
  headers_.push_back({kSeqHeader, seq_});
  headers_.push_back({kOriginHeader, origin_});
  headers_.push_back({kTimeHeader, time_});
}

std::string_view Outgoing::Encode(const SelectedMessage& selected, uint32_t index) {
  const StoredMessage& stored = *selected.stored;
  const DecodedRecord& record = selected.decoded->records[index];
  const Table& table = *selected.tables->Find(record.table);
  if (job_.spec.target.value == ReplayValue::kJson) {
    json_.clear();
    AppendDecodedJsonWithOrigin(table, record, index, stored, {}, &json_);
    return json_;
  }
  return buffer_.Encode(table, record.symbol, record.ts, Timestamp(KafkaNanosOf(stored.message)),
                        *stored.tape, stored.message.offset, index, record.values);
}

Result<const OutgoingContent*> Outgoing::Make(const SelectedMessage& selected, size_t nth,
                                              uint64_t seq, ReplayNote* note, Timestamp now) {
  const StoredMessage& stored = *selected.stored;
  TD_ASSIGN_OR_RETURN(const Topic* topic, TopicOf(stored));
  TD_ASSIGN_OR_RETURN(const int32_t partition, PartitionOf(stored, *topic));
  headers_.assign(stored.message.headers.begin(), stored.message.headers.end());
  std::optional<uint32_t> index;
  if (job_.spec.target.value != ReplayValue::kOriginal) index = selected.matching[nth];
  if (job_.spec.target.provenance) AddProvenance(stored, index, seq);
  OutgoingMessage& message = content_.message;
  message.key = stored.message.key;
  message.value = index ? OptionalBytes(Encode(selected, *index)) : stored.message.value;
  message.headers = headers_;
  message.partition = partition;
  message.timestamp_ms = TimeOf(stored, note, now);
  message.tag = seq;
  content_.topic = &topic->name;
  MessageView view{.timestamp_ms = message.timestamp_ms,
                   .key = message.key,
                   .value = message.value,
                   .headers = headers_};
  content_.hash = hasher_.Hash(view);
  content_.bytes = view.PayloadBytes();
  return &content_;
}

}  // namespace tapedeck
