#include "api/node_metrics.h"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "api/call.h"
#include "base/file.h"
#include "replay/runner.h"

namespace tapedeck {
namespace {

constexpr int64_t kMillisecond = 1'000'000;

uint64_t OpenFiles() {
  DIR* folder = ::opendir("/proc/self/fd");
  if (folder == nullptr) return 0;
  uint64_t count = 0;
  while (::readdir(folder) != nullptr) ++count;
  ::closedir(folder);
  return count > 3 ? count - 3 : 0;  // ".", "..", and the folder itself
}

double Seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

}  // namespace

ProcessUse ProcessUse::Now() {
  ProcessUse use;
  Result<std::string> statm = ReadFile("/proc/self/statm", 4096);
  if (statm.ok()) {
    const auto page = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
    const char* end = statm->data() + statm->size();
    uint64_t pages = 0;
    auto [at, error] = std::from_chars(statm->data(), end, pages);
    use.virtual_bytes = pages * page;
    if (error == std::errc() && at < end) std::from_chars(at + 1, end, pages);
    use.resident_bytes = pages * page;
  }
  rusage usage{};
  if (::getrusage(RUSAGE_SELF, &usage) == 0) {
    use.cpu_seconds = Seconds(usage.ru_utime) + Seconds(usage.ru_stime);
  }
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) == 0) use.open_files_max = files.rlim_cur;
  return use;
}

NodeMetrics::NodeMetrics(std::string_view version, const Clock* clock, Metrics* shared)
    : metrics_(shared == nullptr ? &own_ : shared), clock_(clock) {
  SetGauge("tapedeck_build_info", "Always 1; the label says which version runs.",
           {{"version", std::string(version)}}, 1);
  SetGauge("process_start_time_seconds", "When the process started, in seconds since 1970.", {},
           static_cast<double>(clock->Now().ns()) / 1e9);
}

void NodeMetrics::Measure(const Store* store) {
  const uint64_t files = OpenFiles();
  StoreSizes sizes;
  if (store != nullptr) {
    sizes.disk = store->Disk().value_or(DiskUse());
    sizes.kinds = store->SizeByKind();
  }
  std::lock_guard lock(sizes_mutex_);
  open_files_ = files;
  sizes_ = std::move(sizes);
}

StoreSizes NodeMetrics::sizes() const {
  std::lock_guard lock(sizes_mutex_);
  return sizes_;
}

void NodeMetrics::SetGauge(std::string_view name, std::string_view help, const Labels& labels,
                           double value) {
  metrics_->AddGauge(name, help, labels).Set(value);
}

void NodeMetrics::Follow(std::string_view name, std::string_view help, const Labels& labels,
                         const std::string& part, double value) {
  double& before = followed_[std::string(name) + "/" + part];
  metrics_->AddCounter(name, help, labels).IncrementBy(value - before);
  before = value;
}

void NodeMetrics::SetPassingGauge(std::string_view name, std::string_view help,
                                  const Labels& labels, double value) {
  SetGauge(name, help, labels, value);
  seen_gauges_.emplace(name, labels);
}

void NodeMetrics::RemoveWhatWent() {
  for (const Series& series : passing_gauges_) {
    if (!seen_gauges_.contains(series)) metrics_->RemoveGauge(series.first, series.second);
  }
  passing_gauges_ = std::exchange(seen_gauges_, {});
}

void NodeMetrics::CollectPartition(const PartitionState& p) {
  const Labels labels = {{"topic", p.tp.topic}, {"partition", std::to_string(p.tp.partition)}};
  for (const auto& [kind, offset] : {std::pair<const char*, int64_t>{"received", p.received},
                                     {"stored", p.stored},
                                     {"durable", p.stored},
                                     {"shipped", p.shipped}}) {
    Labels of_kind = labels;
    of_kind.emplace_back("kind", kind);
    SetPassingGauge("tapedeck_offset", "Next offset: one past the last.", of_kind,
                    static_cast<double>(offset));
  }
  if (p.log_end < 0) return;
  const int64_t lag = std::max<int64_t>(0, p.log_end - p.stored);
  SetPassingGauge("tapedeck_lag_messages", "Offsets that Kafka has and the store has not.", labels,
                  static_cast<double>(lag));
  if (p.kafka_ms < 0) return;
  const int64_t behind_ms = lag == 0 ? 0 : clock_->Now().ns() / kMillisecond - p.kafka_ms;
  SetPassingGauge("tapedeck_lag_seconds",
                  "Age of the newest message recorded, by Kafka's time, where Kafka has more; "
                  "else 0.",
                  labels, static_cast<double>(std::max<int64_t>(0, behind_ms)) / 1e3);
  if (p.log_first_ms < 0) return;
  SetPassingGauge("tapedeck_retention_headroom_seconds",
                  "How much Kafka keeps of what is recorded already, in its own time: at zero, "
                  "retention takes messages that were not read.",
                  labels, static_cast<double>(p.kafka_ms - p.log_first_ms) / 1e3);
}

void NodeMetrics::CollectReplays(const ReplayRunner& replays) {
  const auto counts = replays.Counts();
  for (size_t i = 0; i < kReplayStates; ++i) {
    SetGauge("tapedeck_replay_jobs", "Replay jobs, by state.",
             {{"state", std::string(ReplayStateName(static_cast<ReplayState>(i)))}},
             static_cast<double>(counts[i]));
  }
  Follow("tapedeck_replay_messages_total", "Messages that replays sent since the process started.",
         {}, "", static_cast<double>(replays.messages_sent()));
}

void NodeMetrics::CollectShipping(const ShipState& ship) {
  for (const auto& [run, count] : ship.runs) {
    Follow("tapedeck_ship_runs_total", "Days and ranges of the tape on their way, by outcome.",
           {{"table", run.first}, {"result", run.second}}, run.first + "/" + run.second,
           static_cast<double>(count));
  }
  Follow("tapedeck_ship_rows_total", "Records shipped since the process started.", {}, "",
         static_cast<double>(ship.rows));
  Follow("tapedeck_ship_messages_total", "Messages of the tape shipped since the process started.",
         {}, "", static_cast<double>(ship.messages));
  Follow("tapedeck_ship_pruned_bytes_total",
         "Bytes of blocks that left the store after they were shipped.", {}, "",
         static_cast<double>(ship.pruned_bytes));
  const int64_t now = clock_->Now().ns();
  for (const auto& [table, begins] : ship.oldest_open_day) {
    SetPassingGauge("tapedeck_ship_oldest_open_day_seconds",
                    "How long ago the oldest day began that is not shipped.", {{"table", table}},
                    std::max<double>(0, static_cast<double>(now) / 1e9 -
                                            static_cast<double>(begins.ns()) / 1e9));
  }
}

void NodeMetrics::CollectRecorder(const RecorderState& r) {
  for (const PartitionState& partition : r.partitions) CollectPartition(partition);
  Follow("tapedeck_record_tape_bytes_total", "Bytes of the tape blocks made of messages.", {}, "",
         static_cast<double>(r.tape_bytes));
  Follow("tapedeck_record_commits_total", "Commits.", {}, "", static_cast<double>(r.commits));
  Follow("tapedeck_series_flushes_total", "Flushes of series.", {}, "",
         static_cast<double>(r.flushes));
  Follow("tapedeck_rebalances_total", "Times that partitions were assigned anew.", {}, "",
         static_cast<double>(r.rebalances));
}

void NodeMetrics::CollectProcess() {
  const ProcessUse use = ProcessUse::Now();
  Follow("process_cpu_seconds_total", "CPU time, user and system.", {}, "", use.cpu_seconds);
  SetGauge("process_resident_memory_bytes", "Resident memory.", {},
           static_cast<double>(use.resident_bytes));
  SetGauge("process_virtual_memory_bytes", "Virtual memory.", {},
           static_cast<double>(use.virtual_bytes));
  uint64_t open_files = 0;
  {
    std::lock_guard lock(sizes_mutex_);
    open_files = open_files_;
  }
  SetGauge("process_open_fds", "Open file descriptors.", {}, static_cast<double>(open_files));
  SetGauge("process_max_fds", "Most file descriptors that may be open.", {},
           static_cast<double>(use.open_files_max));
}

void NodeMetrics::CollectServer(const HttpServerStats& stats) {
  SetGauge("tapedeck_http_connections_open", "Connections.", {},
           static_cast<double>(stats.connections_open));
  SetGauge("tapedeck_http_streams_open", "Bodies that are being made while they are read.", {},
           static_cast<double>(stats.streams_open));
  Follow("tapedeck_http_connections_total", "Connections taken.", {}, "",
         static_cast<double>(stats.connections_total));
  Follow("tapedeck_http_connections_refused_total", "Connections over a limit.", {}, "",
         static_cast<double>(stats.refused_connections));
  Follow("tapedeck_http_requests_rejected_total",
         "Requests that no route saw: malformed, too large, too slow.", {}, "",
         static_cast<double>(stats.rejected_requests));
  Follow("tapedeck_http_streams_broken_total",
         "Streams that did not end: the client left, stalled, or rows could not be read.", {}, "",
         static_cast<double>(stats.streams_broken));
  Follow("tapedeck_http_sent_bytes_total", "Bytes written to sockets.", {}, "",
         static_cast<double>(stats.bytes_sent));
}

void NodeMetrics::Collect(const ApiContext& context, const ServedState& state) {
  const StoreSizes sizes = this->sizes();
  std::lock_guard lock(mutex_);
  CollectRecorder(state.recorder);
  if (state.ship.has_value()) CollectShipping(*state.ship);
  if (const ReplayRunner* replays = context.node->replays()) CollectReplays(*replays);
  RemoveWhatWent();
  SetGauge("tapedeck_series_open_rows", "Rows in memory that no flush has written yet.", {},
           static_cast<double>(state.open_rows));
  SetGauge("tapedeck_memory_bytes", "Memory by what holds it.", {{"part", "rows"}},
           static_cast<double>(state.open_row_bytes));
  SetGauge("tapedeck_memory_bytes", "Memory by what holds it.", {{"part", "reads"}},
           static_cast<double>(context.slots->used_bytes()));
  for (const auto& [kind, bytes] : sizes.kinds) {
    SetGauge("tapedeck_store_bytes", "Bytes on disk, about.", {{"kind", kind}},
             static_cast<double>(bytes));
  }
  SetGauge("tapedeck_disk_free_bytes", "Free bytes of the store's disk.", {},
           static_cast<double>(sizes.disk.free_bytes));
  SetGauge("tapedeck_http_in_flight", "Requests being answered, open streams included.", {},
           static_cast<double>(context.http->in_flight()));
  SetGauge("tapedeck_http_reads_open", "Reads that hold a share of the memory for reads.", {},
           static_cast<double>(context.slots->open()));
  if (const HttpServer* server = context.server; server != nullptr) {
    CollectServer(server->stats());
  }
  CollectProcess();
}

}  // namespace tapedeck
