// What clients send, and the same shown again.

#include <limits>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "base/units.h"
#include "model/time_text.h"
#include "replay/job_json.h"
#include "replay/json_reader.h"

namespace tapedeck {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kNamesMax = 10'000;  // topics, symbols, tables of one job
constexpr size_t kOffsetsMax = 10'000;
constexpr size_t kTopicBytesMax = 249;  // Kafka's own
constexpr int64_t kRateMax = 1'000'000'000'000;

constexpr std::string_view kClocks[] = {"kafka", "event"};
constexpr std::string_view kOrders[] = {"arrival", "event"};
constexpr std::string_view kModes[] = {"max", "original", "rate"};
constexpr std::string_view kDeliveries[] = {"exactly-once", "at-least-once"};
constexpr std::string_view kValues[] = {"original", "json", "flatbuffer"};
constexpr std::string_view kTimestamps[] = {"original", "now", "shift"};
constexpr std::string_view kWishes[] = {"paused", "running", "cancelled"};

Result<Json> ParseBody(std::string_view body) {
  if (body.size() > kReplayRequestBytesMax) return Status::InvalidArgument("body: it is too large");
  return ParseStrictJson(body);
}

std::optional<Timestamp> ReadTime(JsonReader* reader, std::string_view name, Timestamp now,
                                  std::optional<Timestamp> start = std::nullopt) {
  if (!reader->Has(name)) return std::nullopt;
  const std::string text = reader->Text(name);
  Result<Timestamp> time = ParseTimeText(text, now, start);
  if (time.ok()) return *time;
  reader->Fail(name, std::string(time.status().message()));
  return std::nullopt;
}

Result<OffsetRange> ReadOffsets(const Json& json) {
  JsonReader reader(json, "source.offsets");
  OffsetRange range;
  range.topic = reader.Text("topic");
  if (range.topic.empty()) reader.Fail("topic", "it is needed");
  range.partition = static_cast<int32_t>(reader.Whole("partition", 0, 0, INT32_MAX));
  range.lineage = static_cast<uint32_t>(reader.Whole("lineage", 0, 0, UINT32_MAX));
  range.from = reader.Whole("from", 0, 0, INT64_MAX);
  range.to = reader.Whole("to", INT64_MAX, 0, INT64_MAX);
  TD_RETURN_IF_ERROR(reader.Finish());
  return range;
}

Status ReadSource(const Json& json, Timestamp now, SelectionRequest* source) {
  JsonReader reader(json, "source");
  source->topics = reader.Texts("topics", kNamesMax);
  source->symbols = reader.Texts("symbols", kNamesMax);
  source->tables = reader.Texts("tables", kNamesMax);
  source->clock = static_cast<SelectionClock>(reader.Choose("clock", kClocks, 0));
  source->start = ReadTime(&reader, "start", now);
  source->end = ReadTime(&reader, "end", now, source->start);
  if (const Json* offsets = reader.Find("offsets")) {
    if (!offsets->is_array() || offsets->size() > kOffsetsMax) {
      reader.Fail("offsets", "a list of ranges is needed");
    } else {
      for (const Json& one : *offsets) {
        TD_ASSIGN_OR_RETURN(OffsetRange range, ReadOffsets(one));
        source->offsets.push_back(std::move(range));
      }
    }
  }
  return reader.Finish();
}

bool IsTopicName(std::string_view topic) {
  return !topic.empty() && topic.size() <= kTopicBytesMax && topic != "." && topic != ".." &&
         std::all_of(topic.begin(), topic.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '.' || c == '_' || c == '-' || c == '{' || c == '}';
         });
}

void ReadPartition(JsonReader* reader, ReplayTarget* target) {
  const Json* partition = reader->Find("partition");
  if (partition == nullptr || *partition == "same") return;
  if (*partition == "key") {
    target->partition = PartitionPolicy::kKey;
  } else if (partition->is_number_unsigned() && partition->get<uint64_t>() <= INT32_MAX) {
    target->partition = PartitionPolicy::kFixed;
    target->fixed_partition = partition->get<int32_t>();
  } else {
    reader->Fail("partition", "\"same\", \"key\" or a number is needed");
  }
}

Status ReadTarget(const Json& json, ReplayTarget* target) {
  JsonReader reader(json, "target");
  target->name = reader.Text("name");
  if (target->name.empty()) reader.Fail("name", "it is needed: one of [replay.targets]");
  target->topic = reader.Text("topic");
  if (!IsTopicName(target->topic)) {
    reader.Fail("topic", "a topic's name is needed; {topic} in it stands for the source topic");
  }
  constexpr std::string_view kHole = "{topic}";
  const size_t hole = target->topic.find(kHole);
  if (hole != std::string::npos && target->topic.find(kHole, hole + 1) != std::string::npos) {
    reader.Fail("topic", "{topic} may stand in it once");
  }
  ReadPartition(&reader, target);
  target->value = static_cast<ReplayValue>(reader.Choose("value", kValues, 0));
  target->timestamps = static_cast<ReplayTimestamps>(reader.Choose("timestamps", kTimestamps, 0));
  target->provenance = reader.Flag("provenance", true);
  return reader.Finish();
}

Status ReadPace(const Json& json, Pace* pace) {
  JsonReader reader(json, "pace");
  const bool names_mode = reader.Has("mode");
  const PaceMode before = pace->mode;
  pace->mode =
      static_cast<PaceMode>(reader.Choose("mode", kModes, static_cast<size_t>(pace->mode)));
  if (names_mode && pace->mode != before) *pace = Pace{.mode = pace->mode};
  if (!names_mode && reader.Has("speed")) pace->mode = PaceMode::kOriginal;
  pace->speed = reader.Number("speed", pace->speed);
  if (pace->mode != PaceMode::kOriginal && reader.Has("speed")) {
    reader.Fail("speed", "only with mode original");
  }
  const bool rates = reader.Has("messages_per_second") || reader.Has("bytes_per_second");
  if (rates) {
    if (!names_mode) pace->mode = PaceMode::kRate;
    pace->messages_per_second =
        static_cast<uint64_t>(reader.Whole("messages_per_second", 0, 1, kRateMax));
    pace->bytes_per_second =
        static_cast<uint64_t>(reader.Whole("bytes_per_second", 0, 1, kRateMax));
  }
  if (reader.Has("max_idle")) {
    Result<std::chrono::nanoseconds> idle = ParseDuration(reader.Text("max_idle"));
    if (idle.ok()) {
      pace->max_idle = *idle;
    } else {
      reader.Fail("max_idle", std::string(idle.status().message()));
    }
  }
  TD_RETURN_IF_ERROR(reader.Finish());
  return CheckPace(*pace);
}

Status CheckTogether(const ReplaySpec& spec) {
  if (spec.restore && (!spec.source.symbols.empty() || !spec.source.tables.empty())) {
    return Status::InvalidArgument("source: a restore is of whole topics or ranges");
  }
  if (spec.restore && spec.target.partition != PartitionPolicy::kSame) {
    return Status::InvalidArgument("target.partition: a restore keeps partitions");
  }
  if (spec.restore && spec.target.timestamps != ReplayTimestamps::kOriginal) {
    return Status::InvalidArgument("target.timestamps: a restore keeps them");
  }
  if (spec.restore && spec.target.value != ReplayValue::kOriginal) {
    return Status::InvalidArgument("target.value: a restore keeps the bytes");
  }
  return Status::Ok();
}

Json TimeOrNull(const std::optional<Timestamp>& time) {
  return time ? Json(FormatRfc3339(*time)) : Json(nullptr);
}

Json PaceJson(const Pace& pace) {
  Json json;
  json["mode"] = PaceModeName(pace.mode);
  if (pace.mode == PaceMode::kOriginal) json["speed"] = pace.speed;
  if (pace.messages_per_second > 0) json["messages_per_second"] = pace.messages_per_second;
  if (pace.bytes_per_second > 0) json["bytes_per_second"] = pace.bytes_per_second;
  if (pace.max_idle) json["max_idle"] = FormatDuration(*pace.max_idle);
  return json;
}

Json SourceJson(const SelectionRequest& source) {
  Json json;
  if (!source.topics.empty()) json["topics"] = source.topics;
  for (const OffsetRange& range : source.offsets) {
    Json one = {{"topic", range.topic},
                {"partition", range.partition},
                {"lineage", range.lineage},
                {"from", range.from}};
    if (range.to != INT64_MAX) one["to"] = range.to;
    json["offsets"].push_back(std::move(one));
  }
  json["start"] = TimeOrNull(source.start);
  json["end"] = TimeOrNull(source.end);
  json["clock"] = kClocks[static_cast<size_t>(source.clock)];
  if (!source.symbols.empty()) json["symbols"] = source.symbols;
  if (!source.tables.empty()) json["tables"] = source.tables;
  return json;
}

}  // namespace

Result<ReplaySpec> ParseReplayRequest(std::string_view body, Timestamp now) {
  TD_ASSIGN_OR_RETURN(const Json json, ParseBody(body));
  JsonReader reader(json, "");
  ReplaySpec spec;
  const Json empty = Json::object();
  const Json* source = reader.Find("source");
  const Json* target = reader.Find("target");
  const Json* pace = reader.Find("pace");
  spec.source.order = static_cast<SelectionOrder>(reader.Choose("order", kOrders, 0));
  spec.delivery = static_cast<SinkDelivery>(reader.Choose("delivery", kDeliveries, 0));
  spec.allow_gaps = reader.Flag("allow_gaps", false);
  spec.force = reader.Flag("force", false);
  spec.restore = reader.Flag("restore", false);
  TD_RETURN_IF_ERROR(reader.Finish());
  TD_RETURN_IF_ERROR(ReadSource(source != nullptr ? *source : empty, now, &spec.source));
  TD_RETURN_IF_ERROR(ReadTarget(target != nullptr ? *target : empty, &spec.target));
  if (pace != nullptr) TD_RETURN_IF_ERROR(ReadPace(*pace, &spec.pace));
  if (spec.restore) spec.target.provenance = false;
  TD_RETURN_IF_ERROR(CheckTogether(spec));
  return spec;
}

Result<std::vector<ReplayCommand>> ParseReplayPatch(std::string_view body, const ReplayJob& job,
                                                    Timestamp now) {
  TD_ASSIGN_OR_RETURN(const Json json, ParseBody(body));
  JsonReader reader(json, "");
  std::vector<ReplayCommand> commands;
  if (const Json* pace = reader.Find("pace")) {
    Pace changed = job.pace;
    TD_RETURN_IF_ERROR(ReadPace(*pace, &changed));
    commands.push_back({.kind = CommandKind::kPace, .pace = changed});
  }
  if (const Json* source = reader.Find("source")) {
    JsonReader of_source(*source, "source");
    const auto end = ReadTime(&of_source, "end", now, job.spec.source.start);
    TD_RETURN_IF_ERROR(of_source.Finish());
    if (!end) return Status::InvalidArgument("source.end: it is needed");
    commands.push_back({.kind = CommandKind::kEnd, .time = *end});
  }
  if (const auto seek = ReadTime(&reader, "seek", now, job.spec.source.start)) {
    commands.push_back({.kind = CommandKind::kSeek, .time = *seek});
  }
  if (reader.Has("state")) {
    constexpr CommandKind kKinds[] = {CommandKind::kPause, CommandKind::kResume,
                                      CommandKind::kCancel};
    commands.push_back({.kind = kKinds[reader.Choose("state", kWishes, 0)]});
  }
  TD_RETURN_IF_ERROR(reader.Finish());
  if (commands.empty()) {
    return Status::InvalidArgument("body: name state, pace, seek or source.end");
  }
  return commands;
}

std::string PaceToJson(const Pace& pace) { return PaceJson(pace).dump(); }

std::string SpecToJson(const ReplaySpec& spec) {
  const ReplayTarget& target = spec.target;
  Json json;
  json["source"] = SourceJson(spec.source);
  Json& to = json["target"];
  to = {{"name", target.name}, {"topic", target.topic}};
  switch (target.partition) {
    case PartitionPolicy::kSame:
      to["partition"] = "same";
      break;
    case PartitionPolicy::kKey:
      to["partition"] = "key";
      break;
    case PartitionPolicy::kFixed:
      to["partition"] = target.fixed_partition;
      break;
  }
  to["value"] = kValues[static_cast<size_t>(target.value)];
  to["timestamps"] = kTimestamps[static_cast<size_t>(target.timestamps)];
  to["provenance"] = target.provenance;
  json["order"] = kOrders[static_cast<size_t>(spec.source.order)];
  json["pace"] = PaceJson(spec.pace);
  json["delivery"] = kDeliveries[static_cast<size_t>(spec.delivery)];
  json["allow_gaps"] = spec.allow_gaps;
  json["force"] = spec.force;
  json["restore"] = spec.restore;
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace tapedeck
