#ifndef TAPEDECK_TOOLS_TAPEDECK_DEMO_H_
#define TAPEDECK_TOOLS_TAPEDECK_DEMO_H_

// Demo: the whole way in one process: a simulated broker, a feed, a node that records it and serves
// it over HTTP, a query here and one as curl would ask it, a symbol's messages replayed into a
// topic of their own, the day shipped.
//
//   SignalWaiter signals;
//   Status end = RunDemo({.duration = 20s, .seed = 7}, &signals);
//
// Progress goes to stderr (one live line on a terminal, else a line every two seconds), the query
// and its answer to stdout. It ends by itself, or earlier at SIGINT, always with the query; what
// was sent is compared with what was recorded, and a difference is kInternal. Data is in a
// temporary folder that is removed, unless `data_dir` is given.
//
// Owned by the main thread.

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>

#include "base/status.h"
#include "node/signals.h"

namespace tapedeck::cli {

struct DemoOptions {
  std::chrono::nanoseconds duration = std::chrono::seconds(20);
  std::optional<std::filesystem::path> data_dir;
  uint64_t seed = 1;
};

Status RunDemo(const DemoOptions& options, SignalWaiter* signals);

}  // namespace tapedeck::cli

#endif  // TAPEDECK_TOOLS_TAPEDECK_DEMO_H_
