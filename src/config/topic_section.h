#ifndef TAPEDECK_CONFIG_TOPIC_SECTION_H_
#define TAPEDECK_CONFIG_TOPIC_SECTION_H_

// Inside this module only: [[topics]], [mappings.*] and [tables.*].

#include "config/config.h"
#include "config/document.h"
#include "config/section_reader.h"

namespace tapedeck {

/// 1 to 249 of A-Z a-z 0-9 . _ -
Status CheckTopicName(const std::string& name);

void ReadTopics(const ConfigValue& root, Config* config, Findings* findings);
void ReadMappings(const ConfigValue& root, Config* config, Findings* findings);
void ReadTables(const ConfigValue& root, Config* config, Findings* findings);

}  // namespace tapedeck

#endif  // TAPEDECK_CONFIG_TOPIC_SECTION_H_
