#ifndef TAPEDECK_QUERY_SERIES_CURSOR_H_
#define TAPEDECK_QUERY_SERIES_CURSOR_H_

// RecordCursor: the records that a RecordQuery asks for, in order, pulled run by run.
//
//   TD_ASSIGN_OR_RETURN(auto cursor, RecordCursor::Open(point, query));
//   for (RowRun run;;) {
//     TD_RETURN_IF_ERROR(cursor->Next(&run));
//     if (run.count == 0) break;
//     for (uint32_t n = 0; n < run.count; ++n) {
//       uint32_t row = run.RowAt(n);
//       // columns[i] is cursor->columns()[i]
//       Use(run.symbol, run.rows->ts[row], run.rows->columns[0].At(row));
//     }
//   }
//   RecordPosition here = cursor->PositionOf(run, n);    // go on later: query.after = here
//
// The answer does not depend on where rows lie: in a published chunk, in any block of any
// generation, in the archive. Rows that cannot be read are an error (kCorruption,
// kUnavailable), never left out.
//
// Errors of Open: kNotFound: no such table; kInvalidArgument: an unknown column or topic, doubled
// symbols or columns, a position of another kind of table. Memory: RecordQuery::memory_bytes and
// what store_source.h says. Owned by one thread; it keeps its read point.

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "query/record_query.h"
#include "query/row_cursor.h"
#include "query/row_source.h"
#include "query/winners.h"
#include "tape/read_point.h"

namespace tapedeck {

class RecordCursor final : public RowCursor {
 public:
  static Result<std::unique_ptr<RecordCursor>> Open(std::shared_ptr<const ReadPoint> point,
                                                    RecordQuery query);

  Status Next(RowRun* run) override;

  const Table& table() const override { return *selection_.table; }
  const ReadPoint& point() const override { return *point_; }
  std::span<const Column> columns() const override { return selection_.columns; }
  RecordPosition PositionOf(const RowRun& run, uint32_t n) const override;
  uint64_t rows() const override { return given_; }
  /// Whether the query's topics and filters let this row pass; its columns are columns().
  bool Shows(const Rows& rows, uint32_t row) {
    return TopicWanted(rows.tp[row]) && Wanted(rows, row);
  }
  bool TopicWanted(uint32_t tp) const {
    return topics_.empty() || (tp < topics_.size() && topics_[tp]);
  }
  /// What it reads, for further sources: Add them before the first Next.
  const RowSelection& selection() const { return selection_; }
  Status Add(std::unique_ptr<RowSource> source) { return source_->Add(std::move(source)); }

 private:
  struct Filter {
    size_t column;
    std::string text;
  };

  RecordCursor(std::shared_ptr<const ReadPoint> point, RecordQuery query);
  Status Prepare();
  Status AddSources();
  Status ChooseColumns();
  Status ChooseTopics();
  Status StartAfter();
  Result<size_t> Read(const std::string& name);

  Status NextAppended(RowRun* run);
  Status NextUpserted(RowRun* run);
  Status FoldGroup();
  void EmitGroup();
  Status Pace(uint32_t rows, RowRun* run);
  bool Passed(const RowKey& key) const;
  bool Wanted(const Rows& rows, uint32_t row);

  const std::shared_ptr<const ReadPoint> point_;
  const RecordQuery query_;
  RowSelection selection_;
  std::unique_ptr<MergedSource> source_;
  std::vector<Filter> filters_;
  std::vector<bool> topics_;      // by tp id; empty: all
  std::vector<size_t> identity_;  // upsert: columns of the identity but symbol and ts
  uint64_t given_ = 0;
  uint32_t unchecked_ = 0;  // rows since the stop was asked
  std::string scratch_;

  bool resuming_ = false;  // rows up to after_ are still to be passed over
  // Append: the first key that is not passed over (ascending), or the last (descending).
  RowKey after_;
  std::string after_identity_;

  // Upsert: the group of one (ts, symbol) in hand, and the rows that are ready.
  std::optional<Winners> group_;
  Rows ready_;
  std::string ready_symbol_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_QUERY_SERIES_CURSOR_H_
