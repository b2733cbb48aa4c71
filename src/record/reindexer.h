#ifndef TAPEDECK_RECORD_REINDEXER_H_
#define TAPEDECK_RECORD_REINDEXER_H_

// Reindexer: rebuilds whole days of tables from the tape by the mappings in force, as durable jobs,
// one at a time, beside recording and shipping.
//
//   TD_ASSIGN_OR_RETURN(auto reindexer, Reindexer::Make(options, parts));
//   TD_RETURN_IF_ERROR(reindexer->Start(*store->View()));     // jobs of the store go on
//   TD_ASSIGN_OR_RETURN(ReindexView view, reindexer->Create({.topic = "Finhub1"}));
//   reindexer->Get(view.job.id)
//
// A job:
//   flush     what was received so far becomes series
//   plan      which tapes feed the tables, which days have rows, or would have some
//   reserve   one batch: open generations of those days are closed; each day gets a generation that
//             nobody reads, up to the series watermarks of that moment. Rows that come from now on
//             go into generations behind it
//   build     the tapes below are decoded, from the store or the archive, and their rows written
//             into the reserved generations
//   switch    one batch: they count, those below are replaced
// What was replaced is kept for `grace`, for answers that hold on to the state before; then its
// blocks leave, and its objects by way of the shipper. Killed at any step, a job goes on with that
// step; what was half built is built again. A cancelled one takes its generations back.
//
// Tapes of topics that are not recorded any more are decoded by the mappings that they have. Only
// what this store has recorded is rebuilt; other stores' days are theirs.
//
// Errors: kInvalidArgument (the request), kNotFound (no such job, table or topic),
// kResourceExhausted (too many jobs), kUnavailable (the node ends, or is not ready).
//
// Thread-safe; Start and Stop by the owner, AskToStop and Break by any. The parts outlive it.

#include <atomic>
#include <chrono>
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
#include "base/read_stop.h"
#include "base/steady_time.h"
#include "record/reindex_build.h"
#include "record/reindex_switch.h"

namespace tapedeck {

struct ReindexOptions {
  std::vector<RecordTopic> topics;  // as the recorder has them
  std::chrono::nanoseconds grace = std::chrono::hours(24);
  // Shares of the disk in use, as the recorder has them: from the one on no job begins to write,
  // from the other on what it has half built is given back, and it waits.
  double disk_warn = 1;
  double disk_stop = 1;
  ReindexBuildOptions build;
};

struct ReindexParts {
  Store* store = nullptr;
  StoreQueue* queue = nullptr;  // somebody serves it
  Clock* clock = nullptr;
  /// Recorder::RequestFlush, and State().flush_requests_done.
  std::function<uint64_t()> request_flush;
  std::function<uint64_t()> flushes_done;
  std::function<Result<std::shared_ptr<const ReadPoint>>()> open_point;
  /// Of the store's disk; null: the store tells.
  std::function<Result<DiskUse>()> disk;
};

enum class ReindexStep : uint8_t { kWaiting, kFlushing, kPlanning, kBuilding, kSwitching };
/// "waiting", "flushing", "planning", "building", "switching".
std::string_view ReindexStepName(ReindexStep step);

/// How a job goes at this moment; lost with the process.
struct ReindexLive {
  ReindexStep step = ReindexStep::kWaiting;
  uint64_t messages = 0;  // decoded by the step in hand
  uint64_t total = 0;     // at most; holes of the log count
  std::string trouble;    // what is tried again; "" all is well
};

struct ReindexView {
  ReindexJob job;
  ReindexLive live;
};

/// Jobs that are kept, ended ones included.
inline constexpr size_t kReindexJobsMax = 100;

class Reindexer {
 public:
  static Result<std::unique_ptr<Reindexer>> Make(ReindexOptions options, ReindexParts parts);
  ~Reindexer();
  Reindexer(const Reindexer&) = delete;
  Reindexer& operator=(const Reindexer&) = delete;

  /// Finds the jobs of the store; `view` is not kept.
  Status Load(const StoreView& view);
  /// Load, and a thread of its own.
  Status Start(const StoreView& view);
  void AskToStop();
  void Stop();
  /// The store must be opened again: nothing of it is held on to.
  void Break();

  Result<ReindexView> Create(ReindexRequest request);
  Result<ReindexView> Get(std::string_view id) const;
  /// In the order of their creation.
  std::vector<ReindexView> List() const;
  /// Cancels what has not ended, and forgets. What was switched to stays.
  Status Delete(std::string_view id);

  /// What the thread does again and again: a step of the first job that has one to take, to its
  /// end; then what was replaced long enough ago. True: something was done.
  bool RunOnce();

 private:
  using Change = std::function<Status(ReindexJob*)>;
  /// What a job is going to rebuild, and of what.
  struct Plan {
    std::set<TpId> known;  // tapes that had been begun
    std::vector<ReindexScope::Tape> tapes;
    std::set<ReindexDay> days;
  };

  Reindexer(ReindexOptions options, ReindexParts parts);
  void Loop();
  bool NextJob(ReindexJob* job);
  Status RunJob(ReindexJob job);
  Status Flush();
  Status Reserve(ReindexJob* job);
  Status AddReserved(const Plan& plan, ReindexJob* job, StoreBatch* batch) const;
  Result<ReindexBuilt> Build(const ReindexJob& job);
  Status SwitchTo(const ReindexJob& job, const ReindexBuilt& built);
  Status CleanUp(const ReindexJob& job);
  Status Sweep();
  Status DeleteBlocks(const keys::DayKey& day, const std::function<bool(const DayEntry&)>& may);
  Status ChangeStored(const std::string& id, const Change& change);
  static Status AddChanged(const StoreView& view, const std::string& id, const Change& change,
                           StoreBatch* batch);
  Status TakeStored(const std::string& id);
  Status CheckNamed(const ReindexRequest& request) const;
  Result<std::unique_ptr<ReindexScope>> MakeScope(const ReindexRequest& request);
  void Settle(const ReindexJob& job, const Status& outcome);
  void Enter(ReindexStep step, uint64_t total);
  Status CheckStop() const;
  Status CheckRoom(double most) const;
  std::shared_ptr<const ReadStop> NewStop();

  const ReindexOptions options_;
  const ReindexParts parts_;
  const ReindexMappings mappings_;
  const SteadyTime time_;
  std::set<keys::DayKey> swept_;  // the thread's own
  MonotonicTime last_sweep_{0};
  MonotonicTime retry_at_{0};
  std::atomic<uint64_t> messages_{0};
  std::atomic<bool> stopping_{false};

  std::mutex stored_mutex_;   // of taking over what is stored; before mutex_
  mutable std::mutex mutex_;  // of what follows; nobody waits for the store with it
  std::condition_variable wake_;
  std::map<std::string, ReindexJob, std::less<>> jobs_;
  std::string running_;                // id of the job in hand
  ReindexLive live_;                   // of it
  std::shared_ptr<ReadStop> reading_;  // of what it reads
  std::thread thread_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_RECORD_REINDEXER_H_
