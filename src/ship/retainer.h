#ifndef TAPEDECK_SHIP_RETAINER_H_
#define TAPEDECK_SHIP_RETAINER_H_

// Retainer: retention of a node that has no archive. What is older than `retain` is dropped, for
// good, and the store says so.
//
//   Retainer retainer(std::chrono::hours(24 * 30), {store, queue, clock});
//   Status end = retainer.Run(stop);            // a thread of its own
//   Status done = retainer.Round();             // or one look at everything, as tests do
//
// Tapes first: whole blocks, from the beginning of a tape, whose messages came longer ago than
// `retain` and have no younger Kafka time (one more than a day ahead of our clock is not believed),
// and whose records are all in the series. They go with their index entries and refusals, and in
// the same batch the one gap of reason `retain` grows: it begins where coverage begins, takes in
// other gaps on its way, and its times are bounds of all that it swallowed.
//
// Then days of tables: all generations of a day whose period ended longer ago than `retain`, once
// every offset that its vectors name lies in such gaps. So no message that is left decodes to a row
// that is gone; a day that goes on getting rows stays, and keeps no other one. Each batch takes all
// blocks of some series of that day and leaves rows and digests of the days, and rows and times of
// the catalog, as they are counted from what is left; an entry without rows goes.
//
// After every batch verify finds nothing, and a crash between two of them leaves only work to do:
// nothing is remembered. Deletions are points, in batches of about kBatchKeys. Counters of
// checkpoints stay.
//
// Which time it is: SteadyTime, and no later than the greatest Kafka time of the recording, or the
// newest receipt that the store had at the start, with the time since then added. A clock that
// jumps, or was wrong when the process began, drops nothing early; after a long pause nothing goes
// before new messages came.
//
// Left alone: tapes of which something was shipped, and days that are or were on their way into an
// archive (state().held tells).
//
// Errors of Run: OK after `stop`. Everything else is kept in State() and tried again.
//
// Thread safety: Run or Round by one thread; State by any.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "base/steady_time.h"
#include "store/store.h"
#include "store/store_queue.h"

namespace tapedeck {

struct RetainParts {  // all outlive it
  Store* store = nullptr;
  StoreQueue* queue = nullptr;  // somebody serves it
  Clock* clock = nullptr;
};

/// Counts are since this process started.
struct RetainState {
  bool running = false;
  std::string last_error;      // of the last round; "" all is well
  std::string held;            // what keeps its data although it is old enough; "" nothing
  uint64_t messages = 0;       // dropped from tapes
  uint64_t message_bytes = 0;  // of them, before compression
  uint64_t rows = 0;           // dropped from series
  Timestamp older_than;        // what the last round looked for; 0: none yet
};

class Retainer {
 public:
  /// Keys that a batch deletes, where the messages of one block or the blocks of one series of a
  /// day are not more.
  static constexpr size_t kBatchKeys = 1000;

  Retainer(std::chrono::nanoseconds retain, RetainParts parts, size_t batch_keys = kBatchKeys);

  /// Looks at once and then every minute, or every tenth of `retain` where that is shorter.
  Status Run(const std::atomic<bool>& stop);
  /// Drops all that is old enough. The first error, after everything else was tried.
  Status Round();
  RetainState State() const;

 private:
  struct TapePart;
  struct DayPart;

  Status CheckStop() const;
  Status Anchor(const StoreView& view, const StoreState& state);
  void Publish();
  Timestamp Oldest(const StoreState& state) const;

  // retainer.cc: tapes
  Status DropTape(TpId tp, const Checkpoint& checkpoint);
  Result<TapePart> NextTapePart(const StoreView& view, TpId tp, const Checkpoint& checkpoint);
  Result<bool> IsOld(const StoreView& view, TpId tp, const TapeIndexEntry& entry);
  Gap GrownGap(const Checkpoint& checkpoint, const TapePart& part,
               const std::vector<Gap>& gaps) const;
  Status AddTapePart(TpId tp, const Checkpoint& checkpoint, const TapePart& part,
                     StoreBatch* batch) const;

  // retainer_days.cc: days
  Status DropDays(const Table& table);
  Result<bool> MayDrop(const StoreView& view, const StoreState& state, const Table& table, Day day);
  Status DropDay(const Table& table, Day day);
  Result<DayPart> NextDayPart(const StoreView& view, const StoreState& state, const Table& table,
                              Day day) const;
  Status AddDayPart(const Table& table, const DayPart& part, StoreBatch* batch) const;

  const std::chrono::nanoseconds retain_;
  const RetainParts parts_;
  const size_t batch_keys_;
  const SteadyTime time_;
  const MonotonicTime started_;
  const std::atomic<bool>* stop_ = nullptr;
  std::optional<Timestamp> anchor_;  // newest receipt and Kafka time in the store at the start
  Timestamp oldest_;                 // of the round: what is older goes
  /// By tape: the first block that stays, and when it was received; spares decoding it again.
  std::map<TpId, std::pair<int64_t, Timestamp>> waiting_;
  RetainState live_;

  mutable std::mutex mutex_;
  RetainState state_;  // protected by mutex_
};

}  // namespace tapedeck

#endif  // TAPEDECK_SHIP_RETAINER_H_
