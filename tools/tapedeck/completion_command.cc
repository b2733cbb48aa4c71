// tapedeck completion | man

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "tapedeck/answer_output.h"
#include "tapedeck/command_tree.h"
#include "tapedeck/commands.h"

namespace tapedeck::cli {
namespace {

int Print(const std::string& text) {
  Status written = WriteOut(text);
  return written.ok() ? static_cast<int>(kExitOk) : Fail(written);
}

}  // namespace

void AddCompletionCommands(CLI::App* app, Choice* choice) {
  auto shell = std::make_shared<std::string>();
  CLI::App* completion =
      app->add_subcommand("completion", "Print a script that completes this command line");
  completion->add_option("shell", *shell, "bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  completion->footer(
      "Examples:\n"
      "  source <(tapedeck completion bash)\n"
      "  tapedeck completion zsh > \"${fpath[1]}/_tapedeck\"\n"
      "  tapedeck completion fish > ~/.config/fish/completions/tapedeck.fish");
  completion->callback([=] {
    choice->run = [=] {
      const CommandNode root = ReadCommandTree(*app);
      return Print(*shell == "bash"  ? BashCompletion(root)
                   : *shell == "zsh" ? ZshCompletion(root)
                                     : FishCompletion(root));
    };
  });

  CLI::App* man = app->add_subcommand("man", "Print the manual page, for docs/tapedeck.1");
  man->group("");  // for those who build it
  man->callback([=] {
    choice->run = [=] { return Print(ManualPage(ReadCommandTree(*app), TAPEDECK_VERSION)); };
  });
}

}  // namespace tapedeck::cli
