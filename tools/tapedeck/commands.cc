#include "tapedeck/commands.h"

#include <cstdio>
#include <string>

namespace tapedeck::cli {

int Fail(const Status& status) {
  std::string message(status.message());
  std::fprintf(stderr, "tapedeck: %s\n", message.c_str());
  return status.code() == StatusCode::kInvalidArgument ? kExitUsage : kExitFailure;
}

void AddAllCommands(CLI::App* app, Choice* choice) {
  AddServeCommand(app, choice);
  AddDemoCommand(app, choice);
  AddMappingCommands(app, choice);
  AddConfigCommands(app, choice);
  AddSkipCommand(app, choice);
  AddTokenCommands(app, choice);
  AddReadCommands(app, choice);
  AddReplayCommands(app, choice);
  AddReindexCommand(app, choice);
  AddRestoreCommand(app, choice);
  AddRepairCommand(app, choice);
  AddVerifyCommand(app, choice);
  AddCompletionCommands(app, choice);
  AddVersionCommand(app, choice);
}

}  // namespace tapedeck::cli
