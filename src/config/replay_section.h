#ifndef TAPEDECK_CONFIG_REPLAY_SECTION_H_
#define TAPEDECK_CONFIG_REPLAY_SECTION_H_

// Inside this module only: [replay] and [replay.targets.X].

#include "config/section_reader.h"

namespace tapedeck {

void ReadReplay(const ConfigValue& root, Config* config, Findings* findings);

}  // namespace tapedeck

#endif  // TAPEDECK_CONFIG_REPLAY_SECTION_H_
