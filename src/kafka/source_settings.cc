#include "kafka/source_settings.h"

#include <algorithm>

namespace tapedeck {
namespace {

constexpr size_t kMemoryMin = size_t{16} << 20;
/// What librdkafka allocates for a queued message beside its payload, rounded up.
constexpr size_t kQueuedMessageOverhead = 300;
/// Fetched payload that waits at most. It is read from memory that the processor still has in its
/// caches, and the allocator gives the same pages out again: against 128 MiB, 6 % less CPU time for
/// a backlog. A recorder that takes 250 MB/s needs 60 ms for it, several times what an answer of a
/// broker nearby takes.
constexpr size_t kQueuedPayloadMax = size_t{16} << 20;

/// A larger record batch is fetched by librdkafka.
constexpr size_t kDirectBatchMax = size_t{4} << 20;

std::string Number(size_t value) { return std::to_string(value); }

}  // namespace

SourceLimits SourceLimits::Of(size_t memory_bytes) {
  constexpr size_t kMiB = size_t{1} << 20;
  SourceLimits limits{};
  limits.fetch_bytes = std::clamp(memory_bytes / 64, kMiB, 4 * kMiB);
  // A single batch may be larger than a fetch; one above this cannot be received at all.
  limits.receive_bytes = limits.fetch_bytes + std::clamp(memory_bytes / 4, 16 * kMiB, 64 * kMiB);
  limits.payload_bytes = std::min(memory_bytes / 4, kQueuedPayloadMax);
  limits.messages =
      std::clamp(memory_bytes / 8 * 3 / kQueuedMessageOverhead, size_t{1000}, size_t{10'000'000});
  // Beside what librdkafka's queue may hold, which is empty as long as these are used.
  limits.direct_bytes = memory_bytes / 4;
  limits.direct_batch_bytes = kDirectBatchMax;
  return limits;
}

std::string SourceClientId(const KafkaOptions& options) {
  const auto named = options.properties.find("client.id");
  if (named != options.properties.end()) return named->second;
  return options.node_id.empty() ? "tapedeck" : options.node_id;
}

ClientSettings SourceSettings(const KafkaOptions& options) {
  const SourceLimits limits = SourceLimits::Of(options.memory_bytes);
  ClientSettings settings;
  settings.role = ClientRole::kConsumer;
  settings.bootstrap_servers = options.bootstrap_servers;
  settings.properties = options.properties;
  settings.wants_rebalances = true;
  settings.wants_commit_results = true;
  settings.defaults = {
      {"client.id", SourceClientId(options)},
      {"fetch.wait.max.ms", "50"},
      {"fetch.min.bytes", "1"},
      {"fetch.error.backoff.ms", "100"},
      {"fetch.max.bytes", Number(limits.fetch_bytes)},
      {"fetch.message.max.bytes", Number(std::min(limits.fetch_bytes, size_t{4} << 20))},
      {"receive.message.max.bytes", Number(limits.receive_bytes)},
      {"partition.assignment.strategy", "range,roundrobin"},
      {"topic.metadata.refresh.interval.ms", "60000"},
      {"reconnect.backoff.max.ms", "5000"},
      {"log.connection.close", "false"},
  };
  settings.fixed = {
      {"group.id", options.group},
      {"enable.auto.commit", "false"},
      {"enable.auto.offset.store", "false"},
      {"auto.offset.reset", "error"},
      {"check.crcs", "true"},
      {"allow.auto.create.topics", "false"},
      {"isolation.level", "read_committed"},
      {"enable.partition.eof", "true"},
      {"max.poll.interval.ms", "86400000"},
      {"queued.min.messages", Number(limits.messages)},
      {"queued.max.messages.kbytes", Number(limits.payload_bytes >> 10)},
  };
  if (!options.node_id.empty()) settings.fixed.emplace_back("group.instance.id", options.node_id);
  return settings;
}

Status CheckSourceOptions(const KafkaOptions& options) {
  if (options.bootstrap_servers.empty()) return Status::InvalidArgument("no bootstrap servers");
  if (options.group.empty()) return Status::InvalidArgument("no consumer group");
  if (options.topics.empty()) return Status::InvalidArgument("no topics to record");
  if (options.memory_bytes < kMemoryMin) {
    return Status::InvalidArgument("less than 16 MiB of memory for the Kafka client");
  }
  if (options.batch_messages_max == 0) return Status::InvalidArgument("batches of no messages");
  return Status::Ok();
}

}  // namespace tapedeck
