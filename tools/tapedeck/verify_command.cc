// tapedeck verify

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "archive/manifest_set.h"
#include "base/file.h"
#include "base/time.h"
#include "node/archive_store.h"
#include "node/json_line.h"
#include "query/verify.h"
#include "ship/verify_archive.h"
#include "store/store.h"
#include "tapedeck/commands.h"
#include "tapedeck/config_options.h"
#include "tapedeck/number_checks.h"

namespace tapedeck::cli {
namespace {

struct VerifyArguments {
  ConfigOptions config;  // of the archive
  std::string data_dir;
  std::string archive;
  std::string day;
  std::string output;
  size_t findings_max = 1000;
};

void ShowProgress(const VerifyProgress& progress) {
  std::fprintf(stderr, "\rverifying: %llu messages, %llu rows, %llu differences ",
               static_cast<unsigned long long>(progress.messages),
               static_cast<unsigned long long>(progress.rows),
               static_cast<unsigned long long>(progress.findings));
}

void ShowArchiveProgress(const ArchiveProgress& progress) {
  constexpr int kWidth = 24;
  const uint64_t total = std::max<uint64_t>(progress.objects_total, 1);
  const int done = static_cast<int>(kWidth * std::min(progress.objects, total) / total);
  std::fprintf(stderr, "\rverifying the archive [%s%s] %llu of %llu objects, %llu MB ",
               std::string(static_cast<size_t>(done), '#').c_str(),
               std::string(static_cast<size_t>(kWidth - done), '.').c_str(),
               static_cast<unsigned long long>(progress.objects),
               static_cast<unsigned long long>(progress.objects_total),
               static_cast<unsigned long long>(progress.bytes / 1'000'000));
}

// What both reports are printed from.
struct Printed {
  const std::vector<Finding>& findings;
  uint64_t left_off = 0;
  const std::vector<std::string>& notes;
  const char* event = "";
  const char* whole = "";  // said where nothing differs
  std::vector<std::pair<const char*, uint64_t>> counts;
  std::string counted;  // for people
};

std::string Counted(uint64_t n, const char* what) { return std::to_string(n) + " " + what; }

Printed Describe(const ArchiveReport& report) {
  return {.findings = report.findings,
          .left_off = report.findings_left_off,
          .notes = report.notes,
          .event = "archive-verified",
          .whole = "the archive is whole",
          .counts = {{"manifests", report.manifests},
                     {"objects", report.objects},
                     {"bytes", report.bytes},
                     {"rows", report.rows},
                     {"messages", report.messages}},
          .counted = Counted(report.objects, "objects of ") +
                     Counted(report.manifests, "manifests, ") + Counted(report.rows, "rows, ") +
                     Counted(report.messages, "messages, ") + Counted(report.bytes, "bytes")};
}

Printed Describe(const VerifyReport& report) {
  return {.findings = report.findings,
          .left_off = report.findings_left_off,
          .notes = report.notes,
          .event = "verified",
          .whole = "all equal",
          .counts = {{"tapes", report.tapes},
                     {"tape_blocks", report.tape_blocks},
                     {"messages", report.messages},
                     {"records", report.records},
                     {"refused", report.refused},
                     {"series_blocks", report.series_blocks},
                     {"rows", report.rows},
                     {"symbols", report.symbols},
                     {"days", report.days}},
          .counted =
              Counted(report.messages, "messages in ") + Counted(report.tape_blocks, "blocks of ") +
              Counted(report.tapes, "tapes, ") + Counted(report.records, "records, ") +
              Counted(report.refused, "refused; ") + Counted(report.rows, "rows in ") +
              Counted(report.series_blocks, "blocks of ") + Counted(report.symbols, "series")};
}

void PrintJson(const Printed& report) {
  JsonLine line;
  for (const Finding& finding : report.findings) {
    line.Text("event", "difference").Text("where", finding.where).Text("what", finding.what);
    std::printf("%s\n", line.Take().c_str());
  }
  for (const std::string& note : report.notes) {
    line.Text("event", "note").Text("text", note);
    std::printf("%s\n", line.Take().c_str());
  }
  line.Text("event", report.event)
      .Flag("ok", report.findings.empty())
      .Count("differences", report.findings.size() + report.left_off);
  for (const auto& [name, count] : report.counts) line.Count(name, count);
  std::printf("%s\n", line.Take().c_str());
}

void PrintText(const Printed& report) {
  for (const Finding& finding : report.findings) {
    // As JSON text, because data may be in it that a terminal would obey.
    JsonLine line;
    line.Text(finding.where, finding.what);
    const std::string text = line.Take();
    std::printf("%.*s\n", static_cast<int>(text.size() - 2), text.c_str() + 1);
  }
  if (report.left_off > 0)
    std::printf("… and %llu more\n", static_cast<unsigned long long>(report.left_off));
  for (const std::string& note : report.notes) std::printf("note: %s\n", note.c_str());
  std::printf("%s: %s\n", report.findings.empty() ? report.whole : "DIFFERENCES FOUND",
              report.counted.c_str());
}

// Prints the report; the exit code that it means.
template <typename Report>
int Finish(const VerifyArguments& args, const Report& report) {
  const bool json = args.output == "ndjson" || (args.output.empty() && isatty(STDOUT_FILENO) == 0);
  json ? PrintJson(Describe(report)) : PrintText(Describe(report));
  return report.ok() ? kExitOk : kExitDiffers;
}

int VerifyLocal(const VerifyArguments& args) {
  VerifyOptions options;
  options.findings_max = args.findings_max;
  const bool terminal = isatty(STDERR_FILENO) != 0;
  if (terminal) options.progress = ShowProgress;
  Result<VerifyReport> report = VerifyDataDir(args.data_dir, options);
  if (terminal) std::fprintf(stderr, "\r\033[K");
  if (!report.ok()) return Fail(report.status().WithContext("--data-dir " + args.data_dir));
  return Finish(args, *report);
}

// The store first, as a reader: a node may be running, and what it ships meanwhile is in manifests
// that are listed afterwards.
Result<ArchiveReport> CompareArchive(const VerifyArguments& args, const Config& config) {
  ArchiveVerifyOptions options;
  options.findings_max = args.findings_max;
  if (!args.day.empty()) {
    TD_ASSIGN_OR_RETURN(options.day, ParseDay(args.day));
  }
  std::unique_ptr<Store> store;
  if (!args.data_dir.empty()) {
    TD_ASSIGN_OR_RETURN(
        store, Store::Open({.dir = args.data_dir, .create = false, .mode = StoreMode::kSecondary}));
    options.store = store.get();
  }
  TD_ASSIGN_OR_RETURN(const auto blobs, OpenArchive(config.archive));
  ManifestHolder manifests;
  TD_RETURN_IF_ERROR(manifests.Refresh(blobs.get(), nullptr).status());
  TD_ASSIGN_OR_RETURN(const TemporaryFolder folder, TemporaryFolder::Make("verify"));
  options.work_dir = folder.path();
  if (isatty(STDERR_FILENO) != 0) options.progress = ShowArchiveProgress;
  return VerifyArchive(*manifests.Take(), blobs.get(), options);
}

int VerifyRemote(const VerifyArguments& args) {
  std::vector<std::string> more;
  if (!args.archive.empty()) more.push_back("archive.url=" + args.archive);
  Result<Config> config = args.config.Load(more);
  if (!config.ok()) return Fail(config.status());
  const Result<ArchiveReport> report = CompareArchive(args, *config);
  if (isatty(STDERR_FILENO) != 0) std::fprintf(stderr, "\r\033[K");
  if (!report.ok()) return Fail(report.status());
  return Finish(args, *report);
}

int RunVerify(const VerifyArguments& args) {
  if (args.data_dir.empty() && args.archive.empty()) {
    return Fail(Status::InvalidArgument("verify needs --data-dir, --archive, or both"));
  }
  if (!args.day.empty() && args.archive.empty()) {
    return Fail(Status::InvalidArgument("--day chooses among the days of an archive: --archive"));
  }
  int local = kExitOk;
  // A day of the archive beside its store: the store itself is not read again.
  if (!args.data_dir.empty() && args.day.empty()) local = VerifyLocal(args);
  if (args.archive.empty() || (local != kExitOk && local != kExitDiffers)) return local;
  const int remote = VerifyRemote(args);
  return remote == kExitOk ? local : remote;
}

}  // namespace

void AddVerifyCommand(CLI::App* app, Choice* choice) {
  auto args = std::make_shared<VerifyArguments>();
  CLI::App* verify = app->add_subcommand(
      "verify", "Read everything again, check every hash, recount, and compare series with tape");
  args->config.AddTo(verify);
  verify->add_option("--data-dir,-d", args->data_dir, "folder of the node's store")
      ->type_name("DIR");
  verify
      ->add_option("--archive", args->archive,
                   "url of the archive: every object and manifest, and with --data-dir the two "
                   "against each other")
      ->type_name("URL");
  verify->add_option("--day", args->day, "only this day of the archive")->type_name("DAY");
  verify
      ->add_option("-o,--output", args->output,
                   "text or ndjson; default: text on a terminal, else ndjson")
      ->check(CLI::IsMember({"text", "ndjson"}));
  verify->add_option("--max", args->findings_max, "list at most so many differences")
      ->check(WholeNumberFrom(0));
  verify->footer(
      "Exits with 4 where anything differs, and says where. With the node stopped it opens the "
      "store as the node would;\n"
      "beside a running node it reads what was written when it began.\n"
      "Examples:\n"
      "  tapedeck verify -d /var/lib/tapedeck\n"
      "  tapedeck verify --archive s3://market-data/tapedeck -d /var/lib/tapedeck\n"
      "  tapedeck verify --archive file:///mnt/archive --day 2024-07-02");
  verify->callback([=] { choice->run = [=] { return RunVerify(*args); }; });
}

}  // namespace tapedeck::cli
