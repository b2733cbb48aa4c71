#ifndef TAPEDECK_BLOB_JSON_FIELDS_H_
#define TAPEDECK_BLOB_JSON_FIELDS_H_

// The documents in which services hand out credentials: one JSON object whose values are texts or
// numbers. Inside blob only; nlohmann-json stays in its .cc. Thread-safe.

#include <map>
#include <string>
#include <string_view>

#include "base/status.h"

namespace tapedeck {

/// Texts as they are and integers as digits; other values are left out. kFailedPrecondition where
/// it is no JSON object; the message never repeats it.
Result<std::map<std::string, std::string>> ReadJsonFields(std::string_view json);

}  // namespace tapedeck

#endif  // TAPEDECK_BLOB_JSON_FIELDS_H_
