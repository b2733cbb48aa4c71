#include "model/table.h"

#include <algorithm>
#include <array>

#include "base/bytes.h"
#include "base/limits.h"

namespace tapedeck {
namespace {

constexpr uint8_t kVersion = 1;

struct CoreTable {
  std::string_view name;
  std::vector<Column> columns;
};

const std::array<CoreTable, 4>& CoreTables() {
  using enum ColumnType;
  static const std::array<CoreTable, 4> kTables = {{
      {"trades", {{"price", kDecimal}, {"size", kDecimal}, {"side", kText}, {"trade_id", kText}}},
      {"quotes",
       {{"bid_price", kDecimal},
        {"bid_size", kDecimal},
        {"ask_price", kDecimal},
        {"ask_size", kDecimal},
        {"last", kDecimal}}},
      {"bars",
       {{"interval", kText},
        {"open", kDecimal},
        {"high", kDecimal},
        {"low", kDecimal},
        {"close", kDecimal},
        {"volume", kDecimal}}},
      {"snapshots", {{"price", kDecimal}, {"volume_24h", kDecimal}, {"market_cap", kDecimal}}},
  }};
  return kTables;
}

constexpr std::array<std::string_view, 18> kReservedTables = {
    "tape",    "tables",  "symbols", "topics",   "coverage", "days",
    "objects", "refused", "status",  "messages", "stream",   "flush",
    "replays", "reindex", "metrics", "healthz",  "readyz",   "livez"};
constexpr std::array<std::string_view, 9> kReservedColumns = {
    "ts", "symbol", "ts_kafka", "topic", "partition", "lineage", "offset", "index", "_end"};

bool Lower(char c) { return c >= 'a' && c <= 'z'; }
bool Upper(char c) { return c >= 'A' && c <= 'Z'; }
bool Number(char c) { return c >= '0' && c <= '9'; }

}  // namespace

int Table::FindColumn(std::string_view column) const {
  for (size_t i = 0; i < columns.size(); ++i) {
    if (columns[i].name == column) return static_cast<int>(i);
  }
  return -1;
}

Day Table::DayOf(Timestamp t) const {
  Day day = Day::Of(t);
  if (day_size == DaySize::kMonth) return day.MonthStart();
  if (day_size == DaySize::kYear) return day.YearStart();
  return day;
}

std::span<const Column> CoreColumns(std::string_view table) {
  for (const CoreTable& core : CoreTables()) {
    if (core.name == table) return core.columns;
  }
  return {};
}

Status CheckTableName(std::string_view name) {
  bool good = !name.empty() && name.size() <= 63 && Lower(name[0]) &&
              std::all_of(name.begin(), name.end(),
                          [](char c) { return Lower(c) || Number(c) || c == '_'; });
  if (!good) {
    return Status::InvalidArgument("table name '" + std::string(name) +
                                   "': use 1 to 63 of a-z, 0-9 and _, the first a letter");
  }
  if (std::find(kReservedTables.begin(), kReservedTables.end(), name) != kReservedTables.end()) {
    return Status::InvalidArgument("table name '" + std::string(name) +
                                   "' is reserved: choose another");
  }
  return Status::Ok();
}

Status CheckColumnName(std::string_view name) {
  auto word = [](char c) { return Lower(c) || Upper(c) || c == '_'; };
  bool good = !name.empty() && name.size() <= 63 && word(name[0]) &&
              std::all_of(name.begin(), name.end(), [&](char c) { return word(c) || Number(c); });
  if (!good) {
    return Status::InvalidArgument("column name '" + std::string(name) +
                                   "': use 1 to 63 letters, digits and _, the first no digit");
  }
  if (std::find(kReservedColumns.begin(), kReservedColumns.end(), name) != kReservedColumns.end()) {
    return Status::InvalidArgument("column name '" + std::string(name) +
                                   "' is reserved: choose another");
  }
  return Status::Ok();
}

TableRegistry::TableRegistry() {
  for (const CoreTable& core : CoreTables()) {
    Table table;
    table.id = TableId{static_cast<uint16_t>(tables_.size() + 1)};
    table.name = core.name;
    table.columns = core.columns;
    if (core.name == "bars") table.identity = {"symbol", "ts", "interval"};
    tables_.push_back(std::move(table));
  }
}

Result<TableId> TableRegistry::Declare(std::string_view name, std::span<const Column> columns) {
  auto found =
      std::find_if(tables_.begin(), tables_.end(), [&](const Table& t) { return t.name == name; });
  Table grown;
  if (found != tables_.end()) {
    grown = *found;
  } else {
    TD_RETURN_IF_ERROR(CheckTableName(name));
    if (tables_.size() >= limits::kTablesMax) {
      return Status::InvalidArgument("table '" + std::string(name) + "': there are " +
                                     std::to_string(limits::kTablesMax) + " tables already");
    }
    grown.name = name;
    grown.id = TableId{static_cast<uint16_t>(Raw(tables_.back().id) + 1)};
  }
  for (const Column& column : columns) {
    int at = grown.FindColumn(column.name);
    if (at < 0) {
      TD_RETURN_IF_ERROR(CheckColumnName(column.name).WithContext("table '" + grown.name + "'"));
      grown.columns.push_back(column);
    } else if (grown.columns[static_cast<size_t>(at)].type != column.type) {
      return Status::InvalidArgument(
          "table '" + grown.name + "': column '" + column.name + "' is " +
          std::string(ColumnTypeName(grown.columns[static_cast<size_t>(at)].type)) +
          " and cannot also be " + std::string(ColumnTypeName(column.type)) +
          ": give the field another name");
    }
  }
  if (grown.columns.size() > limits::kTableColumnsMax) {
    return Status::InvalidArgument(
        "table '" + grown.name + "' would have " + std::to_string(grown.columns.size()) +
        " columns; the limit is " + std::to_string(limits::kTableColumnsMax));
  }
  TableId id = grown.id;
  if (found != tables_.end()) {
    *found = std::move(grown);
  } else {
    tables_.push_back(std::move(grown));
  }
  return id;
}

Status TableRegistry::Configure(std::string_view name, DaySize day_size,
                                std::vector<std::string> identity, bool fixed) {
  auto found =
      std::find_if(tables_.begin(), tables_.end(), [&](const Table& t) { return t.name == name; });
  if (found == tables_.end()) return Status::NotFound("no table '" + std::string(name) + "'");
  auto has = [&](std::string_view column) {
    return std::find(identity.begin(), identity.end(), column) != identity.end();
  };
  if (!identity.empty() && (!has("symbol") || !has("ts"))) {
    return Status::InvalidArgument("table '" + found->name +
                                   "': unique must contain symbol and ts");
  }
  for (const std::string& column : identity) {
    if (column != "symbol" && column != "ts" && found->FindColumn(column) < 0) {
      return Status::InvalidArgument("table '" + found->name + "': unique names '" + column +
                                     "', which is no column of it");
    }
  }
  if (fixed && (found->day_size != day_size || found->identity != identity)) {
    return Status::FailedPrecondition(
        "table '" + found->name +
        "': day and unique are fixed by the rows that are stored; they cannot be changed");
  }
  found->day_size = day_size;
  found->identity = std::move(identity);
  return Status::Ok();
}

Status TableRegistry::Restore(Table table) {
  auto found = std::find_if(tables_.begin(), tables_.end(),
                            [&](const Table& t) { return t.id == table.id; });
  if (found != tables_.end()) {
    if (found->name != table.name) {
      return Status::Corruption("stored table " + std::to_string(Raw(table.id)) + " is named '" +
                                table.name + "', expected '" + found->name + "'");
    }
    *found = std::move(table);
    return Status::Ok();
  }
  if (Raw(table.id) != Raw(tables_.back().id) + 1)
    return Status::Corruption("stored tables are not numbered in sequence");
  tables_.push_back(std::move(table));
  return Status::Ok();
}

const Table* TableRegistry::Find(std::string_view name) const {
  for (const Table& table : tables_) {
    if (table.name == name) return &table;
  }
  return nullptr;
}

const Table* TableRegistry::Find(TableId id) const {
  for (const Table& table : tables_) {
    if (table.id == id) return &table;
  }
  return nullptr;
}

std::string EncodeTable(const Table& table) {
  std::string out(1, static_cast<char>(kVersion));
  PutBlob(&out, table.name);
  out.push_back(static_cast<char>(table.day_size));
  PutVarint(&out, table.columns.size());
  for (const Column& column : table.columns) {
    PutBlob(&out, column.name);
    out.push_back(static_cast<char>(column.type));
  }
  PutVarint(&out, table.identity.size());
  for (const std::string& name : table.identity) PutBlob(&out, name);
  return out;
}

Result<Table> DecodeTable(TableId id, std::string_view bytes) {
  ByteReader reader(bytes);
  Table table;
  table.id = id;
  bool good = reader.Byte() == kVersion;
  table.name = reader.Blob();
  uint8_t day_size = reader.Byte();
  table.day_size = static_cast<DaySize>(day_size);
  uint64_t columns = reader.Varint();
  good = good && day_size <= 2 && columns <= limits::kTableColumnsMax;
  for (uint64_t i = 0; good && i < columns; ++i) {
    Column column;
    column.name = reader.Blob();
    uint8_t type = reader.Byte();
    column.type = static_cast<ColumnType>(type);
    good = reader.ok() && type <= 4;
    table.columns.push_back(std::move(column));
  }
  uint64_t identity = good ? reader.Varint() : 0;
  good = good && identity <= limits::kTableColumnsMax + 2;
  for (uint64_t i = 0; good && i < identity; ++i) table.identity.emplace_back(reader.Blob());
  if (!good || !reader.done()) {
    return Status::Corruption("stored table " + std::to_string(Raw(id)) +
                              " is damaged or of another version");
  }
  return table;
}

}  // namespace tapedeck
