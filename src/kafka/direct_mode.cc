#include "kafka/direct_mode.h"

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "base/log.h"

namespace tapedeck {
namespace {

constexpr int kMetadataMs = 1000;
/// The first wait; each failure doubles it, up to the last. Trying holds the record thread up.
constexpr std::chrono::seconds kTryAgain(60);
constexpr std::chrono::seconds kTryAgainMax(1800);

// What is no matter of how brokers are reached and asked for messages.
constexpr std::array<std::string_view, 11> kOfNoConcern = {"client.id",
                                                           "session.timeout.ms",
                                                           "heartbeat.interval.ms",
                                                           "partition.assignment.strategy",
                                                           "topic.metadata.refresh.interval.ms",
                                                           "metadata.max.age.ms",
                                                           "reconnect.backoff.ms",
                                                           "reconnect.backoff.max.ms",
                                                           "log_level",
                                                           "log.connection.close",
                                                           "debug"};

bool AllowedWith(const KafkaProperties& properties) {
  return std::ranges::all_of(properties, [](const auto& property) {
    return std::ranges::find(kOfNoConcern, property.first) != kOfNoConcern.end();
  });
}

struct MetadataDestroy {
  void operator()(const rd_kafka_metadata_t* metadata) const {
    rd_kafka_metadata_destroy(metadata);
  }
};
using RdkMetadata = std::unique_ptr<const rd_kafka_metadata_t, MetadataDestroy>;

// Who leads each partition: topic and number to the broker's id.
std::map<TopicPartition, int32_t> LeadersIn(const rd_kafka_metadata_t& metadata) {
  std::map<TopicPartition, int32_t> leaders;
  for (int t = 0; t < metadata.topic_cnt; ++t) {
    const rd_kafka_metadata_topic_t& topic = metadata.topics[t];
    for (int p = 0; p < topic.partition_cnt; ++p) {
      if (topic.partitions[p].err == RD_KAFKA_RESP_ERR_NO_ERROR)
        leaders[{topic.topic, topic.partitions[p].id}] = topic.partitions[p].leader;
    }
  }
  return leaders;
}

Result<std::vector<FetchLeader>> FindLeaders(rd_kafka_s* client,
                                             std::span<const TopicPartition> partitions,
                                             std::span<const StartOffset> starts) {
  const rd_kafka_metadata_t* raw = nullptr;
  // Of the topics that the client knows, to which those of its assignment belong.
  TD_RETURN_IF_ERROR(
      RdkStatus(rd_kafka_metadata(client, 0, nullptr, &raw, kMetadataMs), "asking for leaders"));
  const RdkMetadata metadata(raw);
  const std::map<TopicPartition, int32_t> leader_of = LeadersIn(*metadata);
  std::map<int32_t, FetchLeader> leaders;
  for (size_t slot = 0; slot < partitions.size(); ++slot) {
    const auto found = leader_of.find(partitions[slot]);
    if (found == leader_of.end() || starts[slot].offset < 0)
      return Status::Unavailable("the leader of " + partitions[slot].ToString() + " is not known");
    leaders[found->second].parts.push_back(
        {static_cast<PartitionSlot>(slot), {partitions[slot], starts[slot].offset}});
  }
  std::vector<FetchLeader> list;
  for (auto& [id, leader] : leaders) {
    for (int b = 0; b < metadata->broker_cnt; ++b) {
      if (metadata->brokers[b].id != id) continue;
      leader.host = metadata->brokers[b].host;
      leader.port = metadata->brokers[b].port;
    }
    if (leader.host.empty()) return Status::Unavailable("a leader's address is not known");
    list.push_back(std::move(leader));
  }
  return list;
}

}  // namespace

DirectMode::DirectMode(const KafkaProperties& properties, DirectFetchOptions options)
    : allowed_(AllowedWith(properties)), options_(std::move(options)), wait_(kTryAgain) {}

void DirectMode::Start(rd_kafka_s* client, std::span<const TopicPartition> partitions,
                       std::span<const StartOffset> starts) {
  if (!allowed_ || partitions.empty() || (again_ && !IsDue())) return;
  again_.reset();
  Result<std::vector<FetchLeader>> leaders = FindLeaders(client, partitions, starts);
  Result<std::unique_ptr<DirectFetch>> opened =
      leaders.ok() ? DirectFetch::Open(*leaders, options_) : leaders.status();
  if (!opened.ok()) {
    TryLater();
    TD_LOG(kInfo, "kafka", "not-direct",
           "librdkafka fetches for now: " + opened.status().ToString());
    return;
  }
  paused_ = MakePartitions(partitions);
  if (rd_kafka_pause_partitions(client, paused_.get()) != RD_KAFKA_RESP_ERR_NO_ERROR) {
    Stop(client);
    return;
  }
  direct_ = std::move(*opened);
  started_ = options_.clock->Monotonic();
}

void DirectMode::TryLater() {
  again_ = options_.clock->Monotonic() + wait_;
  wait_ = std::min<std::chrono::nanoseconds>(2 * wait_, kTryAgainMax);
}

Status DirectMode::Poll(SourceBatch* batch) {
  if (failed_.ok()) failed_ = direct_->Poll(batch);
  return batch->messages.empty() && batch->ends.empty() ? failed_ : Status::Ok();
}

void DirectMode::AddWaits(std::vector<pollfd>* waits) const {
  if (direct_ != nullptr) direct_->AddWaits(waits);
}

Result<std::vector<StartOffset>> DirectMode::GiveBack(rd_kafka_s* client,
                                                      std::span<const TopicPartition> partitions) {
  std::vector<StartOffset> positions = direct_->positions();
  TD_LOG(kInfo, "kafka", "not-direct", "librdkafka fetches from now on: " + failed_.ToString());
  const bool passing = failed_.code() != StatusCode::kFailedPrecondition;
  Stop(client);
  // What went well for so long fails for another reason than the last time.
  if (options_.clock->Monotonic() - started_ > kTryAgainMax) wait_ = kTryAgain;
  if (passing) TryLater();
  RdkPartitions list = MakePartitions(partitions);
  for (size_t i = 0; i < partitions.size(); ++i) list->elems[i].offset = positions[i].offset;
  TD_RETURN_IF_ERROR(RdkStatus(rd_kafka_assign(client, list.get()), "going on with librdkafka"));
  return positions;
}

void DirectMode::Stop(rd_kafka_s* client) {
  if (paused_ != nullptr) rd_kafka_resume_partitions(client, paused_.get());
  paused_.reset();
  messages_ = messages();
  direct_.reset();
  failed_ = Status::Ok();
}

uint64_t DirectMode::messages() const {
  return messages_ + (direct_ == nullptr ? 0 : direct_->messages());
}

}  // namespace tapedeck
