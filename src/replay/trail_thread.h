#ifndef TAPEDECK_REPLAY_TRAIL_THREAD_H_
#define TAPEDECK_REPLAY_TRAIL_THREAD_H_

// TrailThread: reads a job's output back while it is being sent. A part of ReplayWorker.
//
//   TrailThread trail(parts, job);                            // parts outlive it
//   TD_RETURN_IF_ERROR(trail.Start());
//   … send …
//   TD_RETURN_IF_ERROR(trail.Finish(sent, digest, give_up));  // waits for what is still to be read
// Errors of reading that may pass are tried again with another reader, from the beginning of what
// was not read. Owned by one thread; counters are read by any.

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "base/status.h"
#include "replay/restore_offsets.h"
#include "replay/verifier.h"
#include "replay/worker.h"

namespace tapedeck {

class TrailThread {
 public:
  TrailThread(const WorkerParts& parts, ReplayJob job);
  ~TrailThread();
  /// Once. kResourceExhausted: the system has no thread to give at the moment.
  Status Start();

  /// Everything was sent and committed: waits until the reader has seen it, compares. kCancelled
  /// where `give_up` says so first.
  Status Finish(uint64_t messages, const Digest& digest, const std::function<bool()>& give_up);
  uint64_t verified() const { return verified_.load(std::memory_order_relaxed); }
  uint64_t foreign() const { return foreign_.load(std::memory_order_relaxed); }
  /// Of a restore, after Finish: where its messages lie.
  FoundOffsets found() const;

 private:
  void Run();
  Status ReadOn();
  bool Passes(const Status& status);

  const WorkerParts& parts_;
  const ReplayJob job_;
  ReplayVerifier verifier_;
  std::unique_ptr<ReplayTrail> trail_;
  std::map<TopicPartition, int64_t> next_;  // where a new reader would go on
  std::atomic<bool> stop_{false};
  std::atomic<bool> finishing_{false};
  std::atomic<uint64_t> rounds_at_end_{0};  // since finishing
  std::atomic<bool> anew_{false};           // with another reader
  std::optional<MonotonicTime> not_found_;  // since when; the thread's own
  std::atomic<uint64_t> verified_{0};
  std::atomic<uint64_t> foreign_{0};
  mutable std::mutex mutex_;  // of what follows, and verifier_
  Status status_;             // that does not pass
  FoundOffsets found_;        // of a restore
  std::thread thread_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_REPLAY_TRAIL_THREAD_H_
