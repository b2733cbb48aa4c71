#ifndef TAPEDECK_CONFIG_MEMORY_BUDGET_H_
#define TAPEDECK_CONFIG_MEMORY_BUDGET_H_

// MemoryBudget: limits.memory, one number, split among everything that holds memory. This is the
// only place of the split.
//
//   process    64 MiB             code, librdkafka's threads, allocator slack, directory of symbols
//   building   9 x commit_bytes   two commits under way: messages in open tape blocks, their
//                                 columns, compressed blocks, the batch, RocksDB's copy, rows
//   rows       1.5 x flush_bytes  rows that wait for a flush, and what the flush builds from them
//   kafka      1/4 of the rest    16 MiB to 512 MiB: the client's queue (see kafka_source.h)
//   store      1/4 of the rest    32 MiB to 1 GiB: RocksDB's memtables and block cache
//   spare      what is left       reads, merging, fragmentation
//
// Where flush_bytes is not set it is 256 MiB, or a sixth of limits.memory if that is less (but at
// least 8 MiB).
//
//   TD_ASSIGN_OR_RETURN(MemoryBudget budget,
//                       SplitMemory({.memory = 2 << 30, .commit_bytes = 8 << 20}));
//
// Resident memory may pass limits.memory by a quarter for a moment: a compressed fetch of many tiny
// messages, an allocator that has not given back.
//
// Thread-safe: a pure function.

#include <cstdint>
#include <optional>

#include "base/status.h"

namespace tapedeck {

struct MemoryWish {
  uint64_t memory = uint64_t{2} << 30;
  uint64_t commit_bytes = uint64_t{8} << 20;
  std::optional<uint64_t> flush_bytes;  // unset: follows from memory
};

struct MemoryBudget {
  uint64_t process = 0;
  uint64_t building = 0;
  uint64_t flush_bytes = 0;  // rows = 1.5 times this
  uint64_t rows = 0;
  uint64_t kafka = 0;
  uint64_t store = 0;
  uint64_t spare = 0;
};

/// kInvalidArgument, naming the least memory that would do and what else can be made smaller.
Result<MemoryBudget> SplitMemory(const MemoryWish& wish);

}  // namespace tapedeck

#endif  // TAPEDECK_CONFIG_MEMORY_BUDGET_H_
