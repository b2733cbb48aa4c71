#ifndef TAPEDECK_TOOLS_TAPEDECK_DEMO_HTTP_H_
#define TAPEDECK_TOOLS_TAPEDECK_DEMO_HTTP_H_

// What one can ask the demo's node over HTTP, as lines for a shell, and one of them asked.
//
//   ShowCurlLines(node->http_url());              // while it records: on stderr
//   TD_RETURN_IF_ERROR(AskAsCurl(node->http_url()));   // at its end: on stdout, with the answer
//
// Owned by one thread.

#include <string>

#include "base/clock.h"
#include "base/status.h"
#include "base/time.h"

namespace tapedeck::cli {

/// Three lines that work as they stand while the node runs, and the address of its status page.
void ShowCurlLines(const std::string& node_url);

/// Prints the first of them and the answer to the same request, without needing curl. kInternal: an
/// answer that is not what it should be.
Status AskAsCurl(const std::string& node_url);

/// Closes the day of all tables, waits until it is shipped, and prints what lies in the archive.
/// kUnavailable: it takes too long.
Status ShipAsCurl(const std::string& node_url, Day day, Clock* clock);

struct DemoReplay {
  std::string topic;   // that was recorded
  std::string symbol;  // only messages with it
  std::string target;  // of the configuration
  double speed = 1;    // times the original
};

/// Replays what was recorded into "<topic>-replay", waits until it is done, and prints how it went.
/// kInternal: it has failed; kUnavailable: it takes too long.
Status ReplayAsCurl(const std::string& node_url, const DemoReplay& replay, Clock* clock);

}  // namespace tapedeck::cli

#endif  // TAPEDECK_TOOLS_TAPEDECK_DEMO_HTTP_H_
