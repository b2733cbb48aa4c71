#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <numeric>

#include "base/check.h"
#include "codec/bit_packing.h"
#include "codec/exact_division.h"
#include "codec/integer_loops.h"
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

unsigned WidthOf(uint64_t greatest) {
  return PackWidth(static_cast<unsigned>(std::bit_width(greatest)));
}

// Greatest common divisor of the deltas, which is that of all differences; 1 where all are zero.
// Ends early when it is 1, the usual case; else most groups only confirm what the first one gave.
uint64_t CommonDivisor(std::span<const int64_t> deltas) {
  uint64_t divisor = 0;
  while (!deltas.empty()) {
    auto group = deltas.first(std::min(kPackGroup, deltas.size()));
    deltas = deltas.subspan(group.size());
    ExactDivision division(divisor == 0 ? 1 : divisor);
    if (divisor != 0 && AllDivide(division, group)) continue;
    for (int64_t delta : group) {
      uint64_t magnitude =
          delta < 0 ? uint64_t{0} - static_cast<uint64_t>(delta) : static_cast<uint64_t>(delta);
      if (divisor == 0 ? magnitude == 0 : division.Divides(magnitude)) continue;
      divisor = std::gcd(divisor, magnitude);
      if (divisor == 1) return 1;
      division = ExactDivision(divisor);
    }
  }
  return divisor == 0 || divisor > INT64_MAX ? 1 : divisor;
}

// Every one of many is looked at so that an estimate costs little.
constexpr size_t kSample = 512;
size_t SampleStride(size_t count) { return std::max<size_t>(1, count / kSample); }

// Of live candidates only those are made that may win: a coder of single bytes takes this part of
// their entropy, as zstd finds a repetition now and then.
constexpr double kFoundBytes = 0.85;

// Bytes that an ideal coder of single bytes takes for `total` of them.
double EntropyBytes(const std::array<uint32_t, 256>& counts, size_t total) {
  double bits = static_cast<double>(total) * std::log2(static_cast<double>(total));
  for (uint32_t count : counts) {
    if (count > 1) bits -= static_cast<double>(count) * std::log2(static_cast<double>(count));
  }
  return bits / 8;
}

}  // namespace

// Extremes of each group, of which packing is told; what is written needs one more pass over the
// form that was chosen.
void IntegerEncoder::Measure(std::span<const int64_t> values) {
  values_ = values;
  const size_t count = values.size() - 1;
  deltas_.resize(count);
  groups_.clear();
  for (size_t from = 0; from < count; from += kPackGroup) {
    groups_.push_back(
        MeasureGroup(&values[from], std::min(kPackGroup, count - from), &deltas_[from]));
  }
  if (count % kPackGroup == 0) groups_.emplace_back();  // of the last value alone
  groups_.back().least = std::min(groups_.back().least, values.back());
  groups_.back().greatest = std::max(groups_.back().greatest, values.back());
  IntegerGroup all;
  for (const IntegerGroup& group : groups_) {
    all.least = std::min(all.least, group.least);
    all.greatest = std::max(all.greatest, group.greatest);
    all.least_delta = std::min(all.least_delta, group.least_delta);
    all.greatest_delta = std::max(all.greatest_delta, group.greatest_delta);
    all.changes += group.changes;
  }
  least_ = all.least;
  changes_ = all.changes;
  // Differences of more than half the numbers there are wrap: their divisor need not divide the
  // offsets.
  const uint64_t range = static_cast<uint64_t>(all.greatest) - static_cast<uint64_t>(all.least);
  divisor_ = range > INT64_MAX ? 1 : CommonDivisor(deltas_);
  division_ = ExactDivision(divisor_);
  least_delta_ = Quotient(all.least_delta);
  greatest_delta_ = Quotient(all.greatest_delta);
}

int64_t IntegerEncoder::Quotient(int64_t multiple) const {
  return static_cast<int64_t>(division_.Quotient(static_cast<uint64_t>(multiple)));
}

// Bytes of the residuals of each dense form when packed, widths included.
void IntegerEncoder::MakePlans() {
  size_t offsets = 1, deltas = 1, zigzags = 1;
  size_t left = values_.size();
  for (const IntegerGroup& group : groups_) {
    const size_t values = std::min(kPackGroup, left), steps = std::min(kPackGroup, left - 1);
    left -= values;
    auto offset = static_cast<uint64_t>(group.greatest) - static_cast<uint64_t>(least_);
    offsets += 1 + PackedBytes(values, WidthOf(division_.Quotient(offset)));
    if (steps == 0) continue;
    const int64_t least = Quotient(group.least_delta), greatest = Quotient(group.greatest_delta);
    auto delta = static_cast<uint64_t>(greatest) - static_cast<uint64_t>(least_delta_);
    deltas += 1 + PackedBytes(steps, WidthOf(delta));
    zigzags += 1 + PackedBytes(steps, WidthOf(std::max(ZigZag(least), ZigZag(greatest))));
  }
  offsets_bytes_ = offsets;
  deltas_bytes_ = deltas;
  zigzags_bytes_ = zigzags;
}

void IntegerEncoder::SetResiduals(IntegerForm form) {
  switch (form) {
    case IntegerForm::kOffsets:
      residuals_.resize(values_.size());
      FillOffsets(division_, values_, least_, residuals_.data());
      return;
    case IntegerForm::kDeltas:
      residuals_.resize(deltas_.size());
      FillDeltas(division_, deltas_, least_delta_, residuals_.data());
      return;
    case IntegerForm::kZigzags:
      residuals_.resize(deltas_.size());
      FillZigZags(division_, deltas_, residuals_.data());
      return;
    default:
      SetChangedResiduals(form);
  }
}

// Residuals of all values, of which those that repeat are then left out.
void IntegerEncoder::SetChangedResiduals(IntegerForm form) {
  residuals_.resize(values_.size());
  uint64_t* out = residuals_.data();
  size_t kept = 0;
  if (form == IntegerForm::kLevels) {
    FillOffsets(division_, values_, least_, out);
    kept = 1;
    for (size_t i = 0; i < deltas_.size(); ++i) {
      out[kept] = out[i + 1];
      kept += deltas_[i] != 0 ? 1 : 0;
    }
  } else {
    FillZigZags(division_, deltas_, out);
    for (size_t i = 0; i < deltas_.size(); ++i) {
      out[kept] = out[i];
      kept += deltas_[i] != 0 ? 1 : 0;
    }
  }
  residuals_.resize(kept);
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
    unsigned width = WidthOf(AnyBits(group));
    out->push_back(static_cast<char>(width));
    PackGroup(group, width, &bits_);
  }
  PutPart(bits_, level, out);
}

void IntegerEncoder::PutBytes(int level, std::string* out) {
  const size_t size = ByteSize();
  out->push_back(static_cast<char>(size));
  bits_.resize(residuals_.size() * size + sizeof(uint64_t));  // whole words are stored
  char* at = bits_.data();
  for (uint64_t residual : residuals_) {
    std::memcpy(at, &residual, sizeof(residual));
    at += size;
  }
  PutPart(std::string_view(bits_).substr(0, residuals_.size() * size), level, out);
}

void IntegerEncoder::PutClasses(int level, std::string* out) {
  bits_.resize(residuals_.size());
  low_bits_.resize(residuals_.size() * sizeof(uint64_t) + sizeof(uint64_t));
  BitWriter bits(low_bits_.data());
  char* number = bits_.data();
  for (uint64_t residual : residuals_) {
    *number++ = static_cast<char>(ClassOf(residual));
    unsigned low = LowBitsOf(residual);
    bits.Put(residual & LowMask(low), low);
  }
  PutPart(bits_, level, out);
  PutBlob(out, {low_bits_.data(), bits.Finish()});
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

size_t IntegerEncoder::ByteSize() const {
  auto bits = static_cast<size_t>(std::bit_width(AnyBits(residuals_)));
  return std::bit_ceil(std::max<size_t>(1, (bits + 7) / 8));
}

// The least that a part of `bytes` costs when an ideal coder makes `coded` of them.
double IntegerEncoder::PartCost(double bytes, double coded) {
  return std::min(bytes, coded * kFoundBytes + (kZstdCallNs + kZstdByteNs * bytes) * kBytesPerNs);
}

// What the layout costs before its parts.
double IntegerEncoder::BareCost(ResidualLayout layout) const {
  auto count = static_cast<double>(residuals_.size());
  double time_ns = start_time_ns_ + kResidualNs[static_cast<size_t>(layout)] * count;
  return static_cast<double>(start_.size()) + time_ns * kBytesPerNs;
}

// Merging misses nothing: only what loses with parts of no bytes is left out.
bool IntegerEncoder::MayWinAsClasses(Effort effort) const {
  const double bare = BareCost(ResidualLayout::kClasses), count = residuals_.size();
  if (bare + PartCost(count, 0) >= best_cost_) return false;
  if (effort == Effort::kMerge) return true;
  std::array<uint32_t, 256> counts{};
  size_t sampled = 0, low_bits = 0;
  for (size_t i = 0; i < residuals_.size(); i += SampleStride(residuals_.size()), ++sampled) {
    ++counts[ClassOf(residuals_[i])];
    low_bits += LowBitsOf(residuals_[i]);
  }
  const double scale = count / static_cast<double>(sampled);
  return bare + static_cast<double>(low_bits) / 8 * scale +
             PartCost(count, EntropyBytes(counts, sampled) * scale) <
         best_cost_;
}

bool IntegerEncoder::MayWinAsBytes() const {
  const size_t size = ByteSize();
  const double bare = BareCost(ResidualLayout::kBytes);
  const double bytes = static_cast<double>(residuals_.size() * size);
  if (bare + PartCost(bytes, 0) >= best_cost_) return false;
  std::array<uint32_t, 256> counts{};
  size_t sampled = 0;
  for (size_t i = 0; i < residuals_.size(); i += SampleStride(residuals_.size()), ++sampled) {
    for (size_t byte = 0; byte < size; ++byte) ++counts[residuals_[i] >> (8 * byte) & 255];
  }
  const double scale = static_cast<double>(residuals_.size()) / static_cast<double>(sampled);
  return bare + PartCost(bytes, EntropyBytes(counts, sampled * size) * scale) < best_cost_;
}

void IntegerEncoder::TryDense(int64_t first, IntegerForm form, Effort effort) {
  StartStream(first, form);
  SetResiduals(form);
  if (form == IntegerForm::kDeltas && least_delta_ == greatest_delta_) {
    KeepSmallest(ResidualLayout::kZeros, 0);
    return;
  }
  KeepSmallest(ResidualLayout::kPacked, effort == Effort::kMerge ? ZstdLevel(effort) : 0);
  if (IsTiny(best_.size(), values_.size())) return;
  if (MayWinAsClasses(effort)) KeepSmallest(ResidualLayout::kClasses, ZstdLevel(effort));
  if (effort == Effort::kMerge) KeepSmallest(ResidualLayout::kBytes, ZstdLevel(effort));
}

// Bit i % 8 of byte i / 8: value i + 1 differs from value i.
void IntegerEncoder::PutBitmap(int level) {
  bitmap_.assign((deltas_.size() + 7) / 8, '\0');
  size_t whole = deltas_.size() / 8;
  for (size_t byte = 0; byte < whole; ++byte) {
    unsigned bits = 0;
    for (unsigned k = 0; k < 8; ++k) bits |= (deltas_[byte * 8 + k] != 0 ? 1u : 0u) << k;
    bitmap_[byte] = static_cast<char>(bits);
  }
  unsigned bits = 0;
  for (size_t i = whole * 8; i < deltas_.size(); ++i)
    bits |= (deltas_[i] != 0 ? 1u : 0u) << (i % 8);
  if (whole < bitmap_.size()) bitmap_[whole] = static_cast<char>(bits);
  PutPart(bitmap_, level, &start_);
}

void IntegerEncoder::TryChanges(int64_t first, IntegerForm form, Effort effort) {
  const int level = ZstdLevel(effort);
  StartStream(first, form);
  PutVarint(&start_, changes_);
  time_ns_ = kSpreadNs * static_cast<double>(values_.size());
  PutBitmap(level);
  start_time_ns_ = time_ns_;
  SetResiduals(form);
  if (effort == Effort::kMerge) {
    KeepSmallest(ResidualLayout::kBytes, level);
    KeepSmallest(ResidualLayout::kPacked, level);
    if (MayWinAsClasses(effort)) KeepSmallest(ResidualLayout::kClasses, level);
  } else {
    KeepSmallest(ResidualLayout::kPacked, 0);
    if (MayWinAsBytes()) KeepSmallest(ResidualLayout::kBytes, level);
  }
}

size_t IntegerEncoder::PackedBytesOf(std::span<const int64_t> values) {
  if (AllEqual(values)) return 0;
  Measure(values);
  MakePlans();
  return std::min(
      {offsets_bytes_, deltas_bytes_, zigzags_bytes_, changes_ * 2 + values.size() / 8});
}

void IntegerEncoder::Encode(std::span<const int64_t> values, Effort effort, std::string* out) {
  if (AllEqual(values)) {
    out->push_back(static_cast<char>(IntegerForm::kConstant));
    PutVarint(out, ZigZag(values.empty() ? 0 : values[0]));
    return;
  }
  Measure(values);
  MakePlans();
  IntegerForm dense =
      deltas_bytes_ <= zigzags_bytes_ ? IntegerForm::kDeltas : IntegerForm::kZigzags;
  size_t dense_bytes = std::min(deltas_bytes_, zigzags_bytes_);
  if (offsets_bytes_ < dense_bytes) {
    dense = IntegerForm::kOffsets;
    dense_bytes = offsets_bytes_;
  }
  best_.clear();
  bool sparse = changes_ < deltas_.size() - deltas_.size() / 8;
  bool tiny = IsTiny(dense_bytes, values.size());
  if (effort == Effort::kMerge && !tiny) {
    for (IntegerForm form : {IntegerForm::kOffsets, IntegerForm::kDeltas, IntegerForm::kZigzags}) {
      TryDense(values[0], form, effort);
    }
    for (IntegerForm form : {IntegerForm::kSteps, IntegerForm::kLevels}) {
      if (sparse) TryChanges(values[0], form, effort);
    }
  } else if (tiny || changes_ > deltas_.size() / 4 * 3) {
    TryDense(values[0], dense, effort);
  } else {
    TryChanges(values[0],
               zigzags_bytes_ <= offsets_bytes_ ? IntegerForm::kSteps : IntegerForm::kLevels,
               effort);
  }
  out->append(best_);
}

}  // namespace tapedeck
