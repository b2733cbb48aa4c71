#include "replay/trail_thread.h"

#include <sys/resource.h>

#include <utility>

#include "base/thread.h"

namespace tapedeck {
namespace {

constexpr std::chrono::milliseconds kPoll{50};
// Longer than a broker takes to show a committed transaction; the end may be met before it.
constexpr std::chrono::seconds kShownWithin{30};
// A broker that is coming up may not know a topic for a moment.
constexpr std::chrono::seconds kGoneAfter{15};
// Where there is too little of the machine for both, sending goes first. The reader's own threads,
// made by this one, are as patient.
constexpr int kNiceness = 10;

}  // namespace

TrailThread::TrailThread(const WorkerParts& parts, ReplayJob job)
    : parts_(parts), job_(std::move(job)), verifier_(job_, parts.name), next_(job_.target_starts) {}

TrailThread::~TrailThread() {
  stop_.store(true);
  if (thread_.joinable()) thread_.join();
}

Status TrailThread::Start() {
  TD_ASSIGN_OR_RETURN(thread_, StartThread([this] { Run(); }));
  return Status::Ok();
}

Status TrailThread::ReadOn() {
  if (anew_.exchange(false)) {
    trail_ = nullptr;
    rounds_at_end_.store(0);
  }
  if (trail_ == nullptr) {
    ReplayJob job = job_;
    job.target_starts = next_;
    TD_ASSIGN_OR_RETURN(trail_, parts_.open_trail(job));
  }
  Status full;  // of holes
  bool answered = false;
  TD_RETURN_IF_ERROR(trail_->Poll(kPoll, [&](const TopicPartition& tp, const MessageView& m) {
    std::lock_guard lock(mutex_);
    answered = true;
    next_[tp] = m.offset + 1;
    verifier_.See(tp, m);
    if (job_.spec.restore && full.ok()) full = found_[tp].Add(m.offset);
  }));
  TD_RETURN_IF_ERROR(full);
  {
    std::lock_guard lock(mutex_);
    verified_.store(verifier_.messages(), std::memory_order_relaxed);
    foreign_.store(verifier_.foreign(), std::memory_order_relaxed);
  }
  // A round without anything is no answer: a reader of a topic that is gone begins with some.
  if (answered || trail_->at_end()) not_found_.reset();
  if (finishing_.load() && trail_->at_end()) ++rounds_at_end_;
  return Status::Ok();
}

FoundOffsets TrailThread::found() const {
  std::lock_guard lock(mutex_);
  return found_;
}

// Whether it is worth reading on after this.
bool TrailThread::Passes(const Status& status) {
  switch (status.code()) {
    case StatusCode::kNotFound: {
      const MonotonicTime now = parts_.clock->Monotonic();
      if (!not_found_) not_found_ = now;
      return now - *not_found_ < kGoneAfter;
    }
    case StatusCode::kInvalidArgument:
    case StatusCode::kCorruption:
    case StatusCode::kAlreadyExists:
    case StatusCode::kFailedPrecondition:
      return false;
    default:
      return true;
  }
}

void TrailThread::Run() {
  (void)setpriority(PRIO_PROCESS, 0, kNiceness);  // on Linux: of this thread; as before if refused
  while (!stop_.load()) {
    const Status status = ReadOn();
    if (status.ok()) continue;
    trail_ = nullptr;
    rounds_at_end_.store(0);  // another reader meets the end anew
    if (!Passes(status)) {
      std::lock_guard lock(mutex_);
      status_ = status;
      return;
    }
    parts_.clock->SleepFor(kPoll);
  }
}

// The end that the reader met may be older than the last commit: it must be met again, and either
// be what was sent, or stay what it is for a while. Nobody tells a reader that its broker has gone
// since: before anything is found missing, another one has to meet the end.
Status TrailThread::Finish(uint64_t messages, const Digest& digest,
                           const std::function<bool()>& give_up) {
  finishing_.store(true);
  constexpr uint64_t kRounds = 3;
  uint64_t seen = 0;
  uint64_t seen_by_last = 0;  // reader, after which there was another
  bool anew = false;
  MonotonicTime changed = parts_.clock->Monotonic();
  for (; !give_up(); parts_.clock->SleepFor(std::chrono::milliseconds(10))) {
    std::lock_guard lock(mutex_);
    TD_RETURN_IF_ERROR(status_);
    const MonotonicTime now = parts_.clock->Monotonic();
    if (std::exchange(seen, verifier_.messages()) != verifier_.messages()) changed = now;
    if (rounds_at_end_.load() < kRounds) {
      changed = now;  // a target that cannot be read shows nothing, however long it takes
      continue;
    }
    const Status same = verifier_.Compare(messages, digest);
    if (same.ok() || seen > messages || verifier_.torn() || (anew && seen == seen_by_last))
      return same;
    if (now - changed < kShownWithin) continue;
    anew = true;
    seen_by_last = seen;
    rounds_at_end_.store(0);
    anew_.store(true);
  }
  return Status::Cancelled("verification was interrupted");
}

}  // namespace tapedeck
