// What a node is made of: its store, its plan, and the parts that work on it.

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "api/served_node.h"
#include "base/log.h"
#include "kafka/kafka_source.h"
#include "kafka/log_probe.h"
#include "node/node.h"
#include "node/replay_side.h"
#include "record/healer.h"

namespace tapedeck {
namespace {

RecorderOptions RecorderOptionsOf(const NodeOptions& node, std::vector<RecordTopic> topics) {
  const Config& config = node.config;
  RecorderOptions options;
  options.node_id = config.node.id;
  options.topics = std::move(topics);
  options.commit_interval = config.record.commit_interval;
  options.commit_bytes = config.record.commit_bytes;
  options.flush_interval = config.series.flush_interval;
  options.flush_bytes = config.budget.flush_bytes;
  options.on_divergence = config.record.on_divergence == RecordConfig::OnDivergence::kHalt
                              ? RecorderOptions::OnDivergence::kHalt
                              : RecorderOptions::OnDivergence::kContinue;
  options.heal_after = config.record.heal_after;
  options.disk_warn = config.store.disk_warn;
  options.disk_stop = config.store.disk_stop;
  options.leave_on_stop = node.leave;
  return options;
}

KafkaOptions KafkaOptionsOf(const Config& config, Clock* clock) {
  KafkaOptions options;
  options.bootstrap_servers = config.kafka.bootstrap_servers;
  options.group = config.kafka.group;
  options.node_id = config.node.id;
  for (const TopicConfig& topic : config.topics) options.topics.push_back(topic.name);
  options.properties = config.kafka.properties;
  options.memory_bytes = config.budget.kafka;
  options.clock = clock;
  return options;
}

// Files that the store cannot be opened without.
Status WithWayOut(const Status& damage, const Config& config) {
  const std::string dir = config.node.data_dir.string();
  const std::string rest =
      config.archive.on()
          ? "bring its archive back (tapedeck restore --archive " + config.archive.url +
                " --data-dir " + dir + "; with --backup, the newest backup of the store)"
          : "start with an empty one, which records again what Kafka still has";
  return {damage.code(), std::string(damage.message()) +
                             "; nothing was deleted: make it whole (tapedeck repair --data-dir " +
                             dir + "), put the file back from a copy, or move " + dir +
                             " away and " + rest};
}

// Seconds; paced replays are seldom later than microseconds.
constexpr double kLatenessBounds[] = {1e-6, 1e-5, 1e-4, 5e-4, 2e-3, 1e-2, 0.1, 1, 10};

}  // namespace

Status Node::MakeReplays() {
  TD_ASSIGN_OR_RETURN(
      replays_,
      MakeReplayRunner(
          options_.config, clock_, &queue_, [this] { return served_->Point(); },
          [late = metrics_.AddHistogram(
               "tapedeck_replay_lateness_seconds", "How late messages of paced replays were sent.",
               kLatenessBounds)](std::chrono::nanoseconds lateness) mutable {
            if (lateness.count() < 0) return;
            late.Observe(std::chrono::duration<double>(lateness).count());
          }));
  return Status::Ok();
}

Status Node::MakeReindexer(std::vector<RecordTopic> topics) {
  ReindexOptions options;
  options.topics = std::move(topics);
  options.disk_warn = options_.config.store.disk_warn;
  options.disk_stop = options_.config.store.disk_stop;
  Recorder* const recorder = recorder_.get();
  TD_ASSIGN_OR_RETURN(
      reindexer_,
      Reindexer::Make(std::move(options),
                      {.store = store_.get(),
                       .queue = &queue_,
                       .clock = clock_,
                       .request_flush = [recorder] { return recorder->RequestFlush(); },
                       .flushes_done = [recorder] { return recorder->State().flush_requests_done; },
                       .open_point = [this] { return served_->Point(); }}));
  return Status::Ok();
}

Status Node::MakeShipSide() {
  if (!options_.config.archive.on()) return Status::Ok();
  TD_ASSIGN_OR_RETURN(ship_, ShipSide::Make(options_.config, {.store = store_.get(),
                                                              .queue = &queue_,
                                                              .recorder = recorder_.get(),
                                                              .clock = clock_,
                                                              .metrics = &metrics_,
                                                              .version = options_.version}));
  return Status::Ok();
}

Status Node::OpenStore() {
  const Config& config = options_.config;
  StoreOptions options;
  options.dir = config.node.data_dir;
  options.node_id = config.node.id;
  options.adopt = options_.adopt;
  options.memory_bytes = config.budget.store;
  options.ballast_bytes = config.store.ballast;
  Result<std::unique_ptr<Store>> store = Store::Open(options);
  if (store.status().code() == StatusCode::kCorruption) {
    // Perhaps only the write-ahead log: what it has lost is still in Kafka, and is read again from
    // the checkpoint that is left.
    options.damaged_wal = StoreOptions::DamagedWal::kPointInTime;
    Result<std::unique_ptr<Store>> shorter = Store::Open(options);
    if (!shorter.ok()) {
      const Status& failed = shorter.status();
      return failed.code() == StatusCode::kCorruption ? WithWayOut(failed, config) : failed;
    }
    TD_LOG(
        kError, "node", "wal-damaged",
        "the write-ahead log is damaged; recording goes on from the last whole commit",
        {{"damage", (*shorter)->wal_damage()}, {"found", std::string(store.status().message())}});
    store = std::move(shorter);
  }
  if (!store.ok()) return store.status();
  store_ = std::move(store).value();
  store_->OnReopen([this] {
    HttpFace* face = nullptr;  // lives as long as the record thread, whose call this is
    {
      std::lock_guard lock(mutex_);
      face = face_.get();
    }
    if (face != nullptr) face->BreakStreams();
    if (replays_ != nullptr) replays_->Break();
    if (reindexer_ != nullptr) reindexer_->Break();
  });
  return Status::Ok();
}

Result<RecordingPlan> Node::PlanOnStore() {
  std::unique_ptr<StoreView> view = store_->View();
  TD_ASSIGN_OR_RETURN(StoreState state, view->LoadState());
  TD_ASSIGN_OR_RETURN(RecordingPlan plan,
                      PlanRecording(options_.config, state.tables,
                                    [&view](TableId table) { return HasRowsIn(*view, table); }));
  StoreBatch batch;
  for (const Table& table : plan.tables.tables()) {
    const Table* stored = state.tables.Find(table.id);
    if (stored == nullptr || !(*stored == table)) batch.PutTable(table);
  }
  if (!batch.empty())
    TD_RETURN_IF_ERROR(store_->Write(batch).WithContext("storing the tables of the configuration"));
  return plan;
}

Status Node::MakeRecorder(RecordingPlan plan) {
  RecorderParts parts;
  parts.store = store_.get();
  parts.directory = &directory_;
  parts.open_rows = &open_rows_;
  parts.clock = clock_;
  parts.metrics = &metrics_;
  parts.queue = &queue_;
  own_replays_ = std::make_unique<OwnReplays>(
      [this]() -> std::shared_ptr<const StoreView> { return store_->View(); },
      options_.config.kafka.group, options_.config.node.id);
  parts.is_own_replay = [this](const std::string& cluster, const TopicPartition& tp,
                               const MessageView& message) {
    return own_replays_->Sent(cluster, tp, message);
  };
  if (options_.config.archive.on()) {
    parts.unlisted = [this](const TapeId& tape, int64_t from, int64_t to) {
      Archive* const archive = ship_ == nullptr ? nullptr : ship_->archive();
      using Spans = std::optional<std::vector<OffsetSpan>>;
      return archive == nullptr ? Spans()
                                : UnlistedOf(*archive->manifests().Take(), tape, from, to);
    };
  }
  parts.open_source =
      [this](AssignmentListener* listener) -> Result<std::unique_ptr<MessageSource>> {
    TD_ASSIGN_OR_RETURN(std::unique_ptr<MessageSource> source,
                        KafkaSource::Open(KafkaOptionsOf(options_.config, clock_), listener));
    return WithPulse(std::move(source), &pulse_);
  };
  parts.open_probe = [this]() -> Result<std::unique_ptr<LogProbe>> {
    TD_ASSIGN_OR_RETURN(
        std::unique_ptr<LogProbe> probe,
        KafkaProbe::Open({.bootstrap_servers = options_.config.kafka.bootstrap_servers,
                          .properties = options_.config.kafka.properties,
                          .clock = clock_}));
    return WithPulse(std::move(probe), &pulse_);
  };
  TD_ASSIGN_OR_RETURN(recorder_, Recorder::Make(RecorderOptionsOf(options_, std::move(plan.topics)),
                                                std::move(parts)));
  return Status::Ok();
}

}  // namespace tapedeck
