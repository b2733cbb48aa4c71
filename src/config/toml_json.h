#ifndef TAPEDECK_CONFIG_TOML_JSON_H_
#define TAPEDECK_CONFIG_TOML_JSON_H_

// TOML to JSON text, for mappings: the mapping module reads JSON only.
//
//   TomlToJson("[a]\nb = 1\n", "x.toml")                    // {"a":{"b":1}}
//   MappingsFromToml(file_text, "mine.toml")                // of [mappings.venue]: {"venue":
//   "{…}"}
//
// Keys come out sorted. Dates and times become texts; inf and nan too, since JSON has no numbers
// for them.
//
// Thread-safe: pure functions.

#include <map>
#include <string>
#include <string_view>

#include "base/status.h"
#include "config/document.h"

namespace tapedeck {

/// kInvalidArgument "name:line:column: …" for text that is no TOML.
Result<std::string> TomlToJson(std::string_view text, std::string_view name);

/// The same of a tree that has been read.
std::string ToJson(const ConfigValue& value);

/// Each table under [mappings] as JSON text. kInvalidArgument also where `mappings` holds something
/// else than tables.
Result<std::map<std::string, std::string, std::less<>>> MappingsFromToml(std::string_view text,
                                                                         std::string_view name);

}  // namespace tapedeck

#endif  // TAPEDECK_CONFIG_TOML_JSON_H_
