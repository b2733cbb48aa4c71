#ifndef TAPEDECK_NODE_SKIP_H_
#define TAPEDECK_NODE_SKIP_H_

// Skip: moves a partition's checkpoint past offsets that Kafka cannot deliver (a damaged batch in
// its log), and records the gap.
//
// The node must not be running: the store is opened for writing. Messages that exist after all are
// not read any more; the gap says `skipped`, and coverage shows it for good.
//
//   SkipRequest request{.data_dir = dir, .tp = {"Finhub1", 3}, .to = 1042};
//   TD_ASSIGN_OR_RETURN(SkipReport report, SkipTo(request, clock));
//
// Errors: kNotFound: no such store or partition; kInvalidArgument: `to` is not ahead of the
// checkpoint; kFailedPrecondition: the store is in use.
//
// Thread-safe: a function on files.

#include <cstdint>
#include <filesystem>

#include "base/clock.h"
#include "base/status.h"
#include "model/message.h"

namespace tapedeck {

enum class SkipMode : uint8_t { kTell, kDo };  // kTell writes nothing

struct SkipRequest {
  std::filesystem::path data_dir;
  TopicPartition tp;
  int64_t to = 0;  // the next offset to be read
  SkipMode mode = SkipMode::kTell;
};

struct SkipReport {
  uint32_t lineage = 0;
  int64_t from = 0;  // [from, to) is the gap
  int64_t to = 0;
};

Result<SkipReport> SkipTo(const SkipRequest& request, Clock& clock);

}  // namespace tapedeck

#endif  // TAPEDECK_NODE_SKIP_H_
