#ifndef TAPEDECK_COLUMNAR_PARQUET_TAIL_H_
#define TAPEDECK_COLUMNAR_PARQUET_TAIL_H_

// FillTailSums: the sums of a Parquet file that has just been finished and whose end is at hand.
//
// For the writers of this module only: throws what Parquet throws. Thread-safe: a pure function.

#include <cstdint>
#include <span>

namespace arrow {
class Status;
}  // namespace arrow

namespace tapedeck {

/// `tail`: the end of the file, from `tail_offset` on, with the whole page index and the footer, in
/// which BlankSums stands.
arrow::Status FillTailSums(std::span<char> tail, uint64_t tail_offset);

}  // namespace tapedeck

#endif  // TAPEDECK_COLUMNAR_PARQUET_TAIL_H_
