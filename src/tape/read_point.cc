#include "tape/read_point.h"

#include <algorithm>
#include <chrono>

namespace tapedeck {
namespace {

// Between a durable commit and its rows lie microseconds, unless the record thread has ended there.
constexpr std::chrono::milliseconds kPublishedWithin(1000);
constexpr int kPointAttempts = 3;

}  // namespace

ArchivePart ArchivePart::Take(Archive* archive, const StoreMeta& meta) {
  if (archive == nullptr) return {};
  return {archive->manifests().Take(), &archive->objects(), meta.node_id, meta.store_id, false};
}

Result<std::shared_ptr<const ReadPoint>> ReadPoint::Take(const OpenRows& open_rows,
                                                         const SeriesDirectory* directory,
                                                         const Store& store, Archive* archive) {
  for (int attempt = 1;; ++attempt) {
    const uint64_t published = open_rows.published();
    OpenRows::List chunks = open_rows.Take();
    std::shared_ptr<const StoreView> view = store.View();
    TD_ASSIGN_OR_RETURN(StoreState state, LoadStateWithoutDays(*view));
    // A commit that is durable and not yet published would hide rows of other stores by its offsets
    // and have none of its own.
    const bool seen = archive == nullptr || state.commit <= published;
    if (seen || attempt == kPointAttempts) {
      return Make(std::move(chunks), directory, std::move(view), std::move(state),
                  ArchivePart::Take(archive, store.meta()));
    }
    open_rows.AwaitPublished(state.commit, kPublishedWithin);
  }
}

Result<std::shared_ptr<const ReadPoint>> ReadPoint::Make(OpenRows::List chunks,
                                                         const SeriesDirectory* directory,
                                                         std::shared_ptr<const StoreView> view,
                                                         ArchivePart archive) {
  TD_ASSIGN_OR_RETURN(StoreState state, LoadStateWithoutDays(*view));
  return Make(std::move(chunks), directory, std::move(view), std::move(state), std::move(archive));
}

Result<std::shared_ptr<const ReadPoint>> ReadPoint::Make(OpenRows::List chunks,
                                                         const SeriesDirectory* directory,
                                                         std::shared_ptr<const StoreView> view,
                                                         StoreState state, ArchivePart archive) {
  std::shared_ptr<ReadPoint> point(new ReadPoint);
  std::erase_if(chunks, [&](const auto& chunk) { return chunk->commit() <= state.flushed_commit; });
  point->chunks_ = std::move(chunks);
  point->directory_ = directory;
  point->view_ = std::move(view);
  point->state_ = std::move(state);
  point->state_.days.clear();
  point->days_ = std::make_shared<const PointDays>(point->view_);
  std::sort(point->state_.tapes.begin(), point->state_.tapes.end());
  point->archive_ = std::move(archive);
  if (point->archive_.manifests != nullptr) TD_RETURN_IF_ERROR(point->AddArchived());
  point->ranks_ = TapeRanks(point->state_.tapes);
  return std::shared_ptr<const ReadPoint>(std::move(point));
}

Result<DayRange> ReadPoint::Days(const Table& table, Day first, Day last) const {
  return days_->Of({table.id, first, 0}, {table.id, last, UINT32_MAX});
}

Result<DayRange> ReadPoint::AllDays() const {
  return days_->Of({TableId{}, Day(INT32_MIN), 0},
                   {TableId{UINT16_MAX}, Day(INT32_MAX), UINT32_MAX});
}

Result<std::shared_ptr<const ReadPoint>> ReadPoint::At(std::shared_ptr<const ReadPoint> point,
                                                       const StatePin& pin, const Table& table,
                                                       Day first, Day last) {
  TD_ASSIGN_OR_RETURN(const bool same, PointDays::AreAs(pin, point->view(), table.id, first, last));
  if (same && (!pin.exact || point->chunks_.empty())) return point;
  std::shared_ptr<ReadPoint> pinned(new ReadPoint(*point));
  pinned->days_ = std::make_shared<const PointDays>(point->view_, pin);
  if (pin.exact) pinned->chunks_.clear();
  pinned->pinned_ = true;
  return std::shared_ptr<const ReadPoint>(std::move(pinned));
}

std::shared_ptr<const ReadPoint> ReadPoint::AsStored(const std::shared_ptr<const ReadPoint>& point,
                                                     DayList days) {
  std::shared_ptr<ReadPoint> other(new ReadPoint(*point));
  std::sort(days.begin(), days.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  other->days_ = std::make_shared<const PointDays>(std::move(days));
  other->chunks_.clear();
  other->archive_.own_only = true;
  other->pinned_ = true;
  return other;
}

// Tables and tapes of other nodes and stores.
Status ReadPoint::AddArchived() {
  for (const Table& table : archive_.manifests->tables()) {
    const Table* ours = state_.tables.Find(table.name);
    bool fixed = false;  // the store has something of it: then it is as the store says
    if (ours != nullptr) {
      TD_ASSIGN_OR_RETURN(fixed, days_->HasAny(ours->id));
    }
    // What does not fit is left out here and found where the manifest's rows are wanted.
    for (const Column& column : table.columns) {
      if (ours != nullptr && ours->FindColumn(column.name) >= 0) continue;
      (void)state_.tables.Declare(table.name, std::span(&column, 1)).ok();
      ours = state_.tables.Find(table.name);
    }
    if (ours == nullptr) (void)state_.tables.Declare(table.name, {}).ok();
    if (!fixed) {
      (void)state_.tables.Configure(table.name, table.day_size, table.identity, false).ok();
    }
  }
  auto& tapes = state_.tapes;
  first_archived_ = tapes.empty() ? 0 : Raw(tapes.back().first) + 1;
  tape_ids_.reserve(tapes.size());
  for (const auto& [tp, tape] : tapes) tape_ids_.emplace_back(tape, tp);
  std::sort(tape_ids_.begin(), tape_ids_.end());
  const size_t ours = tape_ids_.size();
  uint32_t next = first_archived_;
  for (const TapeId& tape : archive_.manifests->tape_ids()) {
    const std::pair<TapeId, TpId> least{tape, TpId{}};
    const auto end = tape_ids_.begin() + static_cast<ptrdiff_t>(ours);
    const auto at = std::lower_bound(tape_ids_.begin(), end, least);
    if (at != end && at->first == tape) continue;
    tapes.emplace_back(TpId{next}, tape);
    tape_ids_.emplace_back(tape, TpId{next++});
  }
  std::sort(tape_ids_.begin(), tape_ids_.end());
  return Status::Ok();
}

std::optional<TpId> ReadPoint::FindTape(const TapeId& tape) const {
  const std::pair<TapeId, TpId> least{tape, TpId{}};
  const auto at = std::lower_bound(tape_ids_.begin(), tape_ids_.end(), least);
  if (at == tape_ids_.end() || at->first != tape) return std::nullopt;
  return at->second;
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
