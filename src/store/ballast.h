#ifndef TAPEDECK_STORE_BALLAST_H_
#define TAPEDECK_STORE_BALLAST_H_

// Ballast: a file that only takes up room, deleted when the disk is full so that RocksDB can write
// its memtables out and go on.
//
// RocksDB recovers from a full disk only with more free room than its memtables have
// (docs/faults.md, RocksDB); twice that is kept.
//
// Owned by one thread.

#include <cstdint>
#include <filesystem>

#include "base/status.h"

namespace tapedeck {

class Ballast {
 public:
  /// `bytes` 0: there is none, and everything below does nothing.
  Ballast(std::filesystem::path file, uint64_t bytes) : file_(std::move(file)), bytes_(bytes) {}

  /// All of its room is taken.
  bool whole() const;
  /// Gives its room back. OK where there is none.
  Status Release();
  /// Takes its room again if `free_bytes`, without it, are at least `spare_bytes` more than it
  /// needs; else does nothing. Durable after OK.
  Status Restore(uint64_t free_bytes, uint64_t spare_bytes);

 private:
  std::filesystem::path file_;
  uint64_t bytes_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_STORE_BALLAST_H_
