#include "config/presets.h"

#include "base/check.h"
#include "config/presets_data.h"
#include "config/toml_json.h"

namespace tapedeck {

MappingTexts PresetLibrary() {
  MappingTexts out;
  for (const PresetText& preset : PresetTexts()) {
    Result<MappingTexts> mappings = MappingsFromToml(preset.toml, preset.name);
    TD_CHECK(mappings.ok(), "an embedded preset is TOML: a test reads them all");
    out.merge(*mappings);
  }
  return out;
}

std::vector<std::string_view> PresetNames() {
  std::vector<std::string_view> out;
  for (const PresetText& preset : PresetTexts()) out.push_back(preset.name);
  return out;
}

Result<std::string_view> PresetToml(std::string_view name) {
  for (const PresetText& preset : PresetTexts()) {
    if (preset.name == name) return preset.toml;
  }
  return Status::NotFound("no preset '" + std::string(name) +
                          "'; `tapedeck mapping list` names them all");
}

}  // namespace tapedeck
