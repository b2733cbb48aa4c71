#include "api/replay_routes.h"

#include <algorithm>

#include "api/page_token.h"
#include "base/text.h"
#include "replay/runner.h"

namespace tapedeck {
namespace {

constexpr uint64_t kPage = 100;
constexpr uint64_t kPageMax = 1000;
// A client that hears nothing for so long should take the connection for broken.
constexpr std::chrono::seconds kHeartbeat{10};
constexpr std::chrono::milliseconds kEventEvery{200};

Problem NotReadyProblem(std::string detail) {
  return {ProblemType::kNotReady, std::move(detail), {}, 0, {}, {}};
}

Result<ReplayRunner*> RunnerOf(const Call& call) {
  ReplayRunner* runner = call.context->node->replays();
  if (runner == nullptr) return Status::Unavailable("the node is not ready");
  return runner;
}

// The runner's words are for clients: what is wrong, where, and what to do.
Answer ProblemOfReplay(const Status& status) {
  const std::string detail(status.message());
  switch (status.code()) {
    case StatusCode::kInvalidArgument: {
      const size_t colon = detail.find(": ");
      const std::string field =
          colon == std::string::npos || colon > 64 ? "body" : detail.substr(0, colon);
      return Problem{ProblemType::kInvalidParameter, detail, {{field, detail}}, 0, {}, {}};
    }
    case StatusCode::kNotFound:
      return Problem{ProblemType::kNotFound, detail, {}, 0, {}, {}};
    case StatusCode::kAlreadyExists:
    case StatusCode::kFailedPrecondition:
      return Problem{ProblemType::kConflict, detail, {}, 0, {}, {}};
    case StatusCode::kResourceExhausted:
      return Problem{ProblemType::kRateLimited, detail, {}, 0, {}, {}};
    case StatusCode::kUnavailable:
      return NotReadyProblem(detail);
    default:
      return status;
  }
}

Answer JobAnswer(const Call& call, const ReplayView& view, int status) {
  Answer answer = JsonAnswer(call, ReplayViewJson(view) + "\n");
  HttpResponse* response = answer.response();
  if (response != nullptr && status != 200) response->status = status;
  return answer;
}

/// Server-sent events: the job whenever something new is known of it, until it has ended.
class JobEvents final : public ResponseBody {
 public:
  JobEvents(std::shared_ptr<const JobDesk> desk, Clock* clock)
      : desk_(std::move(desk)), clock_(clock) {}

  Result<Step> Next(std::string* out) override {
    const MonotonicTime now = clock_->Monotonic();
    if (ended_) return Step::kEnd;
    if (now < next_) return Step::kWait;
    if (!desk_->WaitNews(&news_, std::chrono::milliseconds(0)) && number_ > 0) {
      if (now - last_ < kHeartbeat) return Step::kWait;
      *out += ": still here\n\n";
      last_ = now;
      return Step::kMore;
    }
    const ReplayView view{desk_->job(), desk_->live()};
    ended_ = view.job.ended();
    *out += "id: " + std::to_string(++number_) +
            "\nevent: " + (ended_ ? std::string(ReplayStateName(view.job.state)) : "progress") +
            "\ndata: " + ReplayViewJson(view) + "\n\n";
    last_ = now;
    next_ = now + kEventEvery;
    return Step::kMore;
  }

 private:
  const std::shared_ptr<const JobDesk> desk_;
  Clock* const clock_;
  uint64_t news_ = 0;
  uint64_t number_ = 0;
  MonotonicTime last_{0};
  MonotonicTime next_{0};
  bool ended_ = false;
};

}  // namespace

Answer AnswerReplays(Call* call) {
  Parameters& parameters = call->parameters;
  const uint64_t limit =
      static_cast<uint64_t>(parameters.Number("limit", 1, kPageMax).value_or(kPage));
  const std::string after = parameters.Text("page_token", 64);
  if (!after.empty() && !IsJobId(after)) parameters.Bad("page_token", "it holds no place");
  if (!parameters.ok()) return parameters.problem();
  TD_ASSIGN_OR_RETURN(ReplayRunner * runner, RunnerOf(*call));
  std::string json = "{\"data\":[";
  std::string last;
  uint64_t count = 0;
  bool more = false;
  for (const ReplayView& view : runner->List()) {
    if (!after.empty() && view.job.id <= after) continue;
    more = count == limit;
    if (more) break;
    json += (count++ > 0 ? "," : "") + ReplayViewJson(view);
    last = view.job.id;
  }
  json += "],\"next_page_token\":" + (more ? "\"" + last + "\"" : "null") + "}\n";
  return JsonAnswer(*call, std::move(json));
}

Answer AnswerCreateReplay(Call* call) {
  TD_ASSIGN_OR_RETURN(ReplayRunner * runner, RunnerOf(*call));
  Result<ReplayView> view =
      runner->Create(call->request->body, call->request->Header("Idempotency-Key"));
  if (!view.ok()) return ProblemOfReplay(view.status());
  Answer answer = JobAnswer(*call, *view, 202);
  if (answer.response() != nullptr) {
    answer.response()->Set("Location", "/v1/replays/" + view->job.id);
  }
  return answer;
}

Answer AnswerReplay(Call* call) {
  TD_ASSIGN_OR_RETURN(ReplayRunner * runner, RunnerOf(*call));
  Result<ReplayView> view = runner->Get(call->name);
  if (!view.ok()) return ProblemOfReplay(view.status());
  return JobAnswer(*call, *view, 200);
}

Answer AnswerPatchReplay(Call* call) {
  TD_ASSIGN_OR_RETURN(ReplayRunner * runner, RunnerOf(*call));
  Result<ReplayView> view =
      runner->Patch(call->name, call->request->body, call->request->Header("Idempotency-Key"));
  if (!view.ok()) return ProblemOfReplay(view.status());
  return JobAnswer(*call, *view, 200);
}

Answer AnswerDeleteReplay(Call* call) {
  TD_ASSIGN_OR_RETURN(ReplayRunner * runner, RunnerOf(*call));
  const Status deleted = runner->Delete(call->name);
  if (!deleted.ok()) return ProblemOfReplay(deleted);
  HttpResponse response;
  response.status = 204;
  return response;
}

Answer AnswerReplayEvents(Call* call) {
  TD_ASSIGN_OR_RETURN(ReplayRunner * runner, RunnerOf(*call));
  Result<std::shared_ptr<const JobDesk>> desk = runner->Desk(call->name);
  if (!desk.ok()) return ProblemOfReplay(desk.status());
  HttpResponse response;
  response.Set("Content-Type", "text/event-stream");
  response.Set("Cache-Control", "no-cache");
  response.stream = std::make_unique<JobEvents>(std::move(desk).value(), call->context->clock);
  return response;
}

}  // namespace tapedeck
