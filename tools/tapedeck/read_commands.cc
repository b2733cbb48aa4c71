#include "tapedeck/read_commands.h"

namespace tapedeck::cli {

void AddReadCommands(CLI::App* app, Choice* choice) {
  AddQueryCommand(app, choice);
  AddMessagesCommand(app, choice);
  AddListCommands(app, choice);
  AddStatusCommand(app, choice);
  AddArchiveCommands(app, choice);
}

}  // namespace tapedeck::cli
