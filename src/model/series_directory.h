#ifndef TAPEDECK_MODEL_SERIES_DIRECTORY_H_
#define TAPEDECK_MODEL_SERIES_DIRECTORY_H_

// SeriesDirectory: a small number for each (table, symbol) seen since the process started.
//
// Rows in memory carry that number instead of the symbol. Numbers are given in order of first use,
// are never taken back, and mean nothing outside the process. Memory: about 100 bytes a series;
// 10,000 symbols are 1 MB.
//
// Thread safety: Intern by one thread; Find, At and size by any thread at any time.

#include <atomic>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/hash.h"
#include "model/table.h"

namespace tapedeck {

using SeriesId = uint32_t;
inline constexpr SeriesId kNoSeries = UINT32_MAX;

struct SeriesName {
  TableId table{};
  std::string symbol;
};

class SeriesDirectory {
 public:
  SeriesDirectory();
  /// The number of (table, symbol), a new one where it has none.
  SeriesId Intern(TableId table, std::string_view symbol);
  /// kNoSeries where it has none.
  SeriesId Find(TableId table, std::string_view symbol) const;
  /// Stays valid as long as the directory.
  const SeriesName& At(SeriesId id) const;
  size_t size() const { return size_.load(std::memory_order_acquire); }

 private:
  // A name as it is looked for. Symbols are short: up to 16 bytes are all in `words`, so that a
  // series is found without a look at its name.
  struct Key {
    uint64_t words[2] = {};  // of a longer symbol: its hash
    uint32_t size = 0;
    TableId table{};
    bool operator==(const Key&) const = default;
  };
  struct Slot {
    Key key;
    SeriesId id = kNoSeries;
  };
  static Key KeyOf(TableId table, std::string_view symbol);
  static uint64_t HashOf(const Key& key);
  SeriesId Lookup(uint64_t hash, const Key& key, std::string_view symbol) const;
  void Grow();

  // The writer reads without the lock (nobody else changes anything) and writes with it; other
  // readers take it.
  mutable std::mutex mutex_;
  std::deque<SeriesName> names_;  // addresses are stable
  std::vector<Slot> slots_;       // open addressing, a power of two
  std::atomic<size_t> size_{0};
};

}  // namespace tapedeck

#endif  // TAPEDECK_MODEL_SERIES_DIRECTORY_H_
