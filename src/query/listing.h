#ifndef TAPEDECK_QUERY_LISTING_H_
#define TAPEDECK_QUERY_LISTING_H_

// What a recording holds beside records and messages: tables, symbols, topics, coverage with its
// gaps, refused messages.
//
//   TD_ASSIGN_OR_RETURN(auto symbols, ListSymbols(*point, {.prefix = "BINANCE:"}));
//
// Each answers from a ReadPoint: published chunks first, then the view. Errors: kCorruption of the
// entries read; kInvalidArgument or kNotFound for a name that is unknown. Thread-safe: pure
// functions of an immutable point.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "model/stored.h"
#include "tape/read_point.h"
#include "tape/tape_cursor.h"

namespace tapedeck {

struct SymbolQuery {
  std::string table;   // "" = all tables
  std::string symbol;  // exact; "" = any
  std::string prefix;
  std::string after;  // only symbols that sort behind this one; set with has_after
  bool has_after = false;
  uint64_t limit = UINT64_MAX;
  std::shared_ptr<const ReadStop> stop;  // asked for each series that is read; null: never
};

struct SymbolEntry {
  std::string symbol;
  std::vector<std::string> tables;  // sorted
  Timestamp first_ts;
  Timestamp last_ts;
  uint64_t rows = 0;  // records; in an upsert table every copy counts
};
/// By symbol.
Result<std::vector<SymbolEntry>> ListSymbols(const ReadPoint& point, const SymbolQuery& query);

/// One page of them.
struct SymbolPage {
  std::vector<SymbolEntry> entries;  // at most query.limit
  bool more = false;                 // go on with after = entries.back().symbol, has_after
};
Result<SymbolPage> ListSymbolPage(const ReadPoint& point, SymbolQuery query);

/// Symbols of the table ("" = any) that look like `symbol`: the same but for case and punctuation,
/// one that contains the other, a typing error or two away. The nearest first, at most `limit`.
/// Looks at kNearSymbolsScanMax catalog entries of a table at the most.
Result<std::vector<std::string>> NearSymbols(const ReadPoint& point, const std::string& table,
                                             std::string_view symbol, size_t limit);

inline constexpr size_t kNearSymbolsScanMax = 200'000;  // a tenth of a second

/// A table and the topics whose mapping in force fills it.
struct TableEntry {
  const Table* table = nullptr;     // of the point
  std::vector<std::string> topics;  // sorted
};
/// In order of names. A table that nothing fills and that has no rows is listed all the same.
Result<std::vector<TableEntry>> ListTables(const ReadPoint& point);

using TapeEntry = std::pair<TpId, TapeId>;
/// The tapes of the topics (none named: of all), by (topic, partition, lineage).
/// kInvalidArgument: a topic that was not recorded.
Result<std::vector<const TapeEntry*>> TapesOf(const ReadPoint& point,
                                              const std::vector<std::string>& topics);

/// One topic-partition and lineage. What other stores shipped of it, or this one before it was
/// restored, counts where the store's own range does not reach.
struct PartitionEntry {
  TpId tp{};
  TapeId tape;
  Checkpoint checkpoint;
  std::string mapping;  // name of the one in force; "" where none is
  std::vector<Gap> gaps;
  int64_t shipped = 0;  // tape manifests cover everything below
  /// False where manifests overlap in part: messages in both count twice, and the digest says
  /// nothing.
  bool exact = true;
};
/// By (topic, partition, lineage). `topics` empty: all; an unknown one is kInvalidArgument.
Result<std::vector<PartitionEntry>> ListPartitions(const ReadPoint& point,
                                                   const std::vector<std::string>& topics);

struct RefusedQuery {
  std::string topic;  // "" = all
  /// "" = all; else the whole reason or its first word ("bad-number" for "bad-number: size (v)").
  std::string reason;
  Timestamp start = Timestamp::Min();  // [start, end) by the message's time
  Timestamp end = Timestamp::Max();
  uint64_t limit = UINT64_MAX;
  /// Only those behind this place; its time means nothing. What lies before it is not read.
  std::optional<MessagePosition> after;
  std::shared_ptr<const ReadStop> stop;  // asked for each; null: never
};

struct RefusedMessage {
  TpId tp{};
  const TapeId* tape = nullptr;
  int64_t offset = 0;
  RefusalEntry entry;
  // `entry.reason` in parts; "" where it has none: "bad-number: size (v)" is bad-number, size, v.
  std::string reason;
  std::string field;
  std::string path;
  /// From the store or the archive; its views live during the call. Null where neither has it.
  const StoredMessage* message = nullptr;
};
/// In order of (topic, partition, lineage, offset). An error of `sink` ends it. A block of the tape
/// is decoded once for all that was refused in it. With an archive, what other stores list as
/// refused is among them, but for offsets that this store has itself.
Status VisitRefused(const ReadPoint& point, const RefusedQuery& query,
                    const std::function<Status(const RefusedMessage&)>& sink);

}  // namespace tapedeck

#endif  // TAPEDECK_QUERY_LISTING_H_
