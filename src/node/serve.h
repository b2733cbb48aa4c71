#ifndef TAPEDECK_NODE_SERVE_H_
#define TAPEDECK_NODE_SERVE_H_

// Serve: runs a node until a signal or until it ends by itself; what `tapedeck serve` does.
//
// On `out`, one JSON object a line:
//   {"event":"ready", …}      reads can be served, recording has begun; the broker may be away
//   {"event":"recording", …}  partitions have been assigned for the first time
//   {"event":"progress", …}   every `progress_interval`
//   {"event":"stopped", …}    last: why, and the exit code
// Everything else goes to the log.
//
// SIGTERM, SIGINT: stop pulling, commit, flush, tell the broker, close: exit code 0 within 15 s,
// even with the broker gone. A second one ends the process at once, which is as safe as a crash.
// SIGHUP: noted, nothing else.
//
// Watchdog: a record thread that has not been seen for 30 s, and does not say why, is logged; after
// 10 minutes the process ends with code 1, for the supervisor to start it again.
//
//   SignalWaiter signals;
//   TD_ASSIGN_OR_RETURN(auto node, Node::Make(options, &SystemClock()));
//   int code = Serve(std::move(node), {.version = "0.1.0"}, &signals);
//
// Owned by the main thread.

#include <chrono>
#include <cstdio>
#include <memory>
#include <string>

#include "node/node.h"
#include "node/signals.h"

namespace tapedeck {

struct ServeOptions {
  std::string version;
  std::chrono::nanoseconds progress_interval = std::chrono::seconds(10);
  /// Calls to Kafka while stopping end by then; the process ends at the second.
  std::chrono::nanoseconds goodbye_limit = std::chrono::seconds(9);
  std::chrono::nanoseconds exit_limit = std::chrono::seconds(14);
  std::chrono::nanoseconds silence_warn = std::chrono::seconds(30);
  std::chrono::nanoseconds silence_exit = std::chrono::minutes(10);
  std::FILE* out = stdout;
};

/// Starts the node, returns the exit code: 0 after a signal, 1 for a failure, 2 where the store
/// does not fit the configuration. Call _exit with it: threads of a library that did not end are
/// left behind.
int Serve(std::unique_ptr<Node> node, const ServeOptions& options, SignalWaiter* signals);

}  // namespace tapedeck

#endif  // TAPEDECK_NODE_SERVE_H_
