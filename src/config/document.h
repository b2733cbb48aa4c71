#ifndef TAPEDECK_CONFIG_DOCUMENT_H_
#define TAPEDECK_CONFIG_DOCUMENT_H_

// ConfigValue: a tree of settings in which each value knows where it was written. TOML is read
// here, and nowhere else but in toml_json.cc (mappings).
//
//   TD_ASSIGN_OR_RETURN(ConfigValue root, ParseToml(text, "tapedeck.toml"));
//   root.Find("record")->Find("commit_interval")->where      // "tapedeck.toml:14"
//
// Layers are laid over a tree with Overlay: a value replaces what was at its path, tables on the
// way are made.
//
// Values; thread-compatible.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"

namespace tapedeck {

struct ConfigValue {
  enum class Kind : uint8_t { kTable, kList, kText, kInteger, kReal, kFlag, kTime };

  Kind kind = Kind::kTable;
  std::string text;                                          // scalars: as text; kTime: RFC 3339
  std::vector<ConfigValue> list;                             // kList
  std::vector<std::pair<std::string, ConfigValue>> members;  // kTable, sorted by name
  std::string where;  // "tapedeck.toml:14", "environment TAPEDECK_X", "--set"

  const ConfigValue* Find(std::string_view name) const;
  /// The member, made (as a table) if it is not there.
  ConfigValue* FindOrAdd(std::string_view name, std::string_view made_where);
};

/// What a kind is called in messages: "a table", "a text", ….
std::string_view KindName(ConfigValue::Kind kind);

/// kInvalidArgument "name:line:column: …" for text that is no TOML.
Result<ConfigValue> ParseToml(std::string_view text, std::string_view name);

/// A value as somebody types it after `=`: what is a TOML value is read as one (true, 3, "x",
/// ["a"], {a = 1}), the rest is text.
ConfigValue ParseLooseValue(std::string_view text, std::string_view where);

/// Puts `value` at `path` in `root`. kInvalidArgument where something on the way is no table.
Status Overlay(ConfigValue* root, std::span<const std::string> path, ConfigValue value);

/// A basic TOML string with its quotes.
std::string QuoteToml(std::string_view text);

}  // namespace tapedeck

#endif  // TAPEDECK_CONFIG_DOCUMENT_H_
