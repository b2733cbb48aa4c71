#ifndef TAPEDECK_NODE_NODE_H_
#define TAPEDECK_NODE_NODE_H_

// Node: the composition root. Builds the store, the rows in memory and the recorder from a
// configuration, starts them on the record thread, and stops them in order. With them the HTTP
// listeners: probes answer before the store is open, reads from kRecording on.
//
//   // The configuration is checked, nothing is opened:
//   TD_ASSIGN_OR_RETURN(auto node, Node::Make({.config = config}, &SystemClock()));
//   node->Start();                                       // returns at once
//   … node->State().phase == NodePhase::kRecording …     // reads can be served
//   node->Stop(SystemClock().Monotonic() + 10s);         // no more reads; commit, flush, tell the
//                                                        // broker, close
//   bool ended = node->WaitEnded(11s);
//
// The record thread: listen, open the store (a damaged write-ahead log is reported and opened up to
// the damage: what is missing is read again from Kafka), bring tables in line with the
// configuration, decode the tail of the tape, record until asked to stop. The store stays open, for
// reads, until the Node is destroyed. With an archive a shipper works beside it (ship_side.h): it
// writes through the record thread, which waits for it at the end of a run.
//
// Errors of Make: kInvalidArgument, the configuration. Everything later is in State().end:
// kFailedPrecondition (another id, another process or cluster, fenced), kCorruption, kInternal (the
// store cannot be trusted to sync).
//
// Thread safety: Start, Stop, WaitEnded and destruction by the owner's thread; State, store,
// directory, open_rows by any.

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/metrics.h"
#include "base/status.h"
#include "config/config.h"
#include "model/open_rows.h"
#include "model/series_directory.h"
#include "node/http_face.h"
#include "node/plan.h"
#include "node/pulse.h"
#include "node/ship_side.h"
#include "record/recorder.h"
#include "record/reindexer.h"
#include "replay/own_replays.h"
#include "replay/runner.h"
#include "store/store.h"

namespace tapedeck {

class ServedNode;

struct NodeOptions {
  Config config;
  bool adopt = false;  // take over a store that belongs to another node id
  bool leave = false;  // give the partitions up when stopping
  std::string version = "unknown";
};

enum class NodePhase : uint8_t {
  kOpening,     // the store
  kRecovering,  // the tail is being decoded
  kRecording,   // reads can be served
  kEnded,       // see NodeState::end
};
std::string_view NodePhaseName(NodePhase phase);

struct NodeState {
  NodePhase phase = NodePhase::kOpening;
  Status end;              // of kEnded; OK after a stop that was asked for
  StoreMeta store;         // from kRecovering on
  std::string wal_damage;  // "" or the damaged write-ahead log
  RecorderState recorder;
  size_t open_rows = 0;
  size_t open_row_bytes = 0;
  std::optional<ShipState> ship;  // nothing: no archive
  std::string archive_trouble;
  /// How long ago the record thread was last seen; only means something in kRecording.
  std::chrono::nanoseconds silence{0};
};

class Node {
 public:
  static Result<std::unique_ptr<Node>> Make(NodeOptions options, Clock* clock);
  /// Stops, waits for the record thread without limit, and closes the store.
  ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  void Start();
  /// Asks the record thread to end, its last calls to Kafka held to `deadline`; meanwhile ends
  /// HTTP, what is still being answered broken off after a second at most.
  void Stop(MonotonicTime deadline);
  /// Waits in real time; false where it has not ended by then.
  bool WaitEnded(std::chrono::nanoseconds timeout);
  NodeState State() const;
  NodePhase phase() const;
  /// After Stop: everything that was received is in the store, only goodbyes to Kafka are left.
  bool stored() const { return pulse_.stored(); }

  const Config& config() const { return options_.config; }
  const std::vector<std::string>& warnings() const { return warnings_; }
  /// Where it can be reached: "127.0.0.1:8080", "" where it does not listen (yet).
  std::string http_address() const;
  std::string metrics_address() const;
  std::string http_url() const;

  /// From kRecording on.
  Store* store() { return store_.get(); }
  const SeriesDirectory* directory() const { return &directory_; }
  const OpenRows* open_rows() const { return &open_rows_; }

 private:
  Node(NodeOptions options, Clock* clock);
  Status RunRecordThread();
  class Served;
  Status Listen();
  Status OpenStore();
  Result<RecordingPlan> PlanOnStore();
  Status MakeRecorder(RecordingPlan plan);
  Status MakeShipSide();
  Status MakeReplays();
  Status MakeReindexer(std::vector<RecordTopic> topics);
  Status Record();
  void Enter(NodePhase phase);

  const NodeOptions options_;
  Clock* const clock_;
  std::vector<std::string> warnings_;
  Metrics metrics_;
  Pulse pulse_;
  SeriesDirectory directory_;
  OpenRows open_rows_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<OwnReplays> own_replays_;
  std::unique_ptr<Recorder> recorder_;
  StoreQueue queue_;                // writes of others, carried out by the record thread
  std::unique_ptr<ShipSide> ship_;  // null: no archive
  std::unique_ptr<ReplayRunner> replays_;
  std::unique_ptr<Reindexer> reindexer_;
  std::unique_ptr<ServedNode> served_;
  std::atomic<bool> stop_{false};
  std::thread thread_;

  mutable std::mutex mutex_;  // of what follows
  std::condition_variable changed_;
  NodePhase phase_ = NodePhase::kOpening;
  Status end_;
  std::unique_ptr<HttpFace> face_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_NODE_NODE_H_
