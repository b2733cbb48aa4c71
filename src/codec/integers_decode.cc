#include <algorithm>
#include <array>
#include <cstring>
#include <string>

#include "codec/bit_packing.h"
#include "codec/integers.h"

namespace tapedeck {
namespace {

Status Short() { return Status::Corruption("an integer stream ends before its time"); }

Status Unknown(const char* what, unsigned number) {
  return Status::Corruption(std::string("integer stream with unknown ") + what + " " +
                            std::to_string(number) + ": written by a later version, or damaged");
}

// Gives the residuals in runs of up to 128 to `take(position, residuals, count)`.
template <typename F>
Status UnpackAll(ByteReader* in, size_t count, F take) {
  size_t groups = (count + kPackGroup - 1) / kPackGroup;
  std::string_view widths = in->Bytes(groups);
  if (!in->ok()) return Short();
  std::array<uint64_t, kPackGroup> residuals;
  std::array<uint8_t, kPackGroup * sizeof(uint64_t) + kPackSlack> padded;
  for (size_t group = 0; group < groups; ++group) {
    auto width = static_cast<uint8_t>(widths[group]);
    if (!IsPackWidth(width)) return Unknown("bit width", width);
    size_t n = std::min(kPackGroup, count - group * kPackGroup);
    size_t bytes = PackedBytes(n, width);
    if (n == kPackGroup && in->rest().size() >= bytes + kPackSlack) {
      UnpackGroup(reinterpret_cast<const uint8_t*>(in->Bytes(bytes).data()), width,
                  residuals.data());
    } else {
      std::string_view packed = in->Bytes(bytes);
      if (!in->ok()) return Short();
      padded.fill(0);
      std::memcpy(padded.data(), packed.data(), packed.size());
      UnpackGroup(padded.data(), width, residuals.data());
    }
    take(group * kPackGroup, residuals.data(), n);
  }
  return Status::Ok();
}

template <typename F>
Status PlanesAll(ByteReader* in, size_t count, F take) {
  unsigned planes = in->Byte();
  if (in->ok() && (planes == 0 || planes > 8)) return Unknown("number of planes", planes);
  std::string_view bytes = in->Bytes(count * planes);
  if (!in->ok()) return Short();
  std::array<uint64_t, kPackGroup> residuals;
  for (size_t from = 0; from < count; from += kPackGroup) {
    size_t n = std::min(kPackGroup, count - from);
    residuals.fill(0);
    for (unsigned plane = 0; plane < planes; ++plane) {
      const char* source = bytes.data() + plane * count + from;
      for (size_t i = 0; i < n; ++i) {
        residuals[i] |= uint64_t{static_cast<uint8_t>(source[i])} << (8 * plane);
      }
    }
    take(from, residuals.data(), n);
  }
  return Status::Ok();
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

template <typename F>
Status BytesAll(ByteReader* in, size_t count, F take) {
  unsigned size = in->Byte();
  std::string_view bytes = in->Bytes(count * (size <= 8 ? size : 0));
  if (!in->ok()) return Short();
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
    case 8:
      Widen<uint64_t>(bytes.data(), count, take);
      break;
    default:
      return Unknown("residual size", size);
  }
  return Status::Ok();
}

template <typename F>
Status Residuals(ByteReader* in, size_t count, F take) {
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
      return UnpackAll(in, count, take);
    case ResidualLayout::kPlanes:
      return PlanesAll(in, count, take);
    case ResidualLayout::kBytes:
      return BytesAll(in, count, take);
  }
  return Unknown("layout", layout);
}

Status DecodeOffsets(ByteReader* in, std::span<int64_t> out) {
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

Status DecodeDeltas(ByteReader* in, std::span<int64_t> out) {
  auto value = static_cast<uint64_t>(UnZigZag(in->Varint()));
  auto base = static_cast<uint64_t>(UnZigZag(in->Varint()));
  uint64_t divisor = in->Varint();
  if (!in->ok() || out.empty()) return Short();
  out[0] = static_cast<int64_t>(value);
  int64_t* to = out.data() + 1;
  return Residuals(in, out.size() - 1, [&](size_t at, const uint64_t* r, size_t n) {
    for (size_t i = 0; i < n; ++i) {
      value += base + r[i] * divisor;
      to[at + i] = static_cast<int64_t>(value);
    }
  });
}

Status DecodeZigzags(ByteReader* in, std::span<int64_t> out) {
  auto value = static_cast<uint64_t>(UnZigZag(in->Varint()));
  uint64_t divisor = in->Varint();
  if (!in->ok() || out.empty()) return Short();
  out[0] = static_cast<int64_t>(value);
  int64_t* to = out.data() + 1;
  return Residuals(in, out.size() - 1, [&](size_t at, const uint64_t* r, size_t n) {
    for (size_t i = 0; i < n; ++i) {
      value += static_cast<uint64_t>(UnZigZag(r[i])) * divisor;
      to[at + i] = static_cast<int64_t>(value);
    }
  });
}

// Neither the distinct values nor the positions may be a dictionary again: recursion ends here.
Status DecodePlain(ByteReader* in, std::span<int64_t> out, IntegerForm form) {
  switch (form) {
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
    case IntegerForm::kDictionary:
      break;
  }
  return Unknown("form", static_cast<unsigned>(form));
}

Status DecodeDictionary(ByteReader* in, std::span<int64_t> out) {
  uint64_t distinct = in->Varint();
  if (!in->ok() || distinct == 0 || distinct > out.size()) {
    return Status::Corruption("integer stream: dictionary of a size that cannot be");
  }
  std::vector<int64_t> values(distinct);
  TD_RETURN_IF_ERROR(DecodePlain(in, values, static_cast<IntegerForm>(in->Byte())));
  TD_RETURN_IF_ERROR(DecodePlain(in, out, static_cast<IntegerForm>(in->Byte())));
  bool good = true;
  for (int64_t& v : out) {
    auto position = static_cast<uint64_t>(v);
    good &= position < distinct;
    v = values[position < distinct ? position : 0];
  }
  return good ? Status::Ok()
              : Status::Corruption("integer stream: position outside its dictionary");
}

}  // namespace

Status DecodeIntegers(ByteReader* in, std::span<int64_t> out) {
  auto form = static_cast<IntegerForm>(in->Byte());
  if (!in->ok()) return Short();
  return form == IntegerForm::kDictionary ? DecodeDictionary(in, out) : DecodePlain(in, out, form);
}

Status DecodeIntegers(std::string_view stream, std::span<int64_t> out) {
  ByteReader in(stream);
  TD_RETURN_IF_ERROR(DecodeIntegers(&in, out));
  return in.done() ? Status::Ok() : Status::Corruption("integer stream: bytes after its end");
}

}  // namespace tapedeck
