#include "store/log_scan.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>
#include <vector>

namespace tapedeck::rocks {
namespace {

constexpr size_t kBlock = 32768;
constexpr size_t kHeader = 7;
enum RecordType : uint8_t { kZero = 0, kFull = 1, kFirst = 2, kMiddle = 3, kLast = 4 };

// Tables for eight bytes at a time ("slicing by 8", Kounavis and Berry 2005).
using CrcTables = std::array<std::array<uint32_t, 256>, 8>;
constexpr CrcTables MakeCrcTables() {
  CrcTables tables{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82f63b78u : 0u);
    tables[0][i] = crc;
  }
  for (uint32_t i = 0; i < 256; ++i) {
    for (size_t t = 1; t < 8; ++t) {
      uint32_t before = tables[t - 1][i];
      tables[t][i] = (before >> 8) ^ tables[0][before & 0xff];
    }
  }
  return tables;
}
constexpr CrcTables kCrc = MakeCrcTables();

uint32_t Little32(const char* bytes) {
  uint32_t value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

uint32_t Unmask(uint32_t masked) {
  uint32_t rotated = masked - 0xa282ead8u;
  return (rotated >> 17) | (rotated << 15);
}

bool AllZero(const char* bytes, size_t size) {
  return std::all_of(bytes, bytes + size, [](char c) { return c == 0; });
}

// A file seen block by block; keeps the state between them.
class Scanner {
 public:
  explicit Scanner(const RecordSink& sink) : sink_(sink) {}

  // False once the scan is over. `last`: the file ends with this block.
  bool Block(const char* data, size_t size, bool last) {
    size_t at = 0;
    while (at < size) {
      const size_t room = kBlock - at;  // to the end of the full block
      if (room < kHeader) return Trailer(data + at, size - at, last);
      if (zeros_) return ZerosOnly(data + at, size - at, last);
      if (size - at < kHeader) return Torn(at);
      const size_t taken = Record(data + at, room, size - at, at);
      if (taken == 0) {
        if (!zeros_) return false;
        return ZerosOnly(data + at, size - at, last);
      }
      at += taken;
    }
    base_ += size;
    return !last;
  }

  Result<LogScan> Finish() {
    TD_RETURN_IF_ERROR(sunk_);
    if (scan_.end == LogScan::End::kClean && (zeros_ || in_record_)) {
      scan_.end = LogScan::End::kTorn;
      scan_.bad_at = scan_.whole_bytes;
    }
    return scan_;
  }

 private:
  // Bytes taken; 0: the scan is over, or only zeros may follow.
  size_t Record(const char* head, size_t room, size_t have, size_t at) {
    const uint32_t crc = Unmask(Little32(head));
    const size_t length =
        static_cast<uint8_t>(head[4]) | static_cast<size_t>(static_cast<uint8_t>(head[5])) << 8;
    const uint8_t type = static_cast<uint8_t>(head[6]);
    if (AllZero(head, kHeader)) {
      zeros_ = true;
      return 0;
    }
    if (type < kFull || type > kLast) return Damaged(at, "record of an unknown type");
    if (kHeader + length > room) return Damaged(at, "record is longer than its block");
    if (kHeader + length > have) {
      if (MatchesShorter(head, crc, have - kHeader)) return Damaged(at, "record length is wrong");
      Torn(at);
      return 0;
    }
    if (Crc32c(0, head + 6, 1 + length) != crc) return Damaged(at, "checksum of a record differs");
    const bool starts = type == kFull || type == kFirst;
    if (starts == in_record_) return Damaged(at, "fragments of a record are out of order");
    in_record_ = type == kFirst || type == kMiddle;
    if (sink_) record_.append(head + kHeader, length);
    if (!in_record_) {
      if (sink_) sunk_ = sink_(record_);
      record_.clear();
      if (!sunk_.ok()) return 0;
      ++scan_.records;
      scan_.whole_bytes = base_ + at + kHeader + length;
    }
    return kHeader + length;
  }

  // Whether the checksum fits a payload that ends before the file does: then its length was
  // altered.
  static bool MatchesShorter(const char* head, uint32_t crc, size_t have) {
    uint32_t running = Crc32c(0, head + 6, 1);
    for (size_t length = 0; length <= have; ++length) {
      if (running == crc) return true;
      if (length < have) running = Crc32c(running, head + kHeader + length, 1);
    }
    return false;
  }

  bool Trailer(const char* data, size_t size, bool last) {
    if (!AllZero(data, size)) {
      Damaged(kBlock - size, "bytes between blocks");
      return false;
    }
    base_ += kBlock;
    return !last;
  }

  bool ZerosOnly(const char* data, size_t size, bool last) {
    if (!AllZero(data, size)) {
      scan_.end = LogScan::End::kDamaged;
      scan_.bad_at = scan_.whole_bytes;
      scan_.reason = "zeros with data after them";
      return false;
    }
    base_ += kBlock;
    return !last;
  }

  bool Torn(size_t at) {
    scan_.end = LogScan::End::kTorn;
    scan_.bad_at = base_ + at;
    return false;
  }

  size_t Damaged(size_t at, const char* reason) {
    scan_.end = LogScan::End::kDamaged;
    scan_.bad_at = base_ + at;
    scan_.reason = reason;
    return 0;
  }

  const RecordSink& sink_;
  Status sunk_;
  std::string record_;  // for the sink
  LogScan scan_;
  uint64_t base_ = 0;       // of this block in the file
  bool in_record_ = false;  // a first fragment waits for its last
  bool zeros_ = false;      // a header of zeros was seen
};

}  // namespace

uint32_t Crc32c(uint32_t crc, const char* bytes, size_t size) {
  crc = ~crc;
  while (size >= 8) {
    const uint32_t low = Little32(bytes) ^ crc;
    const uint32_t high = Little32(bytes + 4);
    crc = kCrc[7][low & 0xff] ^ kCrc[6][(low >> 8) & 0xff] ^ kCrc[5][(low >> 16) & 0xff] ^
          kCrc[4][low >> 24] ^ kCrc[3][high & 0xff] ^ kCrc[2][(high >> 8) & 0xff] ^
          kCrc[1][(high >> 16) & 0xff] ^ kCrc[0][high >> 24];
    bytes += 8;
    size -= 8;
  }
  for (; size > 0; --size, ++bytes)
    crc = (crc >> 8) ^ kCrc[0][(crc ^ static_cast<uint8_t>(*bytes)) & 0xff];
  return ~crc;
}

Result<LogScan> ScanLogFile(const std::filesystem::path& path, const RecordSink& sink) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return Status::Unavailable("cannot read " + path.string());
  std::vector<char> block(kBlock);
  Scanner scanner(sink);
  bool more = true;
  while (more) {
    file.read(block.data(), kBlock);
    const size_t size = static_cast<size_t>(file.gcount());
    if (file.bad()) return Status::Unavailable("cannot read " + path.string());
    const bool last = size < kBlock || file.peek() == std::ifstream::traits_type::eof();
    if (size == 0) break;
    more = scanner.Block(block.data(), size, last);
  }
  return scanner.Finish();
}

}  // namespace tapedeck::rocks
