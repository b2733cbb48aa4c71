#ifndef TAPEDECK_STORE_ENGINE_H_
#define TAPEDECK_STORE_ENGINE_H_

// Engine: one opened RocksDB and what it needs to live: environment, space manager, listener. A
// store has one at a time; views share it, so that it closes when the last of them ends.
//
// Inside this module only. Thread-safe.

#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/file_system.h>

#include <atomic>
#include <filesystem>
#include <memory>
#include <string>

#include "base/status.h"
#include "store/rocks.h"
#include "store/store.h"

namespace tapedeck::rocks {

class Engine {
 public:
  struct Opened {
    std::shared_ptr<Engine> engine;
    std::string wal_damage;  // opened without what follows it
  };

  /// For writing: takes the lock, looks at the files (preflight), opens. `dir` is canonical.
  /// kFailedPrecondition: another process has it; kNotFound: no store and not `create`;
  /// kCorruption; kResourceExhausted.
  static Result<Opened> OpenPrimary(const std::filesystem::path& dir, const StoreOptions& options);
  /// Beside a writer. Keeps a folder of its own in the system's folder for temporary files.
  static Result<std::shared_ptr<Engine>> OpenSecondary(const std::filesystem::path& dir,
                                                       const StoreOptions& options);

  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  rocksdb::DB& db() { return *db_; }
  const MemoryPlan& memory() const { return memory_; }
  bool secondary() const { return !secondary_dir_.empty(); }
  /// Views that are out.
  std::atomic<int>& views() { return views_; }
  Status Close();

 private:
  Engine(const StoreOptions& options, const std::filesystem::path& dir);
  Status CheckFiles(const std::filesystem::path& dir, const StoreOptions& options,
                    std::string* wal_damage);
  Status Preflight(const std::filesystem::path& dir, const StoreOptions& options,
                   std::string* wal_damage);
  Result<uint64_t> OldestNeededWal(const std::filesystem::path& dir) const;

  MemoryPlan memory_;
  std::unique_ptr<rocksdb::Env> own_env_;  // where a file system was given
  rocksdb::Env* env_ = nullptr;
  rocksdb::Options rocks_options_;
  std::filesystem::path secondary_dir_;
  std::unique_ptr<rocksdb::DB> db_;
  std::atomic<int> views_{0};
};

}  // namespace tapedeck::rocks

#endif  // TAPEDECK_STORE_ENGINE_H_
