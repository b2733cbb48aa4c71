#ifndef TAPEDECK_STORE_STORE_H_
#define TAPEDECK_STORE_STORE_H_

// Store: the node's RocksDB, one column family, keys of model/keys.h.
//
// One writer (the record thread) puts batches; each batch is one synced RocksDB WriteBatch, so it
// is there whole or not at all, and what Write returned OK for survives a kill and, on disks that
// honour fsync, a power cut. Readers take a View: a pinned snapshot that later writes do not
// change. The store knows keys and small values; blocks are bytes to it (codec).
//
//   TD_ASSIGN_OR_RETURN(std::unique_ptr<Store> store, Store::Open({.dir = dir, .node_id =
//     "tapedeck-1"}));
//   StoreBatch batch;
//   batch.PutTapeBlock(tp, base, block);
//   batch.PutCheckpoint(tp, checkpoint);
//   TD_RETURN_IF_ERROR(store->Write(batch));
//
// Errors of Write: kResourceExhausted = no room (nothing of the batch is seen; stop pulling, free
// space, TryResume, write the same batch again); kUnavailable = passing; kInternal = the store can
// no longer be trusted to sync, and stays so: end the process; kCorruption = damaged files, and
// stays so; kFailedPrecondition = another cluster's batch, or a store that is open for reading.
// docs/recovery.md.
//
// Thread safety: Write, TryResume and Close by one thread; everything else thread-safe.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/hash.h"
#include "base/status.h"
#include "model/keys.h"
#include "model/stored.h"
#include "model/table.h"

namespace rocksdb {
class FileSystem;
}

namespace tapedeck {

enum class StoreMode : uint8_t {
  kWrite,  // the node, or verify where no node runs; makes the store if `create`
  /// Beside a running writer: sees what was durable when it was opened, or at the last CatchUp.
  kSecondary,
};

struct StoreOptions {
  std::filesystem::path dir;
  /// Empty: whatever the store says. Another id on an existing store is kFailedPrecondition unless
  /// `adopt`.
  std::string node_id;
  bool adopt = false;
  bool create = true;
  StoreMode mode = StoreMode::kWrite;
  /// Memtables and block cache together.
  size_t memory_bytes = size_t{256} << 20;
  /// Bytes of the ballast file that is deleted to recover from a full disk; 0: none. Unset: twice
  /// the memtable budget.
  std::optional<size_t> ballast_bytes;
  /// On a damaged WAL: kRefuse gives kCorruption naming it; kPointInTime opens what is whole and
  /// says so in wal_damage().
  enum class DamagedWal : uint8_t { kRefuse, kPointInTime };
  DamagedWal damaged_wal = DamagedWal::kRefuse;
  /// Seam for fault injection in tests; null: the real one.
  std::shared_ptr<rocksdb::FileSystem> file_system;
};

struct StoreMeta {
  uint32_t format = 0;
  std::string node_id;
  std::string store_id;
  std::string cluster_id;  // "" until the first batch that sets it
};

/// Small state, loaded at start and cheap to hold: everything but blocks, index entries, catalog
/// and refusals.
struct StoreState {
  uint64_t commit = 0;          // number of the last commit
  uint64_t flush = 0;           // number of the last flush
  uint64_t flushed_commit = 0;  // rows of commits up to it are in series blocks
  TableRegistry tables;
  std::vector<std::pair<TpId, TapeId>> tapes;
  std::vector<std::pair<TpId, Checkpoint>> checkpoints;
  std::vector<std::pair<keys::DayKey, DayEntry>> days;
  std::vector<std::pair<TpId, TapeShip>> ships;  // of the tapes whose shipping has begun

  /// Where the tape has none: one that has not begun.
  TapeShip ShipOf(TpId tp) const;
};

/// What one write puts and deletes. Owned by one thread.
class StoreBatch {
 public:
  StoreBatch();
  ~StoreBatch();
  StoreBatch(StoreBatch&&) noexcept;
  StoreBatch& operator=(StoreBatch&&) noexcept;

  void PutTapeBlock(TpId tp, int64_t base_offset, std::string_view block);
  void PutTapeIndex(TpId tp, int64_t base_offset, const TapeIndexEntry& entry);
  /// Block and index entry.
  void DeleteTapeBlock(TpId tp, int64_t base_offset);
  void PutCheckpoint(TpId tp, const Checkpoint& checkpoint);
  void PutGap(TpId tp, const tapedeck::Gap& gap);
  void DeleteGap(TpId tp, int64_t from);
  void PutRefusal(TpId tp, int64_t offset, const RefusalEntry& entry);
  void DeleteRefusal(TpId tp, int64_t offset);
  void PutMapping(const Hash128& hash, std::string_view canonical);
  void PutTable(const tapedeck::Table& table);
  void PutTape(TpId tp, const TapeId& tape);
  void PutSeriesBlock(const keys::SeriesKey& key, std::string_view block);
  void DeleteSeriesBlock(const keys::SeriesKey& key);
  void PutCatalog(TableId table, std::string_view symbol, const CatalogEntry& entry);
  void DeleteCatalog(TableId table, std::string_view symbol);
  void PutDay(const keys::DayKey& key, const DayEntry& entry);
  void DeleteDay(const keys::DayKey& key);
  void PutTapeShip(TpId tp, const TapeShip& ship);
  void PutObject(std::string_view name, const ObjectEntry& entry);
  void DeleteObject(std::string_view name);
  /// The journey that owns the job knows what is in it.
  void PutJob(std::string_view id, std::string_view job);
  void DeleteJob(std::string_view id);
  void PutCommitNumber(uint64_t commit);
  /// Number of the flush, and the last commit whose rows are all in series blocks with it.
  void PutFlushNumber(uint64_t flush, uint64_t through_commit);
  void PutClusterId(std::string_view cluster_id);

  size_t bytes() const;
  bool empty() const;
  void Clear();

 private:
  friend struct StoreBatchAccess;  // the store's own way in
  struct Rep;
  std::unique_ptr<Rep> rep_;
};

/// Goes through the entries of a key range in order. Owned by one thread; ends before its View.
class StoreCursor {
 public:
  virtual ~StoreCursor() = default;
  virtual bool Valid() const = 0;
  /// Views until the next move.
  virtual std::string_view key() const = 0;
  virtual std::string_view value() const = 0;
  virtual void Next() = 0;
  /// To the first entry at or after `key` (or the last at or before it), within the cursor's range.
  virtual void Seek(std::string_view key) = 0;
  virtual void SeekForPrev(std::string_view key) = 0;
  virtual void Prev() = 0;
  virtual void SeekToFirst() = 0;
  virtual void SeekToLast() = 0;
  /// Test it when Valid() turned false: OK at the end of the range, kCorruption or kUnavailable on
  /// a read error.
  virtual Status status() const = 0;
};

/// What a scan is for: a long one leaves the block cache alone and reads ahead.
enum class ScanKind : uint8_t { kPoint, kLong };

/// A pinned state of the store. Thread-compatible; give it back soon: it holds old files on disk.
class StoreView {
 public:
  virtual ~StoreView() = default;
  /// Entries with lower <= key < upper; upper "" = to the end.
  virtual std::unique_ptr<StoreCursor> Scan(std::string_view lower, std::string_view upper,
                                            ScanKind kind) const = 0;
  /// kNotFound where there is no such entry.
  virtual Result<std::string> Get(std::string_view key) const = 0;

  Result<Checkpoint> GetCheckpoint(TpId tp) const;
  /// Canonical text of a mapping.
  Result<std::string> GetMapping(const Hash128& hash) const;
  Result<StoreState> LoadState() const;
  /// Gaps of one tape in order of offsets.
  Result<std::vector<tapedeck::Gap>> Gaps(TpId tp) const;
  /// `a` entries.
  Result<std::vector<std::pair<TpId, TapeShip>>> Ships() const;
  /// `o` entries: names that this store may delete.
  Result<std::vector<std::pair<std::string, ObjectEntry>>> Objects() const;
  /// Ids and entries of all jobs, by id.
  Result<std::vector<std::pair<std::string, std::string>>> Jobs() const;
};

enum class DiskLevel : uint8_t { kOk, kWarn, kStop, kFull };

struct DiskUse {
  uint64_t total_bytes = 0;  // used and free; without what the file system keeps back
  uint64_t free_bytes = 0;
  double used() const {
    return total_bytes == 0 ? 0 : 1.0 - double(free_bytes) / double(total_bytes);
  }
};

class Store {
 public:
  static Result<std::unique_ptr<Store>> Open(StoreOptions options);
  virtual ~Store() = default;

  virtual const StoreMeta& meta() const = 0;
  /// Set when the store was opened point-in-time over a damaged WAL: names the file.
  virtual std::string wal_damage() const = 0;

  /// Atomic, synced.
  virtual Status Write(StoreBatch& batch) = 0;
  virtual std::unique_ptr<StoreView> View() const = 0;
  /// kSecondary only: views taken from now on show what the writer has done since. Costs an
  /// opening.
  virtual Status CatchUp() = 0;

  /// After kResourceExhausted: frees the ballast if need be, opens RocksDB again, proves it by a
  /// real write, puts the ballast back when there is room. OK: writing works again.
  /// kResourceExhausted: still too little room (it says how much). kUnavailable: views have been in
  /// use for 10 s; it must wait for them (new ones wait meanwhile). kInternal: end the process.
  virtual Status TryResume() = 0;
  /// `release` is called, by the writer's thread, whenever the store is about to be opened again:
  /// whoever holds views should let go of them. Set before anybody else uses the store.
  virtual void OnReopen(std::function<void()> release) { (void)release; }
  virtual Result<DiskUse> Disk() const = 0;

  /// Checks every file's checksum and reads every entry. kCorruption names file or key. `progress`
  /// may be null.
  virtual Status VerifyFiles() = 0;
  /// Bytes on disk by kind ("tape", "series", "index", "other"), approximate.
  virtual std::vector<std::pair<std::string, uint64_t>> SizeByKind() const = 0;
  /// Compacts everything and waits: for benches and `verify`, which measure what is stored.
  virtual Status CompactAll() = 0;
  /// Gives the room of what was deleted in [from, to) back to the disk: without it that may take
  /// until much else was written. For ranges of which most is deleted; by any thread.
  virtual Status CompactRange(std::string_view from, std::string_view to) = 0;
  /// Makes a copy of the store as it is now in `dir`, which must not exist: hard links where `dir`
  /// lies on the same disk, so it costs little until the store rewrites its files, and copies
  /// elsewhere. Complete and synced when it returns OK; after an error there is nothing. It has the
  /// store's id: see docs/recovery.md, "Backups", before opening it for recording.
  /// Not for secondaries. kInvalidArgument: `dir` is there already, or cannot be.
  virtual Status BackUp(const std::filesystem::path& dir) = 0;
  /// Flushes RocksDB's memtables (not needed for durability; makes the next open fast).
  virtual Status FlushMemtables() = 0;
  virtual Status Close() = 0;
};

}  // namespace tapedeck

#endif  // TAPEDECK_STORE_STORE_H_
