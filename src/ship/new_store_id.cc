#include "ship/new_store_id.h"

#include "store/store_id.h"

namespace tapedeck {

Status PutNewStoreId(const StoreView& view, std::string_view id, StoreBatch* batch) {
  TD_ASSIGN_OR_RETURN(StoreState state, view.LoadState());
  for (auto& [key, entry] : state.days) {
    if (entry.phase <= DayPhase::kClosing || entry.phase >= DayPhase::kShipped) continue;
    entry.phase = DayPhase::kClosing;
    entry.draft.clear();
    entry.manifest.clear();
    batch->PutDay(key, entry);
  }
  for (auto& [tp, ship] : state.ships) {
    if (ship.phase == DayPhase::kOpen) continue;
    ship.phase = DayPhase::kOpen;
    ship.draft.clear();
    batch->PutTapeShip(tp, ship);
  }
  TD_ASSIGN_OR_RETURN(const auto objects, view.Objects());
  for (const auto& [name, entry] : objects) batch->DeleteObject(name);
  PutStoreId(id, batch);
  return Status::Ok();
}

}  // namespace tapedeck
