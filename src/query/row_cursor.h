#ifndef TAPEDECK_QUERY_ROW_CURSOR_H_
#define TAPEDECK_QUERY_ROW_CURSOR_H_

// RowCursor: an answer of records, pulled run by run; what encoders read.
//
//   for (RowRun run;;) {
//     TD_RETURN_IF_ERROR(cursor->Next(&run));
//     if (run.count == 0) break;
//     for (uint32_t n = 0; n < run.count; ++n) Use(*run.rows, run.RowAt(n));
//   }
//   RecordPosition here = cursor->PositionOf(run, n);    // go on later: query.after = here
//
// Two real sides: the records of a range (series_cursor.h) and the newest of each symbol
// (latest.h). Owned by one thread; a cursor keeps its read point.

#include <cstdint>
#include <span>

#include "base/status.h"
#include "query/record_query.h"
#include "query/row_source.h"
#include "tape/read_point.h"

namespace tapedeck {

/// How an answer's rows follow each other.
enum class RowOrder : uint8_t {
  kTime,    // by time, as the query's ReadOrder says, then as record_query.h has it
  kSymbol,  // by symbol, up
};

class RowCursor {
 public:
  virtual ~RowCursor() = default;
  /// The next rows, valid until the next call; run->count is 0 at the end, and where it has paused.
  virtual Status Next(RowRun* run) = 0;
  virtual const Table& table() const = 0;
  virtual const ReadPoint& point() const = 0;
  /// Columns of the runs: those asked for, in the order asked for, then others that filters need.
  virtual std::span<const Column> columns() const = 0;
  virtual RowOrder row_order() const { return RowOrder::kTime; }
  /// The place right behind the n-th row of a run that Next gave last.
  virtual RecordPosition PositionOf(const RowRun& run, uint32_t n) const = 0;
  /// Rows given so far.
  virtual uint64_t rows() const = 0;
};

}  // namespace tapedeck

#endif  // TAPEDECK_QUERY_ROW_CURSOR_H_
