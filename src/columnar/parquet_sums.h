#ifndef TAPEDECK_COLUMNAR_PARQUET_SUMS_H_
#define TAPEDECK_COLUMNAR_PARQUET_SUMS_H_

// Sums of the parts of a Parquet file that the format itself does not protect: its footer and its
// page index. Pages have sums of their own (CRC-32 in their headers).
//
// They are one value of the file's key-value metadata, which other readers pass over:
//   "tapedeck.sums" -> sums
//   sums   := "tapedeck-sums-1:" footer index{row groups}
//   footer := 16 hexadecimal digits: XXH3-64 of the footer (without length and magic), with these
//             16 digits as zeros
//   index  := 16 digits: XXH3-64(offset indexes, seed XXH3-64(column indexes)) of the row group, as
//             they lie in the file
//
// For the writer and the reader of this module only. Thread-safe: pure functions.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace tapedeck {

inline constexpr std::string_view kSumsKey = "tapedeck.sums";

/// The value before the sums are known, of the length that it will have.
std::string BlankSums(size_t row_groups);

uint64_t IndexSum(std::string_view column_indexes, std::string_view offset_indexes);

/// Puts the sums into `footer`, a whole one with BlankSums(indexes.size()) in it. kInternal where
/// there is no such place.
Status FillSums(const std::vector<uint64_t>& indexes, char* footer, size_t footer_bytes);

/// The sums of the row groups' page indexes, once the footer's own is right. kCorruption.
Result<std::vector<uint64_t>> CheckSums(std::string_view footer);

}  // namespace tapedeck

#endif  // TAPEDECK_COLUMNAR_PARQUET_SUMS_H_
