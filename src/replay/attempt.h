#ifndef TAPEDECK_REPLAY_ATTEMPT_H_
#define TAPEDECK_REPLAY_ATTEMPT_H_

// ReplayAttempt: one sink's life within a worker: from reading the progress to the end of the
// selection, an order, or an error. A part of ReplayWorker, which says what an attempt does.
//
// Owned by one thread, but Break.

#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "base/status.h"
#include "replay/outgoing.h"
#include "replay/pacing.h"
#include "replay/progress.h"
#include "replay/trail_thread.h"
#include "replay/worker.h"

namespace tapedeck {

class ReplayAttempt {
 public:
  /// `replaced`: whose progress the worker's first attempt that read one has found; outlives it.
  ReplayAttempt(const WorkerParts& parts, JobDesk* desk, std::optional<uint64_t>* replaced);
  ~ReplayAttempt();

  /// Sink, progress, seeks that wait. `again`: not this worker's first.
  Status Start(bool again);
  /// Until all is sent and committed (sent_all), or an order says otherwise. Nothing is open
  /// afterwards.
  Status Send();
  /// After an error: what is open is aborted, as far as that can be done.
  void Abandon();
  void Watch(const TrailThread* trail) { trail_ = trail; }
  bool sent_all() const { return sent_all_; }
  const ReplayNote& note() const { return progress_.note; }
  /// The last one that it carried out.
  uint64_t command() const { return progress_.command; }
  void Break();

 private:
  bool re_encodes() const { return job_.spec.target.value != ReplayValue::kOriginal; }
  Status CheckOwner();
  Status ReadProgress();
  Status CarryOut(const ReplayJob& job);
  Status OpenCursor(const ReplayJob& job);
  Result<bool> MustSendAgain();
  Status TakeOrders(bool* leave);
  Status Next();
  Status SearchOn(MonotonicTime now);
  Status WaitFor(MonotonicTime due);
  Status WaitLong(MonotonicTime due);
  void NotePosition();
  Status SendPending(MonotonicTime due);
  void BeginMessage();
  Status CommitOpen();
  Status End(bool leave);
  Status CommitProgress();
  void NoteArrived();
  Status WaitArrived(std::chrono::milliseconds within);
  void Publish(MonotonicTime now);

  const WorkerParts& parts_;
  JobDesk* const desk_;
  std::optional<uint64_t>* const replaced_;
  const ReplayJob job_;  // as it was when the attempt began: target, delivery, names
  const bool exactly_once_;
  const TrailThread* trail_ = nullptr;
  std::unique_ptr<MessageSink> sink_;
  std::unique_ptr<Outgoing> outgoing_;
  ReplayProgress progress_;  // with everything that was handed to the sink
  Pacer pacer_;
  uint64_t seen_version_ = 0;

  std::mutex mutex_;  // of the pointer
  std::unique_ptr<SelectionCursor> cursor_;
  const SelectedMessage* pending_ = nullptr;  // the cursor's, not sent yet
  size_t next_part_ = 0;                      // of the messages that it becomes
  MessagePosition sent_position_;
  uint32_t sent_records_ = 0;    // see ReplayNote
  bool position_moved_ = false;  // since the progress was last made
  bool at_end_ = false;
  bool sent_all_ = false;
  bool open_ = false;  // a transaction
  MonotonicTime opened_{0};
  MonotonicTime now_{0};  // a moment ago
  uint64_t open_bytes_ = 0;
  /// At least once: what may be noted once everything before it has arrived.
  struct Unarrived {
    ReplayNote note;
    uint64_t command = 0;
  };
  std::deque<Unarrived> unarrived_;
  bool waiting_ = false;       // commands, see attempt_orders.cc
  uint64_t seq_at_start_ = 0;  // what is below it was seen to by the attempts before

  MonotonicTime published_{0};
  uint64_t published_seq_ = 0;
  double rate_ = 0;
  Timestamp last_time_;
  std::chrono::nanoseconds lag_{0};
};

/// Writes the progress of a job that does not run once more, so that the target keeps it.
Status RenewProgress(const WorkerParts& parts, JobDesk* desk);

}  // namespace tapedeck

#endif  // TAPEDECK_REPLAY_ATTEMPT_H_
