#ifndef TAPEDECK_TOOLS_TAPEDECK_CONFIG_OPTIONS_H_
#define TAPEDECK_TOOLS_TAPEDECK_CONFIG_OPTIONS_H_

// ConfigOptions: --config, --set and -X, the same for every subcommand that reads a configuration.
//
//   auto options = std::make_shared<ConfigOptions>();
//   options->AddTo(command);
//   … TD_ASSIGN_OR_RETURN(Config config, options->Load());
//
// A value; owned by one thread.

#include <string>
#include <vector>

#include "base/status.h"
#include "config/config.h"

namespace CLI {
class App;
}

namespace tapedeck::cli {

class ConfigOptions {
 public:
  /// The object outlives the parsing.
  void AddTo(CLI::App* command);
  /// Joins command line, environment, file and defaults. `more`: "section.key=value" each, that
  /// options of the subcommand stand for; over all others.
  Result<Config> Load(const std::vector<std::string>& more = {}) const;

 private:
  std::string file_;
  std::vector<std::string> sets_;
  std::vector<std::string> properties_;
};

}  // namespace tapedeck::cli

#endif  // TAPEDECK_TOOLS_TAPEDECK_CONFIG_OPTIONS_H_
