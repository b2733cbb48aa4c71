#include "query/read_point.h"

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
    TD_ASSIGN_OR_RETURN(StoreState state, view->LoadState());
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
  TD_ASSIGN_OR_RETURN(StoreState state, view->LoadState());
  return Make(std::move(chunks), directory, std::move(view), std::move(state), std::move(archive));
}

std::shared_ptr<const ReadPoint> ReadPoint::Make(OpenRows::List chunks,
                                                 const SeriesDirectory* directory,
                                                 std::shared_ptr<const StoreView> view,
                                                 StoreState state, ArchivePart archive) {
  std::shared_ptr<ReadPoint> point(new ReadPoint);
  std::erase_if(chunks, [&](const auto& chunk) { return chunk->commit() <= state.flushed_commit; });
  point->chunks_ = std::move(chunks);
  point->directory_ = directory;
  point->view_ = std::move(view);
  point->state_ = std::move(state);
  std::sort(point->state_.tapes.begin(), point->state_.tapes.end());
  point->SetOthersAside();
  point->archive_ = std::move(archive);
  if (point->archive_.manifests != nullptr) point->AddArchived();
  point->ranks_ = TapeRanks(point->state_.tapes);
  return point;
}

void ReadPoint::SetOthersAside() {
  auto& days = state_.days;
  const auto others = std::stable_partition(days.begin(), days.end(),
                                            [](const auto& day) { return day.second.counts(); });
  for (auto day = others; day != days.end(); ++day) {
    if (!day->second.building) other_days_.push_back(std::move(*day));
  }
  days.erase(others, days.end());
}

Result<std::shared_ptr<const ReadPoint>> ReadPoint::At(std::shared_ptr<const ReadPoint> point,
                                                       const StatePin& pin, const Table& table,
                                                       Day first, Day last) {
  auto was_there = [&](const DayEntry& entry) {
    if (entry.rebuilt && entry.closed > pin.flush) return false;
    if (entry.replaced != 0 && entry.replaced <= pin.flush) return false;
    return !pin.exact || (entry.phase != DayPhase::kOpen && entry.closed <= pin.flush);
  };
  std::vector<std::pair<keys::DayKey, DayEntry>> back;
  for (const auto& [key, entry] : point->other_days_) {
    if (!was_there(entry)) continue;
    const bool asked = key.table == table.id && key.day >= first && key.day <= last;
    if (entry.gone && asked) {
      return Status::NotFound("what was read then has been replaced, and its rows have left");
    }
    if (!entry.gone) back.emplace_back(key, entry);
  }
  const auto& days = point->state_.days;
  const bool same = back.empty() && std::all_of(days.begin(), days.end(), [&](const auto& day) {
                      return was_there(day.second);
                    });
  if (same && (!pin.exact || point->chunks_.empty())) return point;
  std::shared_ptr<ReadPoint> pinned(new ReadPoint(*point));
  auto& kept = pinned->state_.days;
  std::erase_if(kept, [&](const auto& day) { return !was_there(day.second); });
  kept.insert(kept.end(), back.begin(), back.end());
  std::sort(kept.begin(), kept.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  pinned->other_days_.clear();
  if (pin.exact) pinned->chunks_.clear();
  pinned->pinned_ = true;
  return std::shared_ptr<const ReadPoint>(std::move(pinned));
}

std::shared_ptr<const ReadPoint> ReadPoint::AsStored(
    const std::shared_ptr<const ReadPoint>& point,
    std::vector<std::pair<keys::DayKey, DayEntry>> days) {
  std::shared_ptr<ReadPoint> other(new ReadPoint(*point));
  std::sort(days.begin(), days.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  other->state_.days = std::move(days);
  other->other_days_.clear();
  other->chunks_.clear();
  other->archive_.own_only = true;
  other->pinned_ = true;
  return other;
}

// Tables and tapes of other nodes and stores.
void ReadPoint::AddArchived() {
  for (const Table& table : archive_.manifests->tables()) {
    const Table* ours = state_.tables.Find(table.name);
    const bool fixed = ours != nullptr && Fixed(*ours);
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
}

// Whether the store has anything of the table: then it is as the store says.
bool ReadPoint::Fixed(const Table& table) const {
  return std::any_of(state_.days.begin(), state_.days.end(),
                     [&](const auto& day) { return day.first.table == table.id; });
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
