#ifndef TAPEDECK_CONFIG_PRESETS_DATA_H_
#define TAPEDECK_CONFIG_PRESETS_DATA_H_

// The texts of the preset mappings as the build embedded them (cmake/EmbedPresets.cmake). Internal
// to presets.cc. Thread-safe.

#include <span>
#include <string_view>

namespace tapedeck {

struct PresetText {
  std::string_view name;
  std::string_view toml;
};

/// Sorted by name.
std::span<const PresetText> PresetTexts();

}  // namespace tapedeck

#endif  // TAPEDECK_CONFIG_PRESETS_DATA_H_
