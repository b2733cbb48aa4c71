// tapedeck restore

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <string>

#include "node/json_line.h"
#include "node/restore.h"
#include "tapedeck/commands.h"
#include "tapedeck/config_options.h"

namespace tapedeck::cli {
namespace {

struct RestoreArguments {
  ConfigOptions config;
  std::string archive;
  std::string data_dir;
  std::string node;
  bool backup = false;
  std::string output;
};

void ShowProgress(const RestoreProgress& progress) {
  std::fprintf(stderr, "\rrestoring: %llu of %llu tapes, %llu messages, %llu records ",
               static_cast<unsigned long long>(progress.tapes),
               static_cast<unsigned long long>(progress.tapes_total),
               static_cast<unsigned long long>(progress.messages),
               static_cast<unsigned long long>(progress.records));
}

void PrintJson(const RestoredNode& made, const std::string& dir) {
  for (const RestoredTape& tape : made.report.tapes) {
    JsonLine line;
    line.Text("event", "tape")
        .Text("topic", tape.tape.topic)
        .Number("partition", tape.tape.partition)
        .Number("lineage", tape.tape.lineage)
        .Number("recorded_again_from", tape.from)
        .Number("goes_on_at", tape.to);
    std::printf("%s\n", line.Take().c_str());
  }
  for (const std::string& note : made.report.notes) {
    JsonLine line;
    line.Text("event", "note").Text("text", note);
    std::printf("%s\n", line.Take().c_str());
  }
  JsonLine line;
  line.Text("event", "restored").Text("data_dir", dir).Text("store", made.store_id);
  if (made.backup.empty()) {
    line.Count("tapes", made.report.tapes.size())
        .Count("messages", made.report.messages)
        .Count("records", made.report.records);
  } else {
    line.Text("backup", made.backup).Count("commit", made.commit);
  }
  std::printf("%s\n", line.Take().c_str());
}

void PrintText(const RestoredNode& made, const std::string& dir) {
  for (const std::string& note : made.report.notes) std::printf("note: %s\n", note.c_str());
  if (!made.backup.empty()) {
    std::printf("%s holds the backup %s, up to commit %llu\n", dir.c_str(), made.backup.c_str(),
                static_cast<unsigned long long>(made.commit));
  } else {
    std::printf(
        "%s: store %s of %zu tapes; %llu messages with %llu records are recorded again, the rest "
        "is answered from the archive\n",
        dir.c_str(), made.store_id.c_str(), made.report.tapes.size(),
        static_cast<unsigned long long>(made.report.messages),
        static_cast<unsigned long long>(made.report.records));
  }
  std::printf("start the node on it: tapedeck serve, with the same archive in its configuration\n");
}

int RunRestore(const RestoreArguments& args) {
  std::vector<std::string> more = {"node.data_dir=" + args.data_dir};
  if (!args.archive.empty()) more.push_back("archive.url=" + args.archive);
  if (!args.node.empty()) more.push_back("node.id=" + args.node);
  Result<Config> config = args.config.Load(more);
  if (!config.ok()) return Fail(config.status());
  RestoreRequest request{
      .archive = config->archive,
      .node = config->node.id,
      .data_dir = args.data_dir,
      .from = args.backup ? RestoreRequest::From::kBackup : RestoreRequest::From::kArchive};
  const bool terminal = isatty(STDERR_FILENO) != 0;
  if (terminal) request.progress = ShowProgress;
  const Result<RestoredNode> made = RestoreNode(request, &SystemClock());
  if (terminal) std::fprintf(stderr, "\r\033[K");
  if (!made.ok()) return Fail(made.status());
  const bool json = args.output == "ndjson" || (args.output.empty() && isatty(STDOUT_FILENO) == 0);
  json ? PrintJson(*made, args.data_dir) : PrintText(*made, args.data_dir);
  return kExitOk;
}

}  // namespace

void AddRestoreCommand(CLI::App* app, Choice* choice) {
  auto args = std::make_shared<RestoreArguments>();
  CLI::App* restore =
      app->add_subcommand("restore", "Make a node's directory again from its archive alone");
  args->config.AddTo(restore);
  restore->add_option("--archive", args->archive, "url of the archive, over the configuration")
      ->type_name("URL");
  restore->add_option("--data-dir,-d", args->data_dir, "folder to make; must be empty or missing")
      ->required()
      ->type_name("DIR");
  restore->add_option("--node", args->node, "id of the node that was lost")->type_name("ID");
  restore->add_flag("--backup", args->backup,
                    "its newest backup instead: everything is local again, as of then");
  restore
      ->add_option("-o,--output", args->output,
                   "text or ndjson; default: text on a terminal, else ndjson")
      ->check(CLI::IsMember({"text", "ndjson"}));
  restore->footer(
      "What was shipped is answered from the archive at once; messages whose records were not\n"
      "shipped yet are recorded again from the archived tape; Kafka is read from its end on.\n"
      "Examples:\n"
      "  tapedeck restore --archive s3://market-data/tapedeck --node tapedeck-1 -d "
      "/var/lib/tapedeck\n"
      "  tapedeck restore --config /etc/tapedeck.toml -d /var/lib/tapedeck --backup");
  restore->callback([=] { choice->run = [=] { return RunRestore(*args); }; });
}

}  // namespace tapedeck::cli
