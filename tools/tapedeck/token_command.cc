// tapedeck token new | list

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <string>

#include "api/tokens.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/units.h"
#include "tapedeck/commands.h"

namespace tapedeck::cli {
namespace {

constexpr size_t kFileBytesMax = size_t{1} << 20;

struct TokenArguments {
  std::string name;
  std::string scopes = "read";
  std::string expires = "never";
  std::string file;
};

/// "never", a time or a date, or how long from now ("90d").
Result<Timestamp> ParseExpiry(const std::string& text) {
  if (text == "never") return Timestamp::Max();
  if (Result<Timestamp> time = ParseRfc3339(text); time.ok()) return time;
  Result<std::chrono::nanoseconds> span = ParseDuration(text);
  if (span.ok()) return SystemClock().Now().SaturatingAdd(span->count());
  return Status::InvalidArgument("--expires " + text + ": write never, 2027-01-01 or 90d");
}

/// Appends the line; the file is made where there is none.
Status AddLine(const std::string& path, const std::string& line) {
  Result<std::string> text = ReadFile(path, kFileBytesMax);
  if (!text.ok() && text.status().code() != StatusCode::kNotFound) return text.status();
  std::string whole = text.value_or("");
  TD_RETURN_IF_ERROR(ParseTokens(whole).status().WithContext(path));
  if (!whole.empty() && !whole.ends_with('\n')) whole += '\n';
  return WriteFileAtomically(path, whole + line + "\n", 0600);
}

int RunNew(const TokenArguments& args) {
  Result<ScopeSet> scopes = ParseScopes(args.scopes);
  if (!scopes.ok()) return Fail(scopes.status().WithContext("--scopes " + args.scopes));
  Result<Timestamp> expires = ParseExpiry(args.expires);
  if (!expires.ok()) return Fail(expires.status());
  Result<MadeToken> made = MakeToken(args.name, *scopes, *expires);
  if (!made.ok()) return Fail(made.status());
  if (args.file.empty()) {
    std::fprintf(stderr, "tapedeck: the line for the file of http.tokens_file:\n%s\n",
                 made->line.c_str());
  } else if (Status added = AddLine(args.file, made->line); !added.ok()) {
    return Fail(added);
  }
  std::fprintf(stderr, "tapedeck: the token is shown this once:\n");
  std::printf("%s\n", made->token.c_str());
  return kExitOk;
}

int RunList(const TokenArguments& args) {
  Result<std::string> text = ReadFile(args.file, kFileBytesMax);
  if (!text.ok()) return Fail(text.status());
  Result<std::vector<TokenLine>> lines = ParseTokens(*text);
  if (!lines.ok()) return Fail(lines.status().WithContext(args.file));
  const Timestamp now = SystemClock().Now();
  for (const TokenLine& line : *lines) {
    const std::string expires =
        line.expires == Timestamp::Max() ? "never" : FormatRfc3339(line.expires);
    std::printf("%s %s %s%s\n", line.name.c_str(), ScopesText(line.scopes).c_str(), expires.c_str(),
                now >= line.expires ? " expired" : "");
  }
  return kExitOk;
}

}  // namespace

void AddTokenCommands(CLI::App* app, Choice* choice) {
  CLI::App* token = app->add_subcommand("token", "Tokens that may ask a node (http.tokens_file)");
  token->require_subcommand(1);
  auto args = std::make_shared<TokenArguments>();
  CLI::App* make = token->add_subcommand("new", "Make a token: printed once, kept as a hash");
  make->add_option("--name", args->name, "whose it is: 1 to 63 of A-Za-z0-9._-")->required();
  make->add_option("--scopes", args->scopes, "of read, replay and admin, with commas between")
      ->capture_default_str();
  make->add_option("--expires", args->expires, "never, a date or time, or 90d from now")
      ->capture_default_str();
  make->add_option("--file", args->file,
                   "tokens file to add its line to; a running node takes it up within a second");
  make->footer(
      "Examples:\n"
      "  tapedeck token new --name grafana --expires 90d --file /etc/tapedeck/tokens\n"
      "  curl -H \"Authorization: Bearer $TOKEN\" https://node:8080/v1/tables");
  make->callback([=] { choice->run = [=] { return RunNew(*args); }; });
  CLI::App* list = token->add_subcommand("list", "Names, scopes and expiry of a tokens file");
  list->add_option("--file", args->file, "tokens file")->required();
  list->footer("Example:\n  tapedeck token list --file /etc/tapedeck/tokens");
  list->callback([=] { choice->run = [=] { return RunList(*args); }; });
}

}  // namespace tapedeck::cli
