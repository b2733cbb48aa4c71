#include "api/replay_routes.h"

#include <algorithm>

#include "api/media_type.h"
#include "api/page_token.h"
#include "api/token_watch.h"
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
  JobEvents(const Call& call, std::shared_ptr<const JobDesk> desk)
      : desk_(std::move(desk)), clock_(call.context->clock), token_(call, kScopeReplay) {}

  Result<Step> Next(std::string* out) override {
    TD_RETURN_IF_ERROR(token_.Check());
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
  TokenWatch token_;
  uint64_t news_ = 0;
  uint64_t number_ = 0;
  MonotonicTime last_{0};
  MonotonicTime next_{0};
  bool ended_ = false;
};

/// partition,old,new: a row for each message, and one behind the last message of a partition.
class OffsetRows final : public ResponseBody {
 public:
  OffsetRows(std::vector<OffsetMap::Partition> partitions, int64_t from, uint64_t limit)
      : partitions_(std::move(partitions)), from_(from), limit_(limit) {}

  Result<Step> Next(std::string* out) override {
    if (!begun_) out->append("partition,old,new\r\n");
    begun_ = true;
    const size_t most = out->size() + kPieceBytes;
    for (; at_ < partitions_.size(); ++at_, run_ = 0, done_ = 0) {
      const OffsetMap::Partition& partition = partitions_[at_];
      for (; run_ < partition.runs.size(); ++run_, done_ = 0) {
        const OffsetMap::Run& run = partition.runs[run_];
        done_ = std::max(done_, std::min(from_ - run.old_from, run.count));
        for (; done_ < run.count; ++done_) {
          if (rows_ == limit_) return Step::kEnd;
          if (out->size() >= most) return Step::kMore;
          Row(partition.partition, run.old_from + done_, run.new_from + done_, out);
        }
      }
      if (rows_ == limit_) return Step::kEnd;
      Row(partition.partition, std::max(partition.old_end, from_), partition.new_end, out);
    }
    return Step::kEnd;
  }
  std::vector<HttpField> Trailers() override {
    return {{"Tapedeck-Rows", std::to_string(rows_)}, {"Tapedeck-Status", "complete"}};
  }

 private:
  static constexpr size_t kPieceBytes = size_t{256} << 10;

  void Row(int32_t partition, int64_t old_offset, int64_t new_offset, std::string* out) {
    out->append(std::to_string(partition)).append(",");
    out->append(std::to_string(old_offset)).append(",");
    out->append(std::to_string(new_offset)).append("\r\n");
    ++rows_;
  }

  const std::vector<OffsetMap::Partition> partitions_;
  const int64_t from_;
  const uint64_t limit_;
  bool begun_ = false;
  size_t at_ = 0;
  size_t run_ = 0;
  int64_t done_ = 0;  // of the run
  uint64_t rows_ = 0;
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
  response.stream = std::make_unique<JobEvents>(*call, std::move(desk).value());
  return response;
}

Answer AnswerReplayOffsets(Call* call) {
  Parameters& parameters = call->parameters;
  const std::string topic = parameters.Text("topic", 249);
  const auto partition = parameters.Number("partition", 0, INT32_MAX);
  const int64_t from = parameters.Number("from_offset", 0, INT64_MAX).value_or(0);
  const auto limit = parameters.Number("limit", 1, INT64_MAX);
  if (call->request->minor_version == 0) {
    parameters.Bad("limit", "HTTP/1.0 cannot tell a whole table from one that was cut off");
  }
  if (!parameters.ok()) return parameters.problem();
  TD_ASSIGN_OR_RETURN(ReplayRunner * runner, RunnerOf(*call));
  Result<OffsetMap> map = runner->Offsets(call->name);
  if (!map.ok()) return ProblemOfReplay(map.status());
  std::vector<OffsetMap::Partition> chosen;
  for (OffsetMap::Partition& one : map->partitions) {
    if (!topic.empty() && one.source != topic) continue;
    if (partition && one.partition != *partition) continue;
    if (topic.empty() && !chosen.empty() && one.source != chosen.front().source) {
      parameters.Bad("topic", "the restore is of several topics: say which");
      return parameters.problem();
    }
    chosen.push_back(std::move(one));
  }
  if (chosen.empty() && (!topic.empty() || partition)) {
    return Problem{ProblemType::kNotFound,
                   "the restore holds no such topic or partition",
                   {{topic.empty() ? "partition" : "topic", "it was not restored by this job"}},
                   0,
                   {},
                   {}};
  }
  HttpResponse response;
  response.Set("Content-Type", ContentTypeOf(AnswerForm::kCsv));
  response.Set("Trailer", "Tapedeck-Rows, Tapedeck-Status");
  response.stream = std::make_unique<OffsetRows>(
      std::move(chosen), from, limit ? static_cast<uint64_t>(*limit) : UINT64_MAX);
  return response;
}

}  // namespace tapedeck
