// tapedeck repair

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <string>

#include "node/json_line.h"
#include "node/repair.h"
#include "tapedeck/commands.h"
#include "tapedeck/config_options.h"

namespace tapedeck::cli {
namespace {

struct RepairArguments {
  ConfigOptions config;
  std::string archive;
  std::string data_dir;
  std::string output;
  bool accept_loss = false;
};

unsigned long long Long(uint64_t number) { return number; }

void ShowVerifying(const VerifyProgress& progress) {
  std::fprintf(stderr, "\rverifying: %llu messages, %llu rows, %llu differences ",
               Long(progress.messages), Long(progress.rows), Long(progress.findings));
}

void ShowRepairing(const RepairProgress& progress) {
  std::fprintf(stderr, "\rrepairing: %llu of %llu tapes, %llu messages, %llu records ",
               Long(progress.tapes), Long(progress.tapes_total), Long(progress.messages),
               Long(progress.records));
}

void PrintLine(JsonLine& line) { std::printf("%s\n", line.Take().c_str()); }

void PrintJson(const RepairedNode& made, const std::string& dir) {
  for (const Finding& finding : made.findings)
    PrintLine(JsonLine()
                  .Text("event", "finding")
                  .Text("where", finding.where)
                  .Text("what", finding.what));
  for (const std::string& text : made.report.damage)
    PrintLine(JsonLine().Text("event", "damage").Text("text", text));
  for (const TapeGap& gap : made.report.damaged) {
    PrintLine(JsonLine()
                  .Text("event", "gap")
                  .Text("topic", gap.tape.topic)
                  .Number("partition", gap.tape.partition)
                  .Number("lineage", gap.tape.lineage)
                  .Number("from", gap.gap.from)
                  .Number("to", gap.gap.to)
                  .Text("reason", GapReasonName(gap.gap.reason)));
  }
  for (const std::string& note : made.report.notes)
    PrintLine(JsonLine().Text("event", "note").Text("text", note));
  JsonLine line;
  line.Text("event", made.was_whole ? "whole" : "repaired").Text("data_dir", dir);
  if (!made.was_whole) {
    line.Text("store", made.store_id)
        .Count("tapes", made.report.tapes)
        .Count("messages", made.report.messages)
        .Count("from_archive", made.report.from_archive)
        .Count("records", made.report.records)
        .Count("gaps", made.report.damaged.size());
  }
  if (!made.old_store.empty()) line.Text("old_store", made.old_store.string());
  PrintLine(line);
}

void PrintRepaired(const RepairedNode& made, const std::string& dir) {
  for (const Finding& finding : made.findings)
    std::printf("was wrong: %s: %s\n", finding.where.c_str(), finding.what.c_str());
  for (const std::string& text : made.report.damage) std::printf("damaged: %s\n", text.c_str());
  for (const std::string& note : made.report.notes) std::printf("note: %s\n", note.c_str());
  for (const TapeGap& gap : made.report.damaged) {
    std::printf("gap: %s, offsets %lld to before %lld\n", gap.tape.ToString().c_str(),
                static_cast<long long>(gap.gap.from), static_cast<long long>(gap.gap.to));
  }
  std::printf(
      "%s: store %s of %llu tapes, %llu messages (%llu from the archive), %llu records; it "
      "verifies\n",
      dir.c_str(), made.store_id.c_str(), Long(made.report.tapes), Long(made.report.messages),
      Long(made.report.from_archive), Long(made.report.records));
  if (!made.report.damaged.empty())
    std::printf(
        "start the node: it reads the gaps of the newest lineage of each partition again, as far "
        "as Kafka still has them\n");
}

void PrintText(const RepairedNode& made, const std::string& dir) {
  if (made.was_whole) {
    std::printf("%s: nothing is wrong, and nothing was changed\n", dir.c_str());
  } else {
    PrintRepaired(made, dir);
  }
  if (!made.old_store.empty())
    std::printf("the damaged store lies in %s: delete it when you need it no more\n",
                made.old_store.c_str());
}

int RunRepair(const RepairArguments& args) {
  std::vector<std::string> more = {"node.data_dir=" + args.data_dir};
  if (!args.archive.empty()) more.push_back("archive.url=" + args.archive);
  const Result<Config> config = args.config.Load(more);
  if (!config.ok()) return Fail(config.status());
  RepairRequest request{
      .config = *config, .data_dir = args.data_dir, .accept_loss = args.accept_loss};
  const bool terminal = isatty(STDERR_FILENO) != 0;
  if (terminal) {
    request.verifying = ShowVerifying;
    request.repairing = ShowRepairing;
  }
  const Result<RepairedNode> made = RepairNode(request, &SystemClock());
  if (terminal) std::fprintf(stderr, "\r\033[K");
  if (!made.ok()) return Fail(made.status());
  const bool json = args.output == "ndjson" || (args.output.empty() && isatty(STDOUT_FILENO) == 0);
  json ? PrintJson(*made, args.data_dir) : PrintText(*made, args.data_dir);
  return kExitOk;
}

}  // namespace

void AddRepairCommand(CLI::App* app, Choice* choice) {
  auto args = std::make_shared<RepairArguments>();
  CLI::App* repair = app->add_subcommand(
      "repair", "Make the damaged store of a stopped node whole, from the archive and Kafka");
  args->config.AddTo(repair);
  repair->add_option("--archive", args->archive, "url of the archive, over the configuration")
      ->type_name("URL");
  repair->add_option("--data-dir,-d", args->data_dir, "folder of the store")
      ->required()
      ->type_name("DIR");
  repair
      ->add_option("-o,--output", args->output,
                   "text or ndjson; default: text on a terminal, else ndjson")
      ->check(CLI::IsMember({"text", "ndjson"}));
  repair->add_flag("--accept-loss", args->accept_loss,
                   "go on where damage may have taken whole partitions, or the archive lacks what "
                   "this store had put there");
  repair->footer(
      "What `verify` finds wrong is put right: messages of damaged blocks come from the archive,\n"
      "index, series and counts from the tape. What is nowhere else becomes a gap `damaged`, "
      "which\n"
      "the node reads again from Kafka once it runs. The old store stays beside, as DIR.damaged.\n"
      "Examples:\n"
      "  tapedeck repair --config /etc/tapedeck.toml -d /var/lib/tapedeck\n"
      "  tapedeck repair --archive s3://market-data/tapedeck -d /var/lib/tapedeck");
  repair->callback([=] { choice->run = [=] { return RunRepair(*args); }; });
}

}  // namespace tapedeck::cli
