#ifndef TAPEDECK_QUERY_LATEST_H_
#define TAPEDECK_QUERY_LATEST_H_

// Latest: the newest record of each symbol, or of each value of a column for each symbol.
//
//   LatestQuery query;
//   query.table = "bars";
//   query.by = "interval";                                  // "": one record for each symbol
//   TD_ASSIGN_OR_RETURN(auto cursor, OpenLatest(point, query));
//   … as any RowCursor …
//
// Of the records that a RecordQuery with the same table, symbols, topics and filters shows, the one
// that comes last in its order. Records come by (symbol, value of `by`, null first); a symbol
// without one is left out.
//
// Without `by`, `where` and `topics` nothing is scanned: catalog entries hold the last record of
// each series, open rows the newer ones. With `topics` the same holds for symbols whose last record
// is of a selected topic; else that symbol's blocks are read backwards as far as it takes. With
// `by` every block of the symbol is looked at, because a value may have been seen long ago.
//
// Errors of OpenLatest as of RecordCursor::Open. Memory: the catalog is read as the cursor moves;
// with `by` one record for each value. Owned by one thread.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/read_stop.h"
#include "base/status.h"
#include "query/row_cursor.h"

namespace tapedeck {

struct LatestQuery {
  std::string table;
  std::vector<std::string> symbols;                        // empty: all
  std::string by;                                          // a column; "": none
  std::optional<std::vector<std::string>> columns;         // nullopt: all
  std::vector<std::pair<std::string, std::string>> where;  // as RecordQuery's
  std::vector<std::string> topics;                         // empty: all
  uint64_t limit = UINT64_MAX;
  /// Goes on behind this record: `symbol`, and `identity` = {value of `by`}, count.
  std::optional<RecordPosition> after;
  size_t memory_bytes = size_t{64} << 20;
  std::shared_ptr<const ReadStop> stop;  // as RecordQuery's
  bool pauses = false;                   // between symbols
};

Result<std::unique_ptr<RowCursor>> OpenLatest(std::shared_ptr<const ReadPoint> point,
                                              LatestQuery query);

}  // namespace tapedeck

#endif  // TAPEDECK_QUERY_LATEST_H_
