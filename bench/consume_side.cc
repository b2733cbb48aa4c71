// One side of consume_bench, in a process of its own: reads a topic from its beginning, counts, and
// prints one line
//
//   messages bytes checksum wall_s cpu_s
//
// measured from the first message on. Built twice: with the allocator of the shipped binaries
// (consume_side) and with the system's (consume_side_system).

#include <librdkafka/rdkafka.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "bench/bench_util.h"
#include "kafka/kafka_source.h"
#include "kafka/log_probe.h"
#include "kafka/topic_admin.h"

namespace tapedeck {
namespace {

constexpr size_t kMemory = size_t{512} << 20;

struct Tally {
  uint64_t wanted;
  uint64_t messages = 0;
  uint64_t bytes = 0;
  uint64_t checksum = 0;  // does not depend on the order of partitions
  std::chrono::steady_clock::time_point start = {};
  double cpu_start = 0;

  void Add(int64_t offset, size_t size) {
    ++messages;
    bytes += size;
    checksum += (static_cast<uint64_t>(offset) + 1) * (size + 1);
  }
  /// Call before a batch's messages are counted.
  void Begin() {
    if (messages > 0) return;
    start = std::chrono::steady_clock::now();
    cpu_start = bench::CpuSeconds();
  }
  int Finish() const {
    std::chrono::duration<double> wall = std::chrono::steady_clock::now() - start;
    std::printf("%llu %llu %llu %.6f %.6f\n", static_cast<unsigned long long>(messages),
                static_cast<unsigned long long>(bytes), static_cast<unsigned long long>(checksum),
                wall.count(), bench::CpuSeconds() - cpu_start);
    std::fflush(stdout);
    return 0;
  }
};

class FromTheBeginning final : public AssignmentListener {
 public:
  Result<std::vector<StartOffset>> OnAssigned(std::span<const TopicPartition> partitions) override {
    return std::vector<StartOffset>(partitions.size());
  }
  void OnRevoked(bool) override {}
};

int Fail(const std::string& why) {
  std::fprintf(stderr, "consume_side: %s\n", why.c_str());
  return 1;
}

int ReadWithSource(const std::string& servers, const std::string& topic, Tally tally) {
  FromTheBeginning listener;
  KafkaOptions options;
  options.bootstrap_servers = servers;
  options.group = "consume-bench-" +
                  std::to_string(std::chrono::steady_clock::now().time_since_epoch().count());
  options.topics = {topic};
  options.memory_bytes = kMemory;
  auto source = KafkaSource::Open(options, &listener);
  if (!source.ok()) return Fail(source.status().ToString());
  while (tally.messages < tally.wanted) {
    auto batch = (*source)->Poll(std::chrono::milliseconds(100));
    if (!batch.ok()) return Fail(batch.status().ToString());
    if ((*batch)->messages.empty()) continue;
    tally.Begin();
    for (const SourceMessage& message : (*batch)->messages) {
      tally.Add(message.message.offset, message.message.value.value_or("").size());
    }
  }
  return tally.Finish();
}

/// A consumer as anybody would write it, with queues large enough and every partition from its
/// beginning.
rd_kafka_t* PlainConsumer(const std::string& servers, const std::string& topic, int partitions) {
  char text[512];
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  std::vector<std::pair<std::string, std::string>> settings = {
      {"bootstrap.servers", servers},
      {"group.id", "consume-bench-plain"},
      {"enable.auto.commit", "false"},
      {"enable.auto.offset.store", "false"},
      {"queued.min.messages", "1000000"},
      {"queued.max.messages.kbytes", "131072"},
      {"fetch.message.max.bytes", "4194304"},
      {"fetch.max.bytes", "52428800"},
      {"fetch.wait.max.ms", "50"},
      {"receive.message.max.bytes", "100000000"},
  };
  for (const auto& [name, value] : settings) {
    if (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), text, sizeof text) != RD_KAFKA_CONF_OK)
      return nullptr;
  }
  rd_kafka_t* consumer = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof text);
  if (consumer == nullptr) return nullptr;
  rd_kafka_poll_set_consumer(consumer);
  rd_kafka_topic_partition_list_t* list = rd_kafka_topic_partition_list_new(partitions);
  for (int p = 0; p < partitions; ++p) {
    rd_kafka_topic_partition_list_add(list, topic.c_str(), p)->offset = 0;
  }
  rd_kafka_assign(consumer, list);
  rd_kafka_topic_partition_list_destroy(list);
  return consumer;
}

int ReadByPoll(rd_kafka_t* consumer, Tally tally) {
  while (tally.messages < tally.wanted) {
    rd_kafka_message_t* message = rd_kafka_consumer_poll(consumer, 100);
    if (message == nullptr) continue;
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
      tally.Begin();
      tally.Add(message->offset, message->len);
    }
    rd_kafka_message_destroy(message);
  }
  return tally.Finish();
}

int ReadByBatch(rd_kafka_t* consumer, Tally tally) {
  rd_kafka_queue_t* queue = rd_kafka_queue_get_consumer(consumer);
  std::vector<rd_kafka_message_t*> batch(2048);
  while (tally.messages < tally.wanted) {
    ssize_t count = rd_kafka_consume_batch_queue(queue, 100, batch.data(), batch.size());
    if (count > 0) tally.Begin();
    for (ssize_t i = 0; i < count; ++i) {
      rd_kafka_message_t* message = batch[static_cast<size_t>(i)];
      if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) tally.Add(message->offset, message->len);
      rd_kafka_message_destroy(message);
    }
  }
  return tally.Finish();
}

/// Messages of the whole topic; a topic without transactions, so that each offset is a message.
Result<Tally> WholeTopic(const std::string& servers, const std::string& topic, int* partitions) {
  TopicAdminOptions admin_options;
  admin_options.bootstrap_servers = servers;
  TD_ASSIGN_OR_RETURN(auto admin, TopicAdmin::Open(admin_options));
  TD_ASSIGN_OR_RETURN(*partitions, admin->PartitionCount(topic));
  ProbeOptions probe_options;
  probe_options.bootstrap_servers = servers;
  TD_ASSIGN_OR_RETURN(auto probe, KafkaProbe::Open(probe_options));
  Tally tally{0};
  for (int p = 0; p < *partitions; ++p) {
    TD_ASSIGN_OR_RETURN(LogBounds bounds, probe->Bounds({topic, p}, std::chrono::seconds(10)));
    tally.wanted += static_cast<uint64_t>(bounds.end - bounds.start);
  }
  return tally;
}

int Main(int argc, char** argv) {
  if (argc != 4) return Fail("usage: consume_side source|poll|batch SERVERS TOPIC");
  std::string side = argv[1];
  std::string servers = argv[2];
  std::string topic = argv[3];
  int partitions = 0;
  Result<Tally> tally = WholeTopic(servers, topic, &partitions);
  if (!tally.ok()) return Fail(tally.status().ToString());
  if (side == "source") return ReadWithSource(servers, topic, *tally);
  rd_kafka_t* consumer = PlainConsumer(servers, topic, partitions);
  if (consumer == nullptr) return Fail("no consumer");
  return side == "poll" ? ReadByPoll(consumer, *tally) : ReadByBatch(consumer, *tally);
}

}  // namespace
}  // namespace tapedeck

int main(int argc, char** argv) {
  // Ending a client takes time that is not measured: leave it to the system.
  std::_Exit(tapedeck::Main(argc, argv));
}
