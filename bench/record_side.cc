// One side of record_bench, in a process of its own: the record journey as the node runs it (Kafka
// to a synced, queryable store, merging included), on a topic from its beginning to its end. Prints
// one line as consume_side does
//
//   messages bytes checksum wall_s cpu_s
//
// measured from the first message on until the last one is durable and queryable: its commit is
// synced and its rows are published. Flushes and merges that fall due meanwhile are part of it; the
// flush of what is left at the end is not, and is waited for: what the store holds after it is
// counted and compared.
//
//   record_side SERVERS TOPIC MAPPING FOLDER        FOLDER is made and removed

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "bench/bench_util.h"
#include "config/presets.h"
#include "kafka/kafka_source.h"
#include "kafka/log_probe.h"
#include "kafka/topic_admin.h"
#include "record/recorder.h"

namespace tapedeck {
namespace {

constexpr size_t kKafkaMemory = size_t{512} << 20;

// Counts what goes by and sees the beginning and the end.
class Metered final : public MessageSource {
 public:
  Metered(std::unique_ptr<MessageSource> source, uint64_t wanted, std::atomic<bool>* stop)
      : source_(std::move(source)), wanted_(wanted), stop_(stop) {}

  Result<const SourceBatch*> Poll(std::chrono::milliseconds timeout) override {
    TD_ASSIGN_OR_RETURN(const SourceBatch* batch, source_->Poll(timeout));
    if (!batch->messages.empty() && messages == 0) {
      start = std::chrono::steady_clock::now();
      cpu_start = bench::CpuSeconds();
    }
    for (const SourceMessage& m : batch->messages) {
      const size_t size = m.message.value.value_or("").size();
      ++messages;
      bytes += size;
      checksum += (static_cast<uint64_t>(m.message.offset) + 1) * (size + 1);
    }
    if (messages >= wanted_) *stop_ = true;
    return batch;
  }
  Status Close(bool, std::chrono::milliseconds) override { return Status::Ok(); }
  Status Commit(std::span<const GroupCommit> c, std::chrono::milliseconds t) override {
    return source_->Commit(c, t);
  }
  // The recorder tells the broker of a commit when it is durable and published.
  void CommitAsync(std::span<const GroupCommit> c) override {
    std::chrono::duration<double> wall = std::chrono::steady_clock::now() - start;
    wall_s = wall.count();
    cpu_s = bench::CpuSeconds() - cpu_start;
    source_->CommitAsync(c);
  }
  Result<std::vector<GroupCommit>> Committed(std::span<const TopicPartition> p,
                                             std::chrono::milliseconds t) override {
    return source_->Committed(p, t);
  }
  std::string ClusterId(std::chrono::milliseconds t) override { return source_->ClusterId(t); }
  void Reassign() override { source_->Reassign(); }

  uint64_t messages = 0, bytes = 0, checksum = 0;
  std::chrono::steady_clock::time_point start;
  double cpu_start = 0, wall_s = 0, cpu_s = 0;

 private:
  std::unique_ptr<MessageSource> source_;
  uint64_t wanted_;
  std::atomic<bool>* stop_;
};

Result<uint64_t> MessagesOf(const std::string& servers, const std::string& topic) {
  TopicAdminOptions admin_options;
  admin_options.bootstrap_servers = servers;
  TD_ASSIGN_OR_RETURN(auto admin, TopicAdmin::Open(admin_options));
  TD_ASSIGN_OR_RETURN(int partitions, admin->PartitionCount(topic));
  ProbeOptions probe_options;
  probe_options.bootstrap_servers = servers;
  TD_ASSIGN_OR_RETURN(auto probe, KafkaProbe::Open(probe_options));
  uint64_t messages = 0;
  for (int p = 0; p < partitions; ++p) {
    TD_ASSIGN_OR_RETURN(LogBounds bounds, probe->Bounds({topic, p}, std::chrono::seconds(10)));
    messages += static_cast<uint64_t>(bounds.end - bounds.start);
  }
  return messages;
}

Status Run(const std::string& servers, const std::string& topic, const std::string& mapping,
           const std::string& folder) {
  TD_ASSIGN_OR_RETURN(const uint64_t wanted, MessagesOf(servers, topic));
  StoreOptions store_options;
  store_options.dir = folder;
  store_options.node_id = "bench";
  store_options.ballast_bytes = 0;
  TD_ASSIGN_OR_RETURN(std::unique_ptr<Store> store, Store::Open(store_options));
  SeriesDirectory directory;
  OpenRows open_rows;
  std::atomic<bool> stop{false};
  Metered* metered = nullptr;

  RecorderOptions options;
  options.node_id = "bench";
  TD_ASSIGN_OR_RETURN(MappingSpec spec,
                      MappingSpec::Resolve(mapping, PresetLibrary(), TopicSettings{}));
  options.topics.push_back({.name = topic, .mapping = spec});
  RecorderParts parts{.store = store.get(),
                      .directory = &directory,
                      .open_rows = &open_rows,
                      .clock = &SystemClock()};
  parts.open_probe = [&]() -> Result<std::unique_ptr<LogProbe>> {
    ProbeOptions probe_options;
    probe_options.bootstrap_servers = servers;
    TD_ASSIGN_OR_RETURN(auto probe, KafkaProbe::Open(probe_options));
    return std::unique_ptr<LogProbe>(std::move(probe));
  };
  parts.open_source = [&](AssignmentListener* listener) -> Result<std::unique_ptr<MessageSource>> {
    KafkaOptions kafka{.bootstrap_servers = servers,
                       .group = "record-bench-" + std::to_string(getpid()),
                       .topics = {topic}};
    kafka.memory_bytes = kKafkaMemory;
    TD_ASSIGN_OR_RETURN(auto source, KafkaSource::Open(kafka, listener));
    auto wrapped = std::make_unique<Metered>(std::move(source), wanted, &stop);
    metered = wrapped.get();
    return std::unique_ptr<MessageSource>(std::move(wrapped));
  };
  TD_ASSIGN_OR_RETURN(std::unique_ptr<Recorder> recorder, Recorder::Make(options, parts));
  TD_RETURN_IF_ERROR(recorder->Recover());
  TD_RETURN_IF_ERROR(recorder->Run(stop));
  TD_ASSIGN_OR_RETURN(StoreState state, store->View()->LoadState());
  uint64_t stored = 0;
  for (const auto& [tp, checkpoint] : state.checkpoints) {
    if (checkpoint.watermark != checkpoint.next)
      return Status::Internal("rows were left unflushed");
    stored += checkpoint.messages;
  }
  if (stored != metered->messages) {
    return Status::Internal("the store holds " + std::to_string(stored) + " of " +
                            std::to_string(metered->messages) + " messages");
  }
  std::printf("%llu %llu %llu %.6f %.6f\n", static_cast<unsigned long long>(metered->messages),
              static_cast<unsigned long long>(metered->bytes),
              static_cast<unsigned long long>(metered->checksum), metered->wall_s, metered->cpu_s);
  std::fflush(stdout);
  return Status::Ok();
}

int Main(int argc, char** argv) {
  if (argc != 5) {
    std::fprintf(stderr, "usage: record_side SERVERS TOPIC MAPPING FOLDER\n");
    return 2;
  }
  std::filesystem::remove_all(argv[4]);
  Status status = Run(argv[1], argv[2], argv[3], argv[4]);
  std::filesystem::remove_all(argv[4]);
  if (!status.ok()) std::fprintf(stderr, "record_side: %s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}

}  // namespace
}  // namespace tapedeck

int main(int argc, char** argv) { std::_Exit(tapedeck::Main(argc, argv)); }
