#include "record/tape_book.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace tapedeck {

TapeBook::TapeBook(StoreState state)
    : tables(state.tables), commit(state.commit), flush(state.flush) {
  Reload(std::move(state));
}

void TapeBook::Reload(StoreState state) {
  tapes_ = std::move(state.tapes);
  checkpoints_.clear();
  std::sort(tapes_.begin(), tapes_.end());
  checkpoints_.resize(tapes_.size());
  for (const auto& [tp, checkpoint] : state.checkpoints) checkpoints_[Position(tp)] = checkpoint;
  SetDays(std::move(state.days));
  SetShips(std::move(state.ships));
  ranks_ = TapeRanks(tapes_);
}

size_t TapeBook::Position(TpId tp) const {
  auto found = std::lower_bound(tapes_.begin(), tapes_.end(), tp,
                                [](const auto& t, TpId id) { return t.first < id; });
  TD_CHECK(found != tapes_.end() && found->first == tp, "a tape of this store");
  return static_cast<size_t>(found - tapes_.begin());
}

std::optional<TpId> TapeBook::Current(const std::string& cluster, const TopicPartition& tp) const {
  std::optional<TpId> best;
  uint32_t lineage = 0;
  for (const auto& [id, tape] : tapes_) {
    if (tape.topic != tp.topic || tape.partition != tp.partition || tape.cluster != cluster)
      continue;
    if (!best || tape.lineage >= lineage) {
      best = id;
      lineage = tape.lineage;
    }
  }
  return best;
}

bool TapeBook::KnowsTopic(const std::string& cluster, const std::string& topic) const {
  return std::any_of(tapes_.begin(), tapes_.end(), [&](const auto& t) {
    return t.second.topic == topic && t.second.cluster == cluster;
  });
}

TpId TapeBook::Add(const TapeId& tape, const Checkpoint& checkpoint, StoreBatch* batch) {
  const TpId tp{tapes_.empty() ? 1 : Raw(tapes_.back().first) + 1};
  tapes_.emplace_back(tp, tape);
  checkpoints_.push_back(checkpoint);
  ranks_ = TapeRanks(tapes_);
  batch->PutTape(tp, tape);
  batch->PutCheckpoint(tp, checkpoint);
  return tp;
}

const TapeId& TapeBook::tape(TpId tp) const { return tapes_[Position(tp)].second; }
const Checkpoint& TapeBook::checkpoint(TpId tp) const { return checkpoints_[Position(tp)]; }
void TapeBook::SetCheckpoint(TpId tp, const Checkpoint& checkpoint) {
  checkpoints_[Position(tp)] = checkpoint;
}

void TapeBook::SetDays(std::vector<std::pair<keys::DayKey, DayEntry>> days) {
  days_.clear();
  for (auto& [key, entry] : days) {
    entry.draft.clear();  // the shipper's
    days_[key] = std::move(entry);
  }
}

TapeShip TapeBook::ship(TpId tp) const {
  if (auto found = ships_.find(tp); found != ships_.end()) return found->second;
  const int64_t start = checkpoint(tp).start;
  return {.shipped = start, .pruned = start, .messages = start};
}

void TapeBook::SetShips(std::vector<std::pair<TpId, TapeShip>> ships) {
  ships_.clear();
  for (auto& [tp, ship] : ships) {
    ship.marks.clear();
    ship.draft.clear();
    ships_[tp] = std::move(ship);
  }
}

uint32_t TapeBook::OpenGeneration(TableId table, Day day) const {
  auto after = days_.upper_bound({table, day, UINT32_MAX});
  if (after == days_.begin()) return 0;
  const auto& [key, entry] = *std::prev(after);
  if (key.table != table || key.day != day) return 0;
  return entry.phase == DayPhase::kOpen ? key.generation : key.generation + 1;
}

DayEntry TapeBook::DayOf(const keys::DayKey& key) const {
  auto found = days_.find(key);
  return found == days_.end() ? DayEntry{} : found->second;
}

}  // namespace tapedeck
