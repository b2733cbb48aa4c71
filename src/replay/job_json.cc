// The entry of a job in the store.

#include "replay/job_json.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/encoding.h"
#include "replay/json_reader.h"

namespace tapedeck {
namespace {

using Json = nlohmann::ordered_json;

constexpr char kVersion = 1;
constexpr std::string_view kCommandNames[] = {"pause", "resume", "cancel", "seek", "pace", "end"};

/// What is not of this format, or of a later version of it.
struct BadEntry {};

// A state or a mode that is not known must not become another one, which would run.
template <typename Enum>
Enum EnumOf(const Json& json, Enum last) {
  const int64_t value = json.get<int64_t>();
  if (!json.is_number_integer() || value < 0 || value > static_cast<int64_t>(last)) {
    throw BadEntry();
  }
  return static_cast<Enum>(value);
}

Hash128 HashOf(const Json& json) {
  const Result<Hash128> hash = Hash128::Parse(json.get<std::string>());
  if (!hash.ok()) throw BadEntry();
  return *hash;
}

std::string BytesOf(const Json& json) {
  Result<std::string> bytes = FromBase64(json.get<std::string>());
  if (!bytes.ok()) throw BadEntry();
  return std::move(bytes).value();
}

Json RangeJson(const TapeRange& range) {
  return {{"cluster", range.tape.cluster},
          {"topic", range.tape.topic},
          {"lineage", range.tape.lineage},
          {"partition", range.tape.partition},
          {"from", range.from},
          {"to", range.to}};
}

TapeRange RangeOf(const Json& json) {
  TapeRange range;
  range.tape = {json.at("cluster").get<std::string>(), json.at("topic").get<std::string>(),
                json.at("lineage").get<uint32_t>(), json.at("partition").get<int32_t>()};
  range.from = json.at("from").get<int64_t>();
  range.to = json.at("to").get<int64_t>();
  return range;
}

Json PaceEntry(const Pace& pace) {
  Json json = {{"mode", static_cast<int>(pace.mode)},
               {"speed", pace.speed},
               {"messages", pace.messages_per_second},
               {"bytes", pace.bytes_per_second}};
  if (pace.max_idle) json["max_idle_ns"] = pace.max_idle->count();
  return json;
}

Pace PaceOf(const Json& json) {
  Pace pace;
  pace.mode = EnumOf(json.at("mode"), PaceMode::kRate);
  pace.speed = json.at("speed").get<double>();
  pace.messages_per_second = json.at("messages").get<uint64_t>();
  pace.bytes_per_second = json.at("bytes").get<uint64_t>();
  if (json.contains("max_idle_ns")) {
    pace.max_idle = std::chrono::nanoseconds(json.at("max_idle_ns").get<int64_t>());
  }
  return pace;
}

Json NoteJson(const ReplayNote& note) {
  Json json = {{"next_seq", note.next_seq},        {"bytes", note.bytes},
               {"digest", note.digest.ToString()}, {"position", ToBase64(note.position)},
               {"shifted", note.shifted},          {"shift_ms", note.shift_ms}};
  if (note.records > 0) json["records"] = note.records;
  return json;
}

ReplayNote NoteOf(const Json& json) {
  ReplayNote note;
  note.next_seq = json.at("next_seq").get<uint64_t>();
  note.bytes = json.at("bytes").get<uint64_t>();
  note.digest = HashOf(json.at("digest"));
  note.position = BytesOf(json.at("position"));
  if (json.contains("records")) note.records = json.at("records").get<uint32_t>();
  note.shifted = json.at("shifted").get<bool>();
  note.shift_ms = json.at("shift_ms").get<int64_t>();
  return note;
}

Json SelectionJson(const Selection& selection) {
  Json json = {{"start", selection.start.ns()},
               {"end", selection.end.ns()},
               {"clock", static_cast<int>(selection.clock)},
               {"order", static_cast<int>(selection.order)},
               {"symbols", selection.symbols},
               {"tables", selection.tables},
               {"ranges", Json::array()}};
  for (const TapeRange& range : selection.ranges) json["ranges"].push_back(RangeJson(range));
  return json;
}

Selection SelectionOf(const Json& json) {
  Selection selection;
  selection.start = Timestamp(json.at("start").get<int64_t>());
  selection.end = Timestamp(json.at("end").get<int64_t>());
  selection.clock = EnumOf(json.at("clock"), SelectionClock::kEvent);
  selection.order = EnumOf(json.at("order"), SelectionOrder::kEvent);
  selection.symbols = json.at("symbols").get<std::vector<std::string>>();
  selection.tables = json.at("tables").get<std::vector<std::string>>();
  for (const Json& range : json.at("ranges")) selection.ranges.push_back(RangeOf(range));
  return selection;
}

Json MissingJson(const std::vector<TapeGap>& missing) {
  Json list = Json::array();
  for (const TapeGap& gap : missing) {
    Json json = RangeJson({gap.tape, gap.gap.from, gap.gap.to});
    json["reason"] = static_cast<int>(gap.gap.reason);
    list.push_back(std::move(json));
  }
  return list;
}

std::vector<TapeGap> MissingOf(const Json& list) {
  std::vector<TapeGap> missing;
  for (const Json& json : list) {
    const TapeRange range = RangeOf(json);
    TapeGap gap{range.tape, {}};
    gap.gap.from = range.from;
    gap.gap.to = range.to;
    gap.gap.reason = EnumOf(json.at("reason"), GapReason::kDamaged);
    missing.push_back(std::move(gap));
  }
  return missing;
}

Json CommandJson(const ReplayCommand& command) {
  Json json = {{"kind", kCommandNames[static_cast<size_t>(command.kind)]},
               {"number", command.number}};
  if (command.kind == CommandKind::kPace) {
    json["pace"] = PaceEntry(command.pace);
  } else {
    json["time"] = command.time.ns();
  }
  if (command.kind == CommandKind::kEnd) json["before"] = command.before.ns();
  return json;
}

ReplayCommand CommandOf(const Json& json) {
  ReplayCommand command;
  const std::string kind = json.at("kind").get<std::string>();
  const auto* name = std::find(std::begin(kCommandNames), std::end(kCommandNames), kind);
  if (name == std::end(kCommandNames)) throw BadEntry();
  command.kind = static_cast<CommandKind>(name - std::begin(kCommandNames));
  command.number = json.at("number").get<uint64_t>();
  if (json.contains("pace")) command.pace = PaceOf(json.at("pace"));
  if (json.contains("time")) command.time = Timestamp(json.at("time").get<int64_t>());
  // Of an older version: as if that had been the end before, too.
  if (command.kind == CommandKind::kEnd) {
    command.before = Timestamp(json.value("before", command.time.ns()));
  }
  return command;
}

ReplayState StateOf(const std::string& name) {
  for (size_t i = 0; i < kReplayStates; ++i) {
    const ReplayState state = static_cast<ReplayState>(i);
    if (ReplayStateName(state) == name) return state;
  }
  throw BadEntry();
}

// Throws where a field is missing, of another type, or not one of its values.
void ReadFields(const Json& json, ReplayJob* job) {
  job->created = Timestamp(json.at("created").get<int64_t>());
  job->key = BytesOf(json.at("key"));
  job->request_hash = HashOf(json.at("request_hash"));
  job->selection = SelectionOf(json.at("selection"));
  job->missing = MissingOf(json.at("missing"));
  job->messages_at_most = json.at("messages_at_most").get<uint64_t>();
  job->total_exact = json.value("total_exact", false);  // since the first form of the entry
  job->target_cluster = json.at("target_cluster").get<std::string>();
  job->target_sets_time = json.at("target_sets_time").get<bool>();
  for (const Json& start : json.at("target_starts")) {
    job->target_starts[{start.at(0).get<std::string>(), start.at(1).get<int32_t>()}] =
        start.at(2).get<int64_t>();
  }
  job->state = StateOf(json.at("state").get<std::string>());
  job->error = json.at("error").get<std::string>();
  job->pace = PaceOf(json.at("pace"));
  job->last_command = json.at("last_command").get<uint64_t>();
  for (const Json& command : json.at("commands")) job->commands.push_back(CommandOf(command));
  for (const Json& key : json.at("command_keys")) {
    job->command_keys.push_back(BytesOf(key));
  }
  job->begun = json.at("begun").get<bool>();
  job->note = NoteOf(json.at("note"));
  job->verified_messages = json.at("verified_messages").get<uint64_t>();
  job->verified_digest = HashOf(json.at("verified_digest"));
}

}  // namespace

std::string EncodeJob(const ReplayJob& job) {
  Json json = {{"kind", "replay"},
               {"created", job.created.ns()},
               {"key", ToBase64(job.key)},
               {"request_hash", job.request_hash.ToString()},
               {"spec", Json::parse(SpecToJson(job.spec))},
               {"selection", SelectionJson(job.selection)},
               {"missing", MissingJson(job.missing)},
               {"messages_at_most", job.messages_at_most},
               {"total_exact", job.total_exact},
               {"target_cluster", job.target_cluster},
               {"target_sets_time", job.target_sets_time},
               {"target_starts", Json::array()},
               {"state", ReplayStateName(job.state)},
               {"error", job.error},
               {"pace", PaceEntry(job.pace)},
               {"last_command", job.last_command},
               {"commands", Json::array()},
               {"command_keys", Json::array()},
               {"begun", job.begun},
               {"note", NoteJson(job.note)},
               {"verified_messages", job.verified_messages},
               {"verified_digest", job.verified_digest.ToString()}};
  for (const auto& [tp, offset] : job.target_starts) {
    json["target_starts"].push_back(Json::array({tp.topic, tp.partition, offset}));
  }
  for (const ReplayCommand& command : job.commands) {
    json["commands"].push_back(CommandJson(command));
  }
  for (const std::string& key : job.command_keys) json["command_keys"].push_back(ToBase64(key));
  return kVersion + json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<ReplayJob> DecodeJob(std::string_view id, std::string_view bytes) {
  const Status broken = Status::Corruption("the entry of job " + Quoted(id) + " is damaged");
  if (bytes.empty() || bytes.front() != kVersion) return broken;
  const Json json = Json::parse(bytes.substr(1), nullptr, false);
  if (!json.is_object() || !json.contains("kind")) return broken;
  if (json["kind"] != "replay") return Status::NotFound("job " + Quoted(id) + " is no replay");
  ReplayJob job;
  job.id = id;
  try {
    ReadFields(json, &job);
    Result<ReplaySpec> spec = ParseReplayRequest(json.at("spec").dump(), job.created);
    if (!spec.ok()) return broken;
    job.spec = std::move(spec).value();
  } catch (const Json::exception&) {
    return broken;
  } catch (const BadEntry&) {
    return broken;
  }
  return job;
}

}  // namespace tapedeck
