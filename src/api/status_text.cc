#include "api/status_text.h"

#include <algorithm>

#include "api/node_metrics.h"
#include "base/json_text.h"

namespace tapedeck {
namespace {

// A record thread that was not seen for so long hangs: it comes by several times a second.
constexpr std::chrono::nanoseconds kSilenceMax = std::chrono::seconds(30);

const PartitionState* Live(const RecorderState& recorder, const TapeId& tape) {
  for (const PartitionState& p : recorder.partitions) {
    if (p.tp.topic == tape.topic && p.tp.partition == tape.partition && p.lineage == tape.lineage) {
      return &p;
    }
  }
  return nullptr;
}

// Messages that Kafka has and the store has not; null where nobody knows.
std::string LagText(int64_t log_end, int64_t stored) {
  return log_end < 0 ? "null" : std::to_string(std::max<int64_t>(0, log_end - stored));
}

std::string PartitionText(const PartitionState& p) {
  return JsonObject()
      .Text("topic", p.tp.topic)
      .Number("partition", p.tp.partition)
      .Count("lineage", p.lineage)
      .Number("received", p.received)
      .Number("stored", p.stored)
      .Number("durable", p.stored)
      .Number("shipped", p.shipped)
      .Raw("log_end", p.log_end < 0 ? "null" : std::to_string(p.log_end))
      .Raw("lag", LagText(p.log_end, p.stored))
      .Count("messages", p.messages)
      .Count("records", p.records)
      .Count("refused", p.refused)
      .Count("skipped", p.skipped)
      .Text("health", p.health.empty() ? "ok" : p.health)
      .Take();
}

std::string RecordingText(const ServedState& state) {
  const RecorderState& r = state.recorder;
  JsonArray notices;
  for (const std::string& notice : r.notices) notices.Text(notice);
  return JsonObject()
      .Flag("running", r.running)
      .Flag("assigned", r.assigned)
      .TextOrNull("stall", r.stall)
      .Count("commits", r.commits)
      .Count("flushes", r.flushes)
      .Count("flush_requests_done", r.flush_requests_done)
      .Count("rebalances", r.rebalances)
      .Count("messages", r.messages)
      .Count("records", r.records)
      .Count("refused", r.refused)
      .Count("skipped", r.skipped)
      .Count("message_bytes", r.raw_bytes)
      .Count("tape_bytes", r.tape_bytes)
      .Count("open_rows", state.open_rows)
      .Raw("notices", notices.Take())
      .Take();
}

std::string StoreText(const ApiContext& context, const ServedState& state) {
  const StoreSizes sizes = context.metrics->sizes();
  JsonObject kinds;
  for (const auto& [kind, bytes] : sizes.kinds) kinds.Count(kind, bytes);
  return JsonObject()
      .Text("id", state.store.store_id)
      .Count("format", state.store.format)
      .Flag("wal_damaged", !state.wal_damage.empty())
      .Count("disk_total_bytes", sizes.disk.total_bytes)
      .Count("disk_free_bytes", sizes.disk.free_bytes)
      .Raw("bytes", kinds.Take())
      .Take();
}

// null where the node has no archive.
std::string ShipText(const ApiContext& context, const ServedState& state) {
  if (!state.ship.has_value()) return "null";
  const ShipState& ship = *state.ship;
  JsonArray days;
  for (const DayState& day : ship.days) {
    days.Raw(JsonObject()
                 .Text("table", day.table)
                 .Text("day", day.day.ToString())
                 .Count("generation", day.generation)
                 .Text("state", DayPhaseName(day.phase))
                 .TextOrNull("trouble", day.trouble)
                 .Take());
  }
  JsonObject oldest;
  for (const auto& [table, begins] : ship.oldest_open_day)
    oldest.Text(table, FormatRfc3339(begins));
  const std::shared_ptr<const ManifestSet> manifests = context.node->manifests();
  return JsonObject()
      .Text("archive", context.node->archive_place())
      .Flag("running", ship.running)
      .TextOrNull("halted", ship.halted)
      .TextOrNull("last_error", ship.last_error.empty() ? state.archive_trouble : ship.last_error)
      .Count("requests_done", ship.requests_done)
      .Count("rows", ship.rows)
      .Count("messages", ship.messages)
      .Count("pruned_bytes", ship.pruned_bytes)
      .TextOrNull("backup_at", ship.backup_at ? FormatRfc3339(*ship.backup_at) : "")
      .TextOrNull("backup_error", ship.backup_error)
      .Count("manifests", manifests == nullptr ? 0 : manifests->size())
      .Count("broken_manifests", manifests == nullptr ? 0 : manifests->broken().size())
      .Raw("days", days.Take())
      .Raw("oldest_open_day", oldest.Take())
      .Take();
}

std::string HttpText(const ApiContext& context) {
  return JsonObject()
      .Count("requests", context.http->requests())
      .Number("in_flight", context.http->in_flight())
      .Count("reads_open", context.slots->open())
      .Count("reads_bytes", context.slots->used_bytes())
      .Count("reads_bytes_max", context.slots->total_bytes())
      .Text("authentication", context.tokens == nullptr ? "off" : "tokens")
      .Take();
}

}  // namespace

std::string_view ServedPhaseName(ServedPhase phase) {
  static constexpr std::string_view kNames[] = {"opening", "recovering", "recording", "ended"};
  return kNames[static_cast<size_t>(phase)];
}

std::vector<std::string> TopicTexts(const std::vector<PartitionEntry>& partitions,
                                    const RecorderState& recorder) {
  std::vector<std::string> texts;
  for (size_t from = 0; from < partitions.size();) {
    const std::string& topic = partitions[from].tape.topic;
    std::string_view mapping;
    JsonArray list;
    size_t to = from;
    for (; to < partitions.size() && partitions[to].tape.topic == topic; ++to) {
      const PartitionEntry& p = partitions[to];
      const PartitionState* live = Live(recorder, p.tape);
      const int64_t stored = p.checkpoint.next;
      list.Raw(JsonObject()
                   .Number("partition", p.tape.partition)
                   .Count("lineage", p.tape.lineage)
                   .Number("received", live == nullptr ? stored : std::max(live->received, stored))
                   .Number("stored", stored)
                   .Number("durable", stored)
                   .Number("shipped", p.shipped)
                   .Raw("lag", LagText(live == nullptr ? -1 : live->log_end, stored))
                   .Take());
      mapping = p.mapping;
    }
    texts.push_back(JsonObject()
                        .Text("topic", topic)
                        .Text("mapping", mapping)
                        .Raw("partitions", list.Take())
                        .Take());
    from = to;
  }
  return texts;
}

namespace {

void CheckShipping(const ApiContext& context, const ServedState& state,
                   std::vector<HealthCheck>* checks) {
  if (!state.ship.has_value()) return;
  const ShipState& ship = *state.ship;
  checks->push_back({"archive", state.archive_trouble});
  checks->push_back({"shipping", ship.halted.empty() ? ship.last_error : ship.halted});
  checks->push_back({"backup", ship.backup_error});
  for (const DayState& day : ship.days) {
    if (day.trouble.empty()) continue;
    checks->push_back({"day " + day.table + " " + day.day.ToString(), day.trouble});
  }
  const std::shared_ptr<const ManifestSet> manifests = context.node->manifests();
  std::string broken;
  if (manifests != nullptr && !manifests->broken().empty()) {
    const BrokenManifest& first = manifests->broken().front();
    broken = std::to_string(manifests->broken().size()) + " cannot be read, such as " + first.name +
             ": " + std::string(first.error.message());
  }
  checks->push_back({"manifests", broken});
}

}  // namespace

std::vector<HealthCheck> CheckHealth(const ApiContext& context, const ServedState& state) {
  std::vector<HealthCheck> checks;
  const bool recording = state.phase == ServedPhase::kRecording;
  checks.push_back({"node", recording ? "" : "it is " + std::string(ServedPhaseName(state.phase))});
  const bool silent = recording && state.recorder.stall.empty() && state.silence > kSilenceMax;
  checks.push_back({"record-thread", silent ? "it was not seen for a while" : ""});
  checks.push_back({"recording", state.recorder.stall});
  checks.push_back(
      {"store", state.wal_damage.empty()
                    ? ""
                    : "its write-ahead log was damaged; what it lost was read again from Kafka"});
  if (context.tokens != nullptr) checks.push_back({"tokens", context.tokens->trouble()});
  CheckShipping(context, state, &checks);
  for (const PartitionState& p : state.recorder.partitions) {
    checks.push_back({"partition " + p.tp.ToString(), p.health});
  }
  return checks;
}

std::string ChecksText(const std::vector<HealthCheck>& checks) {
  JsonArray list;
  for (const HealthCheck& check : checks) {
    list.Raw(JsonObject()
                 .Text("check", check.name)
                 .Flag("ok", check.reason.empty())
                 .TextOrNull("reason", check.reason)
                 .Take());
  }
  return "\"checks\":" + list.Take();
}

std::string StatusText(const ApiContext& context, const ServedState& state) {
  JsonArray partitions;
  for (const PartitionState& p : state.recorder.partitions) partitions.Raw(PartitionText(p));
  JsonArray unwell;
  for (const HealthCheck& check : CheckHealth(context, state)) {
    if (!check.reason.empty()) unwell.Text(check.name + ": " + check.reason);
  }
  const std::string memory = JsonObject()
                                 .Count("resident_bytes", ProcessUse::Now().resident_bytes)
                                 .Count("open_row_bytes", state.open_row_bytes)
                                 .Take();
  return JsonObject()
             .Text("version", context.version)
             .Text("node", state.store.node_id)
             .Text("cluster", state.store.cluster_id)
             .Text("phase", ServedPhaseName(state.phase))
             .Flag("ready", state.phase == ServedPhase::kRecording)
             .Text("now", FormatRfc3339(context.clock->Now()))
             .Text("started", FormatRfc3339(context.started))
             .Raw("recording", RecordingText(state))
             .Raw("partitions", partitions.Take())
             .Raw("store", StoreText(context, state))
             .Raw("ship", ShipText(context, state))
             .Raw("http", HttpText(context))
             .Raw("memory", memory)
             .Raw("unwell", unwell.Take())
             .Take() +
         "\n";
}

}  // namespace tapedeck
