#ifndef TAPEDECK_RECORD_TAPE_BOOK_H_
#define TAPEDECK_RECORD_TAPE_BOOK_H_

// TapeBook: every tape of the store with its committed checkpoint, and the open generation of every
// day.
//
// The record thread's own picture of the store's small state: loaded once, then changed only
// together with a written batch. It allocates tp ids and finds the tape in force for a partition
// (its greatest lineage).
//
// Owned by one thread.

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "model/chunk.h"
#include "model/message.h"
#include "model/stored.h"
#include "model/table.h"
#include "store/store.h"

namespace tapedeck {

class TapeBook {
 public:
  explicit TapeBook(StoreState state);
  /// Takes tapes, checkpoints and days from the store again; the tables stay.
  void Reload(StoreState state);

  /// The tape of the greatest lineage; nullopt where the partition was never recorded.
  std::optional<TpId> Current(const std::string& cluster, const TopicPartition& tp) const;
  /// Whether any partition of the topic was ever recorded.
  bool KnowsTopic(const std::string& cluster, const std::string& topic) const;
  /// A new number for `tape`, with `checkpoint`; both go into `batch`.
  TpId Add(const TapeId& tape, const Checkpoint& checkpoint, StoreBatch* batch);

  const TapeId& tape(TpId tp) const;
  const Checkpoint& checkpoint(TpId tp) const;
  /// After the batch that holds it was written.
  void SetCheckpoint(TpId tp, const Checkpoint& checkpoint);
  /// How far a tape has come on its way into the archive.
  TapeShip ship(TpId tp) const;
  void SetShips(std::vector<std::pair<TpId, TapeShip>> ships);
  const std::vector<std::pair<TpId, TapeId>>& tapes() const { return tapes_; }
  const TapeRanks& ranks() const { return ranks_; }

  /// The generation that takes new rows of a day: its greatest one if that is open, else the next.
  uint32_t OpenGeneration(TableId table, Day day) const;
  DayEntry DayOf(const keys::DayKey& key) const;
  void SetDay(const keys::DayKey& key, const DayEntry& entry) { days_[key] = entry; }
  /// Takes the days from the store again.
  void SetDays(std::vector<std::pair<keys::DayKey, DayEntry>> days);

  TableRegistry tables;
  uint64_t commit = 0;
  uint64_t flush = 0;

 private:
  size_t Position(TpId tp) const;

  std::vector<std::pair<TpId, TapeId>> tapes_;  // by tp id
  std::vector<Checkpoint> checkpoints_;         // beside tapes_
  std::map<keys::DayKey, DayEntry> days_;
  std::map<TpId, TapeShip> ships_;  // without marks and drafts
  TapeRanks ranks_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_RECORD_TAPE_BOOK_H_
