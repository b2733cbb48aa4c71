#include "model/reindex_job.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/text.h"

namespace tapedeck {
namespace {

using Json = nlohmann::ordered_json;

constexpr char kVersion = 1;
constexpr std::string_view kKind = "reindex";
constexpr std::array<std::string_view, 5> kStates = {"queued", "running", "done", "failed",
                                                     "cancelled"};

// Names of topics are bytes of strangers.
Json RequestJson(const ReindexRequest& request) {
  return {{"topic", ToValidUtf8(request.topic)},
          {"tables", request.tables},
          {"start", request.start.ns()},
          {"end", request.end.ns()}};
}

ReindexRequest RequestOf(const Json& json) {
  ReindexRequest request;
  request.topic = json.at("topic").get<std::string>();
  request.tables = json.at("tables").get<std::vector<std::string>>();
  request.start = Timestamp(json.at("start").get<int64_t>());
  request.end = Timestamp(json.at("end").get<int64_t>());
  return request;
}

Json DaysJson(const std::vector<keys::DayKey>& days) {
  Json list = Json::array();
  for (const keys::DayKey& day : days)
    list.push_back({Raw(day.table), day.day.days(), day.generation});
  return list;
}

Json EndsJson(const std::vector<ReindexJob::End>& ends) {
  Json list = Json::array();
  for (const ReindexJob::End& end : ends) {
    Json one = {Raw(end.tp), end.to};
    for (const ReindexJob::Span& gap : end.gaps) one.push_back({gap.from, gap.to});
    list.push_back(std::move(one));
  }
  return list;
}

// Throws where a member is missing or of another type.
ReindexJob JobOf(const Json& json) {
  ReindexJob job;
  job.created = Timestamp(json.at("created").get<int64_t>());
  job.ended = Timestamp(json.at("ended").get<int64_t>());
  job.request = RequestOf(json.at("request"));
  const std::string state = json.at("state").get<std::string>();
  const auto found = std::find(kStates.begin(), kStates.end(), state);
  if (found == kStates.end()) throw nlohmann::json::out_of_range::create(0, "state", nullptr);
  job.state = static_cast<ReindexState>(found - kStates.begin());
  job.error = json.at("error").get<std::string>();
  job.mappings = json.at("mappings").get<std::string>();
  for (const Json& day : json.at("days")) {
    job.days.push_back({TableId{day.at(0).get<uint16_t>()}, Day(day.at(1).get<int32_t>()),
                        day.at(2).get<uint32_t>()});
  }
  for (const Json& end : json.at("ends")) {
    ReindexJob::End one{TpId{end.at(0).get<uint32_t>()}, end.at(1).get<int64_t>()};
    for (size_t i = 2; i < end.size(); ++i)
      one.gaps.push_back({end.at(i).at(0).get<int64_t>(), end.at(i).at(1).get<int64_t>()});
    job.ends.push_back(std::move(one));
  }
  const Json& result = json.at("result");
  job.result = {result.at("messages").get<uint64_t>(), result.at("records").get<uint64_t>(),
                result.at("replaced").get<uint64_t>(), result.at("refused").get<uint64_t>()};
  job.forgotten = json.at("forgotten").get<bool>();
  return job;
}

}  // namespace

std::string_view ReindexStateName(ReindexState state) {
  return kStates[static_cast<size_t>(state)];
}

std::string EncodeReindexJob(const ReindexJob& job) {
  const Json json = {{"kind", kKind},
                     {"created", job.created.ns()},
                     {"ended", job.ended.ns()},
                     {"request", RequestJson(job.request)},
                     {"state", ReindexStateName(job.state)},
                     {"error", ToValidUtf8(job.error)},
                     {"mappings", job.mappings},
                     {"days", DaysJson(job.days)},
                     {"ends", EndsJson(job.ends)},
                     {"result",
                      {{"messages", job.result.messages},
                       {"records", job.result.records},
                       {"replaced", job.result.replaced},
                       {"refused", job.result.refused}}},
                     {"forgotten", job.forgotten}};
  return std::string(1, kVersion) + json.dump();
}

Result<ReindexJob> DecodeReindexJob(std::string_view id, std::string_view bytes) {
  const Status damaged = Status::Corruption("stored job " + Quoted(id) + " is damaged");
  if (bytes.empty() || bytes.front() != kVersion) return damaged;
  const Json json = Json::parse(bytes.substr(1), nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("kind") || !json["kind"].is_string()) return damaged;
  if (json["kind"].get<std::string>() != kKind)
    return Status::NotFound("job " + Quoted(id) + " is of another kind");
  try {
    ReindexJob job = JobOf(json);
    job.id = id;
    return job;
  } catch (const nlohmann::json::exception&) {
    return damaged;
  }
}

}  // namespace tapedeck
