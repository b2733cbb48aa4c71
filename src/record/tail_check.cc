#include "record/tail_check.h"

#include "base/failpoint.h"
#include "base/log.h"

namespace tapedeck {
namespace {

constexpr int kShortLogLooks = 3;
constexpr std::chrono::milliseconds kBetweenLooks(500);

enum class Look : uint8_t { kEqual, kGone, kDiffers };

Result<Look> LookAt(LogProbe* probe, MessageHasher* hasher, const TailQuestion& question,
                    const Landmark& landmark, const LogBounds& bounds,
                    std::chrono::milliseconds timeout) {
  if (landmark.offset < 0 || landmark.offset < bounds.start) return Look::kGone;
  if (landmark.offset >= bounds.end) return Look::kDiffers;
  Result<std::unique_ptr<ProbedMessage>> probed =
      probe->ReadAt(question.tp, landmark.offset, timeout);
  if (probed.status().code() == StatusCode::kCorruption) {
    // Spoiled on the wire or in Kafka: no sign of another log.
    TD_LOG(kWarn, "record", "tail-unreadable", probed.status().ToString(),
           {{"partition", question.tp.ToString()}, {"offset", std::to_string(landmark.offset)}});
    return Look::kGone;
  }
  if (!probed.ok()) return probed.status();
  if (!(*probed)->found) return Look::kGone;
  return hasher->Message((*probed)->message, question.tp) == landmark.hash ? Look::kEqual
                                                                           : Look::kDiffers;
}

}  // namespace

Result<TailAnswer> CheckTail(LogProbe* probe, const TailQuestion& question,
                             std::chrono::milliseconds timeout, Clock* clock) {
  TD_RETURN_IF_ERROR(FailpointHit("record.tail_check"));
  TailAnswer answer{.question = question};
  for (int look = 0; look < kShortLogLooks; ++look) {
    TD_ASSIGN_OR_RETURN(answer.bounds, probe->Bounds(question.tp, timeout));
    if (question.next <= answer.bounds.end) break;
    if (look + 1 < kShortLogLooks) clock->SleepFor(kBetweenLooks);
  }
  if (question.next > answer.bounds.end) {
    answer.verdict = TailVerdict::kChanged;
    answer.reason = "the log ends at " + std::to_string(answer.bounds.end) + ", before offset " +
                    std::to_string(question.next) + " that was reached";
    if (question.last.offset < answer.bounds.end) {
      answer.reason +=
          "; no recorded message lies past its end: a skip that went too far looks like this";
    }
    return answer;
  }
  MessageHasher hasher;
  for (const Landmark* landmark : {&question.last, &question.anchor}) {
    TD_ASSIGN_OR_RETURN(Look look,
                        LookAt(probe, &hasher, question, *landmark, answer.bounds, timeout));
    if (look == Look::kDiffers) {
      answer.verdict = TailVerdict::kChanged;
      answer.reason = "the message at offset " + std::to_string(landmark->offset) +
                      " is not the one that was recorded";
      return answer;
    }
    if (look == Look::kEqual) answer.verdict = TailVerdict::kSame;
  }
  return answer;
}

TailChecker::TailChecker(OpenProbe open_probe, std::chrono::milliseconds timeout, Clock* clock)
    : open_probe_(std::move(open_probe)),
      timeout_(timeout),
      clock_(clock),
      thread_([this] { Loop(); }) {}

TailChecker::~TailChecker() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void TailChecker::Ask(std::vector<TailQuestion> questions) {
  {
    std::lock_guard lock(mutex_);
    questions_.assign(std::make_move_iterator(questions.begin()),
                      std::make_move_iterator(questions.end()));
  }
  wake_.notify_all();
}

std::vector<TailAnswer> TailChecker::TakeAnswers() {
  std::lock_guard lock(mutex_);
  return std::exchange(answers_, {});
}

bool TailChecker::idle() const {
  std::lock_guard lock(mutex_);
  return !busy_ && questions_.empty();
}

void TailChecker::Loop() {
  std::unique_ptr<LogProbe> probe;
  for (;;) {
    TailQuestion question;
    {
      std::unique_lock lock(mutex_);
      busy_ = false;
      wake_.wait(lock, [&] { return stop_ || !questions_.empty(); });
      if (stop_) return;
      question = std::move(questions_.front());
      questions_.pop_front();
      busy_ = true;
    }
    if (probe == nullptr) {
      Result<std::unique_ptr<LogProbe>> opened = open_probe_();
      if (!opened.ok()) {
        TD_LOG(kWarn, "record", "probe-failed", opened.status().ToString());
        continue;
      }
      probe = std::move(opened).value();
    }
    Result<TailAnswer> answer = CheckTail(probe.get(), question, timeout_, clock_);
    if (!answer.ok()) {
      TD_LOG(kWarn, "record", "tail-check-unanswered", answer.status().ToString(),
             {{"partition", question.tp.ToString()}});
      continue;
    }
    answer->log_first_ms = FirstTime(probe.get(), question.tp, answer->bounds.start);
    std::lock_guard lock(mutex_);
    answers_.push_back(std::move(answer).value());
  }
}

// Read once for each start of the log: it moves only when Kafka drops a segment.
int64_t TailChecker::FirstTime(LogProbe* probe, const TopicPartition& tp, int64_t start) {
  LogStart& known = starts_[tp];
  if (known.offset == start) return known.first_ms;
  Result<std::unique_ptr<ProbedMessage>> first = probe->ReadAt(tp, start, timeout_);
  if (!first.ok()) return known.first_ms;
  const bool has_time = (*first)->found && (*first)->message.timestamp_ms >= 0;
  known = {start, has_time ? (*first)->message.timestamp_ms : -1};
  return known.first_ms;
}

}  // namespace tapedeck
