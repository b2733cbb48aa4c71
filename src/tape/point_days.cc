#include "tape/point_days.h"

#include <algorithm>

namespace tapedeck {
namespace {

// Lists that a point keeps: the parts of one query ask for one or two ranges.
constexpr size_t kKeptMax = 4;

// Whether a state that ended with the flush of the pin had the day.
bool WasThere(const StatePin& pin, const DayEntry& entry) {
  if (entry.building) return false;
  if (entry.rebuilt && entry.closed > pin.flush) return false;
  if (entry.replaced != 0 && entry.replaced <= pin.flush) return false;
  return !pin.exact || (entry.phase != DayPhase::kOpen && entry.closed <= pin.flush);
}

DayRange Part(std::shared_ptr<const DayList> list, const keys::DayKey& first,
              const keys::DayKey& last) {
  const auto from = std::ranges::lower_bound(*list, first, {}, &DayList::value_type::first);
  const auto to = std::ranges::upper_bound(*list, last, {}, &DayList::value_type::first);
  const std::span<const DayList::value_type> part(from, std::max(from, to));
  return {std::move(list), part};
}

}  // namespace

PointDays::PointDays(DayList given) {
  kept_.push_back({{TableId{}, Day(INT32_MIN), 0},
                   {TableId{UINT16_MAX}, Day(INT32_MAX), UINT32_MAX},
                   std::make_shared<const DayList>(std::move(given))});
}

bool PointDays::Wanted(const DayEntry& entry) const {
  return pin_ ? WasThere(*pin_, entry) && !entry.gone : entry.counts();
}

// Two parts that miss the same days at once both read them.
Result<DayRange> PointDays::Of(const keys::DayKey& first, const keys::DayKey& last) const {
  {
    std::lock_guard lock(mutex_);
    for (const Kept& kept : kept_) {
      if (kept.first <= first && last <= kept.last) return Part(kept.list, first, last);
    }
  }
  TD_ASSIGN_OR_RETURN(DayList days, LoadDays(*view_, first, last));
  std::erase_if(days, [&](const auto& day) { return !Wanted(day.second); });
  auto list = std::make_shared<const DayList>(std::move(days));
  std::lock_guard lock(mutex_);
  if (kept_.size() == kKeptMax) kept_.erase(kept_.begin());
  kept_.push_back({first, last, list});
  return Part(std::move(list), first, last);
}

Result<bool> PointDays::HasAny(TableId table) const {
  const keys::DayKey first{table, Day(INT32_MIN), 0};
  const keys::DayKey last{table, Day(INT32_MAX), UINT32_MAX};
  if (view_ == nullptr) {
    TD_ASSIGN_OR_RETURN(const DayRange days, Of(first, last));
    return !days.empty();
  }
  bool any = false;
  TD_RETURN_IF_ERROR(VisitDays(*view_, first, last, [&](const keys::DayKey&, DayEntry entry) {
    any = Wanted(entry);
    return !any;
  }));
  return any;
}

Result<bool> PointDays::AreAs(const StatePin& pin, const StoreView& view, TableId table, Day first,
                              Day last) {
  bool same = true;
  bool left = false;
  TD_RETURN_IF_ERROR(VisitDays(view, {table, first, 0}, {table, last, UINT32_MAX},
                               [&](const keys::DayKey&, DayEntry entry) {
                                 const bool then = WasThere(pin, entry);
                                 same = same && then == entry.counts();
                                 left = then && entry.gone;
                                 return !left;
                               }));
  if (left) return Status::NotFound("what was read then has been replaced, and its rows have left");
  return same;
}

}  // namespace tapedeck
