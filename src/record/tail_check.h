#ifndef TAPEDECK_RECORD_TAIL_CHECK_H_
#define TAPEDECK_RECORD_TAIL_CHECK_H_

// The tail check: is the log in Kafka still the log that the tape was made from?
//
// librdkafka 2.0.2 notices neither a truncated log nor a topic that was deleted and made again
// (docs/faults.md). So the last recorded message and an older anchor are read again, by a
// consumer of their own, and compared by hash. Equal: go on. Not there any more (retention,
// compaction): nothing can be said. Different, or the log ends before them: the log has changed
// under us.
//
//   Result<TailAnswer> answer = CheckTail(probe, {tp, next, last, anchor}, timeout, clock);
//
// TailChecker does the same on a thread of its own, so that a slow broker never holds up recording.
//
// Thread safety: CheckTail as its probe; TailChecker is thread-safe.

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "kafka/message_source.h"
#include "model/message.h"
#include "model/stored.h"

namespace tapedeck {

struct TailQuestion {
  TopicPartition tp;
  int64_t next = 0;
  Landmark last;
  Landmark anchor;
};

enum class TailVerdict : uint8_t {
  kSame,          // at least one landmark was there and equal, none differs
  kUnverifiable,  // no landmark is in the log any more, or there is none
  kChanged,
};

struct TailAnswer {
  TailQuestion question;
  TailVerdict verdict = TailVerdict::kUnverifiable;
  LogBounds bounds;
  int64_t log_first_ms = -1;  // of a TailChecker: Kafka time of what Kafka has first; -1 unknown
  std::string reason;         // kChanged: what differs and where
};

/// Asks the broker; kUnavailable where it does not answer in time. An end of the log before `next`
/// is looked at three times, half a second apart, because a broker that has just started may not
/// know its whole log yet.
Result<TailAnswer> CheckTail(LogProbe* probe, const TailQuestion& question,
                             std::chrono::milliseconds timeout, Clock* clock);

class TailChecker {
 public:
  using OpenProbe = std::function<Result<std::unique_ptr<LogProbe>>()>;
  TailChecker(OpenProbe open_probe, std::chrono::milliseconds timeout, Clock* clock);
  ~TailChecker();
  TailChecker(const TailChecker&) = delete;
  TailChecker& operator=(const TailChecker&) = delete;

  /// Replaces the questions that were not asked yet.
  void Ask(std::vector<TailQuestion> questions);
  /// Answers since the last call. Questions that the broker did not answer are dropped; the next
  /// Ask repeats them.
  std::vector<TailAnswer> TakeAnswers();
  /// Whether every question has been dealt with.
  bool idle() const;

 private:
  void Loop();
  int64_t FirstTime(LogProbe* probe, const TopicPartition& tp, int64_t start);

  const OpenProbe open_probe_;
  const std::chrono::milliseconds timeout_;
  Clock* const clock_;
  struct LogStart {
    int64_t offset = -1;
    int64_t first_ms = -1;
  };
  std::map<TopicPartition, LogStart> starts_;  // the thread's own
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  // Protected by mutex_:
  std::deque<TailQuestion> questions_;
  std::vector<TailAnswer> answers_;
  bool busy_ = false;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_RECORD_TAIL_CHECK_H_
