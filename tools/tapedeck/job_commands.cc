#include "tapedeck/job_commands.h"

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <memory>

#include "base/clock.h"
#include "base/encoding.h"
#include "tapedeck/answer_output.h"
#include "tapedeck/read_commands.h"
#include "tapedeck/remote_node.h"
#include "tapedeck/remote_rows.h"

namespace tapedeck::cli {
namespace {

constexpr std::chrono::milliseconds kLookEvery{250};

Status PrintJob(const ReadOptions& node, const JobKind& kind, const JobDocument& job) {
  TD_ASSIGN_OR_RETURN(const AnswerFormat format, ParseFormat(node.output, Forms::kText));
  if (format == AnswerFormat::kJson) return WriteOut(job.text());
  AnswerOutput out(format, kind.columns);
  std::string line = job.text();
  while (!line.empty() && line.back() == '\n') line.pop_back();
  TD_RETURN_IF_ERROR(out.Row(line, kind.cells(job)));
  return out.Finish();
}

// With a line that is written over on a terminal.
Result<JobDocument> Follow(RemoteNode* node, const JobKind& kind, const std::string& id) {
  const bool shows = ::isatty(STDERR_FILENO) != 0;
  for (;;) {
    TD_ASSIGN_OR_RETURN(RemoteAnswer answer, node->Get({kind.PathOf(id), {}}));
    TD_ASSIGN_OR_RETURN(JobDocument job, JobDocument::Parse(std::move(answer.body)));
    const bool ended = HasEnded(job.Field("state"));
    if (shows) {
      std::fprintf(stderr, "\r\x1b[K%s%s", kind.progress(kind.cells(job)).c_str(),
                   ended ? "\n" : "");
    }
    if (ended) return job;
    SystemClock().SleepFor(kLookEvery);
  }
}

Result<JobDocument> Ask(const ReadOptions& options, const JobKind& kind, const JobCall& call) {
  TD_ASSIGN_OR_RETURN(auto node, RemoteNode::Open(options));
  TD_ASSIGN_OR_RETURN(RemoteAnswer answer,
                      node->Do(call.method, call.path, call.body, call.headers));
  TD_ASSIGN_OR_RETURN(JobDocument job, JobDocument::Parse(std::move(answer.body)));
  if (!call.wait) return job;
  return Follow(node.get(), kind, job.Field("id"));
}

Status ListJobs(const ReadOptions& options, const JobKind& kind, uint64_t* rows) {
  TD_ASSIGN_OR_RETURN(const AnswerFormat format, ParseFormat(options.output, Forms::kText));
  TD_ASSIGN_OR_RETURN(auto node, RemoteNode::Open(options));
  AnswerOutput out(format, kind.columns);
  // Pages are as large as the node makes them.
  TD_RETURN_IF_ERROR(VisitRemoteList(
      node.get(), {.request = {kind.path, {}}}, UINT64_MAX,
      [&](const json::Tree& tree, uint32_t entry) -> Status {
        TD_ASSIGN_OR_RETURN(JobDocument job, JobDocument::Parse(std::string(tree.Raw(entry))));
        return out.Row(job.text(), kind.cells(job));
      }));
  *rows = out.rows();
  return out.Finish();
}

}  // namespace

std::string JobKind::PathOf(const std::string& id) const { return path + "/" + PercentEncode(id); }

int RunJob(const ReadOptions& node, const JobKind& kind, const JobCall& call) {
  const Result<JobDocument> job = Ask(node, kind, call);
  if (!job.ok()) return Fail(job.status());
  if (const Status printed = PrintJob(node, kind, *job); !printed.ok()) return Fail(printed);
  if (job->Field("state") != "failed") return kExitOk;
  std::fprintf(stderr, "tapedeck: the %s has failed: %s\n", kind.name.c_str(),
               job->Field("error").c_str());
  return kExitFailure;
}

int RunJobList(const ReadOptions& node, const JobKind& kind) {
  return RunReading(node, [&](uint64_t* rows) { return ListJobs(node, kind, rows); });
}

int RunJobDelete(const ReadOptions& options, const JobKind& kind, const std::string& id) {
  const Result<std::unique_ptr<RemoteNode>> node = RemoteNode::Open(options);
  if (!node.ok()) return Fail(node.status());
  const Result<RemoteAnswer> answer = (*node)->Do("DELETE", kind.PathOf(id), "");
  return answer.ok() ? static_cast<int>(kExitOk) : Fail(answer.status());
}

}  // namespace tapedeck::cli
