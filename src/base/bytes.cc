#include "base/bytes.h"

namespace tapedeck {

void PutVarintLong(std::string* out, uint64_t value) {
  char bytes[kVarintBytesMax];
  size_t size = 0;
  while (value >= 0x80) {
    bytes[size++] = static_cast<char>(value | 0x80);
    value >>= 7;
  }
  bytes[size++] = static_cast<char>(value);
  out->append(bytes, size);
}

void PutBlob(std::string* out, std::string_view bytes) {
  PutVarint(out, bytes.size());
  out->append(bytes);
}

uint64_t ByteReader::VarintLong() {
  uint64_t value = 0;
  for (size_t i = 0; i < kVarintBytesMax && i < rest_.size(); ++i) {
    uint64_t byte = static_cast<uint8_t>(rest_[i]);
    bool overflows = i == kVarintBytesMax - 1 && byte > 1;  // 9 * 7 bits are read, one is left
    if (overflows) break;
    value |= (byte & 0x7f) << (7 * i);
    if (byte < 0x80) {
      rest_.remove_prefix(i + 1);
      return value;
    }
  }
  Fail();
  return 0;
}

}  // namespace tapedeck
