// tapedeck(1), in roff with the macros of man(7).

#include "tapedeck/command_tree.h"

namespace tapedeck::cli {
namespace {

std::string Roff(const std::string& text) {
  std::string out;
  bool at_line_start = true;
  for (char c : text) {
    if (at_line_start && (c == '.' || c == '\'')) out += "\\&";
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else {
      out += c;
    }
    at_line_start = c == '\n';
  }
  return out;
}

std::string Bold(const std::string& text) { return "\\fB" + Roff(text) + "\\fR"; }
std::string Italic(const std::string& text) { return "\\fI" + Roff(text) + "\\fR"; }

std::string OptionText(const OptionNode& option) {
  std::string out;
  for (const std::string& name : option.names) out += (out.empty() ? "" : ", ") + Bold(name);
  if (!option.choices.empty()) {
    std::string choices;
    for (const std::string& choice : option.choices)
      choices += (choices.empty() ? "" : "|") + choice;
    out += " " + Roff(choices);
  } else if (!option.value.empty()) {
    out += " " + Italic(option.value);
  }
  out = ".TP\n" + out + "\n" + Roff(option.description);
  if (option.required) out += " (required)";
  if (!option.default_value.empty()) out += " (default: " + Roff(option.default_value) + ")";
  return out + "\n";
}

/// Notes as a paragraph, which goes on over the ends of their lines; a heading ("Examples:") as one
/// of its own; examples, which are indented, as they are typed.
std::string FooterText(const std::string& footer) {
  std::string out;
  bool listing = false;
  bool paragraph = false;
  for (size_t from = 0; from < footer.size();) {
    const size_t end = std::min(footer.find('\n', from), footer.size());
    const std::string line = footer.substr(from, end - from);
    from = end + 1;
    const bool is_example = line.starts_with("  ");
    if (is_example != listing) out += is_example ? ".PP\n.nf\n" : ".fi\n";
    const bool is_heading = line.ends_with(':') && line.find(' ') == std::string::npos;
    if (!is_example && !line.empty() && (!paragraph || is_heading)) out += ".PP\n";
    paragraph = !is_example && !line.empty() && !is_heading;
    listing = is_example;
    if (!line.empty()) out += Roff(line) + "\n";
  }
  return listing ? out + ".fi\n" : out;
}

std::string CommandText(const CommandNode& command) {
  std::string title = command.path;
  for (const OptionNode& positional : command.positionals) {
    std::string name;
    for (char c : positional.names[0])
      name += static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
    title += " " + (positional.required ? name : "[" + name + "]") + (positional.many ? "..." : "");
  }
  std::string out = ".SS \"" + Roff(title) + "\"\n" + Roff(command.description) + "\n";
  for (const OptionNode& positional : command.positionals) {
    out += ".TP\n" + Italic(positional.names[0]) + "\n" + Roff(positional.description) + "\n";
  }
  for (const OptionNode& option : command.options) {
    if (option.names.back() == "-h" || option.names.front() == "--help") continue;
    out += OptionText(option);
  }
  return out + FooterText(command.footer);
}

}  // namespace

std::string ManualPage(const CommandNode& root, const std::string& version) {
  std::string out =
      ".\\\" Made by `tapedeck man` from the command line itself; a test compares the two.\n"
      ".TH TAPEDECK 1 \"\" \"tapedeck " +
      Roff(version) +
      "\" \"User Commands\"\n.SH NAME\ntapedeck \\- flight recorder for market data "
      "on Kafka\n.SH SYNOPSIS\n.B tapedeck\n.I COMMAND\n[options]\n"
      ".SH DESCRIPTION\n" +
      Roff(root.description) +
      "\n.PP\nData goes to standard output; logs, progress and mistakes go to standard error. "
      "Answers are tables on a terminal and one JSON object a line elsewhere; " +
      Bold("-o") + " chooses. Every command has " + Bold("--help") + ".\n.SH COMMANDS\n";
  VisitCommands(root, [&](const CommandNode& command) {
    if (command.commands.empty()) out += CommandText(command);
  });
  out += ".SH ENVIRONMENT\n.TP\n" + Bold("TAPEDECK_TOKEN") +
         "\nThe token that reading commands send to a node, where no token file is given.\n.TP\n" +
         Bold("TAPEDECK_SECTION__KEY") +
         "\nOverrides a key of the configuration file; see docs/configuration.md.\n"
         ".SH EXIT STATUS\n.TP\n0\nDone.\n.TP\n1\nIt was asked rightly and did not work out; also "
         "an answer that was cut off.\n.TP\n2\nThe command line or the configuration is wrong.\n"
         ".TP\n3\nNothing was found, where " +
         Bold("--fail-empty") + " was given.\n.TP\n4\n" + Bold("verify") + " found a difference.\n";
  return out;
}

}  // namespace tapedeck::cli
