#ifndef TAPEDECK_CONFIG_ARCHIVE_SECTION_H_
#define TAPEDECK_CONFIG_ARCHIVE_SECTION_H_

// Inside this module only. Reads [archive], [archive.s3] and [archive.azure].
//
// Thread-safe: a pure function on values.

#include "config/section_reader.h"

namespace tapedeck {

void ReadArchive(const ConfigValue& root, Config* config, Findings* findings);

}  // namespace tapedeck

#endif  // TAPEDECK_CONFIG_ARCHIVE_SECTION_H_
