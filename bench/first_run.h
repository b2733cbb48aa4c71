#ifndef TAPEDECK_BENCH_FIRST_RUN_H_
#define TAPEDECK_BENCH_FIRST_RUN_H_

// What a client waits for: an answer's beginning and its first run of rows, as text.
//
//   RowRun run;
//   std::string out = FirstRun(cursor.get(), encoder.get(), &run);
//
// Owned by one thread.

#include <string>

#include "bench/check.h"
#include "query/series_cursor.h"
#include "query/text_encoder.h"

namespace tapedeck::bench {

/// `run` is what was encoded; the end of the program where something fails.
inline std::string FirstRun(RecordCursor* cursor, RowEncoder* encoder, RowRun* run) {
  std::string out;
  Check(encoder->Begin(&out));
  Check(cursor->Next(run));
  Check(encoder->Append(*run, &out));
  return out;
}

}  // namespace tapedeck::bench

#endif  // TAPEDECK_BENCH_FIRST_RUN_H_
