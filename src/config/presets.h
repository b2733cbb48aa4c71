#ifndef TAPEDECK_CONFIG_PRESETS_H_
#define TAPEDECK_CONFIG_PRESETS_H_

// The preset mappings, compiled into the program from mappings/presets.
//
//   MappingLibrary library = PresetLibrary();            // name -> JSON text, as
//   MappingSpec::Resolve wants it TD_ASSIGN_OR_RETURN(std::string_view toml,
//   PresetToml("finnhub"));   // what `tapedeck mapping show finnhub` prints
//
// Thread-safe.

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace tapedeck {

/// Mappings by name, as JSON text each; the same type as mapping/mapping.h's MappingLibrary.
using MappingTexts = std::map<std::string, std::string, std::less<>>;

/// All presets. Converts them anew: keep the result.
MappingTexts PresetLibrary();
/// Sorted.
std::vector<std::string_view> PresetNames();
/// The file's own text. kNotFound for a name that is no preset.
Result<std::string_view> PresetToml(std::string_view name);

}  // namespace tapedeck

#endif  // TAPEDECK_CONFIG_PRESETS_H_
