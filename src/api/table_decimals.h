#ifndef TAPEDECK_API_TABLE_DECIMALS_H_
#define TAPEDECK_API_TABLE_DECIMALS_H_

// TableDecimals: which DECIMAL the columns of Arrow and Parquet answers are, where the node was
// told ([tables.X] decimals).
//
//   TableDecimals decimals = {{"trades", {{"price", {12, 4}}, {"", {18, 8}}}}};
//   style.decimals = DecimalsOf(decimals, table);
//
// Thread-safe: values.

#include <functional>
#include <map>
#include <string>

#include "model/table.h"
#include "query/columnar_encoder.h"

namespace tapedeck {

/// By table, then by column; "" stands for its columns that are not named.
using TableDecimals =
    std::map<std::string, std::map<std::string, DecimalType, std::less<>>, std::less<>>;

/// Of each column that is told of.
std::map<std::string, DecimalType> DecimalsOf(const TableDecimals& decimals, const Table& table);
/// The same settings, the same text: what an ETag of these forms hangs on.
std::string DecimalsText(const TableDecimals& decimals, const std::string& table);

}  // namespace tapedeck

#endif  // TAPEDECK_API_TABLE_DECIMALS_H_
