#include "record/divergence.h"

#include <algorithm>
#include <unordered_map>

#include "record/passing.h"

namespace tapedeck {
namespace {

// How far back the first look goes when the anchor differs; each further look goes four times as
// far.
constexpr int64_t kFirstStepBack = 1024;
// Hashes of the tape held at once while comparing forward: bounds memory to some megabytes.
constexpr int64_t kCompareWindow = 65536;

class Comparison {
 public:
  Comparison(LogProbe* probe, RecordedTape* tape, const TopicPartition& tp,
             std::chrono::milliseconds timeout)
      : probe_(probe), tape_(tape), tp_(tp), timeout_(timeout) {}

  // Whether the log's message at the first recorded offset at or after `from` (below `to`) is the
  // recorded one.
  Result<bool> EqualAtOrAfter(int64_t from, int64_t to, int64_t* where) {
    Landmark recorded;
    TD_RETURN_IF_ERROR(tape_->ReadRange(from, to, [&](const MessageView& m) {
      recorded = {m.offset, hasher_.Message(m, tp_)};
      return false;
    }));
    if (recorded.offset < 0) return false;
    *where = recorded.offset;
    return EqualAt(recorded);
  }

  Result<bool> EqualAt(const Landmark& recorded) {
    Result<std::unique_ptr<ProbedMessage>> read = probe_->ReadAt(tp_, recorded.offset, timeout_);
    // What Kafka holds damaged is not what was recorded.
    if (read.status().code() == StatusCode::kCorruption) return false;
    TD_ASSIGN_OR_RETURN(std::unique_ptr<ProbedMessage> probed, Passing(std::move(read)));
    return probed->found && hasher_.Message(probed->message, tp_) == recorded.hash;
  }

  // Compares [from, to) of the log with the tape; equal messages extend or open runs of `held`, and
  // each different one ends them.
  Status Forward(int64_t from, int64_t to, Divergence* result) {
    for (int64_t at = from; at < to; at += kCompareWindow) {
      const int64_t end = std::min(to, at + kCompareWindow);
      std::unordered_map<int64_t, Hash128> recorded;
      TD_RETURN_IF_ERROR(tape_->ReadRange(at, end, [&](const MessageView& m) {
        recorded[m.offset] = hasher_.Message(m, tp_);
        return true;
      }));
      int64_t next = at;
      Status read = probe_->ReadRange(tp_, at, end, timeout_, [&](const MessageView& m) {
        next = m.offset + 1;
        auto found = recorded.find(m.offset);
        Note(m.offset, found != recorded.end() && found->second == hasher_.Message(m, tp_), result);
        return true;
      });
      if (read.code() == StatusCode::kCorruption) {  // nothing from there on is known to be equal
        Note(next, false, result);
        return Status::Ok();
      }
      TD_RETURN_IF_ERROR(Passing(std::move(read)));
    }
    return Status::Ok();
  }

 private:
  void Note(int64_t offset, bool equal, Divergence* result) {
    if (!equal) {
      if (!any_different_) result->first_different = offset;
      any_different_ = true;
      run_open_ = false;
      return;
    }
    if (!any_different_) {
      result->first_different = offset + 1;
      return;
    }
    if (!run_open_) result->held.push_back({offset, offset + 1});
    run_open_ = true;
    result->held.back().to = offset + 1;
  }

  LogProbe* probe_;
  RecordedTape* tape_;
  const TopicPartition& tp_;
  std::chrono::milliseconds timeout_;
  MessageHasher hasher_;
  bool any_different_ = false;
  bool run_open_ = false;
};

}  // namespace

Result<Divergence> CompareLogAndTape(LogProbe* probe, RecordedTape* tape, const TopicPartition& tp,
                                     const LogBounds& bounds, int64_t tape_start, int64_t tape_next,
                                     const Landmark& anchor, std::chrono::milliseconds timeout) {
  Comparison comparison(probe, tape, tp, timeout);
  const int64_t low = std::max(bounds.start, tape_start);
  const int64_t high = std::min(bounds.end, tape_next);
  Divergence result;
  if (low >= high) {  // nothing in common: the log is all new
    result.first_different = bounds.start;
    return result;
  }

  // From where on to compare: behind the greatest place that is known to be equal.
  int64_t from = low;
  bool anchored = anchor.offset >= low && anchor.offset < high;
  if (anchored) {
    TD_ASSIGN_OR_RETURN(anchored, comparison.EqualAt(anchor));
  }
  if (anchored) {
    from = anchor.offset + 1;
  } else {
    for (int64_t step = kFirstStepBack; high - step > low; step *= 4) {
      int64_t where = 0;
      TD_ASSIGN_OR_RETURN(bool equal, comparison.EqualAtOrAfter(high - step, high, &where));
      if (equal) {
        from = where + 1;
        break;
      }
    }
  }

  result.first_different = from;
  TD_RETURN_IF_ERROR(comparison.Forward(from, high, &result));
  if (result.first_different > low) {
    result.held.insert(result.held.begin(), {low, result.first_different});
  }
  return result;
}

}  // namespace tapedeck
