#ifndef TAPEDECK_REPLAY_RUNNER_H_
#define TAPEDECK_REPLAY_RUNNER_H_

// ReplayRunner: all replay jobs of a node: makes them from requests, starts a worker for each that
// should run, keeps what they tell, and finds them again after a restart.
//
//   TD_ASSIGN_OR_RETURN(auto runner, ReplayRunner::Make(options, parts));
//   TD_RETURN_IF_ERROR(runner->Start(*store->View()));    // jobs of the store go on
//   TD_ASSIGN_OR_RETURN(ReplayView view, runner->Create(body, idempotency_key));
//   TD_RETURN_IF_ERROR(runner->Patch(view.job.id, R"({"state":"paused"})", "").status());
//   runner->Stop();                                        // open transactions are aborted
//
// At most max_jobs run at once, one thread each with a second one that reads back; others wait in
// the order of their creation. A paused job holds no thread; once a day its progress is written
// again, because brokers forget offsets that nobody commits.
//
// Errors: kInvalidArgument (the request, with its field), kNotFound (no such job), kAlreadyExists
// (the key was used for another request), kFailedPrecondition (not in this state, gaps, a loop, a
// target that cannot take the messages: the text says what to do), kResourceExhausted (too many
// jobs), kUnavailable (no broker answers; another job's target is being asked; the node ends).
//
// Thread-safe. Start and Stop (AskToStop by any) by the owner. The parts outlive it.

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "kafka/client_properties.h"
#include "replay/job_desk.h"
#include "replay/offset_map.h"
#include "replay/worker.h"
#include "store/store_queue.h"

namespace tapedeck {

/// A place that replays may write to; only the configuration names them.
struct ReplayTargetConfig {
  std::string bootstrap_servers;
  KafkaProperties properties;
  std::vector<std::string> topics;  // regular expressions; one must match the whole name
};

struct ReplayOptions {
  std::string node_id;
  std::string group;                         // of the node's consumer: part of provenance
  std::vector<std::string> recorded_topics;  // names, and patterns that begin with '^'
  std::map<std::string, ReplayTargetConfig> targets;
  size_t max_jobs = 4;
  uint64_t max_messages_per_second = 0;  // of each job; 0: none
  std::chrono::nanoseconds txn_interval = std::chrono::milliseconds(100);
  /// After it brokers abort what a worker that stands still has left open.
  std::chrono::milliseconds transaction_timeout{60'000};
  size_t memory_bytes = size_t{32} << 20;  // of each job
};

struct ReplayParts {
  Clock* clock = nullptr;
  StoreQueue* queue = nullptr;
  std::function<Result<std::shared_ptr<const ReadPoint>>()> open_point;
  /// Of each message of any job: how late it was, -1 ns at maximum pace. Workers call it; may be
  /// empty.
  std::function<void(std::chrono::nanoseconds)> on_sent;
};

struct ReplayView {
  ReplayJob job;
  ReplayLive live;
};

/// As GET shows it.
std::string ReplayViewJson(const ReplayView& view);

/// Jobs that are kept, ended ones included; and those that have not ended.
inline constexpr size_t kReplayJobsMax = 1000;
inline constexpr size_t kReplayLiveJobsMax = 100;
/// Of a client's Idempotency-Key.
inline constexpr size_t kIdempotencyKeyMax = 255;

class ReplayRunner {
 public:
  /// kInvalidArgument: a target's properties or expressions.
  static Result<std::unique_ptr<ReplayRunner>> Make(ReplayOptions options, ReplayParts parts);
  ~ReplayRunner();
  ReplayRunner(const ReplayRunner&) = delete;
  ReplayRunner& operator=(const ReplayRunner&) = delete;

  /// `view` is read, and not kept: an archive that is away keeps nobody from starting.
  Status Start(const StoreView& view);
  /// Open transactions are aborted; returns at once.
  void AskToStop();
  /// Waits for the threads. What they still ask of the store must be answered, or refused.
  void Stop();
  /// The store must be opened again: nothing of it is held on to.
  void Break();

  Result<ReplayView> Create(std::string_view body, std::string_view key);
  Result<ReplayView> Get(std::string_view id) const;
  /// Where a restore that is done has put what was recorded. kFailedPrecondition: no restore, or
  /// not done.
  Result<OffsetMap> Offsets(std::string_view id) const;
  /// In the order of their creation.
  std::vector<ReplayView> List() const;
  Result<ReplayView> Patch(std::string_view id, std::string_view body, std::string_view key);
  /// Cancels and forgets.
  Status Delete(std::string_view id);
  /// The desk, for waiting for news. kNotFound.
  Result<std::shared_ptr<const JobDesk>> Desk(std::string_view id) const;
  /// How many there are, by state.
  std::array<size_t, kReplayStates> Counts() const;
  /// Sent by all jobs since Start.
  uint64_t messages_sent() const { return sent_.load(std::memory_order_relaxed); }

 private:
  struct Slot;
  ReplayRunner(ReplayOptions options, ReplayParts parts);
  Result<ReplayJob> MakeJob(ReplaySpec spec, Timestamp now) const;
  Status CheckTargetOf(const std::set<std::string>& recorded_clusters, const Selection& selection,
                       Timestamp oldest, ReplayJob* job) const;
  Result<std::shared_ptr<JobDesk>> FindByKey(std::string_view key, const Hash128& request) const;
  std::shared_ptr<JobDesk> MakeDesk(ReplayJob job);
  WorkerParts PartsOf(const ReplayJob& job);
  void Keep();
  void StartWorkers();
  bool Begin(Slot* slot, const ReplayJob& job, std::function<void()> work);
  void Reap(bool all);
  void SaveNotes();
  void RenewOne();

  const ReplayOptions options_;
  const ReplayParts parts_;
  std::atomic<uint64_t> sent_{0};
  /// Held while a target is asked: who waits for it holds a thread of the server.
  mutable std::mutex preflight_;
  mutable std::mutex mutex_;  // of what follows
  std::condition_variable wake_;
  bool stopping_ = false;
  bool lacks_thread_ = false;  // and has said so
  bool woken_ = false;
  std::map<std::string, std::shared_ptr<Slot>, std::less<>> slots_;  // by id: in order of creation
  std::vector<std::shared_ptr<Slot>> leaving_;  // forgotten, their workers still end
  std::thread keeper_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_REPLAY_RUNNER_H_
