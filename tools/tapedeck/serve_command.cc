// tapedeck serve

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "base/units.h"
#include "node/serve.h"
#include "tapedeck/commands.h"
#include "tapedeck/config_options.h"

namespace tapedeck::cli {
namespace {

// More often than this is no progress but noise.
constexpr std::chrono::milliseconds kProgressLeast(50);

struct ServeArguments {
  ConfigOptions config;
  bool leave = false;
  bool adopt = false;
  std::string progress = "10s";
};

Result<std::unique_ptr<Node>> MakeNode(const ServeArguments& args, ServeOptions* options) {
  Result<std::chrono::nanoseconds> progress = ParseDuration(args.progress);
  if (!progress.ok()) return progress.status().WithContext("--progress");
  if (*progress < kProgressLeast)
    return Status::InvalidArgument("--progress " + args.progress + " is below 50ms");
  options->progress_interval = *progress;
  options->version = TAPEDECK_VERSION;
  TD_ASSIGN_OR_RETURN(Config config, args.config.Load());
  return Node::Make({.config = std::move(config),
                     .adopt = args.adopt,
                     .leave = args.leave,
                     .version = TAPEDECK_VERSION},
                    &SystemClock());
}

int RunServe(const ServeArguments& args) {
  SignalWaiter signals;  // before any thread is started
  ServeOptions options;
  Result<std::unique_ptr<Node>> node = MakeNode(args, &options);
  if (!node.ok()) return Fail(node.status());
  int code = Serve(std::move(node).value(), options, &signals);
  std::fflush(nullptr);
  _exit(code);  // a thread of a client that did not end must not hold the process
}

}  // namespace

void AddServeCommand(CLI::App* app, Choice* choice) {
  auto args = std::make_shared<ServeArguments>();
  CLI::App* serve =
      app->add_subcommand("serve", "Run a node: record the configured topics until SIGTERM");
  args->config.AddTo(serve);
  serve->add_flag("--leave", args->leave,
                  "give the partitions up when stopping, so that another node takes them at once");
  serve->add_flag("--adopt", args->adopt, "take over a store that belongs to another node id");
  serve->add_option("--progress", args->progress, "how often a progress line is printed")
      ->capture_default_str();
  serve->footer(
      "Prints one JSON object a line on stdout: event = ready, recording, progress, stopped. Logs "
      "go to stderr.\n"
      "SIGTERM or SIGINT: commit, flush, exit 0 within 15 s. Exit 1: failure; 2: configuration.\n"
      "Examples:\n"
      "  tapedeck serve --config tapedeck.toml\n"
      "  tapedeck serve --config tapedeck.toml --set log.level=debug -X security.protocol=ssl\n"
      "  TAPEDECK_KAFKA__BOOTSTRAP_SERVERS=broker:9092 tapedeck serve --config tapedeck.toml "
      "--leave");
  serve->callback([=] { choice->run = [=] { return RunServe(*args); }; });
}

}  // namespace tapedeck::cli
