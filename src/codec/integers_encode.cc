#include <algorithm>
#include <bit>
#include <cstring>
#include <numeric>

#include "base/check.h"
#include "codec/bit_packing.h"
#include "codec/exact_division.h"
#include "codec/integers.h"
#include "codec/residual_classes.h"

namespace tapedeck {
namespace {

// A part below this is not worth a zstd frame, whose own bytes are about ten.
constexpr size_t kPartCompressMin = 64;

// A stream of at most this many bytes, or an eighth of a bit for each integer, is left as it is:
// nothing is to be gained.
bool IsTiny(size_t bytes, size_t count) { return bytes <= 24 + count / 64; }

// What decoding costs, measured: nanoseconds for a zstd frame, a byte of its content, and each
// value by layout.
constexpr double kZstdCallNs = 700, kZstdByteNs = 1.0, kSpreadNs = 0.7;
constexpr double kResidualNs[] = {0, 0.5, 1.0, 0.8, 2.0};

// How many bytes a nanosecond of decoding is worth. On all quotes of the bench, merged, against
// structs with zstd-3: 0 gives 0.36 of the bytes and 1.7 times the speed; 0.1: 0.37 and 2.1;
// 0.2: 0.42 and 3.0; 0.25: 0.46 and 3.5. Both bars (0.5 and 3) want room.
constexpr double kBytesPerNs = 0.22;

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

// Greatest common divisor of the deltas, which is that of all differences; 1 where all are zero.
// Ends early when it is 1, the usual case.
uint64_t CommonDivisor(std::span<const int64_t> deltas) {
  uint64_t divisor = 0;
  ExactDivision division(1);
  for (int64_t delta : deltas) {
    uint64_t magnitude =
        delta < 0 ? uint64_t{0} - static_cast<uint64_t>(delta) : static_cast<uint64_t>(delta);
    if (divisor == 0 ? magnitude == 0 : division.Divides(magnitude)) continue;
    divisor = std::gcd(divisor, magnitude);
    if (divisor == 1) return 1;
    division = ExactDivision(divisor);
  }
  return divisor == 0 || divisor > INT64_MAX ? 1 : divisor;
}

int64_t Minus(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) - static_cast<uint64_t>(b));
}

}  // namespace

// Values and deltas are divided by their common divisor once; everything after works on the
// quotients.
void IntegerEncoder::Measure(std::span<const int64_t> values) {
  size_t count = values.size() - 1;
  deltas_.resize(count);
  int64_t least = values[0];
  for (size_t i = 0; i < count; ++i) {
    deltas_[i] = Minus(values[i + 1], values[i]);
    least = std::min(least, values[i + 1]);
  }
  divisor_ = CommonDivisor(deltas_);
  least_ = least;
  ExactDivision division(divisor_);
  changes_ = 0;
  least_delta_ = INT64_MAX;
  for (int64_t& delta : deltas_) {
    delta = static_cast<int64_t>(division.Quotient(static_cast<uint64_t>(delta)));
    changes_ += delta != 0 ? 1 : 0;
    least_delta_ = std::min(least_delta_, delta);
  }
  offsets_.resize(values.size());
  offsets_[0] = (static_cast<uint64_t>(values[0]) - static_cast<uint64_t>(least)) / divisor_;
  uint64_t offset = offsets_[0];
  for (size_t i = 0; i < count; ++i) offsets_[i + 1] = offset += static_cast<uint64_t>(deltas_[i]);
}

IntegerEncoder::Plan IntegerEncoder::PlanOf(IntegerForm form) const {
  size_t count = deltas_.size();
  switch (form) {
    case IntegerForm::kDeltas: {
      auto base = static_cast<uint64_t>(least_delta_);
      return {form, PackedSize(count,
                               [&](size_t i) { return static_cast<uint64_t>(deltas_[i]) - base; })};
    }
    case IntegerForm::kZigzags:
      return {form, PackedSize(count, [&](size_t i) { return ZigZag(deltas_[i]); })};
    default:
      return {form, PackedSize(offsets_.size(), [&](size_t i) { return offsets_[i]; })};
  }
}

void IntegerEncoder::SetResiduals(IntegerForm form) {
  residuals_.clear();
  switch (form) {
    case IntegerForm::kOffsets:
      residuals_ = offsets_;
      break;
    case IntegerForm::kDeltas:
      residuals_.resize(deltas_.size());
      for (size_t i = 0; i < deltas_.size(); ++i) {
        residuals_[i] = static_cast<uint64_t>(deltas_[i]) - static_cast<uint64_t>(least_delta_);
      }
      break;
    case IntegerForm::kZigzags:
      residuals_.resize(deltas_.size());
      for (size_t i = 0; i < deltas_.size(); ++i) residuals_[i] = ZigZag(deltas_[i]);
      break;
    default:
      if (form == IntegerForm::kLevels) residuals_.push_back(offsets_[0]);
      for (size_t i = 0; i < deltas_.size(); ++i) {
        if (deltas_[i] == 0) continue;
        residuals_.push_back(form == IntegerForm::kLevels ? offsets_[i + 1] : ZigZag(deltas_[i]));
      }
  }
}

void IntegerEncoder::StartStream(int64_t first, IntegerForm form) {
  start_.assign(1, static_cast<char>(form));
  bool from_least = form == IntegerForm::kOffsets || form == IntegerForm::kLevels;
  PutVarint(&start_, ZigZag(from_least ? least_ : first));
  if (form == IntegerForm::kDeltas) {
    uint64_t base = static_cast<uint64_t>(least_delta_) * divisor_;
    PutVarint(&start_, ZigZag(static_cast<int64_t>(base)));
  }
  PutVarint(&start_, divisor_);
  start_time_ns_ = 0;
}

void IntegerEncoder::PutPart(std::string_view bytes, int level, std::string* out) {
  if (bytes.size() >= kPartCompressMin && level != 0) {
    part_.clear();
    Status status = compressor_.Append(bytes, level, &part_);
    TD_CHECK(status.ok(), "zstd compresses a few kilobytes");
    size_t gain = bytes.size() - std::min(bytes.size(), part_.size() + 2);
    double time_ns = kZstdCallNs + kZstdByteNs * static_cast<double>(bytes.size());
    if (gain > bytes.size() / 20 && static_cast<double>(gain) > time_ns * kBytesPerNs) {
      time_ns_ += time_ns;
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
  time_ns_ = start_time_ns_ +
             kResidualNs[static_cast<size_t>(layout)] * static_cast<double>(residuals_.size());
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
  double cost = static_cast<double>(candidate_.size()) + time_ns_ * kBytesPerNs;
  if (!best_.empty() && cost >= best_cost_) return;
  best_.swap(candidate_);
  best_cost_ = cost;
}

void IntegerEncoder::TryDense(int64_t first, IntegerForm form, Effort effort) {
  StartStream(first, form);
  SetResiduals(form);
  if (std::ranges::all_of(residuals_, [](uint64_t r) { return r == 0; })) {
    KeepSmallest(ResidualLayout::kZeros, 0);
    return;
  }
  KeepSmallest(ResidualLayout::kPacked, effort == Effort::kMerge ? ZstdLevel(effort) : 0);
  if (IsTiny(best_.size(), offsets_.size())) return;
  KeepSmallest(ResidualLayout::kClasses, ZstdLevel(effort));
  if (effort == Effort::kMerge) KeepSmallest(ResidualLayout::kBytes, ZstdLevel(effort));
}

void IntegerEncoder::TryChanges(int64_t first, IntegerForm form, Effort effort) {
  StartStream(first, form);
  PutVarint(&start_, changes_);
  std::string bitmap((deltas_.size() + 7) / 8, '\0');
  for (size_t i = 0; i < deltas_.size(); ++i) {
    unsigned bit = deltas_[i] != 0 ? 1u << (i % 8) : 0;
    bitmap[i / 8] = static_cast<char>(static_cast<uint8_t>(bitmap[i / 8]) | bit);
  }
  time_ns_ = kSpreadNs * static_cast<double>(offsets_.size());
  PutPart(bitmap, ZstdLevel(effort), &start_);
  start_time_ns_ = time_ns_;
  SetResiduals(form);
  KeepSmallest(ResidualLayout::kBytes, ZstdLevel(effort));
  KeepSmallest(ResidualLayout::kPacked, effort == Effort::kMerge ? ZstdLevel(effort) : 0);
  if (effort == Effort::kMerge) KeepSmallest(ResidualLayout::kClasses, ZstdLevel(effort));
}

size_t IntegerEncoder::PackedBytesOf(std::span<const int64_t> values) {
  if (std::ranges::all_of(values, [&](int64_t v) { return v == values[0]; })) return 0;
  Measure(values);
  size_t bytes = std::min(PlanOf(IntegerForm::kDeltas).bytes, PlanOf(IntegerForm::kZigzags).bytes);
  return std::min({bytes, PlanOf(IntegerForm::kOffsets).bytes, changes_ * 2 + values.size() / 8});
}

void IntegerEncoder::Encode(std::span<const int64_t> values, Effort effort, std::string* out) {
  if (std::ranges::all_of(values, [&](int64_t v) { return v == values[0]; })) {
    out->push_back(static_cast<char>(IntegerForm::kConstant));
    PutVarint(out, ZigZag(values.empty() ? 0 : values[0]));
    return;
  }
  Measure(values);
  Plan offsets = PlanOf(IntegerForm::kOffsets), deltas = PlanOf(IntegerForm::kDeltas),
       zigzags = PlanOf(IntegerForm::kZigzags);
  Plan dense = deltas.bytes <= zigzags.bytes ? deltas : zigzags;
  if (offsets.bytes < dense.bytes) dense = offsets;
  best_.clear();
  bool sparse = changes_ < deltas_.size() - deltas_.size() / 8;
  bool tiny = IsTiny(dense.bytes, values.size());
  if (effort == Effort::kMerge && !tiny) {
    for (IntegerForm form : {IntegerForm::kOffsets, IntegerForm::kDeltas, IntegerForm::kZigzags}) {
      TryDense(values[0], form, effort);
    }
    for (IntegerForm form : {IntegerForm::kSteps, IntegerForm::kLevels}) {
      if (sparse) TryChanges(values[0], form, effort);
    }
  } else if (tiny || changes_ > deltas_.size() / 4 * 3) {
    TryDense(values[0], dense.form, effort);
  } else {
    TryChanges(values[0],
               zigzags.bytes <= offsets.bytes ? IntegerForm::kSteps : IntegerForm::kLevels, effort);
  }
  out->append(best_);
}

}  // namespace tapedeck
