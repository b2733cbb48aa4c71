#ifndef TAPEDECK_RECORD_REINDEX_SWITCH_H_
#define TAPEDECK_RECORD_REINDEX_SWITCH_H_

// ReindexSwitch: the one batch with which rebuilt days take the place of what was there.
//
// In it: the days (those that were built count, those below them are replaced), catalog entries,
// index entries, refusals and counters of tapes, the mappings in force, the job as done, and the
// flush number, which goes up by one so that readers can tell the state before from the one after.
//
//   ReindexSwitch change(parts, std::move(scope), &built, job, stop);
//   TD_RETURN_IF_ERROR(change.Prepare());          // beside recording; reads, may take long
//   TD_ASSIGN_OR_RETURN(ReindexJob done, change.Write());
//
// What Prepare has read may have changed until the writer comes to the batch: entries are compared,
// and Write gives kUnavailable where one is another. Prepare again, then. Rows that flushes have
// brought to a series since are no reason: its entry is what was prepared and those. kCancelled:
// blocks of the tape have been cut or joined so that what was built does not fit; build again.
//
// Prepare lets go of the scope and its view: Write may have to wait, and the store may have to be
// opened again by whom it waits for.
//
// Owned by one thread; everything else that is given outlives it.

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "base/steady_time.h"
#include "model/reindex_job.h"
#include "query/row_source.h"
#include "record/reindex_build.h"
#include "store/store_queue.h"

namespace tapedeck {

struct ReindexStore {
  Store* store = nullptr;
  StoreQueue* queue = nullptr;
  const SteadyTime* time = nullptr;
};

/// kFailedPrecondition: the store has shipped the generation under an earlier id. Its objects are
/// another store's now: none of the manifests to come can replace them.
Status CheckReplaceable(const Table& table, const keys::DayKey& day, const DayEntry& entry,
                        const std::string& store_id);

class ReindexSwitch {
 public:
  /// `scope`: of a point that was taken after the last row was built.
  ReindexSwitch(const ReindexStore& parts, std::unique_ptr<const ReindexScope> scope,
                const ReindexBuilt* built, ReindexJob job, std::shared_ptr<const ReadStop> stop);

  Status Prepare();
  Result<ReindexJob> Write();

 private:
  using Series = std::pair<TableId, std::string>;
  using Counts = std::map<Series, uint64_t>;
  /// An entry of the store: as it was read, and as it will be. Nullopt: there is none.
  struct Change {
    std::optional<CatalogEntry> before;
    std::optional<CatalogEntry> after;
  };
  struct IndexChange {
    TpId tp{};
    TapeIndexEntry before;
    TapeIndexEntry after;
  };
  struct Refusal {
    TpId tp{};
    const RefusalChange* change = nullptr;
  };

  Status FindReplaced();
  Status CountReplaced();
  Status CountKept();
  using Days = std::vector<std::pair<keys::DayKey, DayEntry>>;
  Status CountAll(const Days& days, Counts* counts);
  Result<uint64_t> CountStored(const keys::DayKey& day, Counts* counts) const;
  Status CountArchived(const keys::DayKey& day, const DayEntry& entry, Counts* counts) const;
  Status PrepareCatalog();
  Status PrepareSeries(const Series& series, uint64_t gone);
  Result<std::optional<Timestamp>> EdgeOf(const Series& series, ReadOrder order);
  bool IsRebuilt(const Table& table, Timestamp ts) const;
  Result<bool> IsAlone(const Table& table, Timestamp ts) const;
  Status PrepareTape(TpId tp, const std::vector<BlockChange>& blocks);
  Status AddDays(const StoreState& now, uint64_t number, StoreBatch* batch);
  Status AddCatalog(const StoreView& view, StoreBatch* batch) const;
  static Result<std::optional<CatalogEntry>> WithNewRows(const Change& change,
                                                         const std::optional<CatalogEntry>& now);
  Status AddTapes(const StoreView& view, const StoreState& now, StoreBatch* batch) const;

  const ReindexStore parts_;
  std::unique_ptr<const ReindexScope> scope_;  // until it is prepared
  const ReindexBuilt* built_;
  ReindexJob job_;
  const std::shared_ptr<const ReadStop> stop_;
  std::map<ReindexDay, keys::DayKey> planned_;
  std::vector<const MappingSpec*> in_force_;
  std::shared_ptr<const ReadPoint> after_;  // the store as it will be; until it is prepared
  Days replaced_;                           // as they were read
  Counts gone_rows_;
  std::set<TableId> recounted_;  // their series are counted from what is left
  Counts kept_rows_;             // of those
  std::map<Series, Change> catalog_;
  std::vector<IndexChange> index_;
  std::vector<Refusal> refusals_;
  std::map<TpId, CountChange> counts_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_RECORD_REINDEX_SWITCH_H_
