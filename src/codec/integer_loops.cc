#include "codec/integer_loops.h"

#include <algorithm>

#include "base/bytes.h"

// A second version of each loop with AVX2, chosen once when the program is loaded. Not under a
// sanitizer: its runtime is not yet there when the loader chooses.
#if defined(__x86_64__) && defined(__gnu_linux__) && defined(__GLIBC__) &&                      \
    defined(__OPTIMIZE__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && \
    !defined(__clang__)
#define TD_WIDE __attribute__((target_clones("default", "avx2")))
#else
#define TD_WIDE
#endif

namespace tapedeck {
namespace {

constexpr size_t kStride = 128;

int64_t Minus(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) - static_cast<uint64_t>(b));
}

}  // namespace

TD_WIDE IntegerGroup MeasureGroup(const int64_t* values, size_t count, int64_t* deltas) {
  int64_t least = INT64_MAX, greatest = INT64_MIN;
  int64_t least_delta = INT64_MAX, greatest_delta = INT64_MIN;
  uint64_t zeros = 0;
  for (size_t i = 0; i < count; ++i) {
    int64_t value = values[i];
    int64_t delta = Minus(values[i + 1], value);
    deltas[i] = delta;
    least = value < least ? value : least;
    greatest = value > greatest ? value : greatest;
    least_delta = delta < least_delta ? delta : least_delta;
    greatest_delta = delta > greatest_delta ? delta : greatest_delta;
    zeros += delta == 0 ? 1 : 0;
  }
  return {least, greatest, least_delta, greatest_delta, count - zeros};
}

TD_WIDE bool AllEqual(std::span<const int64_t> values) {
  const int64_t* at = values.data();
  for (size_t from = 0; from < values.size(); from += kStride) {
    size_t to = std::min(from + kStride, values.size());
    int64_t unlike = 0;
    for (size_t i = from; i < to; ++i) unlike |= at[i] ^ at[0];
    if (unlike != 0) return false;
  }
  return true;
}

TD_WIDE bool AllDivide(const ExactDivision& by, std::span<const int64_t> numbers) {
  const ExactDivision division = by;  // in registers
  const int64_t* at = numbers.data();
  for (size_t from = 0; from < numbers.size(); from += kStride) {
    size_t to = std::min(from + kStride, numbers.size());
    uint64_t bad = 0;
    for (size_t i = from; i < to; ++i) bad |= division.Rest(at[i]);
    if (bad != 0) return false;
  }
  return true;
}

TD_WIDE void FillOffsets(const ExactDivision& by, std::span<const int64_t> values, int64_t least,
                         uint64_t* out) {
  const ExactDivision division = by;
  const int64_t* at = values.data();
  const auto base = static_cast<uint64_t>(least);
  const size_t count = values.size();
  if (division.IsOne()) {
    for (size_t i = 0; i < count; ++i) out[i] = static_cast<uint64_t>(at[i]) - base;
  } else {
    for (size_t i = 0; i < count; ++i)
      out[i] = division.Quotient(static_cast<uint64_t>(at[i]) - base);
  }
}

TD_WIDE void FillDeltas(const ExactDivision& by, std::span<const int64_t> deltas,
                        int64_t least_delta, uint64_t* out) {
  const ExactDivision division = by;
  const int64_t* at = deltas.data();
  const auto base = static_cast<uint64_t>(least_delta);
  const size_t count = deltas.size();
  if (division.IsOne()) {
    for (size_t i = 0; i < count; ++i) out[i] = static_cast<uint64_t>(at[i]) - base;
  } else {
    for (size_t i = 0; i < count; ++i)
      out[i] = division.Quotient(static_cast<uint64_t>(at[i])) - base;
  }
}

TD_WIDE void FillZigZags(const ExactDivision& by, std::span<const int64_t> deltas, uint64_t* out) {
  const ExactDivision division = by;
  const int64_t* at = deltas.data();
  const size_t count = deltas.size();
  if (division.IsOne()) {
    for (size_t i = 0; i < count; ++i) out[i] = ZigZag(at[i]);
  } else {
    for (size_t i = 0; i < count; ++i)
      out[i] = ZigZag(static_cast<int64_t>(division.Quotient(static_cast<uint64_t>(at[i]))));
  }
}

TD_WIDE uint64_t AnyBits(std::span<const uint64_t> numbers) {
  uint64_t any = 0;
  for (uint64_t number : numbers) any |= number;
  return any;
}

}  // namespace tapedeck
