#ifndef TAPEDECK_QUERY_CHUNK_SOURCE_H_
#define TAPEDECK_QUERY_CHUNK_SOURCE_H_

// The rows of one published chunk as a source of a query.
//
// The chunk's rows of the table, symbols and times are listed once (4 bytes each) in the order of
// reading, then copied a few hundred at a time into columns.
//
// Owned by one thread; the source shares the chunk.

#include <memory>

#include "model/chunk.h"
#include "model/series_directory.h"
#include "query/row_source.h"

namespace tapedeck {

/// Null where the chunk has no such row. `selection` and `directory` outlive the source.
std::unique_ptr<RowSource> MakeChunkSource(std::shared_ptr<const Chunk> chunk,
                                           const SeriesDirectory* directory,
                                           const RowSelection* selection);

}  // namespace tapedeck

#endif  // TAPEDECK_QUERY_CHUNK_SOURCE_H_
