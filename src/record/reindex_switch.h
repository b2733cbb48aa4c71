#ifndef TAPEDECK_RECORD_REINDEX_SWITCH_H_
#define TAPEDECK_RECORD_REINDEX_SWITCH_H_

// ReindexSwitch: the one batch with which rebuilt days take the place of what was there.
//
// In it: the days (those that were built count, those below them are replaced), catalog entries,
// index entries, refusals and counters of tapes, the mappings in force, the job as done, and the
// flush number, which goes up by one so that readers can tell the state before from the one after.
//
//   ReindexSwitch change(parts, scope.get(), &built, job, stop);
//   TD_RETURN_IF_ERROR(change.Prepare());          // beside recording; reads, may take long
//   TD_ASSIGN_OR_RETURN(ReindexJob done, change.Write());
//
// What Prepare has read may have changed until the writer comes to the batch: entries are compared,
// and Write gives kUnavailable where one is another. Prepare again, then.
//
// Owned by one thread; everything given outlives it.

#include <map>
#include <memory>
#include <optional>
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

class ReindexSwitch {
 public:
  /// `scope`: of a point that was taken after the last row was built.
  ReindexSwitch(const ReindexStore& parts, const ReindexScope* scope, const ReindexBuilt* built,
                ReindexJob job, std::shared_ptr<const ReadStop> stop);

  Status Prepare();
  Result<ReindexJob> Write();

 private:
  using Series = std::pair<TableId, std::string>;
  /// An entry of the store: as it was read, and as it will be.
  struct Change {
    std::optional<std::string> before;
    std::optional<CatalogEntry> after;  // nullopt: it goes
  };
  struct IndexChange {
    TpId tp{};
    std::string before;
    TapeIndexEntry after;
  };
  struct Refusal {
    TpId tp{};
    const RefusalChange* change = nullptr;
  };

  Status FindReplaced();
  Status CountReplaced();
  Status CountStored(const keys::DayKey& day);
  Status CountArchived(const keys::DayKey& day, const DayEntry& entry);
  Status PrepareCatalog();
  Status PrepareSeries(const Series& series, uint64_t gone);
  Result<std::optional<Timestamp>> EdgeOf(const Series& series, ReadOrder order);
  bool IsRebuilt(const Table& table, Timestamp ts) const;
  bool IsAlone(const Table& table, Timestamp ts) const;
  Status PrepareTape(TpId tp, const std::vector<BlockChange>& blocks);
  Status AddDays(const StoreState& now, uint64_t number, StoreBatch* batch);
  Status AddCatalog(const StoreView& view, StoreBatch* batch) const;
  Status AddTapes(const StoreView& view, const StoreState& now, StoreBatch* batch) const;

  const ReindexStore parts_;
  const ReindexScope* scope_;
  const ReindexBuilt* built_;
  ReindexJob job_;
  const std::shared_ptr<const ReadStop> stop_;
  std::map<ReindexDay, keys::DayKey> planned_;
  std::shared_ptr<const ReadPoint> after_;                   // the store as it will be
  std::vector<std::pair<keys::DayKey, DayEntry>> replaced_;  // as they were read
  std::map<Series, uint64_t> gone_rows_;
  std::map<Series, Change> catalog_;
  std::vector<IndexChange> index_;
  std::vector<Refusal> refusals_;
  std::map<TpId, CountChange> counts_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_RECORD_REINDEX_SWITCH_H_
