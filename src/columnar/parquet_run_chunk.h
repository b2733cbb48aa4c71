#ifndef TAPEDECK_COLUMNAR_PARQUET_RUN_CHUNK_H_
#define TAPEDECK_COLUMNAR_PARQUET_RUN_CHUNK_H_

// A RunColumn as a column chunk: a dictionary page and data pages of dictionary indices, each run
// one RLE run. Only what stands in a page is made here; Parquet's own PageWriter compresses, sums,
// frames and indexes it, and its statistics decide what is least and greatest.
//
// For the Parquet writer of this module only.

#include <cstdint>

#include "columnar/run_column.h"

namespace parquet {
class ColumnChunkMetaDataBuilder;
class ColumnDescriptor;
class PageWriter;
class WriterProperties;
}  // namespace parquet

namespace tapedeck {

struct RunChunkTarget {
  const parquet::ColumnDescriptor* column;
  const parquet::WriterProperties* properties;
  parquet::PageWriter* pages;  // not buffered
  parquet::ColumnChunkMetaDataBuilder* metadata;
  uint64_t page_rows;  // of every page but the last
};

/// Writes and closes the chunk; returns its bytes before compression, as ColumnWriter::Close does.
/// Throws what Parquet throws.
int64_t WriteRunChunk(const RunColumn& column, const RunChunkTarget& target);

}  // namespace tapedeck

#endif  // TAPEDECK_COLUMNAR_PARQUET_RUN_CHUNK_H_
