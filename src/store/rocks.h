#ifndef TAPEDECK_STORE_ROCKS_H_
#define TAPEDECK_STORE_ROCKS_H_

// What the files of this module share about RocksDB: how its errors become ours, how memory is
// divided, which options it runs with, and a log that goes to ours. Inside this module only.
//
// Thread-safe.

#include <rocksdb/env.h>
#include <rocksdb/options.h>
#include <rocksdb/status.h>

#include <cstddef>
#include <memory>
#include <string>

#include "base/status.h"

namespace tapedeck::rocks {

/// Says what an input/output error means: a failed read may pass, a failed write or sync must end
/// the process.
enum class Access : uint8_t { kRead, kWrite };
Status ToStatus(const rocksdb::Status& status, Access access);

/// The memory of a store. Memtables are charged to the cache, so `cache_bytes` is all of it.
struct MemoryPlan {
  size_t memtable_bytes = 0;  // of one
  int memtables = 4;          // at most so many at a time; writes wait beyond
  size_t cache_bytes = 0;
  size_t memtables_bytes() const { return memtable_bytes * static_cast<size_t>(memtables); }
};
MemoryPlan PlanMemory(size_t memory_bytes);

/// RocksDB's own log as events of component "rocksdb": its warnings and errors; the rest at debug
/// level.
std::shared_ptr<rocksdb::Logger> MakeLog();

/// All options but those that depend on the directory (env, space manager, listeners).
rocksdb::Options MakeOptions(const MemoryPlan& plan);

/// For a scan or a point read.
rocksdb::ReadOptions PointRead();
rocksdb::ReadOptions LongRead();

}  // namespace tapedeck::rocks

#endif  // TAPEDECK_STORE_ROCKS_H_
