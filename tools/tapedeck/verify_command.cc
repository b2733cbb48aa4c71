// tapedeck verify

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
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

void PrintJson(const std::vector<Finding>& findings, const std::vector<std::string>& notes) {
  for (const Finding& finding : findings) {
    JsonLine line;
    line.Text("event", "difference").Text("where", finding.where).Text("what", finding.what);
    std::printf("%s\n", line.Take().c_str());
  }
  for (const std::string& note : notes) {
    JsonLine line;
    line.Text("event", "note").Text("text", note);
    std::printf("%s\n", line.Take().c_str());
  }
}

void PrintText(const std::vector<Finding>& findings, uint64_t left_off,
               const std::vector<std::string>& notes) {
  for (const Finding& finding : findings) {
    // As JSON text, because data may be in it that a terminal would obey.
    JsonLine line;
    line.Text(finding.where, finding.what);
    const std::string text = line.Take();
    std::printf("%.*s\n", static_cast<int>(text.size() - 2), text.c_str() + 1);
  }
  if (left_off > 0) std::printf("… and %llu more\n", static_cast<unsigned long long>(left_off));
  for (const std::string& note : notes) std::printf("note: %s\n", note.c_str());
}

std::string Counted(uint64_t n, const char* what) { return std::to_string(n) + " " + what; }

void PrintJson(const ArchiveReport& report) {
  PrintJson(report.findings, report.notes);
  JsonLine line;
  line.Text("event", "archive-verified")
      .Flag("ok", report.ok())
      .Count("differences", report.findings.size() + report.findings_left_off)
      .Count("manifests", report.manifests)
      .Count("objects", report.objects)
      .Count("bytes", report.bytes)
      .Count("rows", report.rows)
      .Count("messages", report.messages);
  std::printf("%s\n", line.Take().c_str());
}

void PrintText(const ArchiveReport& report) {
  PrintText(report.findings, report.findings_left_off, report.notes);
  const std::string seen = Counted(report.objects, "objects of ") +
                           Counted(report.manifests, "manifests, ") +
                           Counted(report.rows, "rows, ") + Counted(report.messages, "messages, ") +
                           Counted(report.bytes, "bytes");
  std::printf("%s: %s\n", report.ok() ? "the archive is whole" : "DIFFERENCES FOUND", seen.c_str());
}

void PrintJson(const VerifyReport& report) {
  PrintJson(report.findings, report.notes);
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
  PrintText(report.findings, report.findings_left_off, report.notes);
  const std::string seen =
      Counted(report.messages, "messages in ") + Counted(report.tape_blocks, "blocks of ") +
      Counted(report.tapes, "tapes, ") + Counted(report.records, "records, ") +
      Counted(report.refused, "refused; ") + Counted(report.rows, "rows in ") +
      Counted(report.series_blocks, "blocks of ") + Counted(report.symbols, "series");
  std::printf("%s: %s\n", report.ok() ? "all equal" : "DIFFERENCES FOUND", seen.c_str());
}

bool WantsJson(const VerifyArguments& args) {
  return args.output == "ndjson" || (args.output.empty() && isatty(STDOUT_FILENO) == 0);
}

int VerifyLocal(const VerifyArguments& args) {
  VerifyOptions options;
  options.findings_max = args.findings_max;
  const bool terminal = isatty(STDERR_FILENO) != 0;
  if (terminal) options.progress = ShowProgress;
  Result<VerifyReport> report = VerifyDataDir(args.data_dir, options);
  if (terminal) std::fprintf(stderr, "\r\033[K");
  if (!report.ok()) return Fail(report.status().WithContext("--data-dir " + args.data_dir));
  WantsJson(args) ? PrintJson(*report) : PrintText(*report);
  return report->ok() ? kExitOk : kExitDiffers;
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
  std::string folder = (std::filesystem::temp_directory_path() / "tapedeck-verify-XXXXXX").string();
  if (::mkdtemp(folder.data()) == nullptr) return StatusFromErrno(errno, "making " + folder);
  options.work_dir = folder;
  if (isatty(STDERR_FILENO) != 0) options.progress = ShowArchiveProgress;
  Result<ArchiveReport> report = VerifyArchive(*manifests.Take(), blobs.get(), options);
  std::error_code ignored;
  std::filesystem::remove_all(folder, ignored);
  return report;
}

int VerifyRemote(const VerifyArguments& args) {
  std::vector<std::string> more;
  if (!args.archive.empty()) more.push_back("archive.url=" + args.archive);
  Result<Config> config = args.config.Load(more);
  if (!config.ok()) return Fail(config.status());
  const Result<ArchiveReport> report = CompareArchive(args, *config);
  if (isatty(STDERR_FILENO) != 0) std::fprintf(stderr, "\r\033[K");
  if (!report.ok()) return Fail(report.status());
  WantsJson(args) ? PrintJson(*report) : PrintText(*report);
  return report->ok() ? kExitOk : kExitDiffers;
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
      ->check(CLI::NonNegativeNumber);
  verify->footer(
      "Exits with 4 where anything differs, and says where. With the node stopped it opens the "
      "store as the node "
      "would;\n"
      "beside a running node it reads what was written when it began.\n"
      "Examples:\n"
      "  tapedeck verify -d /var/lib/tapedeck\n"
      "  tapedeck verify --archive s3://market-data/tapedeck -d /var/lib/tapedeck\n"
      "  tapedeck verify --archive file:///mnt/archive --day 2024-07-02");
  verify->callback([=] { choice->run = [=] { return RunVerify(*args); }; });
}

}  // namespace tapedeck::cli
