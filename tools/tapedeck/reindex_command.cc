// tapedeck reindex

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/encoding.h"
#include "tapedeck/answer_output.h"
#include "tapedeck/job_document.h"
#include "tapedeck/read_commands.h"
#include "tapedeck/read_options.h"
#include "tapedeck/remote_node.h"

namespace tapedeck::cli {
namespace {

constexpr std::chrono::milliseconds kLookEvery{250};
constexpr char kPath[] = "/v1/reindex";

struct ReindexArguments {
  ReadOptions node;
  std::string topic, start, end, show, cancel;
  std::vector<std::string> tables;
  bool wait = false, list = false;
};

const std::vector<std::string> kColumns = {"id",    "state",   "step",     "messages",
                                           "total", "records", "replaced", "error"};

std::vector<std::string> CellsOfJob(const JobDocument& job) {
  return {job.Field("id"),
          job.Field("state"),
          job.Field("step"),
          job.Field("progress", "messages"),
          job.Field("progress", "total"),
          job.Field("result", "records"),
          job.Field("result", "replaced"),
          job.Field("error")};
}

std::string PathOf(const std::string& id) { return std::string(kPath) + "/" + PercentEncode(id); }

Status PrintJob(const ReindexArguments& args, const JobDocument& job) {
  TD_ASSIGN_OR_RETURN(const AnswerFormat format, ParseFormat(args.node.output, Forms::kText));
  if (format == AnswerFormat::kJson) return WriteOut(job.text());
  AnswerOutput out(format, kColumns);
  std::string line = job.text();
  while (!line.empty() && line.back() == '\n') line.pop_back();
  TD_RETURN_IF_ERROR(out.Row(line, CellsOfJob(job)));
  return out.Finish();
}

/// Follows a job to its end, with a line that is written over on a terminal.
Result<JobDocument> Follow(RemoteNode* node, const std::string& id) {
  const bool shows = ::isatty(STDERR_FILENO) != 0;
  for (;;) {
    TD_ASSIGN_OR_RETURN(RemoteAnswer answer, node->Get({PathOf(id), {}}));
    TD_ASSIGN_OR_RETURN(JobDocument job, JobDocument::Parse(std::move(answer.body)));
    const bool ended = HasEnded(job.Field("state"));
    if (shows) {
      const std::vector<std::string> cells = CellsOfJob(job);
      std::fprintf(stderr, "\r\x1b[K%s  %s  %s of %s messages", cells[1].c_str(), cells[2].c_str(),
                   cells[3].c_str(), cells[4].c_str());
      if (ended) std::fputc('\n', stderr);
    }
    if (ended) return job;
    SystemClock().SleepFor(kLookEvery);
  }
}

int Show(const ReindexArguments& args, Result<JobDocument> job) {
  if (!job.ok()) return Fail(job.status());
  if (const Status printed = PrintJob(args, *job); !printed.ok()) return Fail(printed);
  if (job->Field("state") != "failed") return kExitOk;
  std::fprintf(stderr, "tapedeck: the reindex has failed: %s\n", job->Field("error").c_str());
  return kExitFailure;
}

Result<JobDocument> Ask(const ReindexArguments& args, const std::string& method,
                        const std::string& path, const std::string& body) {
  TD_ASSIGN_OR_RETURN(auto node, RemoteNode::Open(args.node));
  TD_ASSIGN_OR_RETURN(RemoteAnswer answer, node->Do(method, path, body));
  TD_ASSIGN_OR_RETURN(JobDocument job, JobDocument::Parse(std::move(answer.body)));
  if (!args.wait) return job;
  return Follow(node.get(), job.Field("id"));
}

int RunCreate(const ReindexArguments& args) {
  if (args.topic.empty() == args.tables.empty())
    return Fail(Status::InvalidArgument("name --topic, or --table"));
  JsonLine request;
  if (!args.topic.empty()) request.Text("topic", args.topic);
  if (!args.tables.empty()) request.Raw("tables", JsonTexts(args.tables));
  if (!args.start.empty()) request.Text("start", args.start);
  if (!args.end.empty()) request.Text("end", args.end);
  return Show(args, Ask(args, "POST", kPath, request.Take()));
}

Status ListJobs(const ReindexArguments& args, uint64_t* rows) {
  TD_ASSIGN_OR_RETURN(const AnswerFormat format, ParseFormat(args.node.output, Forms::kText));
  TD_ASSIGN_OR_RETURN(auto node, RemoteNode::Open(args.node));
  TD_ASSIGN_OR_RETURN(RemoteAnswer answer, node->Get({kPath, {}}));  // one page holds all
  json::Tree tree;
  if (tree.Parse(answer.body) != json::Tree::Outcome::kOk || tree.size() == 0)
    return Status::Unavailable("the answer is no JSON: is this a tapedeck node?");
  const uint32_t data = tree.Find(0, "data");
  if (data == json::kNone) return Status::Unavailable("the answer holds no list");
  AnswerOutput out(format, kColumns);
  for (uint32_t at = tree.First(data); at != json::kNone; at = tree.Next(data, at)) {
    TD_ASSIGN_OR_RETURN(JobDocument job, JobDocument::Parse(std::string(tree.Raw(at))));
    TD_RETURN_IF_ERROR(out.Row(job.text(), CellsOfJob(job)));
  }
  *rows = out.rows();
  return out.Finish();
}

int RunCancel(const ReindexArguments& args) {
  Result<std::unique_ptr<RemoteNode>> node = RemoteNode::Open(args.node);
  if (!node.ok()) return Fail(node.status());
  Result<RemoteAnswer> answer = (*node)->Do("DELETE", PathOf(args.cancel), "");
  return answer.ok() ? static_cast<int>(kExitOk) : Fail(answer.status());
}

int Run(const ReindexArguments& args) {
  if (args.list) return RunReading(args.node, [&](uint64_t* rows) { return ListJobs(args, rows); });
  if (!args.cancel.empty()) return RunCancel(args);
  if (!args.show.empty()) return Show(args, Ask(args, "GET", PathOf(args.show), ""));
  return RunCreate(args);
}

}  // namespace

void AddReindexCommand(CLI::App* app, Choice* choice) {
  auto args = std::make_shared<ReindexArguments>();
  CLI::App* command = app->add_subcommand(
      "reindex", "Rebuild days from the tape by the mappings in force; asks a running node");
  CLI::Option* topic =
      command->add_option("--topic", args->topic, "all tables that this topic feeds")
          ->type_name("TOPIC");
  AddListOption(command, "--table,-t", &args->tables, "these tables")
      ->type_name("TABLE")
      ->excludes(topic);
  command->add_option("--start", args->start, "from the day on that holds this time")
      ->type_name("TIME");
  command->add_option("--end", args->end, "days that begin before this time; also +1d")
      ->type_name("TIME");
  command->add_flag("--wait,-w", args->wait, "follow it to its end");
  command->add_flag("--list", args->list, "all reindex jobs of the node");
  command->add_option("--show", args->show, "a job, by its id")->type_name("ID");
  command->add_option("--cancel", args->cancel, "cancel a job and forget it")->type_name("ID");
  args->node.AddNodeTo(command);
  command->footer(
      "Whole days are made again, from all topics that feed a table.\n"
      "What was read before can be read on for a day. A token needs the scope admin.\n"
      "Examples:\n"
      "  tapedeck reindex --topic Finhub1 --start 2024-07-02 --end 2024-07-03 --wait\n"
      "  tapedeck reindex --show 01J8Z3QF9W3YB2C4D5E6F7G8H9");
  command->callback([=] { choice->run = [=] { return Run(*args); }; });
}

}  // namespace tapedeck::cli
