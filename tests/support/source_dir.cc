#include "support/source_dir.h"

namespace tapedeck::testing {

std::string SourceDir() { return TD_SOURCE_DIR; }

}  // namespace tapedeck::testing
