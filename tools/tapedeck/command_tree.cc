#include "tapedeck/command_tree.h"

#include <CLI/CLI.hpp>

namespace tapedeck::cli {
namespace {

/// "TEXT:{asc,desc}", "UINT:POSITIVE": what CLI11 makes of a type and the checks of an option.
void ReadType(const CLI::Option& option, OptionNode* node) {
  if (option.get_items_expected_max() == 0) return;  // a flag
  node->value = option.get_type_name();
  const size_t brace = node->value.find(":{");
  if (brace != std::string::npos) {
    std::string list = node->value.substr(brace + 2);
    list = list.substr(0, list.find('}'));
    for (size_t from = 0; from <= list.size();) {
      const size_t comma = std::min(list.find(',', from), list.size());
      node->choices.push_back(list.substr(from, comma - from));
      from = comma + 1;
    }
    node->value.resize(brace);
  }
  for (const std::string check : {":POSITIVE", ":NONNEGATIVE"}) {
    if (node->value.ends_with(check)) node->value.resize(node->value.size() - check.size());
  }
  for (const auto& [type, shown] : {std::pair("UINT", "NUMBER"), std::pair("INT", "NUMBER")}) {
    if (node->value == type) node->value = shown;
  }
}

OptionNode ReadOption(const CLI::Option& option) {
  OptionNode node;
  if (option.nonpositional()) {
    for (const std::string& name : option.get_lnames()) node.names.push_back("--" + name);
    for (const std::string& name : option.get_snames()) node.names.push_back("-" + name);
  } else {
    node.names = {option.get_name(/*positional=*/true)};
  }
  node.description = option.get_description();
  node.default_value = option.get_default_str();
  node.required = option.get_required();
  node.many = option.get_expected_max() > 1;
  ReadType(option, &node);
  return node;
}

CommandNode Read(const CLI::App& app, const std::string& path) {
  CommandNode node;
  node.name = app.get_name();
  node.path = path;
  node.description = app.get_description();
  node.footer = app.get_footer();
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_group().empty()) continue;
    auto& list = option->nonpositional() ? node.options : node.positionals;
    list.push_back(ReadOption(*option));
  }
  for (const CLI::App* command : app.get_subcommands(nullptr)) {
    if (command->get_group().empty() || command->get_name().empty()) continue;
    node.commands.push_back(Read(*command, (path.empty() ? "" : path + " ") + command->get_name()));
  }
  return node;
}

}  // namespace

CommandNode ReadCommandTree(const CLI::App& app) { return Read(app, ""); }

void VisitCommands(const CommandNode& command,
                   const std::function<void(const CommandNode&)>& visit) {
  visit(command);
  for (const CommandNode& below : command.commands) VisitCommands(below, visit);
}

}  // namespace tapedeck::cli
