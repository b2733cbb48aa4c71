#ifndef TAPEDECK_QUERY_READ_POINT_H_
#define TAPEDECK_QUERY_READ_POINT_H_

// ReadPoint: what one read sees, frozen: published chunks, then a pinned view of the store.
//
// The order matters. Chunks are taken first and the view second; chunks that the view says are
// flushed are dropped. So each row that was visible before is seen, and none twice, while recording
// and flushing go on.
//
//   TD_ASSIGN_OR_RETURN(auto point, ReadPoint::Take(open_rows, &directory, *store));
//   TD_ASSIGN_OR_RETURN(auto cursor, RecordCursor::Open(point, query));
//
// A ReadPoint holds old files of the store on disk as long as it lives: give it back soon. The
// directory outlives it.
//
// Thread safety: immutable and shared between threads (its view is only read).

#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"
#include "model/open_rows.h"
#include "model/series_directory.h"
#include "store/store.h"

namespace tapedeck {

class ReadPoint {
 public:
  /// Inside a running node.
  static Result<std::shared_ptr<const ReadPoint>> Take(const OpenRows& open_rows,
                                                       const SeriesDirectory* directory,
                                                       const Store& store);
  /// Of parts that the caller took in the right order.
  static Result<std::shared_ptr<const ReadPoint>> Make(OpenRows::List chunks,
                                                       const SeriesDirectory* directory,
                                                       std::shared_ptr<const StoreView> view);
  /// The same, with the state that was loaded from `view` already.
  static std::shared_ptr<const ReadPoint> Make(OpenRows::List chunks,
                                               const SeriesDirectory* directory,
                                               std::shared_ptr<const StoreView> view,
                                               StoreState state);

  const OpenRows::List& chunks() const { return chunks_; }
  const SeriesDirectory* directory() const { return directory_; }
  const StoreView& view() const { return *view_; }
  const StoreState& state() const { return state_; }
  const TapeRanks& ranks() const { return ranks_; }
  /// Null where the store has no such tape.
  const TapeId* FindTape(TpId tp) const;
  /// kNotFound that lists the tables there are.
  Result<const Table*> FindTable(std::string_view name) const;

 private:
  ReadPoint() = default;

  OpenRows::List chunks_;
  const SeriesDirectory* directory_ = nullptr;
  std::shared_ptr<const StoreView> view_;
  StoreState state_;
  TapeRanks ranks_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_QUERY_READ_POINT_H_
