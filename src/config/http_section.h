#ifndef TAPEDECK_CONFIG_HTTP_SECTION_H_
#define TAPEDECK_CONFIG_HTTP_SECTION_H_

// Inside this module only: [http].

#include "config/section_reader.h"

namespace tapedeck {

void ReadHttp(const ConfigValue& root, Config* config, Findings* findings);

}  // namespace tapedeck

#endif  // TAPEDECK_CONFIG_HTTP_SECTION_H_
