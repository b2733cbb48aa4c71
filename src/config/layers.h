#ifndef TAPEDECK_CONFIG_LAYERS_H_
#define TAPEDECK_CONFIG_LAYERS_H_

// Inside this module only: the layers of a configuration, joined into one tree.

#include "base/status.h"
#include "config/config.h"
#include "config/document.h"
#include "config/section_reader.h"

namespace tapedeck {

/// File, then environment, then --set and -X over it. Mistakes in the environment and in arguments
/// go to `findings`; a file that cannot be read or is no TOML is an error.
Result<ConfigValue> JoinLayers(const ConfigSources& sources, Findings* findings);

}  // namespace tapedeck

#endif  // TAPEDECK_CONFIG_LAYERS_H_
