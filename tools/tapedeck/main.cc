// tapedeck: one program, subcommands. Exit codes: commands.h.

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "base/text.h"
#include "tapedeck/commands.h"

namespace {

/// A word that is no command gets a suggestion: CLI11 would only say that a command is required.
bool RefuseUnknownCommand(const CLI::App& app, const char* word) {
  if (word == nullptr || word[0] == '-') return false;
  std::vector<std::string_view> names;
  for (const CLI::App* command : app.get_subcommands(nullptr)) names.push_back(command->get_name());
  if (std::find(names.begin(), names.end(), word) != names.end()) return false;
  std::string_view nearest = tapedeck::NearestName(word, names);
  std::string hint = nearest.empty() ? "; tapedeck --help lists them"
                                     : "; did you mean '" + std::string(nearest) + "'?";
  std::fprintf(stderr, "tapedeck: there is no command %s%s\n", tapedeck::Quoted(word).c_str(),
               hint.c_str());
  return true;
}

// What nobody caught. A thread that the system refuses at the start is a limit, not a defect: it is
// said, and whoever restarts the process can help.
[[noreturn]] void EndUncaught() {
  try {
    if (std::current_exception()) throw;
  } catch (const std::system_error& error) {
    if (error.code() == std::errc::resource_unavailable_try_again) {
      std::fprintf(stderr,
                   "tapedeck: the system gives this process no more threads: raise the limit "
                   "(ulimit -u, TasksMax of a unit, pids.max of a container)\n");
      _exit(tapedeck::cli::kExitFailure);
    }
  } catch (...) {
  }
  __gnu_cxx::__verbose_terminate_handler();
  std::abort();
}

}  // namespace

int main(int argc, char** argv) {
  using namespace tapedeck::cli;
  std::set_terminate(EndUncaught);
  std::signal(SIGPIPE, SIG_IGN);  // a reader that went away is a failed write
  CLI::App app(
      "Flight recorder for market data on Kafka: records every message of its topics, and serves "
      "them by symbol and time.",
      "tapedeck");
  app.require_subcommand(1);
  app.footer(
      "Examples:\n"
      "  tapedeck demo\n"
      "  tapedeck serve --config tapedeck.toml\n"
      "  tapedeck mapping test --mapping finnhub message.json\n"
      "Exit codes: 0 ok, 1 failure, 2 usage or configuration, 3 nothing found (--fail-empty), 4 "
      "verification failed.\n"
      "Help for one command: tapedeck COMMAND --help");
  Choice choice;
  AddAllCommands(&app, &choice);
  if (RefuseUnknownCommand(app, argc > 1 ? argv[1] : nullptr)) return kExitUsage;
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kExitOk : kExitUsage;
  }
  return choice.run ? choice.run() : kExitUsage;
}
