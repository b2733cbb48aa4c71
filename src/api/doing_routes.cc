// POST /v1/days/{day}/close, POST /v1/flush: what changes the state of the archive.

#include <algorithm>
#include <nlohmann/json.hpp>

#include "api/call.h"
#include "api/list_text.h"
#include "base/json_text.h"
#include "base/text.h"
#include "model/table.h"
#include "replay/json_reader.h"

namespace tapedeck {
namespace {

using Json = nlohmann::ordered_json;

Problem BadBody(std::string name, std::string detail) {
  return {ProblemType::kInvalidParameter,
          name + ": " + detail,
          {{std::move(name), std::move(detail)}},
          0,
          {},
          {}};
}

// The members of a body that is a JSON object; nothing at all is `{}`.
std::optional<Problem> ReadBody(const Call& call, std::span<const std::string_view> known,
                                Json* body) {
  *body = Json::object();
  const std::string& text = call.request->body;
  if (text.empty()) return std::nullopt;
  Result<Json> parsed = ParseStrictJson(text);
  if (!parsed.ok()) {
    const std::string message(parsed.status().message());  // "name: what is wrong"
    const size_t colon = message.rfind(": ");
    return BadBody(message.substr(0, colon), message.substr(colon + 2));
  }
  *body = std::move(parsed).value();
  if (!body->is_object()) return BadBody("body", "it is no JSON object, such as {}");
  for (const auto& [name, value] : body->items()) {
    if (std::find(known.begin(), known.end(), name) == known.end())
      return BadBody(ToValidUtf8(name.substr(0, 64)), "there is no such member");
  }
  return std::nullopt;
}

std::optional<Problem> ReadTables(const Json& body, std::vector<std::string>* tables) {
  if (!body.contains("tables")) return std::nullopt;
  const Json& list = body["tables"];
  const std::string wanted = "a list of names of tables, such as [\"trades\"]; absent: all";
  if (!list.is_array() || list.empty()) return BadBody("tables", wanted);
  for (const Json& one : list) {
    if (!one.is_string()) return BadBody("tables", wanted);
    const std::string name = one.get<std::string>();
    if (Status good = CheckTableName(name); !good.ok())
      return BadBody("tables", std::string(good.message()));
    if (std::find(tables->begin(), tables->end(), name) == tables->end()) tables->push_back(name);
  }
  return std::nullopt;
}

std::string StateText(const DayState& state) {
  return JsonObject()
      .Text("table", state.table)
      .Text("day", state.day.ToString())
      .Count("generation", state.generation)
      .Text("state", DayPhaseName(state.phase))
      .Count("rows", state.rows)
      .TextOrNull("manifest", state.manifest)
      .TextOrNull("trouble", state.trouble)
      .Take();
}

Answer Accepted(const Call& call, std::string json) {
  Answer answer = JsonAnswer(call, std::move(json));
  if (HttpResponse* response = answer.response(); response != nullptr) response->status = 202;
  return answer;
}

}  // namespace

Answer AnswerCloseDay(Call* call) {
  const Result<Day> day = ParseDay(call->name);
  if (!day.ok()) return BadBody("day", "write a date, such as 2024-07-02");
  Json body;
  constexpr std::string_view kMembers[] = {"tables"};
  if (auto problem = ReadBody(*call, kMembers, &body)) return *problem;
  std::vector<std::string> tables;
  if (auto problem = ReadTables(body, &tables)) return *problem;
  // Before anything is done: who takes no JSON would not learn of it.
  if (Answer empty = JsonAnswer(*call, ""); empty.problem() != nullptr) return *empty.problem();
  Result<std::vector<DayState>> states = call->context->node->CloseDay(*day, std::move(tables));
  if (states.status().code() == StatusCode::kNotFound)
    return NotFoundName("tables", std::string(states.status().message()));
  if (states.status().code() == StatusCode::kFailedPrecondition) {
    return Problem{ProblemType::kConflict, std::string(states.status().message()), {}, 0, {}, {}};
  }
  if (!states.ok()) return states.status();
  ListText list;
  for (const DayState& state : *states) list.Add(StateText(state));
  return Accepted(*call, list.Take({}));
}

Answer AnswerFlush(Call* call) {
  Json body;
  if (auto problem = ReadBody(*call, {}, &body)) return *problem;
  if (Answer empty = JsonAnswer(*call, ""); empty.problem() != nullptr) return *empty.problem();
  TD_ASSIGN_OR_RETURN(const FlushTicket ticket, call->context->node->FlushAll());
  return Accepted(
      *call,
      JsonObject().Count("request", ticket.number).Flag("ships", ticket.ships).Take() + "\n");
}

}  // namespace tapedeck
