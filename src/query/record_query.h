#ifndef TAPEDECK_QUERY_RECORD_QUERY_H_
#define TAPEDECK_QUERY_RECORD_QUERY_H_

// RecordQuery: which records of a table, in which order; RecordPosition: a place in the answer.
//
//   RecordQuery query;
//   query.table = "trades";
//   query.symbols = {"BINANCE:BTCUSDT"};                    // empty: all
//   query.start = …; query.end = …;                         // [start, end)
//   query.where = {{"side", "buy"}};
//
// Append tables are ordered by (ts, symbol, topic, partition, lineage, offset, index). Upsert
// tables by (ts, symbol, the other fields of the identity as canonical text, null first, in the
// order in which they were declared); of the records with one identity that the selected topics
// hold, the one with the greatest (ts_kafka, topic, partition, lineage, offset, index) is shown.
// `where` applies to what is shown, `topics` before: a record of a topic that is not selected hides
// nothing.
//
// A position is encoded as bytes that only this module reads:
//   position := version:u8=1 ts:zigzag symbol:blob topic:blob partition:zigzag lineage:varint
//       offset:zigzag index:varint
//               identity:varint { present:u8 text:blob }
//
// Values; thread-compatible.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/read_stop.h"
#include "base/status.h"
#include "base/time.h"
#include "query/row_source.h"

namespace tapedeck {

struct RecordPosition {
  Timestamp ts;
  std::string symbol;
  // Append tables:
  std::string topic;
  int32_t partition = 0;
  uint32_t lineage = 0;
  int64_t offset = 0;
  uint32_t index = 0;
  /// Upsert tables: the identity but symbol and ts.
  std::vector<std::optional<std::string>> identity;
  bool operator==(const RecordPosition&) const = default;

  std::string Encode() const;
  /// kInvalidArgument: a token comes from a client.
  static Result<RecordPosition> Decode(std::string_view bytes);
};

struct RecordQuery {
  std::string table;
  std::vector<std::string> symbols;  // empty: all
  Timestamp start = Timestamp::Min();
  Timestamp end = Timestamp::Max();  // exclusive; Max(): open, and then inclusive
  ReadOrder order = ReadOrder::kAscending;
  /// Columns to read; nullopt: all. ts, symbol, ts_kafka and Origin are always read.
  std::optional<std::vector<std::string>> columns;
  /// column = canonical text, all of them; a null is equal to nothing.
  std::vector<std::pair<std::string, std::string>> where;
  std::vector<std::string> topics;  // empty: all
  uint64_t limit = UINT64_MAX;
  /// Goes on behind this row.
  std::optional<RecordPosition> after;
  /// Bytes that decoded rows may hold at once; short of it every open block keeps only a slice of
  /// its rows, and is decoded more than once. Not counted: a few hundred bytes for each symbol of
  /// the day in hand.
  size_t memory_bytes = size_t{64} << 20;
  /// Asked every few thousand rows and for each block; its status ends the read. Null: never.
  std::shared_ptr<const ReadStop> stop;
  /// Next may give a paused run once the stop's turn is over: see RowRun.
  bool pauses = false;
};

}  // namespace tapedeck

#endif  // TAPEDECK_QUERY_RECORD_QUERY_H_
