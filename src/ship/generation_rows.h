#ifndef TAPEDECK_SHIP_GENERATION_ROWS_H_
#define TAPEDECK_SHIP_GENERATION_ROWS_H_

// GenerationRows: the rows that the objects of one generation hold, in their order: (symbol, ts,
// Origin).
//
// Of an append table: the generation's own, from the store. Of an upsert table: the winners of the
// day up to this generation, for its objects stand for those of all before: of each identity the
// greatest (ts_kafka, Origin). Earlier generations come from the store, or, once they are pruned,
// from the objects that hold them now. What the store shipped under an earlier id of its own is
// another store's: readers bring the two together.
//
// Owned by one thread; everything given outlives it.

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "query/row_source.h"
#include "query/winners.h"
#include "ship/journey.h"
#include "ship/row_tally.h"

namespace tapedeck {

/// Rows of one place, by (symbol, ts).
class RowPull {
 public:
  virtual ~RowPull() = default;
  /// The next rows of one symbol, valid until the next call; a count of 0 at the end.
  virtual Status Next(RowRun* run) = 0;
};

/// Of rows with equal symbol, ts and identity, the one with the greatest (ts_kafka, Origin).
class WinnerCursor final : public RowPull {
 public:
  WinnerCursor(const Table* table, const TapeRanks* ranks,
               std::vector<std::unique_ptr<RowPull>> sources);
  Status Next(RowRun* run) override;

 private:
  struct Head {
    std::unique_ptr<RowPull> source;
    RowRun run;
    uint32_t at = 0;
    bool AtEnd() const { return run.count == 0; }
    int64_t ts() const { return run.rows->ts[run.RowAt(at)]; }
  };
  Status Advance(Head* head);
  const Head* Least() const;
  Status TakeGroup(const std::string& symbol, int64_t ts);

  std::vector<Head> heads_;
  bool started_ = false;
  Rows batch_;
  Winners group_;
  std::string symbol_;  // of batch_
};

class GenerationRows {
 public:
  /// `view` shows `state`. Objects of pruned generations are fetched into the work folder, under
  /// `prefix`.
  static Result<std::unique_ptr<GenerationRows>> Open(const Journey& journey, const StoreView& view,
                                                      const StoreState& state,
                                                      const keys::DayKey& key,
                                                      const std::string& prefix);
  Status Next(RowRun* run) { return rows_->Next(run); }
  /// What came of the generation's own rows so far; all of them at the end.
  const RowSum& own() const { return own_->sum(); }

 private:
  GenerationRows() = default;

  TapeRanks ranks_;
  std::unique_ptr<RowTally> own_;
  std::unique_ptr<RowPull> rows_;
};

/// The manifests that hold, in the archive, the rows of the day's generations below `key`'s; none
/// that the store inherited.
std::set<std::string> ManifestsBelow(const Journey& journey, const StoreState& state,
                                     const keys::DayKey& key, DayPhase at_least);
/// Fetches and parses one.
Result<RecordManifest> FetchRecordManifest(const Journey& journey, const std::string& name);

}  // namespace tapedeck

#endif  // TAPEDECK_SHIP_GENERATION_ROWS_H_
