#include <algorithm>
#include <array>
#include <cstring>
#include <string>

#include "codec/bit_packing.h"
#include "codec/integers.h"
#include "codec/residual_classes.h"

namespace tapedeck {
namespace {

Status Short() { return Status::Corruption("an integer stream ends before its time"); }

Status Unknown(const char* what, unsigned number) {
  return Status::Corruption(std::string("integer stream with unknown ") + what + " " +
                            std::to_string(number) + ": written by a later version, or damaged");
}

// For each byte of a bitmap and each of its bits: how many bits up to that one are set.
constexpr auto kStepsOfByte = [] {
  std::array<std::array<uint8_t, 8>, 256> table{};
  for (unsigned byte = 0; byte < 256; ++byte) {
    uint8_t steps = 0;
    for (unsigned bit = 0; bit < 8; ++bit) {
      steps = static_cast<uint8_t>(steps + ((byte >> bit) & 1));
      table[byte][bit] = steps;
    }
  }
  return table;
}();

// Without a machine's own instruction, eight bytes at a time (Warren, "Hacker's Delight", 5-1).
size_t CountBits(std::string_view bitmap) {
  size_t count = 0;
  while (!bitmap.empty()) {
    uint64_t word = 0;
    size_t size = std::min<size_t>(8, bitmap.size());
    std::memcpy(&word, bitmap.data(), size);
    bitmap.remove_prefix(size);
    word -= (word >> 1) & 0x5555555555555555;
    word = (word & 0x3333333333333333) + ((word >> 2) & 0x3333333333333333);
    count += (((word + (word >> 4)) & 0x0F0F0F0F0F0F0F0F) * 0x0101010101010101) >> 56;
  }
  return count;
}

template <typename T, typename F>
void Widen(const char* source, size_t count, F take) {
  std::array<uint64_t, kPackGroup> residuals;
  for (size_t from = 0; from < count; from += kPackGroup) {
    size_t n = std::min(kPackGroup, count - from);
    for (size_t i = 0; i < n; ++i) {
      T value;
      std::memcpy(&value, source + (from + i) * sizeof(T), sizeof(T));
      residuals[i] = value;
    }
    take(from, residuals.data(), n);
  }
}

// Reads `n` residuals: for each its class and, from bit `at` of `bits` on, its low bits, which end
// before the end of
// `bits`. At most 61 low bits; past the end there are zeros. Returns the bit after.
size_t TakeClasses(const char* classes, size_t n, std::string_view bits, size_t at, uint64_t* out) {
  auto load = [&](size_t byte) {
    uint64_t word = 0;
    if (byte < bits.size())
      std::memcpy(&word, bits.data() + byte, std::min<size_t>(8, bits.size() - byte));
    return word;
  };
  for (size_t i = 0; i < n; ++i) {
    const ResidualClass& c = kClasses[static_cast<uint8_t>(classes[i])];
    unsigned shift = at % 8;
    uint64_t word = load(at / 8) >> shift;
    if (c.low + shift > 64) word |= load(at / 8 + 8) << (64 - shift);
    out[i] = c.base | (word & LowMask(c.low));
    at += c.low;
  }
  return at;
}

// The same, where no class has more than 56 low bits and kClassSlack bytes can be read from bit
// `at` on.
size_t TakeClassesFast(const char* classes, size_t n, const char* bits, size_t at, uint64_t* out) {
  for (size_t i = 0; i < n; ++i) {
    const ResidualClass& c = kClasses[static_cast<uint8_t>(classes[i])];
    uint64_t word;
    std::memcpy(&word, bits + at / 8, sizeof(word));
    out[i] = c.base | ((word >> (at % 8)) & LowMask(c.low));
    at += c.low;
  }
  return at;
}
constexpr size_t kClassSlack = kPackGroup * 7 + 8;
constexpr uint8_t kFastClassMax = 8 + 4 * 56 - 1;

}  // namespace

Status IntegerDecoder::Part(ByteReader* in, size_t size, std::string* keep, std::string_view* out) {
  uint8_t how = in->Byte();
  if (!in->ok()) return Short();
  if (how == static_cast<uint8_t>(PartCodec::kStored)) {
    *out = in->Bytes(size);
    return in->ok() ? Status::Ok() : Short();
  }
  if (how != static_cast<uint8_t>(PartCodec::kZstd)) return Unknown("part codec", how);
  std::string_view frame = in->Blob();
  if (!in->ok()) return Short();
  TD_RETURN_IF_ERROR(decompressor_.Decompress(frame, size, keep));
  if (keep->size() != size)
    return Status::Corruption("a part of an integer stream has the wrong size");
  *out = *keep;
  return Status::Ok();
}

// The functions below give residuals in runs of up to 128 to `take(position, residuals, count)`.
template <typename F>
Status IntegerDecoder::Packed(ByteReader* in, size_t count, F take) {
  size_t groups = (count + kPackGroup - 1) / kPackGroup;
  std::string_view widths = in->Bytes(groups);
  if (!in->ok()) return Short();
  size_t size = 0;
  for (size_t group = 0; group < groups; ++group) {
    auto width = static_cast<uint8_t>(widths[group]);
    if (!IsPackWidth(width)) return Unknown("bit width", width);
    size += PackedBytes(std::min(kPackGroup, count - group * kPackGroup), width);
  }
  std::string_view packed;
  TD_RETURN_IF_ERROR(Part(in, size, &part_, &packed));
  std::array<uint64_t, kPackGroup> residuals;
  std::array<uint8_t, kPackGroup * sizeof(uint64_t) + kPackSlack> padded;
  for (size_t group = 0; group < groups; ++group) {
    auto width = static_cast<uint8_t>(widths[group]);
    size_t n = std::min(kPackGroup, count - group * kPackGroup);
    size_t bytes = PackedBytes(n, width);
    const auto* source = reinterpret_cast<const uint8_t*>(packed.data());
    if (n < kPackGroup || packed.size() < bytes + kPackSlack) {
      padded.fill(0);
      std::memcpy(padded.data(), packed.data(), bytes);
      source = padded.data();
    }
    UnpackGroup(source, width, residuals.data());
    packed.remove_prefix(bytes);
    take(group * kPackGroup, residuals.data(), n);
  }
  return Status::Ok();
}

template <typename F>
Status IntegerDecoder::Bytes(ByteReader* in, size_t count, F take) {
  unsigned size = in->Byte();
  if (!in->ok()) return Short();
  if (size != 1 && size != 2 && size != 4 && size != 8) return Unknown("residual size", size);
  std::string_view bytes;
  TD_RETURN_IF_ERROR(Part(in, count * size, &part_, &bytes));
  switch (size) {
    case 1:
      Widen<uint8_t>(bytes.data(), count, take);
      break;
    case 2:
      Widen<uint16_t>(bytes.data(), count, take);
      break;
    case 4:
      Widen<uint32_t>(bytes.data(), count, take);
      break;
    default:
      Widen<uint64_t>(bytes.data(), count, take);
      break;
  }
  return Status::Ok();
}

template <typename F>
Status IntegerDecoder::Classes(ByteReader* in, size_t count, F take) {
  std::string_view classes;
  TD_RETURN_IF_ERROR(Part(in, count, &part_, &classes));
  uint8_t greatest = 0;
  for (char c : classes) greatest = std::max(greatest, static_cast<uint8_t>(c));
  if (kClasses[greatest].low > 61) return Unknown("class", greatest);
  std::string_view bits = in->Blob();
  if (!in->ok()) return Short();
  padded_.assign(bits);
  padded_.append(kClassSlack, '\0');
  std::array<uint64_t, kPackGroup> residuals;
  size_t at = 0;
  for (size_t from = 0; from < count && at / 8 <= bits.size(); from += kPackGroup) {
    size_t n = std::min(kPackGroup, count - from);
    at = greatest <= kFastClassMax
             ? TakeClassesFast(classes.data() + from, n, padded_.data(), at, residuals.data())
             : TakeClasses(classes.data() + from, n, bits, at, residuals.data());
    take(from, residuals.data(), n);
  }
  return (at + 7) / 8 == bits.size()
             ? Status::Ok()
             : Status::Corruption("integer stream: low bits do not fit its classes");
}

template <typename F>
Status IntegerDecoder::Residuals(ByteReader* in, size_t count, F take) {
  uint8_t layout = in->Byte();
  if (!in->ok()) return Short();
  switch (static_cast<ResidualLayout>(layout)) {
    case ResidualLayout::kZeros: {
      std::array<uint64_t, kPackGroup> zeros{};
      for (size_t from = 0; from < count; from += kPackGroup) {
        take(from, zeros.data(), std::min(kPackGroup, count - from));
      }
      return Status::Ok();
    }
    case ResidualLayout::kPacked:
      return Packed(in, count, take);
    case ResidualLayout::kBytes:
      return Bytes(in, count, take);
    case ResidualLayout::kClasses:
      return Classes(in, count, take);
  }
  return Unknown("layout", layout);
}

Status IntegerDecoder::DecodeOffsets(ByteReader* in, std::span<int64_t> out) {
  auto base = static_cast<uint64_t>(UnZigZag(in->Varint()));
  uint64_t divisor = in->Varint();
  if (!in->ok()) return Short();
  if (divisor == 1) {
    return Residuals(in, out.size(), [&](size_t at, const uint64_t* r, size_t n) {
      for (size_t i = 0; i < n; ++i) out[at + i] = static_cast<int64_t>(base + r[i]);
    });
  }
  return Residuals(in, out.size(), [&](size_t at, const uint64_t* r, size_t n) {
    for (size_t i = 0; i < n; ++i) out[at + i] = static_cast<int64_t>(base + r[i] * divisor);
  });
}

Status IntegerDecoder::DecodeDeltas(ByteReader* in, std::span<int64_t> out) {
  auto value = static_cast<uint64_t>(UnZigZag(in->Varint()));
  auto base = static_cast<uint64_t>(UnZigZag(in->Varint()));
  uint64_t divisor = in->Varint();
  if (!in->ok() || out.empty()) return Short();
  out[0] = static_cast<int64_t>(value);
  int64_t* to = out.data() + 1;
  if (!in->rest().empty() && in->rest()[0] == static_cast<char>(ResidualLayout::kZeros)) {
    in->Byte();
    for (size_t i = 0; i < out.size(); ++i) out[i] = static_cast<int64_t>(value + base * i);
    return Status::Ok();
  }
  return Residuals(in, out.size() - 1, [&](size_t at, const uint64_t* r, size_t n) {
    uint64_t sum = value;  // a local: `to` might alias what is captured
    for (size_t i = 0; i < n; ++i) {
      sum += base + r[i] * divisor;
      to[at + i] = static_cast<int64_t>(sum);
    }
    value = sum;
  });
}

Status IntegerDecoder::DecodeZigzags(ByteReader* in, std::span<int64_t> out) {
  auto value = static_cast<uint64_t>(UnZigZag(in->Varint()));
  uint64_t divisor = in->Varint();
  if (!in->ok() || out.empty()) return Short();
  out[0] = static_cast<int64_t>(value);
  int64_t* to = out.data() + 1;
  return Residuals(in, out.size() - 1, [&](size_t at, const uint64_t* r, size_t n) {
    uint64_t sum = value;
    for (size_t i = 0; i < n; ++i) {
      sum += static_cast<uint64_t>(UnZigZag(r[i])) * divisor;
      to[at + i] = static_cast<int64_t>(sum);
    }
    value = sum;
  });
}

// Values between changes are few; then each row takes the one that its bit says.
Status IntegerDecoder::DecodeChanges(ByteReader* in, IntegerForm form, std::span<int64_t> out) {
  auto start = static_cast<uint64_t>(UnZigZag(in->Varint()));
  uint64_t divisor = in->Varint();
  uint64_t changes = in->Varint();
  if (!in->ok() || out.empty()) return Short();
  if (changes >= out.size())
    return Status::Corruption("integer stream: more changes than integers");
  std::string_view bitmap;
  TD_RETURN_IF_ERROR(Part(in, (out.size() + 6) / 8, &bitmap_, &bitmap));
  values_.resize(changes + 1);
  int64_t* to = values_.data();
  if (form == IntegerForm::kLevels) {
    TD_RETURN_IF_ERROR(Residuals(in, changes + 1, [=](size_t at, const uint64_t* r, size_t n) {
      for (size_t i = 0; i < n; ++i) to[at + i] = static_cast<int64_t>(start + r[i] * divisor);
    }));
  } else {
    *to++ = static_cast<int64_t>(start);
    TD_RETURN_IF_ERROR(
        Residuals(in, changes, [&start, to, divisor](size_t at, const uint64_t* r, size_t n) {
          uint64_t sum = start;
          for (size_t i = 0; i < n; ++i) {
            sum += static_cast<uint64_t>(UnZigZag(r[i])) * divisor;
            to[at + i] = static_cast<int64_t>(sum);
          }
          start = sum;
        }));
  }
  if (CountBits(bitmap) != changes) {
    return Status::Corruption("integer stream: its bitmap has another number of changes");
  }
  return Spread(bitmap, out);
}

// Row 0 takes the first of values_; each row after it the same as the row before, or the next one
// where its bit is set.
Status IntegerDecoder::Spread(std::string_view bitmap, std::span<int64_t> out) const {
  const int64_t* value = values_.data();
  int64_t* to = out.data();
  *to++ = *value;
  size_t whole = (out.size() - 1) / 8;
  for (size_t i = 0; i < whole; ++i, to += 8) {
    uint64_t word = 0;
    if (i + 8 <= whole) std::memcpy(&word, bitmap.data() + i, sizeof(word));
    if (i + 8 <= whole && word == 0) {
      std::fill_n(to, 64, *value);
      i += 7;
      to += 56;
      continue;
    }
    const auto& steps = kStepsOfByte[static_cast<uint8_t>(bitmap[i])];
    for (unsigned bit = 0; bit < 8; ++bit) to[bit] = value[steps[bit]];
    value += steps[7];
  }
  uint8_t last = whole < bitmap.size() ? static_cast<uint8_t>(bitmap[whole]) : 0;
  for (; to != out.data() + out.size(); last >>= 1) {
    value += last & 1;
    *to++ = *value;
  }
  return last == 0 ? Status::Ok()
                   : Status::Corruption("integer stream: its bitmap is longer than its integers");
}

Status IntegerDecoder::Decode(ByteReader* in, std::span<int64_t> out) {
  uint8_t form = in->Byte();
  if (!in->ok()) return Short();
  switch (static_cast<IntegerForm>(form)) {
    case IntegerForm::kConstant: {
      int64_t value = UnZigZag(in->Varint());
      if (!in->ok()) return Short();
      std::fill(out.begin(), out.end(), value);
      return Status::Ok();
    }
    case IntegerForm::kOffsets:
      return DecodeOffsets(in, out);
    case IntegerForm::kDeltas:
      return DecodeDeltas(in, out);
    case IntegerForm::kZigzags:
      return DecodeZigzags(in, out);
    case IntegerForm::kSteps:
    case IntegerForm::kLevels:
      return DecodeChanges(in, static_cast<IntegerForm>(form), out);
  }
  return Unknown("form", form);
}

Status IntegerDecoder::Decode(std::string_view stream, std::span<int64_t> out) {
  ByteReader in(stream);
  TD_RETURN_IF_ERROR(Decode(&in, out));
  return in.done() ? Status::Ok() : Status::Corruption("integer stream: bytes after its end");
}

Status IntegerDecoder::DecodeOnto(std::string_view stream, const int64_t* reference,
                                  std::span<int64_t> out) {
  int64_t constant = 0;
  if (IsConstant(stream, &constant)) {
    for (size_t i = 0; i < out.size(); ++i) {
      out[i] = static_cast<int64_t>(static_cast<uint64_t>(reference[i]) +
                                    static_cast<uint64_t>(constant));
    }
    return Status::Ok();
  }
  TD_RETURN_IF_ERROR(Decode(stream, out));
  for (size_t i = 0; i < out.size(); ++i) {
    out[i] =
        static_cast<int64_t>(static_cast<uint64_t>(out[i]) + static_cast<uint64_t>(reference[i]));
  }
  return Status::Ok();
}

bool IntegerDecoder::IsConstant(std::string_view stream, int64_t* value) {
  ByteReader in(stream);
  if (in.Byte() != static_cast<uint8_t>(IntegerForm::kConstant)) return false;
  *value = UnZigZag(in.Varint());
  return in.done();
}

}  // namespace tapedeck
