#ifndef TAPEDECK_STORE_ROCKS_STORE_H_
#define TAPEDECK_STORE_ROCKS_STORE_H_

// The one Store: a RocksDB engine, replaced as a whole when it must be opened again. Inside this
// module only.
//
// Thread safety as Store's. `engine_` changes under mutex_ and only by the writer's thread
// (TryResume, Close), which therefore reads it without.

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <vector>

#include "base/clock.h"
#include "store/ballast.h"
#include "store/engine.h"
#include "store/store.h"

namespace tapedeck::rocks {

class RocksStore final : public Store {
 public:
  static Result<std::unique_ptr<Store>> Open(StoreOptions options);
  ~RocksStore() override;

  const StoreMeta& meta() const override { return *meta_.load(std::memory_order_acquire); }
  std::string wal_damage() const override { return wal_damage_; }
  Status Write(StoreBatch& batch) override;
  std::unique_ptr<StoreView> View() const override;
  Status CatchUp() override;
  Status TryResume() override;
  void OnReopen(std::function<void()> release) override { release_ = std::move(release); }
  Result<DiskUse> Disk() const override;
  Status VerifyFiles() override;
  std::vector<std::pair<std::string, uint64_t>> SizeByKind() const override;
  Status CompactAll() override;
  Status CompactRange(std::string_view from, std::string_view to) override;
  Status BackUp(const std::filesystem::path& dir) override;
  Status FlushMemtables() override;
  Status Close() override;

 private:
  RocksStore(StoreOptions options, std::filesystem::path dir);
  Status OpenEngine();
  Status LoadMeta();
  Status CheckMeta();
  Status WriteFirstMeta();
  void SetMeta(StoreMeta meta);
  /// Null while the store is closed.
  std::shared_ptr<Engine> engine() const;
  /// The engine, or why there is none.
  Result<std::shared_ptr<Engine>> NeedEngine() const;
  Status NeedWriter() const;

  Status Commit(rocksdb::WriteBatch* batch);
  Status MakeRoom(uint64_t needed_bytes);
  Status Probe();
  Status Reopen();
  Status DrainViews();
  uint64_t BytesToResume() const;
  void RestoreBallast();
  void TendSometimes();

  StoreOptions options_;
  const std::filesystem::path dir_;
  const bool writer_;
  Ballast ballast_;
  std::string wal_damage_;

  mutable std::mutex mutex_;
  mutable std::condition_variable reopened_;
  std::shared_ptr<Engine> engine_;
  bool reopening_ = false;
  std::function<void()> release_;  // asks for views back

  // The current meta and those before it: readers keep references.
  std::vector<std::unique_ptr<const StoreMeta>> metas_;
  std::atomic<const StoreMeta*> meta_{nullptr};

  // Owned by the writer's thread.
  Status failed_;  // not OK: nothing is written any more
  uint64_t acknowledged_sequence_ = 0;
  uint64_t probes_ = 0;
  MonotonicTime tended_{0};
  bool ballast_missing_ = false;  // and that was said
};

}  // namespace tapedeck::rocks

#endif  // TAPEDECK_STORE_ROCKS_STORE_H_
