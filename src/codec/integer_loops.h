#ifndef TAPEDECK_CODEC_INTEGER_LOOPS_H_
#define TAPEDECK_CODEC_INTEGER_LOOPS_H_

// The loops over all integers of a stream that is being written, in the widest form that the
// processor has. Private to codec.
//
// Everything here is exact and the same on every machine: only the number of integers in one
// instruction differs.
//
// Thread-safe: pure functions.

#include <cstddef>
#include <cstdint>
#include <span>

#include "codec/exact_division.h"

namespace tapedeck {

/// Of one group of values and of the deltas that begin in it.
struct IntegerGroup {
  int64_t least = INT64_MAX, greatest = INT64_MIN;
  int64_t least_delta = INT64_MAX, greatest_delta = INT64_MIN;  // mod 2^64; none: as here
  size_t changes = 0;                                           // deltas that are not 0
};

/// values[i + 1] - values[i] mod 2^64 for i < count, and the extremes. `values` has count + 1.
IntegerGroup MeasureGroup(const int64_t* values, size_t count, int64_t* deltas);

/// Whether all are the same.
bool AllEqual(std::span<const int64_t> values);

/// Whether all are multiples, as signed numbers.
bool AllDivide(const ExactDivision& by, std::span<const int64_t> numbers);

/// out[i] = (values[i] - least) / by; exact, and below 2^63 where `by` is not 1.
void FillOffsets(const ExactDivision& by, std::span<const int64_t> values, int64_t least,
                 uint64_t* out);
/// out[i] = deltas[i] / by - least_delta; exact.
void FillDeltas(const ExactDivision& by, std::span<const int64_t> deltas, int64_t least_delta,
                uint64_t* out);
/// out[i] = ZigZag(deltas[i] / by); exact.
void FillZigZags(const ExactDivision& by, std::span<const int64_t> deltas, uint64_t* out);

/// All numbers or-ed: as wide as the widest.
uint64_t AnyBits(std::span<const uint64_t> numbers);

}  // namespace tapedeck

#endif  // TAPEDECK_CODEC_INTEGER_LOOPS_H_
