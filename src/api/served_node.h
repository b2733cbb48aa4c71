#ifndef TAPEDECK_API_SERVED_NODE_H_
#define TAPEDECK_API_SERVED_NODE_H_

// ServedNode: what the routes ask of the node around them.
//
// The seam is real: the node (node/served.h), and in tests a store that the test itself fills.
// Thread-safe: called by every thread that serves a request.

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "archive/manifest_set.h"
#include "base/status.h"
#include "record/recorder.h"
#include "ship/shipper.h"
#include "store/store.h"
#include "tape/read_point.h"

namespace tapedeck {

class Reindexer;
class ReplayRunner;

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
  std::optional<ShipState> ship;        // nothing: the node has no archive
  std::string archive_trouble;          // why the archive cannot be opened or listed; "" it can
};

/// What POST /v1/flush began: done when ServedState says that the number is reached.
struct FlushTicket {
  uint64_t number = 0;
  bool ships = false;  // of ShipState::requests_done, else of RecorderState::flush_requests_done
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
  /// Null where the node has no archive.
  virtual std::shared_ptr<const ManifestSet> manifests() const = 0;
  /// "s3://bucket/prefix"; "" where the node has no archive.
  virtual std::string archive_place() const = 0;
  /// Shipper::RequestClose. kFailedPrecondition: there is no archive; kUnavailable: not ready.
  virtual Result<std::vector<DayState>> CloseDay(Day day, std::vector<std::string> tables) = 0;
  /// Commits, flushes, and ships where there is an archive. kUnavailable: not ready.
  virtual Result<FlushTicket> FlushAll() = 0;
  /// Null while the node is not ready.
  virtual ReplayRunner* replays() const = 0;
  /// The same.
  virtual Reindexer* reindexer() const { return nullptr; }
};

}  // namespace tapedeck

#endif  // TAPEDECK_API_SERVED_NODE_H_
