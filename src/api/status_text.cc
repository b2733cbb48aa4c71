#include "api/status_text.h"

#include <nlohmann/json.hpp>

#include "api/node_metrics.h"

namespace tapedeck {
namespace {

using Json = nlohmann::ordered_json;

// A record thread that was not seen for so long hangs: it comes by several times a second.
constexpr std::chrono::nanoseconds kSilenceMax = std::chrono::seconds(30);

std::string Dump(const Json& json) {
  return json.dump(-1, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace);
}

const PartitionState* Live(const RecorderState& recorder, const TapeId& tape) {
  for (const PartitionState& p : recorder.partitions) {
    if (p.tp.topic == tape.topic && p.tp.partition == tape.partition && p.lineage == tape.lineage) {
      return &p;
    }
  }
  return nullptr;
}

Json LagOf(const PartitionState& p) {
  if (p.log_end < 0) return nullptr;
  return std::max<int64_t>(0, p.log_end - p.stored);
}

Json PartitionJson(const PartitionState& p) {
  Json json;
  json["topic"] = p.tp.topic;
  json["partition"] = p.tp.partition;
  json["lineage"] = p.lineage;
  json["received"] = p.received;
  json["stored"] = p.stored;
  json["durable"] = p.stored;
  json["log_end"] = p.log_end < 0 ? Json(nullptr) : Json(p.log_end);
  json["lag"] = LagOf(p);
  json["messages"] = p.messages;
  json["records"] = p.records;
  json["refused"] = p.refused;
  json["skipped"] = p.skipped;
  json["health"] = p.health.empty() ? "ok" : p.health;
  return json;
}

Json RecordingJson(const ServedState& state) {
  const RecorderState& r = state.recorder;
  Json json;
  json["running"] = r.running;
  json["assigned"] = r.assigned;
  json["stall"] = r.stall.empty() ? Json(nullptr) : Json(r.stall);
  json["commits"] = r.commits;
  json["flushes"] = r.flushes;
  json["rebalances"] = r.rebalances;
  json["messages"] = r.messages;
  json["records"] = r.records;
  json["refused"] = r.refused;
  json["skipped"] = r.skipped;
  json["message_bytes"] = r.raw_bytes;
  json["tape_bytes"] = r.tape_bytes;
  json["open_rows"] = state.open_rows;
  json["notices"] = r.notices;
  return json;
}

Json StoreJson(const ApiContext& context, const ServedState& state) {
  Json json;
  json["id"] = state.store.store_id;
  json["format"] = state.store.format;
  json["wal_damaged"] = !state.wal_damage.empty();
  const StoreSizes sizes = context.metrics->Sizes(context.node->store());
  json["disk_total_bytes"] = sizes.disk.total_bytes;
  json["disk_free_bytes"] = sizes.disk.free_bytes;
  Json kinds = Json::object();
  for (const auto& [kind, bytes] : sizes.kinds) kinds[kind] = bytes;
  json["bytes"] = std::move(kinds);
  return json;
}

Json HttpJson(const ApiContext& context) {
  Json json;
  json["requests"] = context.http->requests();
  json["in_flight"] = context.http->in_flight();
  json["reads_open"] = context.slots->open();
  json["reads_bytes"] = context.slots->used_bytes();
  json["reads_bytes_max"] = context.slots->total_bytes();
  json["authentication"] = context.tokens == nullptr ? "off" : "tokens";
  return json;
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
    Json topic;
    topic["topic"] = partitions[from].tape.topic;
    topic["mapping"] = "";
    Json list = Json::array();
    size_t to = from;
    for (; to < partitions.size() && partitions[to].tape.topic == partitions[from].tape.topic;
         ++to) {
      const PartitionEntry& p = partitions[to];
      const PartitionState* live = Live(recorder, p.tape);
      Json json;
      json["partition"] = p.tape.partition;
      json["lineage"] = p.tape.lineage;
      json["received"] =
          live == nullptr ? p.checkpoint.next : std::max(live->received, p.checkpoint.next);
      json["stored"] = p.checkpoint.next;
      json["durable"] = p.checkpoint.next;
      json["shipped"] = p.checkpoint.start;  // nothing is shipped yet
      json["lag"] = live == nullptr || live->log_end < 0
                        ? Json(nullptr)
                        : Json(std::max<int64_t>(0, live->log_end - p.checkpoint.next));
      list.push_back(std::move(json));
      topic["mapping"] = p.mapping;
    }
    topic["partitions"] = std::move(list);
    texts.push_back(Dump(topic));
    from = to;
  }
  return texts;
}

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
  for (const PartitionState& p : state.recorder.partitions) {
    checks.push_back({"partition " + p.tp.ToString(), p.health});
  }
  return checks;
}

std::string ChecksText(const std::vector<HealthCheck>& checks) {
  Json list = Json::array();
  for (const HealthCheck& check : checks) {
    Json json;
    json["check"] = check.name;
    json["ok"] = check.reason.empty();
    json["reason"] = check.reason.empty() ? Json(nullptr) : Json(check.reason);
    list.push_back(std::move(json));
  }
  return "\"checks\":" + Dump(list);
}

std::string StatusText(const ApiContext& context, const ServedState& state) {
  Json json;
  json["version"] = context.version;
  json["node"] = state.store.node_id;
  json["cluster"] = state.store.cluster_id;
  json["phase"] = ServedPhaseName(state.phase);
  json["ready"] = state.phase == ServedPhase::kRecording;
  const Timestamp now = context.clock->Now();
  json["now"] = FormatRfc3339(now);
  json["started"] = FormatRfc3339(context.started);
  json["recording"] = RecordingJson(state);
  Json partitions = Json::array();
  for (const PartitionState& p : state.recorder.partitions) partitions.push_back(PartitionJson(p));
  json["partitions"] = std::move(partitions);
  json["store"] = StoreJson(context, state);
  json["http"] = HttpJson(context);
  json["memory"] = Json{{"resident_bytes", ProcessUse::Now().resident_bytes},
                        {"open_row_bytes", state.open_row_bytes}};
  Json unwell = Json::array();
  for (const HealthCheck& check : CheckHealth(context, state)) {
    if (!check.reason.empty()) unwell.push_back(check.name + ": " + check.reason);
  }
  json["unwell"] = std::move(unwell);
  return Dump(json) + "\n";
}

}  // namespace tapedeck
