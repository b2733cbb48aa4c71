// tapedeck reindex

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "tapedeck/job_commands.h"
#include "tapedeck/job_document.h"
#include "tapedeck/read_commands.h"
#include "tapedeck/read_options.h"

namespace tapedeck::cli {
namespace {

struct ReindexArguments {
  ReadOptions node;
  std::string topic, start, end, show, cancel;
  std::vector<std::string> tables;
  bool wait = false, list = false;
};

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

std::string ProgressOf(const std::vector<std::string>& cells) {
  return cells[1] + "  " + cells[2] + "  " + cells[3] + " of " + cells[4] + " messages";
}

JobKind Reindexes() {
  return {.path = "/v1/reindex",
          .name = "reindex",
          .columns = {"id", "state", "step", "messages", "total", "records", "replaced", "error"},
          .cells = CellsOfJob,
          .progress = ProgressOf};
}

int RunCreate(const ReindexArguments& args) {
  if (args.topic.empty() == args.tables.empty())
    return Fail(Status::InvalidArgument("name --topic, or --table"));
  JsonLine request;
  if (!args.topic.empty()) request.Text("topic", args.topic);
  if (!args.tables.empty()) request.Raw("tables", JsonTexts(args.tables));
  if (!args.start.empty()) request.Text("start", args.start);
  if (!args.end.empty()) request.Text("end", args.end);
  const JobKind kind = Reindexes();
  return RunJob(args.node, kind,
                {.method = "POST",
                 .path = kind.path,
                 .body = request.Take(),
                 .headers = {},
                 .wait = args.wait});
}

int Run(const ReindexArguments& args) {
  const JobKind kind = Reindexes();
  if (args.list) return RunJobList(args.node, kind);
  if (!args.cancel.empty()) return RunJobDelete(args.node, kind, args.cancel);
  if (!args.show.empty()) {
    return RunJob(args.node, kind,
                  {.method = "GET",
                   .path = kind.PathOf(args.show),
                   .body = {},
                   .headers = {},
                   .wait = args.wait});
  }
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
  CLI::Option* tables = AddListOption(command, "--table,-t", &args->tables, "these tables");
  tables->type_name("TABLE")->excludes(topic);
  CLI::Option* start =
      command->add_option("--start", args->start, "from the day on that holds this time");
  CLI::Option* end =
      command->add_option("--end", args->end, "days that begin before this time; also +1d");
  command->add_flag("--wait,-w", args->wait, "follow it to its end");
  CLI::Option* list = command->add_flag("--list", args->list, "all reindex jobs of the node");
  CLI::Option* show = command->add_option("--show", args->show, "a job, by its id");
  CLI::Option* cancel = command->add_option("--cancel", args->cancel, "cancel a job and forget it");
  for (CLI::Option* time : {start, end}) time->type_name("TIME");
  for (CLI::Option* id : {show, cancel}) id->type_name("ID");
  for (CLI::Option* other : {list, show, cancel}) {  // each is a command of its own
    for (CLI::Option* given : {topic, tables, start, end}) other->excludes(given);
  }
  list->excludes(show)->excludes(cancel);
  show->excludes(cancel);
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
