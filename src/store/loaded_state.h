#ifndef TAPEDECK_STORE_LOADED_STATE_H_
#define TAPEDECK_STORE_LOADED_STATE_H_

// Parts of a StoreState, for readers that come often: the days of a store grow with its age, so who
// wants a few of them reads those.
//
//   TD_ASSIGN_OR_RETURN(StoreState state, LoadStateWithoutDays(*view));
//   TD_ASSIGN_OR_RETURN(DayList days, LoadDays(*view, {table, day, 0}, {table, day, UINT32_MAX}));
//
// Errors: kCorruption names the entry. Thread safety: as the view's.

#include <functional>
#include <utility>
#include <vector>

#include "base/status.h"
#include "model/keys.h"
#include "model/stored.h"
#include "store/store.h"

namespace tapedeck {

/// In the order of keys: table, day, generation.
using DayList = std::vector<std::pair<keys::DayKey, DayEntry>>;

/// All of LoadState but `days`. Costs what there are tables and tapes.
Result<StoreState> LoadStateWithoutDays(const StoreView& view);

/// Entries from `first` to `last`, both of them inside; costs what there are of these.
Result<DayList> LoadDays(const StoreView& view, const keys::DayKey& first,
                         const keys::DayKey& last);

/// The same one by one, until `use` returns false.
Status VisitDays(const StoreView& view, const keys::DayKey& first, const keys::DayKey& last,
                 const std::function<bool(const keys::DayKey&, DayEntry)>& use);

}  // namespace tapedeck

#endif  // TAPEDECK_STORE_LOADED_STATE_H_
