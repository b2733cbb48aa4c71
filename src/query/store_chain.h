#ifndef TAPEDECK_QUERY_STORE_CHAIN_H_
#define TAPEDECK_QUERY_STORE_CHAIN_H_

// Chains of series blocks, as store_source.cc and chain_windows.h walk them. Private to query.
//
// A chain is what one symbol has in one generation of a day: blocks in order of their first time,
// which may overlap. Thread-compatible.

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "codec/series_block.h"
#include "model/keys.h"
#include "query/row_source.h"
#include "store/store.h"

namespace tapedeck {

/// The blocks of one (day, generation, symbol) that are still to be opened.
struct Chain {
  std::string prefix;
  keys::SeriesKey next;  // ascending: the next block; the symbol is that of the chain
  int64_t bound = 0;     // no row of the chain comes before this time, in the order of reading
  struct Block {
    int64_t last_ts;
    int64_t first_ts;
    uint64_t flush;
    uint32_t block;
  };
  std::vector<Block> blocks;  // descending: by last_ts, the greatest at the back

  keys::SeriesKey KeyOf(const Block& block) const;
};

/// Where a block lies, for errors.
std::string WhereOf(const Table& table, const keys::SeriesKey& key);
/// kCorruption where the block does not begin as its key says.
Result<SeriesBlockHeader> HeaderOf(const Table& table, const keys::SeriesKey& key,
                                   std::string_view block);
/// Replaces `rows` by the block's rows, of the columns that the selection reads.
Status DecodeBlockOf(const RowSelection& selection, const keys::SeriesKey& key,
                     std::string_view block, CodecBuffers* buffers, Rows* rows);
/// Moves `scan` to the block. kCorruption where it is gone.
Status StandAt(const Table& table, const keys::SeriesKey& key, StoreCursor* scan);

}  // namespace tapedeck

#endif  // TAPEDECK_QUERY_STORE_CHAIN_H_
