#ifndef TAPEDECK_BENCH_QUOTES_TABLE_H_
#define TAPEDECK_BENCH_QUOTES_TABLE_H_

// The table "quotes" with its core columns alone, as benchmarks write it.
//
//   RecordObjectPlan plan{.table = QuotesTable(), …};
//
// Thread-safe.

#include "model/record.h"

namespace tapedeck::bench {

inline Table QuotesTable() {
  return {.id = TableId{2},
          .name = "quotes",
          .columns = {CoreColumns("quotes").begin(), CoreColumns("quotes").end()},
          .identity = {},
          .day_size = DaySize::kDay};
}

}  // namespace tapedeck::bench

#endif  // TAPEDECK_BENCH_QUOTES_TABLE_H_
