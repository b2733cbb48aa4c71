#include "model/series_directory.h"

#include "base/check.h"

namespace tapedeck {

SeriesDirectory::SeriesDirectory() : slots_(1024) {}

uint64_t SeriesDirectory::HashOf(TableId table, std::string_view symbol) {
  return HashBytes64(symbol, Raw(table));
}

SeriesId SeriesDirectory::Lookup(uint64_t hash, TableId table, std::string_view symbol) const {
  const size_t mask = slots_.size() - 1;
  for (size_t at = hash & mask;; at = (at + 1) & mask) {
    const Slot& slot = slots_[at];
    if (slot.id == kNoSeries) return kNoSeries;
    if (slot.hash != hash) continue;
    const SeriesName& name = names_[slot.id];
    if (name.table == table && name.symbol == symbol) return slot.id;
  }
}

SeriesId SeriesDirectory::Intern(TableId table, std::string_view symbol) {
  const uint64_t hash = HashOf(table, symbol);
  SeriesId found = Lookup(hash, table, symbol);
  if (found != kNoSeries) return found;
  std::lock_guard lock(mutex_);
  TD_CHECK(names_.size() < kNoSeries, "more series than numbers");
  if ((names_.size() + 1) * 2 > slots_.size()) Grow();
  const SeriesId id = static_cast<SeriesId>(names_.size());
  names_.push_back({table, std::string(symbol)});
  const size_t mask = slots_.size() - 1;
  size_t at = hash & mask;
  while (slots_[at].id != kNoSeries) at = (at + 1) & mask;
  slots_[at] = {hash, id};
  size_.store(names_.size(), std::memory_order_release);
  return id;
}

void SeriesDirectory::Grow() {
  std::vector<Slot> grown(slots_.size() * 2);
  const size_t mask = grown.size() - 1;
  for (const Slot& slot : slots_) {
    if (slot.id == kNoSeries) continue;
    size_t at = slot.hash & mask;
    while (grown[at].id != kNoSeries) at = (at + 1) & mask;
    grown[at] = slot;
  }
  slots_ = std::move(grown);
}

SeriesId SeriesDirectory::Find(TableId table, std::string_view symbol) const {
  std::lock_guard lock(mutex_);
  return Lookup(HashOf(table, symbol), table, symbol);
}

const SeriesName& SeriesDirectory::At(SeriesId id) const {
  std::lock_guard lock(mutex_);
  TD_CHECK(id < names_.size(), "a series number of this directory");
  return names_[id];
}

}  // namespace tapedeck
