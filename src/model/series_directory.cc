#include "model/series_directory.h"

#include <cstring>

#include "base/check.h"

namespace tapedeck {
namespace {

// Bytes of a symbol that a key holds whole.
constexpr size_t kWholeMax = 16;

template <typename Word>
uint64_t Load(const char* at) {
  Word word;
  std::memcpy(&word, at, sizeof word);
  return word;
}

}  // namespace

SeriesDirectory::SeriesDirectory() : slots_(1024) {}

SeriesDirectory::Key SeriesDirectory::KeyOf(TableId table, std::string_view symbol) {
  Key key{.size = static_cast<uint32_t>(symbol.size()), .table = table};
  const char* at = symbol.data();
  const size_t size = symbol.size();
  // The first and the last bytes, which overlap: with the size they are the whole symbol.
  if (size > kWholeMax) {
    const Hash128 hash = HashBytes(symbol);
    key.words[0] = hash.high;
    key.words[1] = hash.low;
  } else if (size >= sizeof(uint64_t)) {
    key.words[0] = Load<uint64_t>(at);
    key.words[1] = Load<uint64_t>(at + size - sizeof(uint64_t));
  } else if (size >= sizeof(uint32_t)) {
    key.words[0] = Load<uint32_t>(at);
    key.words[1] = Load<uint32_t>(at + size - sizeof(uint32_t));
  } else if (size > 0) {
    std::memcpy(key.words, at, size);
  }
  return key;
}

// Golden ratio and a prime of xxHash: any two odd numbers that mix well.
uint64_t SeriesDirectory::HashOf(const Key& key) {
  uint64_t hash = key.words[0] * 0x9e3779b97f4a7c15;
  hash ^= (hash >> 32) ^ (key.words[1] * 0xc2b2ae3d27d4eb4f) ^ key.size ^ (Raw(key.table) << 8);
  hash *= 0x9e3779b97f4a7c15;
  return hash ^ (hash >> 32);
}

SeriesId SeriesDirectory::Lookup(uint64_t hash, const Key& key, std::string_view symbol) const {
  const size_t mask = slots_.size() - 1;
  for (size_t at = hash & mask;; at = (at + 1) & mask) {
    const Slot& slot = slots_[at];
    if (slot.id == kNoSeries) return kNoSeries;
    if (slot.key != key) continue;
    if (symbol.size() <= kWholeMax || names_[slot.id].symbol == symbol) return slot.id;
  }
}

SeriesId SeriesDirectory::Intern(TableId table, std::string_view symbol) {
  const Key key = KeyOf(table, symbol);
  const uint64_t hash = HashOf(key);
  SeriesId found = Lookup(hash, key, symbol);
  if (found != kNoSeries) return found;
  std::lock_guard lock(mutex_);
  TD_CHECK(names_.size() < kNoSeries, "more series than numbers");
  if ((names_.size() + 1) * 2 > slots_.size()) Grow();
  const SeriesId id = static_cast<SeriesId>(names_.size());
  names_.push_back({table, std::string(symbol)});
  const size_t mask = slots_.size() - 1;
  size_t at = hash & mask;
  while (slots_[at].id != kNoSeries) at = (at + 1) & mask;
  slots_[at] = {key, id};
  size_.store(names_.size(), std::memory_order_release);
  return id;
}

void SeriesDirectory::Grow() {
  std::vector<Slot> grown(slots_.size() * 2);
  const size_t mask = grown.size() - 1;
  for (const Slot& slot : slots_) {
    if (slot.id == kNoSeries) continue;
    size_t at = HashOf(slot.key) & mask;
    while (grown[at].id != kNoSeries) at = (at + 1) & mask;
    grown[at] = slot;
  }
  slots_ = std::move(grown);
}

SeriesId SeriesDirectory::Find(TableId table, std::string_view symbol) const {
  std::lock_guard lock(mutex_);
  const Key key = KeyOf(table, symbol);
  return Lookup(HashOf(key), key, symbol);
}

const SeriesName& SeriesDirectory::At(SeriesId id) const {
  std::lock_guard lock(mutex_);
  TD_CHECK(id < names_.size(), "a series number of this directory");
  return names_[id];
}

}  // namespace tapedeck
