#ifndef TAPEDECK_TAPE_READ_POINT_H_
#define TAPEDECK_TAPE_READ_POINT_H_

// ReadPoint: what one read sees, frozen: published chunks, then a pinned view of the store, then
// the set of manifests of the archive.
//
// The order matters. Chunks are taken first and the view second; chunks that the view says are
// flushed are dropped. A day that the view says is pruned has its manifest in a set that was taken
// later. So each row that was visible before is seen, and none twice, while recording, flushing,
// shipping and pruning go on.
//
// With an archive, tables and tapes that only manifests name are part of the state: they get
// numbers behind the store's own, which mean nothing outside this point.
//
//   TD_ASSIGN_OR_RETURN(auto point, ReadPoint::Take(open_rows, &directory, *store));
//   TD_ASSIGN_OR_RETURN(auto cursor, RecordCursor::Open(point, query));
//
// A ReadPoint holds old files of the store on disk as long as it lives: give it back soon. The
// directory outlives it.
//
// Thread safety: immutable and shared between threads (its view is only read).

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "archive/archive.h"
#include "base/status.h"
#include "model/open_rows.h"
#include "model/series_directory.h"
#include "store/store.h"
#include "tape/point_days.h"

namespace tapedeck {

/// The archive as a read sees it. Nothing: there is none.
struct ArchivePart {
  std::shared_ptr<const ManifestSet> manifests;
  ObjectCache* objects = nullptr;
  // Of the store that is read: its own days are where its `d` entries say.
  std::string node;
  std::string store;
  bool own_only = false;  // what other stores have shipped is left out

  static ArchivePart Take(Archive* archive, const StoreMeta& meta);
};

class ReadPoint {
 public:
  /// Inside a running node. `archive` may be null.
  static Result<std::shared_ptr<const ReadPoint>> Take(const OpenRows& open_rows,
                                                       const SeriesDirectory* directory,
                                                       const Store& store,
                                                       Archive* archive = nullptr);
  /// Of parts that the caller took in the right order.
  static Result<std::shared_ptr<const ReadPoint>> Make(OpenRows::List chunks,
                                                       const SeriesDirectory* directory,
                                                       std::shared_ptr<const StoreView> view,
                                                       ArchivePart archive = {});
  /// The same, with the state that was loaded from `view` already.
  static Result<std::shared_ptr<const ReadPoint>> Make(OpenRows::List chunks,
                                                       const SeriesDirectory* directory,
                                                       std::shared_ptr<const StoreView> view,
                                                       StoreState state, ArchivePart archive = {});

  /// The same as it was for `pin`, as far as reindexing goes: generations that were replaced since
  /// are there, and what stands for them is not. kNotFound: some of the table's days [first, last]
  /// had rows then that have left.
  static Result<std::shared_ptr<const ReadPoint>> At(std::shared_ptr<const ReadPoint> point,
                                                     const StatePin& pin, const Table& table,
                                                     Day first, Day last);
  /// The same with other days, and of the store alone: without open rows, and without what other
  /// stores have shipped.
  static std::shared_ptr<const ReadPoint> AsStored(const std::shared_ptr<const ReadPoint>& point,
                                                   DayList days);
  /// Not the newest state: the catalog says nothing about it.
  bool pinned() const { return pinned_; }
  const OpenRows::List& chunks() const { return chunks_; }
  const SeriesDirectory* directory() const { return directory_; }
  const StoreView& view() const { return *view_; }
  /// Without `days`.
  const StoreState& state() const { return state_; }
  /// The table's days [first, last] that count: neither replaced nor still being built. Costs what
  /// there are of these, not what the store has.
  Result<DayRange> Days(const Table& table, Day first, Day last) const;
  /// Those of all tables.
  Result<DayRange> AllDays() const;
  const TapeRanks& ranks() const { return ranks_; }
  /// Null where there is none.
  const ManifestSet* manifests() const { return archive_.manifests.get(); }
  const ArchivePart& archive() const { return archive_; }
  /// Null where the store has no such tape.
  const TapeId* FindTape(TpId tp) const;
  /// The number of a tape; nullopt where neither the store nor a manifest names it.
  std::optional<TpId> FindTape(const TapeId& tape) const;
  /// Whether the store itself knows the tape: it has a checkpoint.
  bool IsStored(TpId tp) const { return Raw(tp) < first_archived_; }
  /// kNotFound that lists the tables there are.
  Result<const Table*> FindTable(std::string_view name) const;

 private:
  ReadPoint() = default;
  Status AddArchived();

  OpenRows::List chunks_;
  const SeriesDirectory* directory_ = nullptr;
  std::shared_ptr<const StoreView> view_;
  StoreState state_;
  std::shared_ptr<const PointDays> days_;
  bool pinned_ = false;
  TapeRanks ranks_;
  ArchivePart archive_;
  uint32_t first_archived_ = UINT32_MAX;           // of the tapes that only manifests name
  std::vector<std::pair<TapeId, TpId>> tape_ids_;  // sorted; only with an archive
};

}  // namespace tapedeck

#endif  // TAPEDECK_TAPE_READ_POINT_H_
