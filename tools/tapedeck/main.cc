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

/// The command that the words name, as far as they name one.
const CLI::App* NamedCommand(const CLI::App* app, std::string* words) {
  *words = app->get_name();
  for (auto chosen = app->get_subcommands(); !chosen.empty(); chosen = app->get_subcommands()) {
    app = chosen.front();
    *words += " " + app->get_name();
  }
  return app;
}

/// "; did you mean --symbols?" for an option that the command does not have.
std::string NearestOption(const CLI::App& command, const std::string& message) {
  const size_t at = message.find("--");
  if (at == std::string::npos) return "";
  const std::string word = message.substr(at, message.find_first_of(" =\n", at) - at);
  std::vector<std::string> known;
  for (const CLI::Option* option : command.get_options()) {
    for (const std::string& name : option->get_lnames()) known.push_back("--" + name);
  }
  const std::vector<std::string_view> names(known.begin(), known.end());
  const std::string_view nearest = tapedeck::NearestName(word, names);
  return nearest.empty() || nearest == word ? "" : "; did you mean " + std::string(nearest) + "?";
}

/// What is wrong, where, and what to do: CLI11 leaves out the last two.
void ExplainMistake(const CLI::App& app, const CLI::ParseError& error) {
  std::string words;
  const CLI::App* command = NamedCommand(&app, &words);
  std::string what = error.what();
  std::string hint;
  if (const size_t at = what.find(": 1 required "); at != std::string::npos) {
    what = what.substr(0, at) + " needs a value";
  } else if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr) {
    std::replace(what.begin(), what.end(), '\n', ' ');
    hint = NearestOption(*command, what);
  }
  std::fprintf(stderr, "%s: %s%s; %s --help tells what there is, with examples\n", words.c_str(),
               what.c_str(), hint.c_str(), words.c_str());
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
    if (error.get_exit_code() == 0) return app.exit(error);  // --help
    ExplainMistake(app, error);
    return kExitUsage;
  }
  return choice.run ? choice.run() : kExitUsage;
}
