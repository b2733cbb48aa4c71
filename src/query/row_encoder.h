#ifndef TAPEDECK_QUERY_ROW_ENCODER_H_
#define TAPEDECK_QUERY_ROW_ENCODER_H_

// RowEncoder: the bytes of an answer, made of runs of rows: JSON, NDJSON, CSV, Arrow, Parquet.
//
//   std::string out;
//   TD_RETURN_IF_ERROR(encoder->Begin(&out));             // header row, schema, "{\"data\":["
//   for (RowRun run;;) {
//     TD_RETURN_IF_ERROR(cursor->Next(&run));
//     if (run.count == 0) break;
//     TD_RETURN_IF_ERROR(encoder->Append(run, &out));     // send and clear `out` as it grows
//   }
//   TD_RETURN_IF_ERROR(encoder->Finish(next_page_token, &out));
//
// The bytes do not depend on how rows are cut into runs, but for formats in batches (Arrow,
// Parquet), whose rows do not. Owned by one thread.

#include <string>
#include <string_view>

#include "base/status.h"
#include "query/row_source.h"

namespace tapedeck {

class RowEncoder {
 public:
  virtual ~RowEncoder() = default;
  virtual Status Begin(std::string* out) = 0;
  /// Appends the rows of the run, or keeps a copy of them for a batch.
  virtual Status Append(const RowRun& run, std::string* out) = 0;
  /// `next_page_token`: "" where there is none; only `json` shows it.
  virtual Status Finish(std::string_view next_page_token, std::string* out) = 0;
};

}  // namespace tapedeck

#endif  // TAPEDECK_QUERY_ROW_ENCODER_H_
