#ifndef TAPEDECK_RECORD_RECORDER_H_
#define TAPEDECK_RECORD_RECORDER_H_

// Recorder: the record journey. One thread pulls messages from Kafka, appends them to the tape,
// decodes them, and commits.
//
//   loop:     pull a batch -> open tape block of its partition -> decode -> open rows
//   commit N: ONE synced batch {tape blocks, index entries, refusals, gaps, checkpoints}
//             -> publish the rows -> broker commit
//   flush:    ONE synced batch {series blocks of the chunks up to commit N, catalog, days,
//             watermarks} -> drop the chunks
//
// The store decides where reading starts; the broker's committed offsets are for lag tools and
// hand-overs. A crash anywhere loses nothing that was committed: rows above the series watermark
// are decoded again from the tape by Recover(). See docs/recovery.md.
//
//   TD_ASSIGN_OR_RETURN(auto recorder, Recorder::Make(std::move(options), parts));
//   TD_RETURN_IF_ERROR(recorder->Recover());                 // reads can be served from here on
//   Status end = recorder->Run(stop);                        // the record thread
//
// Errors of Run: OK after `stop`; kFailedPrecondition: fenced, or another cluster (recording must
// not go on, reads may); kInternal: the store cannot be trusted to sync: end the process;
// kCorruption: a damaged block in the way.
//
// Thread safety: Make, Recover and Run by one thread; stop flag and State() by any.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/metrics.h"
#include "base/status.h"
#include "kafka/message_source.h"
#include "mapping/mapping.h"
#include "model/open_rows.h"
#include "model/series_directory.h"
#include "store/store.h"
#include "store/store_queue.h"
#include "tape/tape_offsets.h"

namespace tapedeck {

/// Where a topic that was never seen before starts.
struct TopicStart {
  enum class Kind : uint8_t { kEarliest, kLatest, kTime };
  Kind kind = Kind::kEarliest;
  Timestamp time;
};

/// A topic, or all topics that a pattern matches, and how they are recorded.
struct RecordTopic {
  std::string name;     // exact, or "^…" for a pattern
  MappingSpec mapping;  // with the topic's settings in it
  TopicStart start;
  /// False: messages that some replay has sent are left out, with a gap. Our own always are.
  bool accept_replayed = true;
};

struct RecorderOptions {
  std::string node_id;
  std::vector<RecordTopic> topics;
  std::chrono::nanoseconds commit_interval = std::chrono::milliseconds(200);
  size_t commit_bytes = size_t{8} << 20;
  std::chrono::nanoseconds flush_interval = std::chrono::seconds(60);
  size_t flush_bytes = size_t{256} << 20;
  std::chrono::nanoseconds tail_check_interval = std::chrono::seconds(5);
  /// One tail check or hand-over question to the broker may take this long.
  std::chrono::milliseconds broker_timeout = std::chrono::seconds(10);
  /// A partition that stands still below its log's end for so long is reported as stuck.
  std::chrono::nanoseconds stuck_after = std::chrono::seconds(30);
  enum class OnDivergence : uint8_t { kContinue, kHalt };
  OnDivergence on_divergence = OnDivergence::kContinue;
  /// A gap that another node was to fill is read again from Kafka once it is so old (healer.h).
  std::chrono::nanoseconds heal_after = std::chrono::hours(26);
  double disk_stop = 0.90;  // share of the disk in use from which nothing is pulled
  double disk_warn = 0.85;
  bool leave_on_stop = false;
  bool merge = true;  // join small blocks in the background
};

/// What the recorder works with; all outlive it.
struct RecorderParts {
  Store* store = nullptr;
  SeriesDirectory* directory = nullptr;
  OpenRows* open_rows = nullptr;
  Clock* clock = nullptr;
  /// Writes of others, carried out by Run between its own; null: there are none. Run leaves it
  /// open: whoever runs the record thread serves it on (ServeUntil) or closes it.
  StoreQueue* queue = nullptr;
  Metrics* metrics = nullptr;  // null: nobody asks
  /// Whether one of this node's own replays has sent the message, of this cluster and partition:
  /// it is recorded already. Asked on the record thread, of messages with a replay's header only;
  /// null: there are none.
  std::function<bool(const std::string& cluster, const TopicPartition&, const MessageView&)>
      is_own_replay;
  /// Of [from, to) of a tape, what no manifest lists; nullopt: not known now. Null: no archive.
  std::function<std::optional<std::vector<OffsetSpan>>(const TapeId&, int64_t from, int64_t to)>
      unlisted;
  std::function<Result<std::unique_ptr<MessageSource>>(AssignmentListener*)> open_source;
  /// Called twice: for the record thread and for the tail checker.
  std::function<Result<std::unique_ptr<LogProbe>>()> open_probe;
};

/// A day of a table; of a coarser table its first day.
struct TableDay {
  std::string table;
  Day day;
};

/// One partition as an operator sees it.
struct PartitionState {
  TopicPartition tp;
  uint32_t lineage = 0;
  int64_t received = 0;  // next offsets
  int64_t stored = 0;
  int64_t watermark = 0;
  int64_t shipped = 0;        // tape manifests cover everything below
  int64_t log_end = -1;       // -1 unknown
  int64_t kafka_ms = -1;      // the greatest Kafka time on the tape
  int64_t log_first_ms = -1;  // Kafka time of the first message that Kafka has
  uint64_t messages = 0, records = 0, refused = 0, skipped = 0;
  std::string health;               // "" = well, else the reason why it is not being recorded
  std::vector<std::string> tables;  // that its mapping fills
};

struct RecorderState {
  bool running = false;
  bool assigned = false;
  uint64_t commits = 0, flushes = 0, rebalances = 0;
  uint64_t flush_requests_done = 0;                              // the number of the last one
  uint64_t messages = 0, records = 0, refused = 0, skipped = 0;  // since this process started
  uint64_t healed = 0;                     // messages of gaps, read again; the same
  uint64_t raw_bytes = 0, tape_bytes = 0;  // of messages, and of the blocks made of them
  std::string stall;                       // "" or why nothing is pulled
  std::vector<std::string> notices;        // newest last, at most 16
  std::vector<PartitionState> partitions;
};

class Recorder {
 public:
  /// Checks the options; opens nothing yet.
  static Result<std::unique_ptr<Recorder>> Make(RecorderOptions options, RecorderParts parts);
  virtual ~Recorder() = default;

  /// Decodes the tape above the series watermarks by the recorded mappings and publishes the rows
  /// as they were: what was open when the process ended, flush_bytes and one commit at most.
  virtual Status Recover() = 0;
  /// Records until `stop`, then commits, flushes, tells the broker and closes.
  virtual Status Run(const std::atomic<bool>& stop) = 0;
  virtual RecorderState State() const = 0;
  /// Asks for a commit and a flush of everything received so far, which also close the open
  /// generation of each day of `close` that has rows: its state becomes kClosing, with its vector,
  /// and rows that come later open the next generation. Any thread; returns at once with a number:
  /// it is durable when State().flush_requests_done has reached it. Asking twice does no harm.
  virtual uint64_t RequestFlush(std::vector<TableDay> close = {}) = 0;
};

}  // namespace tapedeck

#endif  // TAPEDECK_RECORD_RECORDER_H_
