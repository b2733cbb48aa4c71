#ifndef TAPEDECK_API_SERVED_NODE_H_
#define TAPEDECK_API_SERVED_NODE_H_

// ServedNode: what the routes ask of the node around them.
//
// The seam is real: the node (node/served.h), and in tests a store that the test itself fills.
// Thread-safe: called by every thread that serves a request.

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "query/read_point.h"
#include "record/recorder.h"
#include "store/store.h"

namespace tapedeck {

enum class ServedPhase : uint8_t { kOpening, kRecovering, kRecording, kEnded };
/// "opening", "recovering", "recording", "ended".
std::string_view ServedPhaseName(ServedPhase phase);

/// Like NodeState (node/node.h).
struct ServedState {
  ServedPhase phase = ServedPhase::kOpening;
  std::string end;  // of kEnded: why, "" after a stop that was asked for
  StoreMeta store;
  std::string wal_damage;
  RecorderState recorder;
  size_t open_rows = 0;
  size_t open_row_bytes = 0;
  std::chrono::nanoseconds silence{0};  // of the record thread
};

class ServedNode {
 public:
  virtual ~ServedNode() = default;
  virtual ServedPhase phase() const = 0;
  /// How long ago the record thread was last seen.
  virtual std::chrono::nanoseconds silence() const = 0;
  virtual ServedState State() const = 0;
  /// kUnavailable: the node is not ready yet.
  virtual Result<std::shared_ptr<const ReadPoint>> Point() const = 0;
  /// Changes whenever rows are published or flushed: equal numbers, equal answers. A number taken
  /// before a Point is never newer than it.
  virtual uint64_t published() const = 0;
  /// Null before the store is open.
  virtual const Store* store() const = 0;
};

}  // namespace tapedeck

#endif  // TAPEDECK_API_SERVED_NODE_H_
