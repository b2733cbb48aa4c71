#ifndef TAPEDECK_QUERY_GENERATION_CURSOR_H_
#define TAPEDECK_QUERY_GENERATION_CURSOR_H_

// GenerationCursor: the rows of exactly one generation of a (table, day) as the store's blocks hold
// them, in the order of shipped objects: (symbol, ts, tape, offset, index).
//
//   GenerationCursor rows(view.get(), &table, day, generation, &ranks);
//   for (RowRun run;;) {
//     TD_RETURN_IF_ERROR(rows.Next(&run));
//     if (run.count == 0) break;
//     Use(run);
//   }
//
// The order does not depend on how rows lie in blocks, so a generation that is merged no more gives
// the same rows in the same order, always. All columns of the table are read; every row comes, also
// those of an upsert table that others beat.
//
// Memory: the decoded blocks of one symbol that overlap in time; in the usual case, few. Errors:
// kCorruption names table, symbol and day. Owned by one thread; view, table and ranks outlive it.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/status.h"
#include "codec/codec_buffers.h"
#include "model/chunk.h"
#include "model/keys.h"
#include "query/row_source.h"
#include "store/store.h"

namespace tapedeck {

class GenerationCursor {
 public:
  GenerationCursor(const StoreView* view, const Table* table, Day day, uint32_t generation,
                   const TapeRanks* ranks);

  /// The next rows of one symbol, valid until the next call; a count of 0 at the end.
  Status Next(RowRun* run);

 private:
  Status PeekBlock();
  Status OpenBlock();

  RowSelection selection_;
  std::unique_ptr<StoreCursor> blocks_;
  std::optional<keys::SeriesKey> next_;  // of the block under the cursor
  std::string symbol_;
  RunHeap heap_;  // open blocks of the symbol
  CodecBuffers buffers_;
  uint32_t given_ = 0;  // rows of the heap's top that the caller has
  bool started_ = false;
};

}  // namespace tapedeck

#endif  // TAPEDECK_QUERY_GENERATION_CURSOR_H_
