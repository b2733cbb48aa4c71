// tapedeck demo

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <string>

#include "base/units.h"
#include "tapedeck/commands.h"
#include "tapedeck/demo.h"

namespace tapedeck::cli {
namespace {

struct DemoArguments {
  std::string duration = "20s";
  std::string data_dir;
  uint64_t seed = 1;
};

int RunDemoCommand(const DemoArguments& args) {
  SignalWaiter signals;  // before any thread is started
  Result<std::chrono::nanoseconds> duration = ParseDuration(args.duration);
  if (!duration.ok()) return Fail(duration.status().WithContext("--duration"));
  DemoOptions options{.duration = *duration, .seed = args.seed};
  if (!args.data_dir.empty()) options.data_dir = args.data_dir;
  Status end = RunDemo(options, &signals);
  if (end.code() == StatusCode::kCancelled) return kExitOk;
  return end.ok() ? static_cast<int>(kExitOk) : Fail(end);
}

}  // namespace

void AddDemoCommand(CLI::App* app, Choice* choice) {
  auto args = std::make_shared<DemoArguments>();
  CLI::App* demo = app->add_subcommand(
      "demo",
      "Everything in one process: a simulated broker, a feed, a node recording it, queries, a "
      "replay, a shipped day");
  demo->add_option("--duration", args->duration, "how long to record")->capture_default_str();
  demo->add_option("--data-dir", args->data_dir,
                   "keep the recording in this folder, which must be new or empty")
      ->type_name("DIR");
  demo->add_option("--seed", args->seed, "the same seed makes the same prices")
      ->capture_default_str();
  demo->footer(
      "Needs nothing else: no broker, no configuration. Ends by itself, half a minute after it "
      "began; Ctrl-C ends the recording earlier.\n"
      "Examples:\n"
      "  tapedeck demo\n"
      "  tapedeck demo --duration 5s --data-dir ./recording");
  demo->callback([=] { choice->run = [=] { return RunDemoCommand(*args); }; });
}

}  // namespace tapedeck::cli
