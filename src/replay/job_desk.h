#ifndef TAPEDECK_REPLAY_JOB_DESK_H_
#define TAPEDECK_REPLAY_JOB_DESK_H_

// JobDesk: one job between those who ask for things (requests), the worker that carries them out,
// and the store that keeps them.
//
//   TD_RETURN_IF_ERROR(desk.Change([](ReplayJob* job) {
//     return AddCommand({.kind = CommandKind::kPause}, job);
//   }));                                          // durable now; the worker sees a new version
//
// What Change returned OK for is in the store; where it fails, nothing has changed. Progress
// (SetNote) is kept in memory and written by SaveNote every second or so: the truth of it is in the
// target, or, at least once, a little behind is safe. Where a command moves the job, KeepNote
// writes the place of that before anything follows it.
//
// Thread-safe.

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "base/status.h"
#include "replay/job.h"

namespace tapedeck {

/// How it goes at this moment; lost with the process.
struct ReplayLive {
  uint64_t acked = 0;
  double rate = 0;     // messages a second, over the last seconds
  Timestamp position;  // time of the last message sent
  std::chrono::nanoseconds lag{0};
  std::chrono::nanoseconds late_p50{0};
  std::chrono::nanoseconds late_p99{0};
  std::chrono::nanoseconds late_max{0};
  std::chrono::nanoseconds shifted{0};
  uint64_t extra_records = 0;
  uint64_t verified = 0;  // messages read back so far
  uint64_t foreign = 0;
  std::string trouble;  // passing: what is being tried again
};

class JobDesk {
 public:
  using Persist = std::function<Status(const ReplayJob&)>;
  JobDesk(ReplayJob job, Persist persist);

  ReplayJob job() const;
  ReplayState state() const;
  Status Change(const std::function<Status(ReplayJob*)>& change);
  /// Rises with every change; costs one load.
  uint64_t version() const { return version_.load(std::memory_order_acquire); }

  /// `command`: carried out, so that they need not be kept.
  void SetNote(const ReplayNote& note, uint64_t command);
  /// Writes the note if it has changed since.
  Status SaveNote();
  /// SetNote that is in the store when it returns OK; else nothing has changed.
  Status KeepNote(const ReplayNote& note, uint64_t command);

  /// At least once: the number of the message that is handed over now. By the worker's thread.
  void Give(uint64_t seq) {
    if (seq >= given_.load(std::memory_order_relaxed)) given_.store(seq + 1);
  }
  /// Behind every number that was given, as far as this process knows; `given_known` where it knows
  /// of all of them: it has made the job, or has looked at the target.
  uint64_t given() const { return given_.load(); }
  bool given_known() const { return given_known_.load(); }
  void SetGivenKnown() { given_known_.store(true); }

  void SetLive(const ReplayLive& live);
  ReplayLive live() const;

  /// The process ends: the worker leaves things as they are.
  void Stop();
  /// The job was deleted: as Stop, and who waits for news sees it cancelled.
  void Forget();
  bool stopping() const { return stopping_->load(std::memory_order_acquire); }
  /// The same, for a read that must end then.
  std::shared_ptr<const std::atomic<bool>> stop_flag() const { return stopping_; }
  /// Waits, in real time, until the version differs or something live was set; false in a time-out.
  bool WaitNews(uint64_t* news, std::chrono::milliseconds timeout) const;

 private:
  void Tell();

  std::mutex change_mutex_;   // one change at a time, held while it is written
  mutable std::mutex mutex_;  // of what follows
  mutable std::condition_variable told_;
  ReplayJob job_;
  ReplayLive live_;
  bool note_dirty_ = false;
  uint64_t news_ = 0;
  const Persist persist_;
  std::atomic<uint64_t> version_{0};
  std::atomic<uint64_t> given_;
  std::atomic<bool> given_known_;
  const std::shared_ptr<std::atomic<bool>> stopping_ = std::make_shared<std::atomic<bool>>(false);
};

}  // namespace tapedeck

#endif  // TAPEDECK_REPLAY_JOB_DESK_H_
