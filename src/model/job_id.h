#ifndef TAPEDECK_MODEL_JOB_ID_H_
#define TAPEDECK_MODEL_JOB_ID_H_

// Names of durable jobs: replays and reindexes. They key the store's `j` entries; values begin
// with what kind of job they are.
//
//   const std::string id = MakeJobId(clock->Now(), random.Next(), random.Next());
//
// Thread-safe: pure functions.

#include <cstdint>
#include <string>
#include <string_view>

#include "base/time.h"

namespace tapedeck {

/// "01J8Z3…": 26 letters and digits that sort by time; unique by `random`.
std::string MakeJobId(Timestamp now, uint64_t random_high, uint64_t random_low);
/// What an id may be; ids become parts of group names.
bool IsJobId(std::string_view id);

}  // namespace tapedeck

#endif  // TAPEDECK_MODEL_JOB_ID_H_
