#ifndef TAPEDECK_BENCH_CHECK_H_
#define TAPEDECK_BENCH_CHECK_H_

// What benchmarks of our own code share beside bench_util.h: the end of the program where a step
// fails, and what two sides that pack the same data are measured by.
//
//   Check(EncodeSeriesBlock(…, &blocks.emplace_back()));
//   Print("size", double(TotalBytes(blocks)) / double(TotalBytes(frames)));
//   Interleave(Repeated(repeats, [&] { Ours(); }), Repeated(repeats, [&] { Theirs(); }));
//
// Thread-safe.

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/status.h"

namespace tapedeck::bench {

/// Ends the program with 2 and the reason, unless it is OK.
inline void Check(const Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  std::exit(2);
}

/// Ends the program with 2 where the two sides did not do the same work.
inline void CheckSame(bool same, const char* what) {
  if (same) return;
  std::fprintf(stderr, "the two sides read different %s\n", what);
  std::exit(2);
}

inline size_t TotalBytes(const std::vector<std::string>& parts) {
  size_t bytes = 0;
  for (const std::string& part : parts) bytes += part.size();
  return bytes;
}

/// How often work on `items` is done in one run, so that small inputs are timed too.
inline size_t RepeatsFor(double items, double items_per_run) {
  return static_cast<size_t>(std::max(1.0, items_per_run / items));
}

/// `what` so many times, as one run.
template <typename What>
auto Repeated(size_t times, What what) {
  return [times, what] {
    for (size_t i = 0; i < times; ++i) what();
  };
}

/// Bytes of several inputs: as sealed live, after merging, and what they are compared with.
struct PackedBytes {
  double live = 0, merged = 0, theirs = 0;
};

}  // namespace tapedeck::bench

#endif  // TAPEDECK_BENCH_CHECK_H_
