// A job as GET shows it.

#include <algorithm>
#include <nlohmann/json.hpp>

#include "replay/job_json.h"
#include "replay/runner.h"
#include "tape/tape_cursor.h"

namespace tapedeck {
namespace {

using Json = nlohmann::ordered_json;

double Microseconds(std::chrono::nanoseconds duration) {
  return static_cast<double>(duration.count()) / 1000.0;
}

Json PositionOf(const ReplayView& view) {
  if (view.live.position > Timestamp()) return FormatRfc3339(view.live.position);
  if (view.job.note.position.empty()) return nullptr;
  Result<MessagePosition> position = MessagePosition::Decode(view.job.note.position);
  return position.ok() ? Json(FormatRfc3339(position->time)) : Json(nullptr);
}

Json ProgressOf(const ReplayView& view) {
  const ReplayNote& note = view.job.note;
  const bool records = view.job.spec.target.value != ReplayValue::kOriginal;
  const bool done = view.job.state == ReplayState::kDone;
  const bool exact = view.job.total_exact && view.job.selection.end == Timestamp::Max();
  const uint64_t sent = note.next_seq - 1;
  return {
      {"messages", sent},
      {"bytes", note.bytes},
      {"total", records && !done ? Json(nullptr) : Json(done ? sent : view.job.messages_at_most)},
      {"total_is", done      ? "exact"
                   : records ? "unknown"
                   : exact   ? "exact"
                             : "at most"},
      {"position", PositionOf(view)},
      {"lag_ms", static_cast<double>(std::max<int64_t>(0, view.live.lag.count())) / 1e6},
      {"rate", std::max(0.0, view.live.rate)},
      {"acked", view.live.acked},
      {"extra_records", view.live.extra_records}};
}

Json MissingOf(const std::vector<TapeGap>& missing) {
  Json list = Json::array();
  for (const TapeGap& gap : missing) {
    list.push_back({{"topic", gap.tape.topic},
                    {"partition", gap.tape.partition},
                    {"lineage", gap.tape.lineage},
                    {"from", gap.gap.from},
                    {"to", gap.gap.to},
                    {"reason", GapReasonName(gap.gap.reason)}});
  }
  return list;
}

}  // namespace

std::string ReplayViewJson(const ReplayView& view) {
  const ReplayJob& job = view.job;
  Json json = {{"id", job.id},
               {"state", ReplayStateName(job.state)},
               {"created", FormatRfc3339(job.created)}};
  const Json spec = Json::parse(SpecToJson(job.spec));
  for (const auto& [name, value] : spec.items()) json[name] = value;
  json["pace"] = Json::parse(PaceToJson(job.pace));
  json["progress"] = ProgressOf(view);
  json["pacing"] = {{"p50_us", Microseconds(view.live.late_p50)},
                    {"p99_us", Microseconds(view.live.late_p99)},
                    {"max_us", Microseconds(view.live.late_max)},
                    {"shifted_ms", static_cast<double>(view.live.shifted.count()) / 1e6}};
  if (job.state == ReplayState::kDone) {
    json["verified"] = {{"messages", job.verified_messages},
                        {"digest", "xxh3-128-sum:" + job.verified_digest.ToString()}};
  } else {
    json["verified"] = {{"messages", view.live.verified}, {"digest", nullptr}};
  }
  json["verified"]["foreign"] = view.live.foreign;
  if (!job.missing.empty()) json["missing"] = MissingOf(job.missing);
  json["trouble"] = view.live.trouble.empty() ? Json(nullptr) : Json(view.live.trouble);
  json["error"] = job.error.empty() ? Json(nullptr) : Json(job.error);
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace tapedeck
