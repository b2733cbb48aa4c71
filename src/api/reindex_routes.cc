// /v1/reindex and what hangs on it. Jobs are the reindexer's (record/reindexer.h).

#include <nlohmann/json.hpp>

#include "api/call.h"
#include "base/json_text.h"
#include "base/text.h"
#include "model/job_id.h"
#include "model/table.h"
#include "model/time_text.h"
#include "record/reindexer.h"
#include "replay/json_reader.h"

namespace tapedeck {
namespace {

using Json = nlohmann::ordered_json;

constexpr uint64_t kPage = 100;
constexpr size_t kTablesMax = 1000;

Problem Bad(std::string name, const std::string& detail) {
  return {
      ProblemType::kInvalidParameter, name + ": " + detail, {{std::move(name), detail}}, 0, {}, {}};
}

Result<Reindexer*> ReindexerOf(const Call& call) {
  Reindexer* reindexer = call.context->node->reindexer();
  if (reindexer == nullptr) return Status::Unavailable("the node is not ready");
  return reindexer;
}

// The reindexer's words are for clients.
Answer ProblemOfReindex(const Status& status) {
  const std::string detail(status.message());
  const std::string field = detail.substr(0, detail.find(": "));
  switch (status.code()) {
    case StatusCode::kInvalidArgument:
      return Problem{ProblemType::kInvalidParameter, detail, {{field, detail}}, 0, {}, {}};
    case StatusCode::kNotFound:
      return Problem{ProblemType::kNotFound, detail, {}, 0, {}, {}};
    case StatusCode::kFailedPrecondition:
      return Problem{ProblemType::kConflict, detail, {}, 0, {}, {}};
    case StatusCode::kResourceExhausted:
      return Problem{ProblemType::kRateLimited, detail, {}, 0, {}, {}};
    case StatusCode::kUnavailable:
      return Problem{ProblemType::kNotReady, detail, {}, 0, {}, {}};
    default:
      return status;
  }
}

std::optional<Problem> ReadText(const Json& body, const char* name, std::string* text) {
  if (!body.contains(name) || body[name].is_null()) return std::nullopt;
  if (!body[name].is_string()) return Bad(name, "a string is needed");
  *text = body[name].get<std::string>();
  if (text->empty()) return Bad(name, "it is empty: leave it out or say which");
  return std::nullopt;
}

std::optional<Problem> ReadTime(const Json& body, const char* name, const Call& call,
                                std::optional<Timestamp>* time) {
  std::string text;
  const std::optional<Timestamp> start = std::string_view(name) == "end" ? *time : std::nullopt;
  time->reset();
  if (auto problem = ReadText(body, name, &text)) return problem;
  if (text.empty()) return std::nullopt;
  Result<Timestamp> read = ParseTimeText(text, call.now, start);
  if (!read.ok()) return Bad(name, std::string(read.status().message()));
  *time = *read;
  return std::nullopt;
}

std::optional<Problem> ReadTables(const Json& body, std::vector<std::string>* tables) {
  if (!body.contains("tables") || body["tables"].is_null()) return std::nullopt;
  const Json& list = body["tables"];
  const std::string wanted = "a list of names of tables is needed, such as [\"trades\"]";
  if (!list.is_array() || list.empty() || list.size() > kTablesMax) return Bad("tables", wanted);
  for (const Json& one : list) {
    if (!one.is_string()) return Bad("tables", wanted);
    if (Status good = CheckTableName(one.get<std::string>()); !good.ok())
      return Bad("tables", std::string(good.message()));
    tables->push_back(one.get<std::string>());
  }
  return std::nullopt;
}

std::optional<Problem> ReadRequest(const Call& call, ReindexRequest* request) {
  const Result<Json> parsed = ParseStrictJson(call.request->body);
  if (!parsed.ok()) {
    const std::string message(parsed.status().message());  // "name: what is wrong"
    const size_t colon = message.rfind(": ");
    return Bad(message.substr(0, colon), message.substr(colon + 2));
  }
  const Json& body = *parsed;
  if (!body.is_object()) return Bad("body", "it is no JSON object, such as {\"topic\":\"T\"}");
  for (const auto& [name, value] : body.items()) {
    if (name != "topic" && name != "tables" && name != "start" && name != "end")
      return Bad(ToValidUtf8(name.substr(0, 64)), "there is no such member");
  }
  if (auto problem = ReadText(body, "topic", &request->topic)) return problem;
  if (auto problem = ReadTables(body, &request->tables)) return problem;
  if (request->topic.empty() == request->tables.empty())
    return Bad("topic", "name either a topic or tables");
  std::optional<Timestamp> time;
  if (auto problem = ReadTime(body, "start", call, &time)) return problem;
  request->start = time.value_or(Timestamp::Min());
  if (auto problem = ReadTime(body, "end", call, &time)) return problem;
  request->end = time.value_or(Timestamp::Max());
  if (request->end <= request->start) return Bad("end", "it is not after start");
  return std::nullopt;
}

std::string TimeOrNull(Timestamp time, Timestamp none) {
  return time == none ? "null" : "\"" + FormatRfc3339(time) + "\"";
}

std::string RequestJson(const ReindexRequest& request) {
  JsonArray tables;
  for (const std::string& table : request.tables) tables.Text(table);
  JsonObject json;
  json.TextOrNull("topic", request.topic);
  json.Raw("tables", request.tables.empty() ? "null" : tables.Take());
  json.Raw("start", TimeOrNull(request.start, Timestamp::Min()));
  json.Raw("end", TimeOrNull(request.end, Timestamp::Max()));
  return json.Take();
}

std::string ViewJson(const ReindexView& view) {
  const ReindexJob& job = view.job;
  const bool running = job.state == ReindexState::kRunning || job.state == ReindexState::kQueued;
  const std::string progress =
      JsonObject()
          .Count("messages", running ? view.live.messages : job.result.messages)
          .Count("total", running ? view.live.total : job.result.messages)
          .Take();
  const std::string result = JsonObject()
                                 .Count("records", job.result.records)
                                 .Count("replaced", job.result.replaced)
                                 .Count("refusals", job.result.refused)
                                 .Take();
  return JsonObject()
      .Text("id", job.id)
      .Text("state", ReindexStateName(job.state))
      .Text("created", FormatRfc3339(job.created))
      .Raw("ended", TimeOrNull(job.ended, Timestamp()))
      .Raw("request", RequestJson(job.request))
      .Raw("step", running ? "\"" + std::string(ReindexStepName(view.live.step)) + "\"" : "null")
      .Count("days", job.days.size())
      .Raw("progress", progress)
      .Raw("result", job.state == ReindexState::kDone ? result : "null")
      .TextOrNull("error", job.error)
      .TextOrNull("trouble", running ? view.live.trouble : "")
      .Take();
}

}  // namespace

Answer AnswerReindexes(Call* call) {
  Parameters& parameters = call->parameters;
  const auto limit = static_cast<uint64_t>(parameters.Number("limit", 1, kPage).value_or(kPage));
  const std::string after = parameters.Text("page_token", 64);
  if (!after.empty() && !IsJobId(after)) parameters.Bad("page_token", "it holds no place");
  if (!parameters.ok()) return parameters.problem();
  TD_ASSIGN_OR_RETURN(Reindexer * reindexer, ReindexerOf(*call));
  JsonArray data;
  std::string last;
  uint64_t count = 0;
  bool more = false;
  for (const ReindexView& view : reindexer->List()) {
    if (!after.empty() && view.job.id <= after) continue;
    more = count == limit;
    if (more) break;
    data.Raw(ViewJson(view));
    last = view.job.id;
    ++count;
  }
  return JsonAnswer(
      *call,
      JsonObject().Raw("data", data.Take()).TextOrNull("next_page_token", more ? last : "").Take() +
          "\n");
}

Answer AnswerCreateReindex(Call* call) {
  ReindexRequest request;
  if (auto problem = ReadRequest(*call, &request)) return *problem;
  // Before anything is done: who takes no JSON would not learn of it.
  if (Answer empty = JsonAnswer(*call, ""); empty.problem() != nullptr) return *empty.problem();
  TD_ASSIGN_OR_RETURN(Reindexer * reindexer, ReindexerOf(*call));
  Result<ReindexView> view = reindexer->Create(std::move(request));
  if (!view.ok()) return ProblemOfReindex(view.status());
  Answer answer = JsonAnswer(*call, ViewJson(*view) + "\n");
  if (HttpResponse* response = answer.response(); response != nullptr) {
    response->status = 202;
    response->Set("Location", "/v1/reindex/" + view->job.id);
  }
  return answer;
}

Answer AnswerReindex(Call* call) {
  TD_ASSIGN_OR_RETURN(Reindexer * reindexer, ReindexerOf(*call));
  Result<ReindexView> view = reindexer->Get(call->name);
  if (!view.ok()) return ProblemOfReindex(view.status());
  return JsonAnswer(*call, ViewJson(*view) + "\n");
}

Answer AnswerDeleteReindex(Call* call) {
  TD_ASSIGN_OR_RETURN(Reindexer * reindexer, ReindexerOf(*call));
  const Status deleted = reindexer->Delete(call->name);
  if (!deleted.ok()) return ProblemOfReindex(deleted);
  HttpResponse response;
  response.status = 204;
  return response;
}

}  // namespace tapedeck
