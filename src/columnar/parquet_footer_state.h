#ifndef TAPEDECK_COLUMNAR_PARQUET_FOOTER_STATE_H_
#define TAPEDECK_COLUMNAR_PARQUET_FOOTER_STATE_H_

// What is kept of a Parquet footer: a tenth of what Arrow holds, and all of it checked.
//
// For this module only. Immutable once made.

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "columnar/parquet_reader.h"

namespace parquet {
class SchemaDescriptor;
}  // namespace parquet

namespace tapedeck {

struct ParquetChunk {
  uint64_t offset = 0;  // of its first page: the dictionary, where it has one
  uint64_t bytes = 0;
  uint64_t data_offset = 0;  // of its first data page
  bool has_dictionary = false;
  /// Data pages in the order of the file: the first ones by `encodings[0]`, as many as it says.
  std::vector<std::pair<int, uint64_t>> encodings;  // Arrow's numbers
  int codec = 0;                                    // Arrow's number
  bool has_nulls_count = false;
  uint64_t nulls = 0;
  ParquetBounds bounds;
  uint64_t column_index = 0, column_index_bytes = 0;  // 0 bytes: none
  uint64_t offset_index = 0, offset_index_bytes = 0;
};

struct ParquetGroup {
  uint64_t rows = 0;
  uint64_t index_sum = 0;
  std::vector<ParquetChunk> chunks;  // by column
};

struct ParquetFooterState {
  std::shared_ptr<parquet::SchemaDescriptor> schema;
  std::vector<ParquetColumn> columns;
  std::vector<ParquetGroup> groups;
  std::vector<std::pair<std::string, std::string>> values;
  uint64_t file_bytes = 0;
  uint64_t rows = 0;
  size_t memory_bytes = 0;
};

/// `encoded` as a value of the column: plain encoding. False where it is none.
bool SetParquetBounds(ParquetKind kind, std::string_view min, std::string_view max,
                      ParquetBounds* bounds);

}  // namespace tapedeck

#endif  // TAPEDECK_COLUMNAR_PARQUET_FOOTER_STATE_H_
