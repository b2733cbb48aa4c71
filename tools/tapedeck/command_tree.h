#ifndef TAPEDECK_TOOLS_TAPEDECK_COMMAND_TREE_H_
#define TAPEDECK_TOOLS_TAPEDECK_COMMAND_TREE_H_

// CommandNode: the command line as plain values, read from the parser itself, so that completions
// and the manual page never say anything else than what is parsed.
//
//   const CommandNode root = ReadCommandTree(app);
//   BashCompletion(root)       // a script
//   ManualPage(root, "0.1.0")  // roff
//
// Thread-safe: pure functions.

#include <functional>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace tapedeck::cli {

struct OptionNode {
  std::vector<std::string> names;    // "--order", "-o"; of a positional argument one name
  std::string value;                 // what it takes, such as FILE; "" for a flag
  std::vector<std::string> choices;  // where only some values are allowed
  std::string description;
  std::string default_value;  // as --help shows it; "" where it shows none
  bool required = false;
  bool many = false;  // of a positional: several
};

struct CommandNode {
  std::string name;
  std::string path;  // without the program: "mapping test"; "" for the program itself
  std::string description;
  std::string footer;  // notes and examples
  std::vector<OptionNode> options;
  std::vector<OptionNode> positionals;
  std::vector<CommandNode> commands;
};

/// Without what is hidden.
CommandNode ReadCommandTree(const CLI::App& app);

/// The command, and all below it.
void VisitCommands(const CommandNode& command,
                   const std::function<void(const CommandNode&)>& visit);

/// Scripts that complete commands, options, their values where only some are allowed, and names of
/// files and folders.
std::string BashCompletion(const CommandNode& root);
std::string ZshCompletion(const CommandNode& root);
std::string FishCompletion(const CommandNode& root);

/// tapedeck(1).
std::string ManualPage(const CommandNode& root, const std::string& version);

}  // namespace tapedeck::cli

#endif  // TAPEDECK_TOOLS_TAPEDECK_COMMAND_TREE_H_
