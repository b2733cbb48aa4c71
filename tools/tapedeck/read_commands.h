#ifndef TAPEDECK_TOOLS_TAPEDECK_READ_COMMANDS_H_
#define TAPEDECK_TOOLS_TAPEDECK_READ_COMMANDS_H_

// The commands that read a recording, from a running node or from a data directory
// (read_options.h), each as commands.h says.
//
//   AddQueryCommand(app, choice);
//
// Owned by one thread (main).

#include "tapedeck/commands.h"

namespace tapedeck::cli {

void AddQueryCommand(CLI::App* app, Choice* choice);
void AddMessagesCommand(CLI::App* app, Choice* choice);
/// tables, symbols, topics, coverage, refused
void AddListCommands(CLI::App* app, Choice* choice);
void AddStatusCommand(CLI::App* app, Choice* choice);
/// days, objects, close, flush
void AddArchiveCommands(CLI::App* app, Choice* choice);

}  // namespace tapedeck::cli

#endif  // TAPEDECK_TOOLS_TAPEDECK_READ_COMMANDS_H_
