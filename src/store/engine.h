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

#include "base/file.h"
#include "base/status.h"
#include "store/rocks.h"
#include "store/store.h"

namespace tapedeck::rocks {

/// What a failed open of existing files means: a file that is missing is damage too.
Status OpenFailed(const std::filesystem::path& dir, const rocksdb::Status& status);

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
  /// Beside a writer: what was acknowledged before the call, and nothing later. Keeps a folder of
  /// its own in the system's folder for temporary files. kUnavailable: the writer changes its files
  /// too fast.
  static Result<std::shared_ptr<Engine>> OpenSecondary(const std::filesystem::path& dir,
                                                       const StoreOptions& options);

  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  rocksdb::DB& db() { return *db_; }
  const MemoryPlan& memory() const { return memory_; }
  bool secondary() const { return !secondary_folder_.path().empty(); }
  /// RocksDB reported an error in the background and has not been resumed since: compaction stands
  /// still at the least.
  bool background_error() const { return trouble_->any.load(); }
  /// One of them stopped writing too: only opening again helps.
  bool hard_error() const { return trouble_->hard.load(); }
  void ForgetBackgroundError() { trouble_->any.store(false); }
  /// Views that are out.
  std::atomic<int>& views() { return views_; }
  Status Close();

 private:
  Engine(const StoreOptions& options, const std::filesystem::path& dir);
  Status CheckFiles(const std::filesystem::path& dir, const StoreOptions& options,
                    std::string* wal_damage);
  Status Preflight(const std::filesystem::path& dir, const StoreOptions& options,
                   std::string* wal_damage);
  /// Secondary: opens db_. False: what it saw is not one state of the writer.
  Result<bool> LookOnce();

  /// Set from RocksDB's threads.
  struct Trouble {
    std::atomic<bool> any{false};
    std::atomic<bool> hard{false};
  };
  class Listener;

  const std::filesystem::path dir_;
  MemoryPlan memory_;
  std::shared_ptr<Trouble> trouble_ = std::make_shared<Trouble>();
  std::unique_ptr<rocksdb::Env> given_env_;  // where a file system was given
  std::unique_ptr<rocksdb::Env> own_env_;    // secondary: with its log gate
  rocksdb::Env* base_env_ = nullptr;
  rocksdb::Options rocks_options_;
  TemporaryFolder secondary_folder_;
  std::unique_ptr<rocksdb::DB> db_;
  std::atomic<int> views_{0};
};

}  // namespace tapedeck::rocks

#endif  // TAPEDECK_STORE_ENGINE_H_
