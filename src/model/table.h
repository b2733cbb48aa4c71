#ifndef TAPEDECK_MODEL_TABLE_H_
#define TAPEDECK_MODEL_TABLE_H_

// Tables and their registry.
//
// A table is a kind of record. The four core tables have fixed first columns; any mapping may add
// typed columns after them, and may name tables of its own. Every table has `ts` and `symbol` (not
// listed among the columns here), `ts_kafka` and the Origin. A table is `append` (each record
// counts) or `upsert` by a declared identity. Columns are only ever added; a column keeps its type
// for good. The registry is stored (prefix `k`), fixed by first use.
//
//   TableRegistry tables;                                    // the core tables
//   TD_ASSIGN_OR_RETURN(TableId id, tables.Declare("book", {{"side", ColumnType::kText}, …}));
//
// Thread-compatible: readers share a copy, the record thread owns the one that grows.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "model/value.h"

namespace tapedeck {

/// Persisted in keys; core tables have 1 to 4, others follow in order of first use.
enum class TableId : uint16_t {};
constexpr uint16_t Raw(TableId id) { return static_cast<uint16_t>(id); }

/// Persisted.
enum class DaySize : uint8_t { kDay = 0, kMonth = 1, kYear = 2 };

struct Column {
  std::string name;
  ColumnType type = ColumnType::kDecimal;
  bool operator==(const Column&) const = default;
};

struct Table {
  TableId id{};
  std::string name;
  std::vector<Column> columns;        // without ts, symbol, ts_kafka and Origin
  std::vector<std::string> identity;  // upsert: contains "symbol" and "ts"; empty: append
  DaySize day_size = DaySize::kDay;

  bool upsert() const { return !identity.empty(); }
  /// Position in `columns`, or -1.
  int FindColumn(std::string_view column) const;
  /// The day (or first day of the month or year) that holds `t`.
  Day DayOf(Timestamp t) const;
  bool operator==(const Table&) const = default;
};

/// The core columns of "trades", "quotes", "bars" or "snapshots"; empty for any other name.
std::span<const Column> CoreColumns(std::string_view table);

/// [a-z][a-z0-9_]{0,62}, not "tape" and not the name of a route.
Status CheckTableName(std::string_view name);
/// [A-Za-z_][A-Za-z0-9_]{0,62}, not ts, symbol, ts_kafka, topic, partition, lineage, offset, index.
Status CheckColumnName(std::string_view name);

class TableRegistry {
 public:
  /// With the four core tables; `bars` is upsert by symbol, ts, interval.
  TableRegistry();

  /// Makes the table if it is new and adds the columns that it lacks. kInvalidArgument for a bad
  /// name, a column that has another type already (both are named), or too many columns.
  Result<TableId> Declare(std::string_view name, std::span<const Column> columns);
  /// Day size and upsert identity of configuration. kFailedPrecondition when `fixed` (rows exist)
  /// and they differ.
  Status Configure(std::string_view name, DaySize day_size, std::vector<std::string> identity,
                   bool fixed);
  /// Puts a stored table in place (recovery). kCorruption where it contradicts one that is there.
  Status Restore(Table table);

  const Table* Find(std::string_view name) const;
  const Table* Find(TableId id) const;
  std::span<const Table> tables() const { return tables_; }

 private:
  std::vector<Table> tables_;
};

/// Value of a `k` entry.
///   table := version:u8=1 name:blob day_size:u8 columns:varint { name:blob type:u8 }
///     identity:varint { name:blob }
std::string EncodeTable(const Table& table);
Result<Table> DecodeTable(TableId id, std::string_view bytes);

}  // namespace tapedeck

#endif  // TAPEDECK_MODEL_TABLE_H_
