#include "kafka/source_conformance.h"

#include <random>

#include "support/kafka_service.h"

namespace tapedeck {

using std::chrono::milliseconds;
using std::chrono::seconds;

void PrintTo(const ClusterKind& kind, std::ostream* out) { *out << kind.name; }

Result<std::vector<StartOffset>> Listener::OnAssigned(std::span<const TopicPartition> partitions) {
  ++assignments;
  assigned.assign(partitions.begin(), partitions.end());
  TD_RETURN_IF_ERROR(Status(refuse));
  std::vector<StartOffset> offsets;
  for (const TopicPartition& tp : partitions) {
    auto it = starts.find(tp);
    offsets.push_back({it == starts.end() ? default_start : it->second});
  }
  return offsets;
}

void Listener::OnRevoked(bool lost) {
  ++revocations;
  if (lost) ++losses;
  assigned.clear();
}

KeptMessage Keep(const MessageView& message) {
  KeptMessage kept;
  kept.offset = message.offset;
  kept.timestamp_ms = message.timestamp_ms;
  kept.timestamp_type = message.timestamp_type;
  if (message.key) kept.key = std::string(*message.key);
  if (message.value) kept.value = std::string(*message.value);
  for (const HeaderView& header : message.headers) {
    kept.headers.emplace_back(
        std::string(header.name),
        header.value ? std::optional<std::string>(*header.value) : std::nullopt);
  }
  return kept;
}

Recording::Recording(Cluster* cluster, const std::string& group, std::vector<std::string> topics,
                     const std::string& node_id, std::chrono::milliseconds session,
                     const KafkaProperties& more) {
  KafkaOptions options;
  options.bootstrap_servers = cluster->bootstrap_servers();
  options.group = group;
  options.node_id = node_id;
  options.topics = std::move(topics);
  options.memory_bytes = size_t{64} << 20;
  options.properties = {{"session.timeout.ms", std::to_string(session.count())},
                        {"heartbeat.interval.ms", "500"},
                        {"reconnect.backoff.max.ms", "500"}};
  // On the mock cluster a refresh in the middle of a join makes the client join again, which takes
  // 5 s there.
  if ((cluster->capabilities() & kAddPartitions) != 0) {
    options.properties["topic.metadata.refresh.interval.ms"] = "500";
  }
  for (const auto& [name, value] : more) options.properties[name] = value;
  auto opened = KafkaSource::Open(options, &listener);
  EXPECT_TRUE(opened.ok()) << opened.status().ToString();
  if (opened.ok()) source = std::move(*opened);
}

void Recording::Take(const SourceBatch& batch) {
  if (batch.reassigned) {
    EXPECT_TRUE(batch.messages.empty());
    for (const TopicPartition& tp : listener.assigned) messages[tp].clear();
    for (const TopicPartition& tp : listener.assigned) ends.erase(tp);
  }
  for (const SourceMessage& message : batch.messages) {
    ASSERT_LT(message.slot, listener.assigned.size());
    messages[listener.assigned[message.slot]].push_back(Keep(message.message));
  }
  for (const PartitionEnd& end : batch.ends) ends[listener.assigned.at(end.slot)] = end.offset;
  for (const PartitionError& trouble : batch.errors) {
    troubles.emplace_back(listener.assigned.at(trouble.slot), trouble.trouble);
  }
  notices.insert(notices.end(), batch.notices.begin(), batch.notices.end());
}

bool Recording::PollUntil(const std::function<bool()>& done, milliseconds limit) {
  MonotonicTime deadline = SystemClock().Monotonic() + limit;
  while (!done()) {
    if (SystemClock().Monotonic() >= deadline || source == nullptr) return false;
    auto batch = source->Poll(milliseconds(50));
    if (!batch.ok()) {
      error = batch.status();
      return done();
    }
    Take(**batch);
  }
  return true;
}

size_t Recording::message_count() const {
  size_t count = 0;
  for (const auto& [tp, list] : messages) count += list.size();
  return count;
}

bool Recording::PollUntilMessages(size_t count, milliseconds limit) {
  return PollUntil([&] { return message_count() >= count; }, limit);
}

bool Recording::PollDirectlyUntilMessages(size_t count) {
  for (int tries = 0; tries < 10; ++tries) {
    if (!PollUntilMessages(count)) return false;
    if (source->counters().direct > 0) return true;
    const int assignments = listener.assignments;
    source->Reassign();
    if (!PollUntil([&] { return listener.assignments > assignments; })) return false;
  }
  return false;
}

bool Recording::PollUntilEnds() {
  return PollUntil(
      [&] { return !listener.assigned.empty() && ends.size() >= listener.assigned.size(); });
}

std::vector<std::string> Recording::Values(const TopicPartition& tp) const {
  std::vector<std::string> values;
  auto it = messages.find(tp);
  if (it == messages.end()) return values;
  for (const KeptMessage& message : it->second) values.push_back(message.value.value_or("(null)"));
  return values;
}

bool Recording::HasTrouble(SourceTrouble trouble) const {
  for (const auto& [tp, seen] : troubles) {
    if (seen == trouble) return true;
  }
  return false;
}

void SourceConformance::SetUp() {
  auto cluster = GetParam().get();
  if (!cluster.ok() && testing::KafkaService::IsRequired()) FAIL() << cluster.status().ToString();
  if (!cluster.ok()) GTEST_SKIP() << cluster.status().ToString();
  cluster_ = *cluster;
}

bool SourceConformance::Lacks(uint32_t capabilities) const {
  return (GetParam().capabilities & capabilities) != capabilities;
}

std::string SourceConformance::Named(const std::string& what) const {
  std::string name = ::testing::UnitTest::GetInstance()->current_test_info()->name();
  for (char& c : name) {
    if (c == '/') c = '-';
  }
  static const unsigned run =
      std::random_device()();  // a shared broker keeps topics of earlier runs
  return what + "-" + name + "-" + std::to_string(run);
}

std::unique_ptr<Producer> SourceConformance::OpenProducer(const std::string& transactional_id) {
  ProducerOptions options;
  options.bootstrap_servers = cluster_->bootstrap_servers();
  options.transactional_id = transactional_id;
  options.idempotent = true;  // retries must not reorder what a case counts on
  auto producer = Producer::Open(options);
  EXPECT_TRUE(producer.ok()) << producer.status().ToString();
  return producer.ok() ? std::move(*producer) : nullptr;
}

std::unique_ptr<KafkaProbe> SourceConformance::OpenProbe() {
  auto probe = KafkaProbe::Open({.bootstrap_servers = cluster_->bootstrap_servers()});
  EXPECT_TRUE(probe.ok()) << probe.status().ToString();
  return probe.ok() ? std::move(*probe) : nullptr;
}

void SourceConformance::Send(const std::string& topic, int32_t partition,
                             const std::vector<std::string>& values) {
  std::unique_ptr<Producer> producer = OpenProducer();
  ASSERT_NE(producer, nullptr);
  for (const std::string& value : values) {
    Status sent = producer->Send(topic, {.value = value, .partition = partition}, seconds(10));
    ASSERT_TRUE(sent.ok()) << sent.ToString();
  }
  Status flushed = producer->Flush(seconds(20));
  ASSERT_TRUE(flushed.ok()) << flushed.ToString();
  ASSERT_EQ(producer->counters().failed, 0u) << producer->first_failure();
}

}  // namespace tapedeck
