#include "api/table_decimals.h"

namespace tapedeck {

std::map<std::string, DecimalType> DecimalsOf(const TableDecimals& decimals, const Table& table) {
  std::map<std::string, DecimalType> chosen;
  const auto told = decimals.find(table.name);
  if (told == decimals.end()) return chosen;
  for (const Column& column : table.columns) {
    if (column.type != ColumnType::kDecimal) continue;
    auto found = told->second.find(column.name);
    if (found == told->second.end()) found = told->second.find("");
    if (found != told->second.end()) chosen.emplace(column.name, found->second);
  }
  return chosen;
}

std::string DecimalsText(const TableDecimals& decimals, const std::string& table) {
  std::string text;
  const auto told = decimals.find(table);
  if (told == decimals.end()) return text;
  for (const auto& [column, type] : told->second) {
    text += column + "=" + std::to_string(type.precision) + "," + std::to_string(type.scale) + ";";
  }
  return text;
}

}  // namespace tapedeck
