#ifndef TAPEDECK_STORE_LOG_SCAN_H_
#define TAPEDECK_STORE_LOG_SCAN_H_

// Reads a file in RocksDB's log format (its WALs and MANIFESTs) only to judge whether it is whole.
//
// Why not leave it to RocksDB: it takes three kinds of damage for the end of the file and opens
// silently shorter. A length that reaches past the end looks like a torn write, a type that says
// "recycled" like an older file, a header of zeros like space set aside. This scan tells damage
// from a torn tail: a record that is really torn matches its checksum at no length, and nothing
// follows it.
//
//   file    := block*                  blocks of 32 KiB, the last one shorter
//   block   := record* trailer         trailer: fewer than 7 bytes, zero
//   record  := crc:u32 length:u16 type:u8 payload    little-endian; type 1 full, 2 first, 3 middle,
//   4 last crc     := masked CRC-32C of type and payload
// (rocksdb: db/log_format.h, util/crc32c.h; the recycled types 5 to 8 are never written with our
// options.)
//
// Thread-safe.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "base/status.h"

namespace tapedeck::rocks {

struct LogScan {
  enum class End : uint8_t { kClean, kTorn, kDamaged };
  End end = End::kClean;
  uint64_t records = 0;      // whole logical records before the end
  uint64_t whole_bytes = 0;  // where the last of them ends
  uint64_t bad_at = 0;       // torn or damaged: the byte where that begins
  std::string reason;        // damaged: what is wrong there
};

/// Gets each whole record, in order; its error ends the scan.
using RecordSink = std::function<Status(std::string_view record)>;

/// kUnavailable where the file cannot be read, or the error of `sink`.
Result<LogScan> ScanLogFile(const std::filesystem::path& path, const RecordSink& sink = nullptr);

/// Plain CRC-32C (Castagnoli), continued from `crc`.
uint32_t Crc32c(uint32_t crc, const char* bytes, size_t size);

}  // namespace tapedeck::rocks

#endif  // TAPEDECK_STORE_LOG_SCAN_H_
