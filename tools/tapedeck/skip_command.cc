// tapedeck skip

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <string>

#include "node/skip.h"
#include "tapedeck/commands.h"
#include "tapedeck/number_checks.h"

namespace tapedeck::cli {
namespace {

struct SkipArguments {
  std::string topic;
  int32_t partition = -1;
  int64_t to = -1;
  std::string data_dir;
  bool yes = false;
};

int RunSkip(const SkipArguments& args) {
  SkipRequest request{.data_dir = args.data_dir,
                      .tp = {args.topic, args.partition},
                      .to = args.to,
                      .mode = args.yes ? SkipMode::kDo : SkipMode::kTell};
  Result<SkipReport> report = SkipTo(request, SystemClock());
  if (!report.ok()) return Fail(report.status());
  std::string what = std::to_string(report->to - report->from) + " offsets of " +
                     request.tp.ToString() + ", from " + std::to_string(report->from) +
                     " to before " + std::to_string(report->to);
  if (!args.yes) {
    std::fprintf(
        stderr, "tapedeck: this would skip %s; they would never be recorded. Say --yes to do it.\n",
        what.c_str());
    return kExitUsage;
  }
  std::printf("skipped %s; recorded as a gap\n", what.c_str());
  return kExitOk;
}

}  // namespace

void AddSkipCommand(CLI::App* app, Choice* choice) {
  auto args = std::make_shared<SkipArguments>();
  CLI::App* skip = app->add_subcommand(
      "skip", "Go past a batch that Kafka cannot deliver; the node must not be running");
  skip->add_option("--topic,-t", args->topic, "topic")->required();
  skip->add_option("--partition,-p", args->partition, "partition")
      ->required()
      ->check(WholeNumberFrom(0));
  skip->add_option("--to", args->to,
                   "the offset to go on at; not beyond the end of the log, which would look like a "
                   "changed log")
      ->required()
      ->check(WholeNumberFrom(0));
  skip->add_option("--data-dir", args->data_dir, "folder of the node's store")
      ->required()
      ->type_name("DIR");
  skip->add_flag("--yes", args->yes, "do it; without it, only what would be done is told");
  skip->footer(
      "The offsets between the checkpoint and --to become a gap with the reason 'skipped'. The log "
      "of the node says at which\n"
      "offset it is stuck.\n"
      "Example:\n"
      "  tapedeck skip --topic Finhub1 --partition 3 --to 1042 --data-dir /var/lib/tapedeck --yes");
  skip->callback([=] { choice->run = [=] { return RunSkip(*args); }; });
}

}  // namespace tapedeck::cli
