#ifndef TAPEDECK_ARCHIVE_RECORD_OBJECT_LAYOUT_H_
#define TAPEDECK_ARCHIVE_RECORD_OBJECT_LAYOUT_H_

// What a record object says of itself, and its columns: all that its writer and its readers share.
//
// Key-value metadata of a Parquet file, all text:
//   tapedeck.records     := "1"                  version of this form
//   tapedeck.writer      := "tapedeck 0.1.0"
//   tapedeck.table       := name
//   tapedeck.day         := "2024-07-02"
//   tapedeck.generation  := decimal
//   tapedeck.identity    := "" | column { "," column }
//   tapedeck.columns     := { name ":" type }    joined by ",", in the order of the table
//   tapedeck.sums        see columnar/parquet_sums.h
// Columns: docs/archive.md.
//
// Thread-safe: pure functions on values.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "columnar/layout.h"
#include "model/table.h"

namespace tapedeck {

inline constexpr std::string_view kRecordsKey = "tapedeck.records";
inline constexpr std::string_view kRecordsVersion = "1";
inline constexpr std::string_view kWriterKey = "tapedeck.writer";
inline constexpr std::string_view kTableKey = "tapedeck.table";
inline constexpr std::string_view kDayKey = "tapedeck.day";
inline constexpr std::string_view kGenerationKey = "tapedeck.generation";
inline constexpr std::string_view kIdentityKey = "tapedeck.identity";
inline constexpr std::string_view kColumnsKey = "tapedeck.columns";

/// The columns of an object of this table. `tapes`: of the rows, for writing.
ColumnarLayout RecordObjectLayout(std::string_view table, const std::vector<Column>& columns,
                                  std::vector<std::pair<TpId, TapeId>> tapes);

}  // namespace tapedeck

#endif  // TAPEDECK_ARCHIVE_RECORD_OBJECT_LAYOUT_H_
