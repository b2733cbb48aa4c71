#ifndef TAPEDECK_QUERY_STORE_SOURCE_H_
#define TAPEDECK_QUERY_STORE_SOURCE_H_

// The store's series blocks of a table as a source of a query.
//
// Day by day: every (generation, symbol) of the day is a chain of blocks, and a chain's next block
// is opened when the merge reaches the first time that it may hold. Ascending, that time is in the
// key. Descending, the headers of the chain's blocks are read first, because a key does not say
// where its block ends. Blocks that end before the range are left out by their headers.
//
// Memory: decoded rows share a budget. While it lasts an open block keeps all its rows; beyond it a
// block keeps a slice and is decoded again for the next. A day with so many chains that their open
// blocks alone would take half of the budget is read in windows of time instead (chain_windows.h).
// Besides, each chain costs its symbol and about 200 bytes (descending: 32 more for each block of
// the day).
//
// A damaged block is kCorruption that names table, symbol and day. Owned by one thread; the read
// point and the selection outlive it.

#include <memory>

#include "query/row_source.h"
#include "tape/read_point.h"

namespace tapedeck {

std::unique_ptr<RowSource> MakeStoreSource(const ReadPoint* point, const RowSelection* selection,
                                           size_t memory_bytes);

}  // namespace tapedeck

#endif  // TAPEDECK_QUERY_STORE_SOURCE_H_
