#ifndef TAPEDECK_QUERY_CHAIN_WINDOWS_H_
#define TAPEDECK_QUERY_CHAIN_WINDOWS_H_

// ChainWindows: the rows of very many chains of one day, window by window. Private to query.
//
// Merging a hundred thousand symbols row by row would hold a block of each. Instead the rows of a
// span of time are gathered from all of them, and sorted; the span is as long as memory allows: it
// shrinks where rows are dense and grows again where they are not. A block is decoded once for each
// window that it reaches into.
//
//   windows.Start(std::move(chains), std::move(scan));
//   for (RowRun run; …; ) TD_RETURN_IF_ERROR(windows.Next(&run));      // run.count 0: the end
//
// Memory: `memory_bytes`, exceeded only by rows of one and the same time, and the chains. Owned by
// one thread; ranks and selection outlive it.

#include <memory>
#include <vector>

#include "codec/codec_buffers.h"
#include "model/chunk.h"
#include "query/row_source.h"
#include "query/store_chain.h"

namespace tapedeck {

class ChainWindows {
 public:
  ChainWindows(const TapeRanks* ranks, const RowSelection* selection, size_t memory_bytes)
      : ranks_(ranks), selection_(selection), memory_bytes_(memory_bytes) {}

  /// Chains of one day that was read to its end, or of the first. `scan` goes over the day.
  void Start(std::vector<Chain> chains, std::unique_ptr<StoreCursor> scan);
  /// The next rows, valid until the next call.
  Status Next(RowRun* run);
  /// Windows so far.
  uint64_t windows() const { return windows_; }

 private:
  /// A row of pool_.
  struct Place {
    int64_t key;
    uint32_t chain;
    uint32_t row;
  };
  bool up() const { return selection_->ascending(); }
  /// Grows in the order of reading.
  int64_t KeyOf(int64_t ts) const { return up() ? ts : ~ts; }
  Status Gather();
  // Each sets `rest` where the chain has rows behind the window, and its bound to the first.
  Status VisitUp(uint32_t chain, bool* rest);
  Status VisitDown(uint32_t chain, bool* rest);
  Status Take(uint32_t chain, const keys::SeriesKey& key, bool* rest);
  void Leave(int64_t key, Chain* chain, bool* rest);
  void Shrink();
  void Widen();
  void Sort();

  const TapeRanks* ranks_;
  const RowSelection* selection_;
  const size_t memory_bytes_;
  std::vector<Chain> chains_;
  std::unique_ptr<StoreCursor> scan_;
  int64_t from_ = 0;  // keys of the window in hand: [from_, last_]
  int64_t last_ = 0;
  int64_t least_ = 0;           // of the rows in pool_
  uint64_t span_ = UINT64_MAX;  // of the next window
  bool shrunk_ = false;         // the window in hand
  uint64_t windows_ = 0;
  size_t bytes_ = 0;  // of pool_ and places_
  Rows pool_;
  std::vector<Place> places_;  // of pool_'s rows; sorted once all are there
  size_t next_ = 0;            // of places_, not given yet
  CodecBuffers buffers_;
  Rows block_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_QUERY_CHAIN_WINDOWS_H_
