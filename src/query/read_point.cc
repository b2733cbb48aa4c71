#include "query/read_point.h"

#include <algorithm>

namespace tapedeck {

Result<std::shared_ptr<const ReadPoint>> ReadPoint::Take(const OpenRows& open_rows,
                                                         const SeriesDirectory* directory,
                                                         const Store& store) {
  OpenRows::List chunks = open_rows.Take();
  return Make(std::move(chunks), directory, store.View());
}

Result<std::shared_ptr<const ReadPoint>> ReadPoint::Make(OpenRows::List chunks,
                                                         const SeriesDirectory* directory,
                                                         std::shared_ptr<const StoreView> view) {
  TD_ASSIGN_OR_RETURN(StoreState state, view->LoadState());
  return Make(std::move(chunks), directory, std::move(view), std::move(state));
}

std::shared_ptr<const ReadPoint> ReadPoint::Make(OpenRows::List chunks,
                                                 const SeriesDirectory* directory,
                                                 std::shared_ptr<const StoreView> view,
                                                 StoreState state) {
  std::shared_ptr<ReadPoint> point(new ReadPoint);
  std::erase_if(chunks, [&](const auto& chunk) { return chunk->commit() <= state.flushed_commit; });
  point->chunks_ = std::move(chunks);
  point->directory_ = directory;
  point->view_ = std::move(view);
  point->state_ = std::move(state);
  std::sort(point->state_.tapes.begin(), point->state_.tapes.end());
  point->ranks_ = TapeRanks(point->state_.tapes);
  return point;
}

const TapeId* ReadPoint::FindTape(TpId tp) const {
  auto found = std::lower_bound(state_.tapes.begin(), state_.tapes.end(), tp,
                                [](const auto& entry, TpId id) { return entry.first < id; });
  return found == state_.tapes.end() || found->first != tp ? nullptr : &found->second;
}

Result<const Table*> ReadPoint::FindTable(std::string_view name) const {
  const Table* table = state_.tables.Find(name);
  if (table != nullptr) return table;
  std::string known;
  for (const Table& t : state_.tables.tables()) known += (known.empty() ? "" : ", ") + t.name;
  return Status::NotFound("no table '" + std::string(name) + "'; there are: " + known);
}

}  // namespace tapedeck
