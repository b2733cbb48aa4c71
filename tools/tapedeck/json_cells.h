#ifndef TAPEDECK_TOOLS_TAPEDECK_JSON_CELLS_H_
#define TAPEDECK_TOOLS_TAPEDECK_JSON_CELLS_H_

// JSON values as cells of a table or a CSV line, digit for digit.
//
//   "BTC" -> BTC            null -> (empty)          63229.690 -> 63229.690
//   ["bars","trades"]  -> bars,trades                {"base64":"/w=="} -> /w==
//   [{"name":"ts",…}]  -> ts                         columns of a table
//   [{"from":3,"to":5,"reason":"skipped",…}] -> 3..5 skipped          gaps
//
// Thread-safe: pure functions.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "mapping/json_tree.h"

namespace tapedeck::cli {

std::string CellOf(const json::Tree& tree, uint32_t at);

/// One for each of `names`; what the object lacks is empty.
std::vector<std::string> CellsOf(const json::Tree& tree, uint32_t object,
                                 std::span<const std::string_view> names);

}  // namespace tapedeck::cli

#endif  // TAPEDECK_TOOLS_TAPEDECK_JSON_CELLS_H_
