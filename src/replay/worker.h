#ifndef TAPEDECK_REPLAY_WORKER_H_
#define TAPEDECK_REPLAY_WORKER_H_

// ReplayWorker: carries out one job on the calling thread, until it has ended, is paused or is
// cancelled, or the process stops.
//
//   ReplayWorker worker(parts, &desk);
//   ReplayOutcome outcome = worker.Run();
//
// One attempt:
//   make a sink, start it (which fences an older one), read the progress;
//   none there although the job has begun: failed, never from the start;
//   carry out seeks above the progress's command; commit a transaction with progress only;
//   for each message when it is due: send it; commit every txn_interval, and before waiting;
//   at the end of the selection: verify, done.
// An error that may pass ends the attempt; another begins, with a new sink, after a pause that
// grows to retry_max. Before it, the progress tells whether another worker has taken the job over:
// then this one stops for good.
//
// Reading back goes on beside it on a thread of its own, from where the target ended when the job
// was made.
//
// Owned by one thread; the desk and the parts' functions are used by the reading thread, too.

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/status.h"
#include "kafka/message_sink.h"
#include "replay/job_desk.h"
#include "tape/selection_cursor.h"

namespace tapedeck {

/// Reads the target back: a TrailingReader, or the memory of a test.
class ReplayTrail {
 public:
  using Visit = std::function<void(const TopicPartition&, const MessageView&)>;
  virtual ~ReplayTrail() = default;
  virtual Status Poll(std::chrono::milliseconds timeout, const Visit& visit) = 0;
  virtual bool at_end() const = 0;
};

struct WorkerParts {
  Clock* clock = nullptr;
  std::function<Result<std::shared_ptr<const ReadPoint>>()> open_point;
  std::function<Result<std::unique_ptr<MessageSink>>(const ReplayJob&)> open_sink;
  std::function<Result<std::unique_ptr<ReplayTrail>>(const ReplayJob&)> open_trail;
  /// Partitions of the target topics now; kNotFound where one is gone.
  std::function<Result<std::map<std::string, int>>(const ReplayJob&)> look_at_target;
  /// Ends of the target's partitions now, as a read_committed reader sees them.
  std::function<Result<std::map<TopicPartition, int64_t>>(const ReplayJob&)> ends_of_target;
  /// The table of a restore (offset_map.h), for good; called before it is done.
  std::function<Status(const std::string& table)> keep_offsets;
  /// Of each message: how late it was, -1 ns at maximum pace. May be empty.
  std::function<void(std::chrono::nanoseconds)> on_sent;
  std::string name;    // "<group>/<node>/<job>"
  uint64_t owner = 0;  // drawn for this worker
  std::chrono::nanoseconds txn_interval = std::chrono::milliseconds(100);
  uint64_t messages_per_second_max = 0;  // 0: none
  size_t memory_bytes = size_t{32} << 20;
  std::chrono::nanoseconds retry_min = std::chrono::milliseconds(100);
  /// After a fence: longer than a newcomer's client waits before it asks for the transactional id
  /// once more (500 ms). Who comes back sooner takes the id from it again and again.
  std::chrono::nanoseconds fenced_min = std::chrono::seconds(2);
  std::chrono::nanoseconds retry_max = std::chrono::seconds(5);
};

enum class ReplayOutcome : uint8_t { kDone, kPaused, kCancelled, kStopped, kFailed };

class TrailThread;

class ReplayWorker {
 public:
  ReplayWorker(WorkerParts parts, JobDesk* desk);
  ~ReplayWorker();
  ReplayWorker(const ReplayWorker&) = delete;
  ReplayWorker& operator=(const ReplayWorker&) = delete;

  /// The state is on the desk when it returns.
  ReplayOutcome Run();
  /// Instead: writes the progress of a job that does not run once more, so that the target keeps
  /// it.
  Status Renew();
  /// Any thread: the store must be opened again.
  void Break();

 private:
  struct Shared;
  Status StartTrail();
  Status Attempt(bool again, std::optional<ReplayOutcome>* outcome);
  std::optional<ReplayOutcome> Verify(const ReplayNote& note, uint64_t command);
  Status KeepOffsets();
  ReplayOutcome Fail(const Status& status);
  std::optional<ReplayOutcome> Ordered() const;
  void WaitToRetry(std::chrono::nanoseconds wait) const;

  const WorkerParts parts_;
  JobDesk* const desk_;
  std::unique_ptr<Shared> shared_;
  std::unique_ptr<TrailThread> trail_;
  std::optional<uint64_t> replaced_;  // the owner before this one
};

}  // namespace tapedeck

#endif  // TAPEDECK_REPLAY_WORKER_H_
