#ifndef TAPEDECK_BLOB_ENVIRONMENT_H_
#define TAPEDECK_BLOB_ENVIRONMENT_H_

// The environment as a parameter: credentials come from variables and from files that variables
// name. Thread-safe as long as nobody changes the environment of the process.

#include <functional>
#include <optional>
#include <string>

namespace tapedeck {

/// A variable of the environment; nullopt where it is not set.
using Environment = std::function<std::optional<std::string>(const char* name)>;
Environment ProcessEnvironment();

}  // namespace tapedeck

#endif  // TAPEDECK_BLOB_ENVIRONMENT_H_
