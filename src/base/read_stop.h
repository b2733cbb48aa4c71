#ifndef TAPEDECK_BASE_READ_STOP_H_
#define TAPEDECK_BASE_READ_STOP_H_

// ReadStop: how a read that is under way learns that it should end, or let others have a turn.
//
//   auto stop = std::make_shared<ReadStop>(clock, request.gone);
//   stop->EndBy(clock->Monotonic() + std::chrono::seconds(60));
//   query.stop = stop;                                    // the reading side:
//   if (stop != nullptr) TD_RETURN_IF_ERROR(stop->Check());  // every few thousand rows
//
// Thread-safe. The clock outlives it.

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

#include "base/clock.h"
#include "base/status.h"

namespace tapedeck {

class ReadStop {
 public:
  enum class Reason : uint8_t {
    kNone,
    kGone,     // nobody waits for the answer any more
    kBroken,   // what is read must be let go of
    kTooLong,  // past the time of EndBy
  };

  /// `gone` is set by others; may be null.
  explicit ReadStop(const Clock* clock, std::shared_ptr<const std::atomic<bool>> gone = nullptr)
      : clock_(clock), gone_(std::move(gone)) {}

  void Break() { broken_.store(true); }
  /// MonotonicTime::max(): it may take any time.
  void EndBy(MonotonicTime deadline) { deadline_ns_.store(deadline.count()); }
  /// From `until` on others should have their turn; see turn_over.
  void BeginTurn(MonotonicTime until) { turn_ns_.store(until.count()); }

  Reason reason() const {
    if (broken_.load(std::memory_order_relaxed)) return Reason::kBroken;
    if (gone_ != nullptr && gone_->load(std::memory_order_relaxed)) return Reason::kGone;
    const int64_t deadline = deadline_ns_.load(std::memory_order_relaxed);
    if (deadline != INT64_MAX && clock_->Monotonic().count() >= deadline) return Reason::kTooLong;
    return Reason::kNone;
  }
  /// kUnavailable: broken; kCancelled: nobody waits, or it has taken too long.
  Status Check() const {
    switch (reason()) {
      case Reason::kNone:
        return Status::Ok();
      case Reason::kBroken:
        return Status::Unavailable("the store is being opened again: ask once more");
      case Reason::kGone:
        return Status::Cancelled("nobody waits for the answer any more");
      case Reason::kTooLong:
        break;
    }
    return Status::Cancelled("the answer has taken too long");
  }
  bool turn_over() const {
    const int64_t turn = turn_ns_.load(std::memory_order_relaxed);
    return turn != INT64_MAX && clock_->Monotonic().count() >= turn;
  }

 private:
  const Clock* const clock_;
  const std::shared_ptr<const std::atomic<bool>> gone_;
  std::atomic<bool> broken_{false};
  std::atomic<int64_t> deadline_ns_{INT64_MAX};
  std::atomic<int64_t> turn_ns_{INT64_MAX};
};

}  // namespace tapedeck

#endif  // TAPEDECK_BASE_READ_STOP_H_
