#ifndef TAPEDECK_TOOLS_TAPEDECK_COMMANDS_H_
#define TAPEDECK_TOOLS_TAPEDECK_COMMANDS_H_

// The subcommands of the program `tapedeck` and how they hang on its command line.
//
// Each Add… function makes its subcommands on `app`, with help and examples, and sets `choice->run`
// from the callback of the one that was chosen; main parses, then runs it. Nothing is done while
// parsing but checks of the arguments' form.
//
//   void AddSkipCommand(CLI::App* app, Choice* choice) {
//     auto args = std::make_shared<SkipArguments>();
//     CLI::App* skip = app->add_subcommand("skip", "…");
//     skip->add_option("--topic", args->topic, "…")->required();
//     skip->footer("Examples:\n  tapedeck skip …");
//     skip->callback([=] { choice->run = [=] { return Skip(*args); }; });
//   }
//
// A new command: its function here, its file in this folder, its line in AddAllCommands
// (commands.cc).
//
// Data goes to stdout, everything else to stderr. Owned by one thread (main).

#include <functional>
#include <string_view>

#include "base/status.h"

namespace CLI {
class App;
}

namespace tapedeck::cli {

/// Exit codes of every subcommand; part of the interface.
enum ExitCode : int {
  kExitOk = 0,
  kExitFailure = 1,       // it was asked rightly and did not work out
  kExitUsage = 2,         // command line or configuration are wrong: change them
  kExitNothingFound = 3,  // with --fail-empty
  kExitDiffers = 4,       // verification found a difference
};

struct Choice {
  std::function<int()> run;
};

/// Prints "tapedeck: message" on stderr and returns the exit code that fits: kInvalidArgument is
/// usage, the rest failure.
int Fail(const Status& status);

void AddServeCommand(CLI::App* app, Choice* choice);
void AddDemoCommand(CLI::App* app, Choice* choice);
void AddMappingCommands(CLI::App* app, Choice* choice);
void AddConfigCommands(CLI::App* app, Choice* choice);
void AddSkipCommand(CLI::App* app, Choice* choice);
/// token new, token list
void AddTokenCommands(CLI::App* app, Choice* choice);
void AddVersionCommand(CLI::App* app, Choice* choice);
/// query, messages, tables, symbols, topics, coverage, refused, status, days, objects, close, flush
/// (read_commands.cc)
void AddReadCommands(CLI::App* app, Choice* choice);
/// completion, man (completion_command.cc)
void AddCompletionCommands(CLI::App* app, Choice* choice);
/// replay create, list, show, pause, resume, seek, pace, cancel, delete (replay_command.cc)
void AddReplayCommands(CLI::App* app, Choice* choice);
/// reindex (reindex_command.cc)
void AddReindexCommand(CLI::App* app, Choice* choice);
/// repair (repair_command.cc)
void AddRepairCommand(CLI::App* app, Choice* choice);
/// restore (restore_command.cc)
void AddRestoreCommand(CLI::App* app, Choice* choice);
/// verify (verify_command.cc)
void AddVerifyCommand(CLI::App* app, Choice* choice);

/// All of the above.
void AddAllCommands(CLI::App* app, Choice* choice);

}  // namespace tapedeck::cli

#endif  // TAPEDECK_TOOLS_TAPEDECK_COMMANDS_H_
