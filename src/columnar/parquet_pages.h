#ifndef TAPEDECK_COLUMNAR_PARQUET_PAGES_H_
#define TAPEDECK_COLUMNAR_PARQUET_PAGES_H_

// DecodePages: bytes of consecutive pages of one column into values.
//
// Arrow decodes; here every fact of a page's header that it takes on trust is compared with the
// footer and the page index, which have sums: kind of page, encodings, number of values. Bytes of
// pages have CRCs.
//
// For this module only: throws what Parquet throws. Thread-safe: a pure function.

#include <span>
#include <string_view>

#include "columnar/parquet_footer_state.h"

namespace parquet {
class ColumnDescriptor;
}  // namespace parquet

namespace tapedeck {

struct PagesToDecode {
  const parquet::ColumnDescriptor* column = nullptr;
  ParquetKind kind = ParquetKind::kInt64;
  const ParquetChunk* chunk = nullptr;
  std::span<const ParquetPage> pages;  // consecutive
  size_t first_page = 0;               // number of the first one in its chunk
  std::string_view bytes;              // the dictionary page, where there is one, and those pages
};

/// Appends to `values`, whose first_row and rows are set.
void DecodePages(const PagesToDecode& from, ParquetValues* values);

}  // namespace tapedeck

#endif  // TAPEDECK_COLUMNAR_PARQUET_PAGES_H_
