// tapedeck verify

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <string>

#include "node/json_line.h"
#include "query/verify.h"
#include "tapedeck/commands.h"

namespace tapedeck::cli {
namespace {

struct VerifyArguments {
  std::string data_dir;
  std::string output;
  size_t findings_max = 1000;
};

void ShowProgress(const VerifyProgress& progress) {
  std::fprintf(stderr, "\rverifying: %llu messages, %llu rows, %llu differences ",
               static_cast<unsigned long long>(progress.messages),
               static_cast<unsigned long long>(progress.rows),
               static_cast<unsigned long long>(progress.findings));
}

void PrintJson(const VerifyReport& report) {
  for (const Finding& finding : report.findings) {
    JsonLine line;
    line.Text("event", "difference").Text("where", finding.where).Text("what", finding.what);
    std::printf("%s\n", line.Take().c_str());
  }
  for (const std::string& note : report.notes) {
    JsonLine line;
    line.Text("event", "note").Text("text", note);
    std::printf("%s\n", line.Take().c_str());
  }
  JsonLine line;
  line.Text("event", "verified")
      .Flag("ok", report.ok())
      .Count("differences", report.findings.size() + report.findings_left_off)
      .Count("tapes", report.tapes)
      .Count("tape_blocks", report.tape_blocks)
      .Count("messages", report.messages)
      .Count("records", report.records)
      .Count("refused", report.refused)
      .Count("series_blocks", report.series_blocks)
      .Count("rows", report.rows)
      .Count("symbols", report.symbols)
      .Count("days", report.days);
  std::printf("%s\n", line.Take().c_str());
}

void PrintText(const VerifyReport& report) {
  for (const Finding& finding : report.findings) {
    // As JSON text, because data may be in it that a terminal would obey.
    JsonLine line;
    line.Text(finding.where, finding.what);
    const std::string text = line.Take();
    std::printf("%.*s\n", static_cast<int>(text.size() - 2), text.c_str() + 1);
  }
  if (report.findings_left_off > 0) {
    std::printf("… and %llu more\n", static_cast<unsigned long long>(report.findings_left_off));
  }
  for (const std::string& note : report.notes) std::printf("note: %s\n", note.c_str());
  const auto count = [](uint64_t n, const char* what) { return std::to_string(n) + " " + what; };
  const std::string seen =
      count(report.messages, "messages in ") + count(report.tape_blocks, "blocks of ") +
      count(report.tapes, "tapes, ") + count(report.records, "records, ") +
      count(report.refused, "refused; ") + count(report.rows, "rows in ") +
      count(report.series_blocks, "blocks of ") + count(report.symbols, "series");
  std::printf("%s: %s\n", report.ok() ? "all equal" : "DIFFERENCES FOUND", seen.c_str());
}

int RunVerify(const VerifyArguments& args) {
  VerifyOptions options;
  options.findings_max = args.findings_max;
  const bool terminal = isatty(STDERR_FILENO) != 0;
  if (terminal) options.progress = ShowProgress;
  Result<VerifyReport> report = VerifyDataDir(args.data_dir, options);
  if (terminal) std::fprintf(stderr, "\r\033[K");
  if (!report.ok()) return Fail(report.status().WithContext("--data-dir " + args.data_dir));
  const bool json = args.output == "ndjson" || (args.output.empty() && isatty(STDOUT_FILENO) == 0);
  json ? PrintJson(*report) : PrintText(*report);
  return report->ok() ? kExitOk : kExitDiffers;
}

}  // namespace

void AddVerifyCommand(CLI::App* app, Choice* choice) {
  auto args = std::make_shared<VerifyArguments>();
  CLI::App* verify = app->add_subcommand(
      "verify", "Read everything again, check every hash, recount, and compare series with tape");
  verify->add_option("--data-dir,-d", args->data_dir, "folder of the node's store")
      ->required()
      ->type_name("DIR");
  verify
      ->add_option("-o,--output", args->output,
                   "text or ndjson; default: text on a terminal, else ndjson")
      ->check(CLI::IsMember({"text", "ndjson"}));
  verify->add_option("--max", args->findings_max, "list at most so many differences")
      ->check(CLI::NonNegativeNumber);
  verify->footer(
      "Exits with 4 where anything differs, and says where. With the node stopped it opens the "
      "store as the node "
      "would;\n"
      "beside a running node it reads what was written when it began.\n"
      "Example:\n"
      "  tapedeck verify -d /var/lib/tapedeck");
  verify->callback([=] { choice->run = [=] { return RunVerify(*args); }; });
}

}  // namespace tapedeck::cli
