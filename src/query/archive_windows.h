#ifndef TAPEDECK_QUERY_ARCHIVE_WINDOWS_H_
#define TAPEDECK_QUERY_ARCHIVE_WINDOWS_H_

// ArchiveWindows: rows of many series of one manifest, by time.
//
// An object has its rows by symbol, an answer wants them by time. A window is a range of times
// whose rows of all series fit the memory: they are gathered, sorted and given out, then the next
// window follows. A window that turns out too full ends earlier, one that was nearly empty is
// followed by a wider one; if everything fits, one window is everything, and each page is decoded
// once. Rows of one instant are never divided, whatever they take.
//
// Owned by one thread.

#include <cstdint>
#include <vector>

#include "query/archive_object.h"

namespace tapedeck {

class ArchiveWindows {
 public:
  /// `objects` outlives it.
  ArchiveWindows(const ReadPoint* point, const RowSelection* selection, ArchiveObjects* objects,
                 size_t memory_bytes);

  /// The next rows, valid until the next call; a count of 0 at the end.
  Status Next(RowRun* run);
  /// Windows so far.
  uint64_t windows() const { return windows_; }

 private:
  struct Place {
    int64_t key;  // the row's time; descending: turned around
    uint32_t symbol;
    uint32_t row;  // of pool_
  };
  // A series as it was when its rows of a window were gathered.
  struct Visit {
    uint32_t series;
    RowRange rows;  // those of the window
    int64_t last;   // its end at that time
  };
  bool up() const { return selection_->ascending(); }
  int64_t KeyOf(int64_t ts) const { return up() ? ts : ~ts; }  // its own inverse
  Status Gather();
  Status Leave();
  Status GatherSeries(uint32_t series);
  Status GatherOthers();
  void Take(const Rows& rows, uint32_t row, bool whole_table, uint32_t symbol);
  void Shrink();
  void Sort();
  uint32_t SymbolOf(std::string_view symbol);

  const ReadPoint* point_;
  const RowSelection* selection_;
  ArchiveObjects* objects_;
  const size_t memory_bytes_;
  std::vector<std::string> symbols_;  // in order of first use
  int64_t from_ = 0;                  // the window, by keys: [from_, last_]
  int64_t last_ = 0;
  int64_t end_ = 0;  // the greatest key of all windows
  uint64_t span_ = 0;
  bool done_ = false;
  bool shrunk_ = false;
  Rows scratch_;
  Rows pool_;
  std::vector<Place> places_;
  std::vector<Visit> visits_;
  // No row that is left has a key below: of each series; of the objects that are scanned.
  std::vector<int64_t> bounds_;
  std::vector<bool> narrowed_;  // series whose rows are those of the selection's times
  int64_t scanned_bound_ = INT64_MIN;
  size_t next_ = 0;   // of places_
  size_t bytes_ = 0;  // of the pool, about
  uint64_t windows_ = 0;
};

}  // namespace tapedeck

#endif  // TAPEDECK_QUERY_ARCHIVE_WINDOWS_H_
