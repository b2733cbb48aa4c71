#include <algorithm>
#include <bit>
#include <cstring>
#include <numeric>

#include "base/check.h"
#include "codec/bit_packing.h"
#include "codec/integers.h"
#include "codec/residual_classes.h"

namespace tapedeck {
namespace {

// A part below this is not worth a zstd frame, whose own bytes are about ten.
constexpr size_t kPartCompressMin = 64;

// A stream of at most this many bytes, or an eighth of a bit for each integer, is left as it is: nothing is to be gained.
bool IsTiny(size_t bytes, size_t count) { return bytes <= 24 + count / 64; }

int ZstdLevel(Effort effort) { return effort == Effort::kLive ? 1 : 3; }

unsigned GroupWidth(std::span<const uint64_t> group) {
  uint64_t bits = 0;
  for (uint64_t r : group) bits |= r;
  return PackWidth(static_cast<unsigned>(std::bit_width(bits)));
}

// Bytes that residuals take when packed, widths included. `residual(i)` gives the i-th.
template <typename F>
size_t PackedSize(size_t count, F residual) {
  size_t bytes = 1;
  for (size_t from = 0; from < count; from += kPackGroup) {
    size_t n = std::min(kPackGroup, count - from);
    uint64_t bits = 0;
    for (size_t i = 0; i < n; ++i) bits |= residual(from + i);
    bytes += 1 + PackedBytes(n, PackWidth(static_cast<unsigned>(std::bit_width(bits))));
  }
  return bytes;
}

// Greatest common divisor of `of(i)`; 1 where all are zero. Ends early when it is 1, which is the usual case.
template <typename F>
uint64_t CommonDivisor(size_t count, F of) {
  uint64_t divisor = 0;
  for (size_t i = 0; i < count && divisor != 1; ++i) {
    uint64_t value = of(i);
    if (divisor == 0 || value % divisor != 0) divisor = std::gcd(divisor, value);
  }
  return divisor == 0 ? 1 : divisor;
}

uint64_t Magnitude(int64_t delta) {
  return delta < 0 ? uint64_t{0} - static_cast<uint64_t>(delta) : static_cast<uint64_t>(delta);
}

int64_t Minus(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) - static_cast<uint64_t>(b));
}

uint64_t Offset(int64_t value, uint64_t base, uint64_t divisor) {
  uint64_t offset = static_cast<uint64_t>(value) - base;
  return divisor == 1 ? offset : offset / divisor;
}

}  // namespace

IntegerEncoder::Plan IntegerEncoder::PlanOffsets(std::span<const int64_t> values) const {
  Plan plan;
  plan.form = IntegerForm::kOffsets;
  plan.base = static_cast<uint64_t>(*std::min_element(values.begin(), values.end()));
  plan.divisor =
      CommonDivisor(values.size(), [&](size_t i) { return Offset(values[i], plan.base, 1); });
  plan.bytes = PackedSize(values.size(),
                          [&](size_t i) { return Offset(values[i], plan.base, plan.divisor); });
  return plan;
}

IntegerEncoder::Plan IntegerEncoder::PlanDeltas() const {
  Plan plan;
  plan.form = IntegerForm::kDeltas;
  plan.base = static_cast<uint64_t>(*std::min_element(deltas_.begin(), deltas_.end()));
  plan.divisor =
      CommonDivisor(deltas_.size(), [&](size_t i) { return Offset(deltas_[i], plan.base, 1); });
  plan.bytes = PackedSize(deltas_.size(),
                          [&](size_t i) { return Offset(deltas_[i], plan.base, plan.divisor); });
  return plan;
}

IntegerEncoder::Plan IntegerEncoder::PlanZigzags() const {
  Plan plan;
  plan.form = IntegerForm::kZigzags;
  plan.divisor = CommonDivisor(deltas_.size(), [&](size_t i) { return Magnitude(deltas_[i]); });
  if (plan.divisor > INT64_MAX) plan.divisor = 1;  // -2^63 alone
  auto divisor = static_cast<int64_t>(plan.divisor);
  plan.bytes = PackedSize(deltas_.size(), [&](size_t i) { return ZigZag(deltas_[i] / divisor); });
  return plan;
}

void IntegerEncoder::Measure(std::span<const int64_t> values) {
  deltas_.resize(values.size() - 1);
  changes_ = 0;
  for (size_t i = 0; i < deltas_.size(); ++i) {
    deltas_[i] = Minus(values[i + 1], values[i]);
    changes_ += deltas_[i] != 0 ? 1 : 0;
  }
}

void IntegerEncoder::SetResiduals(std::span<const int64_t> values, const Plan& plan) {
  std::span<const int64_t> of =
      plan.form == IntegerForm::kOffsets ? values : std::span<const int64_t>(deltas_);
  residuals_.resize(of.size());
  if (plan.form == IntegerForm::kZigzags) {
    auto divisor = static_cast<int64_t>(plan.divisor);
    for (size_t i = 0; i < of.size(); ++i)
      residuals_[i] = ZigZag(divisor == 1 ? of[i] : of[i] / divisor);
  } else {
    for (size_t i = 0; i < of.size(); ++i) residuals_[i] = Offset(of[i], plan.base, plan.divisor);
  }
}

void IntegerEncoder::SetChangedResiduals(std::span<const int64_t> values, const Plan& plan) {
  residuals_.clear();
  auto divisor = static_cast<int64_t>(plan.divisor);
  if (plan.form == IntegerForm::kLevels)
    residuals_.push_back(Offset(values[0], plan.base, plan.divisor));
  for (size_t i = 0; i < deltas_.size(); ++i) {
    if (deltas_[i] == 0) continue;
    residuals_.push_back(plan.form == IntegerForm::kLevels
                             ? Offset(values[i + 1], plan.base, plan.divisor)
                             : ZigZag(deltas_[i] / divisor));
  }
}

void IntegerEncoder::StartStream(std::span<const int64_t> values, const Plan& plan) {
  bool based = plan.form != IntegerForm::kZigzags && plan.form != IntegerForm::kSteps;
  bool first = plan.form != IntegerForm::kOffsets && plan.form != IntegerForm::kLevels;
  start_.assign(1, static_cast<char>(plan.form));
  if (first) PutVarint(&start_, ZigZag(values[0]));
  if (based) PutVarint(&start_, ZigZag(static_cast<int64_t>(plan.base)));
  PutVarint(&start_, plan.divisor);
}

void IntegerEncoder::PutPart(std::string_view bytes, int level, std::string* out) {
  if (bytes.size() >= kPartCompressMin && level != 0) {
    part_.clear();
    Status status = compressor_.Append(bytes, level, &part_);
    TD_CHECK(status.ok(), "zstd compresses a few kilobytes");
    if (part_.size() + 2 <= bytes.size() - bytes.size() / 20) {
      out->push_back(static_cast<char>(PartCodec::kZstd));
      PutBlob(out, part_);
      return;
    }
  }
  out->push_back(static_cast<char>(PartCodec::kStored));
  out->append(bytes);
}

void IntegerEncoder::PutPacked(int level, std::string* out) {
  bits_.clear();
  std::span<const uint64_t> rest(residuals_);
  while (!rest.empty()) {
    auto group = rest.first(std::min(kPackGroup, rest.size()));
    rest = rest.subspan(group.size());
    unsigned width = GroupWidth(group);
    out->push_back(static_cast<char>(width));
    PackGroup(group, width, &bits_);
  }
  PutPart(bits_, level, out);
}

void IntegerEncoder::PutBytes(int level, std::string* out) {
  uint64_t any = 0;
  for (uint64_t r : residuals_) any |= r;
  size_t size =
      std::bit_ceil(std::max<size_t>(1, (static_cast<size_t>(std::bit_width(any)) + 7) / 8));
  out->push_back(static_cast<char>(size));
  bits_.resize(residuals_.size() * size);
  for (size_t i = 0; i < residuals_.size(); ++i)
    std::memcpy(&bits_[i * size], &residuals_[i], size);
  PutPart(bits_, level, out);
}

void IntegerEncoder::PutClasses(int level, std::string* out) {
  std::string low_bits;
  BitWriter bits(&low_bits);
  bits_.resize(residuals_.size());
  for (size_t i = 0; i < residuals_.size(); ++i) {
    uint8_t number = ClassOf(residuals_[i]);
    bits_[i] = static_cast<char>(number);
    bits.Put(residuals_[i] & LowMask(kClasses[number].low), kClasses[number].low);
  }
  bits.Finish();
  PutPart(bits_, level, out);
  PutBlob(out, low_bits);
}

// Writes the residuals in hand and keeps the whole stream if it is the smallest so far.
void IntegerEncoder::KeepSmallest(ResidualLayout layout, int level) {
  candidate_ = start_;
  candidate_.push_back(static_cast<char>(layout));
  switch (layout) {
    case ResidualLayout::kZeros:
      break;
    case ResidualLayout::kPacked:
      PutPacked(level, &candidate_);
      break;
    case ResidualLayout::kBytes:
      PutBytes(level, &candidate_);
      break;
    case ResidualLayout::kClasses:
      PutClasses(level, &candidate_);
      break;
  }
  if (best_.empty() || candidate_.size() < best_.size()) best_.swap(candidate_);
}

void IntegerEncoder::TryDense(std::span<const int64_t> values, const Plan& plan, Effort effort) {
  StartStream(values, plan);
  SetResiduals(values, plan);
  if (std::ranges::all_of(residuals_, [](uint64_t r) { return r == 0; })) {
    KeepSmallest(ResidualLayout::kZeros, 0);
    return;
  }
  KeepSmallest(ResidualLayout::kPacked, ZstdLevel(effort));
  if (IsTiny(best_.size(), values.size())) return;
  KeepSmallest(ResidualLayout::kClasses, ZstdLevel(effort));
  if (effort == Effort::kMerge) KeepSmallest(ResidualLayout::kBytes, ZstdLevel(effort));
}

void IntegerEncoder::TryChanges(std::span<const int64_t> values, const Plan& plan, Effort effort) {
  StartStream(values, plan);
  PutVarint(&start_, changes_);
  std::string bitmap((deltas_.size() + 7) / 8, '\0');
  for (size_t i = 0; i < deltas_.size(); ++i) {
    if (deltas_[i] != 0) bitmap[i / 8] = static_cast<char>(bitmap[i / 8] | 1 << (i % 8));
  }
  PutPart(bitmap, ZstdLevel(effort), &start_);
  SetChangedResiduals(values, plan);
  KeepSmallest(ResidualLayout::kBytes, ZstdLevel(effort));
  KeepSmallest(ResidualLayout::kPacked, ZstdLevel(effort));
  if (effort == Effort::kMerge) KeepSmallest(ResidualLayout::kClasses, ZstdLevel(effort));
}

void IntegerEncoder::Encode(std::span<const int64_t> values, Effort effort, std::string* out) {
  bool constant =
      std::all_of(values.begin(), values.end(), [&](int64_t v) { return v == values[0]; });
  if (constant) {
    out->push_back(static_cast<char>(IntegerForm::kConstant));
    PutVarint(out, ZigZag(values.empty() ? 0 : values[0]));
    return;
  }
  Measure(values);
  Plan offsets = PlanOffsets(values), deltas = PlanDeltas(), zigzags = PlanZigzags();
  best_.clear();
  Plan dense = deltas.bytes <= zigzags.bytes ? deltas : zigzags;
  if (offsets.bytes < dense.bytes) dense = offsets;
  TryDense(values, dense, effort);
  if (!IsTiny(best_.size(), values.size())) {
    if (effort == Effort::kMerge) {
      for (const Plan& plan : {offsets, deltas, zigzags}) {
        if (plan.form != dense.form) TryDense(values, plan, effort);
      }
    }
    if (changes_ < deltas_.size() - deltas_.size() / 8) {
      Plan steps = zigzags;
      steps.form = IntegerForm::kSteps;
      TryChanges(values, steps, effort);
      Plan levels = offsets;
      levels.form = IntegerForm::kLevels;
      TryChanges(values, levels, effort);
    }
  }
  out->append(best_);
}

}  // namespace tapedeck
