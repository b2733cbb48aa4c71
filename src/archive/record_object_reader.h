#ifndef TAPEDECK_ARCHIVE_RECORD_OBJECT_READER_H_
#define TAPEDECK_ARCHIVE_RECORD_OBJECT_READER_H_

// Reading record objects: all rows in the order of the file, or those of a symbol and a time.
//
//   TD_ASSIGN_OR_RETURN(auto object, OpenLocalObject(path, name));
//   auto resolve = [&](const TapeId& tape) { return tapes.IdOf(tape); };   // cluster is empty
//
//   TD_ASSIGN_OR_RETURN(auto scan, OpenRecordScan(object.get(), format, table, resolve));
//   for (;;) {                                                       // verification
//     TD_RETURN_IF_ERROR(scan->Next());
//     if (scan->rows().count == 0) break;
//     Use(scan->rows());
//   }
//
//   TD_ASSIGN_OR_RETURN(auto footer, RecordObjectFooter::Read(*object));   // keep it: it is shared
//   RecordObjectReader reader(object.get(), footer, table.columns, resolve);
//   TD_ASSIGN_OR_RETURN(auto series, reader.FindSeries({"BTCUSDT"}));
//   TD_ASSIGN_OR_RETURN(RowRange range, reader.FindTimes(series[0].rows, start, end));
//   TD_RETURN_IF_ERROR(reader.Read({range.from, range.from + 4096}, &rows));
//
// Rows come back exactly as they went in: numbers as written, bytes that are not UTF-8, nulls,
// Origin. A column that the object lacks (it was added to the table later) is null. The table may
// have fewer columns than the object.
//
// This is a decoder of its own: it shares the schema with the writer and nothing else.
//
// Errors: kCorruption names the object, for bytes that no writer of ours wrote: cut off, altered
// (page sums, a sum of the footer and of the page index), of another table or format. What the
// object's source or the resolver say comes as it is. Not checked here: the sha256 of the manifest,
// and that the rows are those of the store; that is verification's.
//
// Memory: the pages of the rows asked for (20,000 rows or 1 MiB a page and column), twice.

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "archive/object_format.h"
#include "archive/object_source.h"
#include "base/status.h"
#include "columnar/layout.h"
#include "model/origin.h"
#include "model/record.h"
#include "model/table.h"

namespace tapedeck {

class ParquetFooter;
struct ParquetValues;

/// The number of a tape, of which topic, partition and lineage are known and the cluster is not.
using TapeResolver = std::function<Result<TpId>(const TapeId&)>;

/// All rows of an object, once, in the order in which they lie.
class RecordScan {
 public:
  virtual ~RecordScan() = default;
  /// Makes rows() the next rows of one symbol, a count of 0 at the end.
  virtual Status Next() = 0;
  /// Valid until the next call of Next. The columns are those of the table.
  const RowSlice& rows() const { return rows_; }

 protected:
  RowSlice rows_;
};

/// `object` outlives the scan. Owned by one thread.
Result<std::unique_ptr<RecordScan>> OpenRecordScan(const ObjectSource* object, ObjectFormat format,
                                                   const Table& table, TapeResolver resolver);

/// Rows [from, to) of an object, by their place in it.
struct RowRange {
  uint64_t from = 0;
  uint64_t to = 0;
  uint64_t size() const { return to - from; }
  bool operator==(const RowRange&) const = default;
};

/// What a Parquet object says of itself. Immutable; thread-safe: shared by readers, kept by caches.
class RecordObjectFooter {
 public:
  static Result<std::shared_ptr<const RecordObjectFooter>> Read(const ObjectSource& object);
  ~RecordObjectFooter();

  /// Memory held, for budgets.
  size_t memory_bytes() const { return memory_bytes_; }
  uint64_t rows() const { return rows_; }
  /// From the object's metadata.
  const std::string& table() const { return table_; }
  Day day() const { return day_; }
  uint32_t generation() const { return generation_; }
  const std::string& writer() const { return writer_; }

  /// A row group: rows that are read together at the least cost; bounds are inclusive.
  struct Group {
    RowRange rows;
    std::string first_symbol, last_symbol;
    bool symbols_known = false;         // false: symbols that are not UTF-8; the bounds say nothing
    int64_t first_ts = 0, last_ts = 0;  // least and greatest
  };
  std::span<const Group> groups() const { return groups_; }
  /// The bytes in which the pages of a row group lie: first, and one past the last.
  std::pair<uint64_t, uint64_t> Extent(size_t group) const;
  /// Columns of the table when the object was written.
  const std::vector<Column>& columns() const { return columns_; }

 private:
  friend class RecordObjectReader;
  RecordObjectFooter() = default;
  /// Columns of the Parquet file; those of one field follow each other.
  struct Leaves {
    size_t ts, ts_ns, symbol, symbol_bytes, ts_kafka, topic, partition, lineage, offset, index;
    std::vector<size_t> columns;  // the first one of each of columns()
  };
  Status TakeLabel();
  Status TakeLeaves();
  Status TakeGroups();

  std::shared_ptr<const ParquetFooter> parquet_;
  std::vector<Column> columns_;
  Leaves leaves_{};
  std::string table_, writer_;
  Day day_;
  uint32_t generation_ = 0;
  uint64_t rows_ = 0;
  size_t memory_bytes_ = 0;
  std::vector<Group> groups_;
};

/// A symbol and where its rows lie; they are in the order of (ts, Origin).
struct ObjectSeries {
  std::string symbol;
  RowRange rows;
};

/// Some rows of a Parquet object. Owned by one thread; the object outlives it.
class RecordObjectReader {
 public:
  /// `columns`: those of the table that are wanted, in the order wanted.
  RecordObjectReader(const ObjectSource* object, std::shared_ptr<const RecordObjectFooter> footer,
                     std::vector<Column> columns, TapeResolver resolver);
  ~RecordObjectReader();

  const RecordObjectFooter& footer() const { return *footer_; }
  /// Of `symbols` (sorted, each once; empty: all), those that are in the object, in order. Reads
  /// the pages of the column `symbol` that may hold them.
  Result<std::vector<ObjectSeries>> FindSeries(std::span<const std::string> symbols);
  /// The rows of `series` (of one series, as FindSeries gave them) with start <= ts < end, and ts =
  /// end where `end` is INT64_MAX. Reads at most two pages.
  Result<RowRange> FindTimes(RowRange series, int64_t start, int64_t end);
  /// Replaces `rows` by the rows of the range, with the columns of this reader, in ascending order;
  /// symbols are left out. Whole pages are decoded, and the last ones are kept: ranges beside it,
  /// forwards or backwards, cost little.
  Status Read(RowRange range, Rows* rows);
  /// The symbols of these rows, in order; what FindSeries gives for all of them.
  Result<std::vector<ObjectSeries>> SymbolsOf(RowRange range);
  /// The page of times that holds `row`: its ends are good places to end a range.
  Result<RowRange> PageOf(uint64_t row);
  /// Whether what is in the object twice (times in microseconds and nanoseconds, text and bytes) is
  /// twice the same, in the rows of the range. kCorruption. For verification; Read does not need
  /// the coarser of each pair.
  Status CheckTwins(RowRange range);

 private:
  struct State;
  struct Part;
  Status Named(const Status& status) const;
  Result<const ParquetValues*> Load(const Part& part, size_t leaf);
  bool IsLoaded(const Part& part, size_t leaf) const;
  Status ExpectPart(const Part& part);
  Status ForParts(RowRange range, const std::function<Status(const Part&)>& use);
  Status AddSymbols(const Part& part, std::span<const std::string> symbols,
                    std::vector<ObjectSeries>* found);
  Status AddSeries(std::span<const std::string> symbols, std::vector<ObjectSeries>* found);
  Result<uint64_t> FindTime(RowRange series, int64_t ts);
  Status AppendPart(const Part& part, Rows* rows);
  Status AppendOrigins(const Part& part, Rows* rows);
  Status AppendColumn(const Part& part, size_t wanted, RowsColumn* to);
  Status AppendDecimals(const Part& part, size_t leaf, RowsColumn* to);
  Status CheckTimes(const Part& part, size_t coarse, size_t exact);
  Status CheckTexts(const Part& part, size_t leaf);

  const std::shared_ptr<const RecordObjectFooter> footer_;
  std::unique_ptr<State> state_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_ARCHIVE_RECORD_OBJECT_READER_H_
