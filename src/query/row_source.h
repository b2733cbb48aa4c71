#ifndef TAPEDECK_QUERY_ROW_SOURCE_H_
#define TAPEDECK_QUERY_ROW_SOURCE_H_

// RowSource: rows of one table in the full order, from one place: a chunk, the store's blocks,
// the archive.
//
// Rows come in runs: consecutive rows of one series that lie in one `Rows`. A merge takes as many
// rows of a run as come before every other source's next row, so sources that do not overlap cost
// nothing per row.
//
//   TD_RETURN_IF_ERROR(source->Fill());
//   while (source->head().count > 0) {
//     Use(source->head());
//     source->Advance(source->head().count);
//     TD_RETURN_IF_ERROR(source->Fill());
//   }
//
// The seam is real: sources differ in where rows lie, and a test's fake can fail at any row.
// Owned by one thread.

#include <compare>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/read_stop.h"
#include "base/status.h"
#include "model/chunk.h"
#include "model/record.h"
#include "model/table.h"

namespace tapedeck {

enum class ReadOrder : uint8_t { kAscending = 0, kDescending = 1 };

/// Rows of one series that follow each other in the order of reading: the rows `first`, first +
/// step, first + 2 step … of `rows`, whose columns are those that the selection reads, in its
/// order.
struct RowRun {
  std::string_view symbol;
  const Rows* rows = nullptr;
  uint32_t first = 0;
  uint32_t count = 0;  // 0: the end
  int32_t step = 1;    // 1, or -1 where rows are stored against the order of reading
  /// With a count of 0: not the end, but others should have a turn before Next is called again.
  /// Only where the query says that it pauses.
  bool paused = false;

  /// Index into `rows` of the run's n-th row.
  uint32_t RowAt(uint32_t n) const { return first + n * static_cast<uint32_t>(step); }
};

/// What of a table a source gives: rows with start <= ts < end (and ts = end where `end` is
/// INT64_MAX).
struct RowSelection {
  const Table* table = nullptr;
  std::vector<std::string> symbols;  // sorted, each once; empty: all
  int64_t start = INT64_MIN;
  int64_t end = INT64_MAX;
  ReadOrder order = ReadOrder::kAscending;
  std::vector<Column> columns;   // that are read
  std::vector<uint32_t> places;  // of each in table->columns
  const ReadStop* stop = nullptr;

  Status CheckStop() const { return stop == nullptr ? Status::Ok() : stop->Check(); }
  bool ascending() const { return order == ReadOrder::kAscending; }
  bool BeforeEnd(int64_t ts) const { return ts < end || end == INT64_MAX; }
  /// No rows, and the columns that are read.
  Rows EmptyRows() const;
};

/// Bytes that the rows hold, for budgets.
size_t BytesOf(const Rows& rows);
/// Appends one row; both have the same columns.
void AppendRow(const Rows& from, size_t row, Rows* to);

/// (ts, symbol, tape, offset, index): the order of records, with tapes by rank.
struct RowKey {
  int64_t ts = 0;
  std::string_view symbol;
  uint32_t rank = 0;
  int64_t offset = 0;
  uint32_t index = 0;
  auto operator<=>(const RowKey&) const = default;
};

/// The n-th row's key. `n` < run.count.
inline RowKey KeyOf(const RowRun& run, uint32_t n, const TapeRanks& ranks) {
  const uint32_t row = run.RowAt(n);
  const Rows& rows = *run.rows;
  return {rows.ts[row], run.symbol, ranks[TpId{rows.tp[row]}], rows.offset[row], rows.index[row]};
}

class RowSource {
 public:
  virtual ~RowSource() = default;
  /// Makes head() the next rows; head().count is 0 at the end. Valid until the next Fill or
  /// Advance.
  virtual Status Fill() = 0;
  const RowRun& head() const { return head_; }
  /// Leaves out the first `rows` of head(); at most head().count.
  void Advance(uint32_t rows) {
    head_.first = head_.RowAt(rows);
    head_.count -= rows;
    OnAdvance(rows);
  }

 protected:
  virtual void OnAdvance(uint32_t rows) = 0;
  RowRun head_;
};

/// Sources with rows, the one with the next row on top.
class RunHeap {
 public:
  RunHeap(const TapeRanks* ranks, ReadOrder order) : ranks_(ranks), order_(order) {}

  /// Fills the source and takes it; drops it where it has no rows.
  Status Add(std::unique_ptr<RowSource> source);
  bool empty() const { return heap_.empty(); }
  size_t size() const { return heap_.size(); }
  const RowRun& top() const { return heap_.front().source->head(); }
  /// How many rows of top() come before every other source's rows and have a ts before `ts_bound`
  /// (in the direction of reading).
  uint32_t TopRun(int64_t ts_bound) const;
  /// Drops `rows` rows of top() and puts its source where it belongs.
  Status AdvanceTop(uint32_t rows);

 private:
  struct Entry {
    int64_t ts;
    std::unique_ptr<RowSource> source;
  };
  bool Before(const Entry& a, const Entry& b) const;
  void SiftDown(size_t at);
  void SiftUp(size_t at);

  const TapeRanks* ranks_;
  ReadOrder order_;
  std::vector<Entry> heap_;
};

/// Several sources as one.
class MergedSource final : public RowSource {
 public:
  MergedSource(const TapeRanks* ranks, ReadOrder order) : heap_(ranks, order), order_(order) {}
  Status Add(std::unique_ptr<RowSource> source) { return heap_.Add(std::move(source)); }
  /// A source none of whose rows comes before the time `bound`, in the order of reading: it is not
  /// asked for any before the others have come that far.
  void AddLater(int64_t bound, std::unique_ptr<RowSource> source);
  Status Fill() override;

 private:
  struct Waiting {
    int64_t bound;
    std::unique_ptr<RowSource> source;
  };
  void OnAdvance(uint32_t rows) override { taken_ += rows; }
  bool MustOpen() const;
  auto Later() const {
    return [up = order_ == ReadOrder::kAscending](const Waiting& a, const Waiting& b) {
      return up ? a.bound > b.bound : a.bound < b.bound;
    };
  }

  RunHeap heap_;
  ReadOrder order_;
  std::vector<Waiting> waiting_;  // a heap: the bound that comes first is at the front
  uint32_t taken_ = 0;
};

}  // namespace tapedeck

#endif  // TAPEDECK_QUERY_ROW_SOURCE_H_
