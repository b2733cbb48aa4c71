#ifndef TAPEDECK_TAPE_POINT_DAYS_H_
#define TAPEDECK_TAPE_POINT_DAYS_H_

// PointDays: the days of a read point, read when they are asked for. A store gets more of them
// every day, and a query mostly wants one or two: so it reads these, and keeps them for the next
// part of the same query.
//
//   TD_ASSIGN_OR_RETURN(const DayRange days, point.Days(table, first, last));
//   for (const auto& [key, entry] : days) …
//
// Thread safety: thread-safe.

#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/status.h"
#include "store/loaded_state.h"
#include "store/store.h"

namespace tapedeck {

/// A state that was read before, by the number of the last flush it had.
struct StatePin {
  uint64_t flush = 0;
  /// Of what was closed, nothing that came later either.
  bool exact = false;
};

/// Some days in the order of their keys; they live as long as this does.
class DayRange {
 public:
  DayRange() = default;
  DayRange(std::shared_ptr<const DayList> list, std::span<const DayList::value_type> part)
      : list_(std::move(list)), part_(part) {}

  auto begin() const { return part_.begin(); }
  auto end() const { return part_.end(); }
  size_t size() const { return part_.size(); }
  bool empty() const { return part_.empty(); }

 private:
  std::shared_ptr<const DayList> list_;
  std::span<const DayList::value_type> part_;
};

class PointDays {
 public:
  /// Those of the view that count: neither replaced nor still being built. With a pin: those that
  /// did then.
  explicit PointDays(std::shared_ptr<const StoreView> view,
                     std::optional<StatePin> pin = std::nullopt)
      : view_(std::move(view)), pin_(pin) {}
  /// These, sorted.
  explicit PointDays(DayList given);

  /// From `first` to `last`, both inside. Errors are the store's.
  Result<DayRange> Of(const keys::DayKey& first, const keys::DayKey& last) const;
  /// Whether there is any of the table.
  Result<bool> HasAny(TableId table) const;
  /// Whether the table's days [first, last] were then what they are now. kNotFound: some had rows
  /// that have left.
  static Result<bool> AreAs(const StatePin& pin, const StoreView& view, TableId table, Day first,
                            Day last);

 private:
  struct Kept {
    keys::DayKey first, last;
    std::shared_ptr<const DayList> list;
  };
  bool Wanted(const DayEntry& entry) const;

  const std::shared_ptr<const StoreView> view_;  // null: given
  const std::optional<StatePin> pin_;
  mutable std::mutex mutex_;
  mutable std::vector<Kept> kept_;  // protected by mutex_; the newest last
};

}  // namespace tapedeck

#endif  // TAPEDECK_TAPE_POINT_DAYS_H_
