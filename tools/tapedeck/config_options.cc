#include "tapedeck/config_options.h"

#include <unistd.h>

#include <CLI/CLI.hpp>

namespace tapedeck::cli {

void ConfigOptions::AddTo(CLI::App* command) {
  command->add_option("--config,-c", file_, "configuration file (TOML)")->type_name("FILE");
  command
      ->add_option("--set", sets_, "section.key=value over file and environment; may be repeated")
      ->take_all()
      ->expected(1, 1);
  command->add_option("-X", properties_, "librdkafka property=value; may be repeated")
      ->take_all()
      ->expected(1, 1);
}

Result<Config> ConfigOptions::Load(const std::vector<std::string>& more) const {
  ConfigSources sources;
  if (!file_.empty()) sources.file = file_;
  sources.environment = EnvironmentOf(environ);
  sources.sets = sets_;
  sources.sets.insert(sources.sets.end(), more.begin(), more.end());
  sources.properties = properties_;
  return Config::Load(sources);
}

}  // namespace tapedeck::cli
