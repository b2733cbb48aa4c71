#include <algorithm>
#include <bit>
#include <numeric>

#include "codec/bit_packing.h"
#include "codec/integers.h"

namespace tapedeck {
namespace {

// Bytes that residuals take when packed, widths included. `residual(i)` gives the i-th.
template <typename F>
size_t PackedSize(size_t count, F residual) {
  size_t bytes = 0;
  uint64_t any = 0;
  for (size_t from = 0; from < count; from += kPackGroup) {
    size_t n = std::min(kPackGroup, count - from);
    uint64_t bits = 0;
    for (size_t i = 0; i < n; ++i) bits |= residual(from + i);
    any |= bits;
    bytes += 1 + PackedBytes(n, PackWidth(static_cast<unsigned>(std::bit_width(bits))));
  }
  return any == 0 ? 1 : bytes + 1;
}

// Greatest common divisor of `of(i)`; 1 where all are zero. Ends early when it is 1, which is the
// usual case.
template <typename F>
uint64_t CommonDivisor(size_t count, F of) {
  uint64_t divisor = 0;
  for (size_t i = 0; i < count && divisor != 1; ++i) {
    uint64_t value = of(i);
    if (divisor == 0 || value % divisor != 0) divisor = std::gcd(divisor, value);
  }
  return divisor == 0 ? 1 : divisor;
}

}  // namespace

IntegerEncoder::Plan IntegerEncoder::PlanOffsets(std::span<const int64_t> values) {
  Plan plan;
  plan.form = IntegerForm::kOffsets;
  auto base = static_cast<uint64_t>(*std::min_element(values.begin(), values.end()));
  plan.base = base;
  plan.divisor = CommonDivisor(values.size(),
                               [&](size_t i) { return static_cast<uint64_t>(values[i]) - base; });
  if (plan.divisor == 1) {
    plan.bytes = PackedSize(values.size(),
                            [&](size_t i) { return static_cast<uint64_t>(values[i]) - base; });
  } else {
    plan.bytes = PackedSize(values.size(), [&, divisor = plan.divisor](size_t i) {
      return (static_cast<uint64_t>(values[i]) - base) / divisor;
    });
  }
  return plan;
}

IntegerEncoder::Plan IntegerEncoder::PlanDeltas(std::span<const int64_t> values) {
  size_t count = values.size() - 1;
  deltas_.resize(count);
  int64_t least = INT64_MAX;
  for (size_t i = 0; i < count; ++i) {
    deltas_[i] = static_cast<uint64_t>(values[i + 1]) - static_cast<uint64_t>(values[i]);
    least = std::min(least, static_cast<int64_t>(deltas_[i]));
  }
  Plan plan;
  plan.form = IntegerForm::kDeltas;
  plan.base = static_cast<uint64_t>(least);
  plan.divisor = CommonDivisor(count, [&](size_t i) { return deltas_[i] - plan.base; });
  if (plan.divisor == 1) {
    plan.bytes = PackedSize(count, [&](size_t i) { return deltas_[i] - plan.base; });
  } else {
    plan.bytes =
        PackedSize(count, [&](size_t i) { return (deltas_[i] - plan.base) / plan.divisor; });
  }
  return plan;
}

IntegerEncoder::Plan IntegerEncoder::PlanZigzags() {
  Plan plan;
  plan.form = IntegerForm::kZigzags;
  auto magnitude = [&](size_t i) {
    auto delta = static_cast<int64_t>(deltas_[i]);
    return delta < 0 ? uint64_t{0} - deltas_[i] : deltas_[i];
  };
  plan.divisor = CommonDivisor(deltas_.size(), magnitude);
  auto divisor = static_cast<int64_t>(plan.divisor);
  if (divisor <= 0) {  // only -2^63 has such a magnitude
    plan.divisor = 1;
    divisor = 1;
  }
  plan.bytes = PackedSize(
      deltas_.size(), [&](size_t i) { return ZigZag(static_cast<int64_t>(deltas_[i]) / divisor); });
  return plan;
}

void IntegerEncoder::Residuals(std::span<const int64_t> values, const Plan& plan) {
  if (plan.form == IntegerForm::kOffsets) {
    residuals_.resize(values.size());
    for (size_t i = 0; i < values.size(); ++i)
      residuals_[i] = static_cast<uint64_t>(values[i]) - plan.base;
  } else {
    residuals_.resize(deltas_.size());
    for (size_t i = 0; i < deltas_.size(); ++i) residuals_[i] = deltas_[i] - plan.base;
  }
  if (plan.form == IntegerForm::kZigzags) {
    auto divisor = static_cast<int64_t>(plan.divisor);
    for (uint64_t& r : residuals_) r = ZigZag(static_cast<int64_t>(r) / divisor);
  } else if (plan.divisor != 1) {
    for (uint64_t& r : residuals_) r /= plan.divisor;
  }
}

void IntegerEncoder::Write(std::span<const int64_t> values, const Plan& plan, std::string* out) {
  out->push_back(static_cast<char>(plan.form));
  if (plan.form != IntegerForm::kOffsets) PutVarint(out, ZigZag(values[0]));
  if (plan.form != IntegerForm::kZigzags) PutVarint(out, ZigZag(static_cast<int64_t>(plan.base)));
  PutVarint(out, plan.divisor);
  Residuals(values, plan);
  bool zeros = std::all_of(residuals_.begin(), residuals_.end(), [](uint64_t r) { return r == 0; });
  out->push_back(static_cast<char>(zeros ? ResidualLayout::kZeros : ResidualLayout::kPacked));
  if (zeros) return;
  std::span<const uint64_t> rest(residuals_);
  size_t widths_at = out->size();
  out->resize(widths_at + (rest.size() + kPackGroup - 1) / kPackGroup);
  for (size_t group = 0; !rest.empty(); ++group) {
    auto values_of_group = rest.first(std::min(kPackGroup, rest.size()));
    rest = rest.subspan(values_of_group.size());
    uint64_t bits = 0;
    for (uint64_t r : values_of_group) bits |= r;
    unsigned width = PackWidth(static_cast<unsigned>(std::bit_width(bits)));
    (*out)[widths_at + group] = static_cast<char>(width);
    PackGroup(values_of_group, width, out);
  }
}

void IntegerEncoder::Encode(std::span<const int64_t> values, std::string* out) {
  bool constant =
      std::all_of(values.begin(), values.end(), [&](int64_t v) { return v == values[0]; });
  if (constant) {
    out->push_back(static_cast<char>(IntegerForm::kConstant));
    PutVarint(out, ZigZag(values.empty() ? 0 : values[0]));
    return;
  }
  Plan best = PlanOffsets(values);
  Plan deltas = PlanDeltas(values);
  if (deltas.bytes < best.bytes) best = deltas;
  Plan zigzags = PlanZigzags();
  if (zigzags.bytes < best.bytes) best = zigzags;
  Write(values, best, out);
}

}  // namespace tapedeck
