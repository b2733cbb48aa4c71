// Completion scripts. All three find out which command the words before the cursor name ($at), then
// what may stand behind it.

#include "tapedeck/command_tree.h"

namespace tapedeck::cli {
namespace {

/// In single quotes, for all three shells.
std::string Quote(const std::string& text, bool is_fish = false) {
  std::string out = "'";
  for (char c : text) {
    if (c == '\'') {
      out += is_fish ? "\\'" : "'\\''";
    } else if (c == '\\' && is_fish) {
      out += "\\\\";
    } else {
      out += c;
    }
  }
  return out + "'";
}

std::string Joined(const std::vector<std::string>& words, const std::string& between) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : between) + word;
  return out;
}

/// What the first word behind a command may be.
std::vector<std::string> CommandNames(const CommandNode& command) {
  std::vector<std::string> names;
  if (!command.positionals.empty()) names = command.positionals[0].choices;
  for (const CommandNode& below : command.commands) names.push_back(below.name);
  return names;
}

std::vector<std::string> OptionNames(const CommandNode& command) {
  std::vector<std::string> names;
  for (const OptionNode& option : command.options)
    names.insert(names.end(), option.names.begin(), option.names.end());
  return names;
}

bool TakesFiles(const OptionNode& option) { return option.value == "FILE"; }
bool TakesFolders(const OptionNode& option) { return option.value == "DIR"; }

/// Up to the first full sentence or remark: lists in menus have one line.
std::string Brief(const std::string& description) {
  return description.substr(0, description.find_first_of(";\n"));
}

/// `case`s that bring "$at word" to the command it names.
std::string WalkCases(const CommandNode& root, const std::string& indent) {
  std::string out;
  VisitCommands(root, [&](const CommandNode& command) {
    for (const CommandNode& below : command.commands) {
      out +=
          indent + Quote(command.path + " " + below.name) + ") at=" + Quote(below.path) + " ;;\n";
    }
  });
  return out;
}

/// 'query:--order'|'query:-o'
std::string ValuePattern(const CommandNode& command, const OptionNode& option) {
  std::vector<std::string> patterns;
  for (const std::string& name : option.names) patterns.push_back(Quote(command.path + ":" + name));
  return Joined(patterns, "|");
}

std::string BashValues(const OptionNode& option) {
  if (!option.choices.empty())
    return "COMPREPLY=($(compgen -W " + Quote(Joined(option.choices, " ")) + " -- \"$cur\"))";
  if (TakesFiles(option))
    return "compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")";
  if (TakesFolders(option))
    return "compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- \"$cur\")";
  return ":";  // anything: nothing to offer
}

std::string ZshValues(const OptionNode& option) {
  if (!option.choices.empty()) return "compadd -- " + Joined(option.choices, " ");
  if (TakesFiles(option)) return "_files";
  if (TakesFolders(option)) return "_files -/";
  return "_message " + Quote(option.value);
}

/// "name:description", as _describe wants it.
std::string ZshEntry(const std::string& name, const std::string& description) {
  std::string escaped;
  for (char c : name) escaped += c == ':' ? "\\:" : std::string(1, c);
  return Quote(escaped + ":" + Brief(description));
}

}  // namespace

std::string BashCompletion(const CommandNode& root) {
  std::string values;
  std::string words;
  VisitCommands(root, [&](const CommandNode& command) {
    for (const OptionNode& option : command.options) {
      if (option.value.empty()) continue;
      values +=
          "    " + ValuePattern(command, option) + ") " + BashValues(option) + "; return ;;\n";
    }
    words += "    " + Quote(command.path) +
             ")\n      options=" + Quote(Joined(OptionNames(command), " ")) + "\n";
    if (!CommandNames(command).empty())
      words += "      commands=" + Quote(Joined(CommandNames(command), " ")) + "\n";
    if (!command.positionals.empty() && TakesFiles(command.positionals[0]))
      words += "      files=yes\n";
    words += "      ;;\n";
  });
  return "# bash completion for tapedeck, made by `tapedeck completion bash`\n"
         "_tapedeck() {\n"
         "  local cur=${COMP_WORDS[COMP_CWORD]} at='' options='' commands='' files='' i\n"
         "  for ((i = 1; i < COMP_CWORD; ++i)); do\n"
         "    case \"$at ${COMP_WORDS[i]}\" in\n" +
         WalkCases(root, "      ") +
         "    esac\n"
         "  done\n"
         "  COMPREPLY=()\n"
         "  case \"$at:${COMP_WORDS[COMP_CWORD - 1]}\" in\n" +
         values +
         "  esac\n"
         "  case \"$at\" in\n" +
         words +
         "  esac\n"
         "  if [[ $cur == -* || -z $commands$files ]]; then\n"
         "    COMPREPLY=($(compgen -W \"$options\" -- \"$cur\"))\n"
         "  elif [[ -n $commands ]]; then\n"
         "    COMPREPLY=($(compgen -W \"$commands\" -- \"$cur\"))\n"
         "  else\n"
         "    compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
         "  fi\n"
         "}\n"
         "complete -F _tapedeck tapedeck\n";
}

std::string ZshCompletion(const CommandNode& root) {
  std::string values;
  std::string lists;
  VisitCommands(root, [&](const CommandNode& command) {
    for (const OptionNode& option : command.options) {
      if (option.value.empty()) continue;
      values += "    " + ValuePattern(command, option) + ") " + ZshValues(option) + "; return ;;\n";
    }
    lists += "    " + Quote(command.path) + ")\n";
    if (!command.commands.empty()) {
      lists += "      entries=(\n";
      for (const CommandNode& below : command.commands)
        lists += "        " + ZshEntry(below.name, below.description) + "\n";
      lists += "      )\n";
    }
    if (command.commands.empty() && !CommandNames(command).empty())
      lists += "      entries=(" + Joined(CommandNames(command), " ") + ")\n";
    lists += "      options=(\n";
    for (const OptionNode& option : command.options) {
      for (const std::string& name : option.names)
        lists += "        " + ZshEntry(name, option.description) + "\n";
    }
    lists += "      )\n";
    if (!command.positionals.empty() && TakesFiles(command.positionals[0]))
      lists += "      [[ ${words[CURRENT]} == -* ]] || _files\n";
    lists += "      ;;\n";
  });
  return "#compdef tapedeck\n"
         "# zsh completion for tapedeck, made by `tapedeck completion zsh`\n"
         "_tapedeck() {\n"
         "  local at='' i\n"
         "  local -a entries options\n"
         "  for ((i = 2; i < CURRENT; ++i)); do\n"
         "    case \"$at ${words[i]}\" in\n" +
         WalkCases(root, "      ") +
         "    esac\n"
         "  done\n"
         "  case \"$at:${words[CURRENT - 1]}\" in\n" +
         values +
         "  esac\n"
         "  case \"$at\" in\n" +
         lists +
         "  esac\n"
         "  (( $#entries )) && _describe -t commands command entries\n"
         "  _describe -o -t options option options\n"
         "}\n"
         "if [[ ${funcstack[1]} == _tapedeck ]]; then _tapedeck \"$@\"; "
         "else compdef _tapedeck tapedeck; fi\n";
}

std::string FishCompletion(const CommandNode& root) {
  std::string walk;
  std::string lines;
  VisitCommands(root, [&](const CommandNode& command) {
    const std::string here =
        "complete -c tapedeck -n " + Quote("__tapedeck_at " + Quote(command.path, true), true);
    for (const CommandNode& below : command.commands) {
      walk += "      case " + Quote(command.path + " " + below.name, true) + "\n        set at " +
              Quote(below.path, true) + "\n";
      lines += here + " -a " + below.name + " -d " + Quote(Brief(below.description), true) + "\n";
    }
    for (const OptionNode& option : command.options) {
      lines += here;
      for (const std::string& name : option.names)
        lines += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
      if (!option.choices.empty()) {
        lines += " -x -a " + Quote(Joined(option.choices, " "), true);
      } else if (TakesFiles(option)) {
        lines += " -r -F";
      } else if (TakesFolders(option)) {
        lines += " -x -a '(__fish_complete_directories)'";
      } else if (!option.value.empty()) {
        lines += " -x";
      }
      lines += " -d " + Quote(Brief(option.description), true) + "\n";
    }
    if (command.commands.empty() && !CommandNames(command).empty())
      lines += here + " -a " + Quote(Joined(CommandNames(command), " "), true) + "\n";
    if (!command.positionals.empty() && TakesFiles(command.positionals[0])) lines += here + " -F\n";
  });
  return "# fish completion for tapedeck, made by `tapedeck completion fish`\n"
         "function __tapedeck_at\n"
         "  set -l at ''\n"
         "  set -l words (commandline -opc)\n"
         "  set -e words[1]\n"
         "  for word in $words\n"
         "    switch \"$at $word\"\n" +
         walk +
         "    end\n"
         "  end\n"
         "  test \"$at\" = \"$argv[1]\"\n"
         "end\n"
         "complete -c tapedeck -f\n" +
         lines;
}

}  // namespace tapedeck::cli
