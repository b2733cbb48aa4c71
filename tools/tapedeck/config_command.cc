// tapedeck config check | show, and version

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "base/units.h"
#include "node/plan.h"
#include "node/replay_side.h"
#include "node/ship_side.h"
#include "tapedeck/commands.h"
#include "tapedeck/config_options.h"

namespace tapedeck::cli {
namespace {

int RunCheck(const ConfigOptions& options) {
  Result<Config> config = options.Load();
  if (!config.ok()) return Fail(config.status());
  Result<RecordingPlan> plan = PlanRecording(*config, TableRegistry(), NoRows);
  if (!plan.ok()) return Fail(plan.status());
  if (Status client = CheckKafkaClient(*config); !client.ok()) return Fail(client);
  if (Status archive = CheckArchive(*config); !archive.ok()) return Fail(archive);
  if (Status targets = CheckReplayTargets(*config); !targets.ok()) return Fail(targets);
  for (const std::string& warning : config->warnings)
    std::fprintf(stderr, "warning: %s\n", warning.c_str());
  for (const std::string& warning : plan->warnings)
    std::fprintf(stderr, "warning: %s\n", warning.c_str());
  std::printf("ok: node %s, %zu topics, memory %s\n", config->node.id.c_str(), plan->topics.size(),
              FormatSize(config->memory).c_str());
  for (const RecordTopic& topic : plan->topics) {
    std::printf("  %-32s mapping %s\n", topic.name.c_str(), topic.mapping.name().c_str());
  }
  return kExitOk;
}

int RunShow(const ConfigOptions& options) {
  Result<Config> config = options.Load();
  if (!config.ok()) return Fail(config.status());
  for (const std::string& warning : config->warnings)
    std::fprintf(stderr, "warning: %s\n", warning.c_str());
  std::fputs(config->Show().c_str(), stdout);
  return kExitOk;
}

}  // namespace

void AddConfigCommands(CLI::App* app, Choice* choice) {
  CLI::App* config =
      app->add_subcommand("config", "Check a configuration, or show what is in force");
  config->require_subcommand(1);
  auto check_options = std::make_shared<ConfigOptions>();
  CLI::App* check = config->add_subcommand(
      "check",
      "Check everything that can be checked without a broker: keys, mappings, tables, properties");
  check_options->AddTo(check);
  check->footer(
      "Exit code 0, or 2 with one line for each mistake.\nExample:\n  tapedeck config check "
      "--config tapedeck.toml");
  check->callback([=] { choice->run = [=] { return RunCheck(*check_options); }; });

  auto show_options = std::make_shared<ConfigOptions>();
  CLI::App* show = config->add_subcommand(
      "show", "Print the settings in force and where each comes from; secrets are left out");
  show_options->AddTo(show);
  show->footer(
      "Example:\n  TAPEDECK_LOG__LEVEL=debug tapedeck config show --config tapedeck.toml --set "
      "record.commit_interval=1s");
  show->callback([=] { choice->run = [=] { return RunShow(*show_options); }; });
}

void AddVersionCommand(CLI::App* app, Choice* choice) {
  CLI::App* version = app->add_subcommand("version", "Print the version");
  version->footer("Example:\n  tapedeck version");
  version->callback([=] {
    choice->run = [] {
      std::puts("tapedeck " TAPEDECK_VERSION);
      return static_cast<int>(kExitOk);
    };
  });
}

}  // namespace tapedeck::cli
