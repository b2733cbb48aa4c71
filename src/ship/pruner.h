#ifndef TAPEDECK_SHIP_PRUNER_H_
#define TAPEDECK_SHIP_PRUNER_H_

// Pruner: takes out of the store what has been in the archive for `keep_local`.
//
// A generation: its entry becomes kPruned in the batch of the first deletions, so a reader's view
// has either all blocks and kShipped, or kPruned; what is left is deleted in further batches, also
// after a crash. A tape: `pruned` moves in the same way, to the first block that stays; it never
// passes what tape manifests cover, the series watermark, the last message, or messages whose own
// objects are not there yet. Tape blocks are merged meanwhile: each batch is made on the writer's
// thread, of what the store has then, and a block that reaches above the bound stays.
//
// Before a generation or a range of a tape goes, its objects are looked for: one that is missing or
// has another size keeps it here (kCorruption). What was healed has objects and a keep_local of its
// own: where what lies around it goes before, it stays below `pruned`, and is looked for from time
// to time.
//
// Room comes back at once: RocksDB would keep deleted blocks until much else was written, and
// nothing is written while recording waits for a full disk. So a range of which kCompactBytes were
// deleted is compacted.
//
// Deletions are points, in batches of at most kBatchKeys: a range tombstone costs every later read
// (docs/faults.md).
//
// Owned by the shipper's thread.

#include <map>
#include <set>
#include <string>
#include <vector>

#include "ship/journey.h"
#include "tape/tape_offsets.h"

namespace tapedeck {

class Pruner {
 public:
  static constexpr size_t kBatchKeys = 1000;
  static constexpr uint64_t kCompactBytes = uint64_t{16} << 20;

  /// The journey outlives it.
  explicit Pruner(const Journey* journey) : journey_(journey) {}

  /// `entry` is kShipped, or kPruned with blocks left. Sets it to what the store has then.
  Status PruneDay(const keys::DayKey& key, DayEntry* entry);
  Status PruneTape(TpId tp, const TapeId& tape, const Checkpoint& checkpoint, bool per_message,
                   TapeShip* ship);
  /// Whether blocks of a kPruned generation may be left: after a start, until they were looked for.
  bool NeedsSweep(const keys::DayKey& key) const { return !swept_days_.contains(key); }

  /// Something that lies below the pruned end may go, now or later.
  void SweepAgain(TpId tp) { swept_tapes_.erase(tp); }

  uint64_t bytes() const { return bytes_; }  // of blocks deleted

 private:
  using Put = std::function<Status(StoreBatch*)>;
  /// Of series of one table: deleted since the last compaction, and where.
  struct SeriesRoom {
    uint64_t bytes = 0;
    std::string from, to;
    void Add(const std::string& prefix, uint64_t deleted);
  };
  std::string ManifestOf(const DayEntry& entry) const;
  Status CheckObjects(const DayEntry& entry);
  /// What of [from, to) stays.
  Result<TapeOffsets> CheckTape(const TapeId& tape, int64_t from, int64_t to,
                                const std::vector<Gap>& gaps);
  Status Find(const ShippedObject& object, const char* what);
  Status DeleteSeries(const keys::DayKey& key, const Put& first);
  Status Compact(const std::string& from, const std::string& to, uint64_t* deleted);
  Status DeleteTape(TpId tp, int64_t below, const TapeOffsets& stays, TapeShip* ship);
  Status SweepTape(TpId tp, const TapeId& tape, int64_t below);
  Result<bool> MayBeSwept(const TapeId& tape, const TapeIndexEntry& entry,
                          const std::vector<Gap>& gaps);

  const Journey* journey_;
  std::set<keys::DayKey> swept_days_;
  std::set<TpId> swept_tapes_;
  std::map<TpId, uint64_t> tape_bytes_;  // deleted since the last compaction
  std::map<TableId, SeriesRoom> series_room_;
  uint64_t bytes_ = 0;
};

}  // namespace tapedeck

#endif  // TAPEDECK_SHIP_PRUNER_H_
