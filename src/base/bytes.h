#ifndef TAPEDECK_BASE_BYTES_H_
#define TAPEDECK_BASE_BYTES_H_

// Byte layouts: fixed-width integers in keys and values, and a bounds-checked reader.
//
// Keys are big-endian, signed integers with the sign bit flipped, so that bytewise order is numeric
// order. Values are little-endian. Variable-length integers are LEB128, at most 10 bytes.
//
//   std::string key;
//   PutSortable64(&key, -5);
//   ByteReader reader(key);
//   int64_t value = reader.Sortable64();
//   if (!reader.done()) return Status::Corruption("key has the wrong length");
//
// Thread-safe: pure functions; a ByteReader is owned by one thread and does not own the bytes.

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace tapedeck {

static_assert(std::endian::native == std::endian::little,
              "byte layouts assume a little-endian host");

inline void PutLittle32(std::string* out, uint32_t value) {
  char bytes[4];
  std::memcpy(bytes, &value, sizeof bytes);
  out->append(bytes, sizeof bytes);
}
inline void PutLittle64(std::string* out, uint64_t value) {
  char bytes[8];
  std::memcpy(bytes, &value, sizeof bytes);
  out->append(bytes, sizeof bytes);
}
inline void PutBig32(std::string* out, uint32_t value) {
  PutLittle32(out, __builtin_bswap32(value));
}
inline void PutBig64(std::string* out, uint64_t value) {
  PutLittle64(out, __builtin_bswap64(value));
}

/// Sign bit flipped: sorts as a number.
inline void PutSortable64(std::string* out, int64_t value) {
  PutBig64(out, static_cast<uint64_t>(value) ^ (uint64_t{1} << 63));
}
inline void PutSortable32(std::string* out, int32_t value) {
  PutBig32(out, static_cast<uint32_t>(value) ^ (uint32_t{1} << 31));
}

inline constexpr size_t kVarintBytesMax = 10;

/// The general case of PutVarint.
void PutVarintLong(std::string* out, uint64_t value);
inline void PutVarint(std::string* out, uint64_t value) {
  if (value < 0x80) {
    out->push_back(static_cast<char>(value));
  } else {
    PutVarintLong(out, value);
  }
}
/// Length as a varint, then the bytes.
void PutBlob(std::string* out, std::string_view bytes);

constexpr uint64_t ZigZag(int64_t v) {
  return (static_cast<uint64_t>(v) << 1) ^ static_cast<uint64_t>(v >> 63);
}
constexpr int64_t UnZigZag(uint64_t v) {
  return static_cast<int64_t>(v >> 1) ^ -static_cast<int64_t>(v & 1);
}

/// Reads from the front; after a read past the end ok() is false for good and every read gives 0 or
/// "".
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : rest_(bytes) {}

  uint8_t Byte() { return Fixed<uint8_t>(); }
  uint32_t Little32() { return Fixed<uint32_t>(); }
  uint64_t Little64() { return Fixed<uint64_t>(); }
  uint32_t Big32() { return __builtin_bswap32(Fixed<uint32_t>()); }
  uint64_t Big64() { return __builtin_bswap64(Fixed<uint64_t>()); }
  int64_t Sortable64() {
    uint64_t value = Big64();
    return ok_ ? static_cast<int64_t>(value ^ (uint64_t{1} << 63)) : 0;
  }
  int32_t Sortable32() {
    uint32_t value = Big32();
    return ok_ ? static_cast<int32_t>(value ^ (uint32_t{1} << 31)) : 0;
  }
  /// Also fails where the number is longer than 10 bytes or does not fit 64 bits.
  uint64_t Varint() {
    if (!rest_.empty() && static_cast<uint8_t>(rest_[0]) < 0x80) [[likely]] {
      uint8_t value = static_cast<uint8_t>(rest_[0]);
      rest_.remove_prefix(1);
      return value;
    }
    return VarintLong();
  }
  /// A varint length, then as many bytes.
  std::string_view Blob() {
    uint64_t size = Varint();
    return Bytes(size);
  }
  std::string_view Bytes(size_t count) {
    if (count > rest_.size()) [[unlikely]] {
      Fail();
      return {};
    }
    std::string_view bytes = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return bytes;
  }

  std::string_view rest() const { return rest_; }
  bool ok() const { return ok_; }
  /// All read, and nothing past the end.
  bool done() const { return ok_ && rest_.empty(); }
  void Fail() {
    ok_ = false;
    rest_ = {};
  }

 private:
  template <typename T>
  T Fixed() {
    T value = 0;
    if (rest_.size() < sizeof value) [[unlikely]] {
      Fail();
      return 0;
    }
    std::memcpy(&value, rest_.data(), sizeof value);
    rest_.remove_prefix(sizeof value);
    return value;
  }
  uint64_t VarintLong();

  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace tapedeck

#endif  // TAPEDECK_BASE_BYTES_H_
