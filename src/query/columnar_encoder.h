#ifndef TAPEDECK_QUERY_COLUMNAR_ENCODER_H_
#define TAPEDECK_QUERY_COLUMNAR_ENCODER_H_

// Columnar forms of an answer: an Arrow IPC stream, a Parquet file.
//
//   TD_ASSIGN_OR_RETURN(RowFields fields, RowFields::Choose(table, wanted, Origins::kLeftOut));
//   query.columns = fields.columns();
//   TD_ASSIGN_OR_RETURN(auto cursor, RecordCursor::Open(point, query));
//   TD_ASSIGN_OR_RETURN(auto encoder, MakeColumnarEncoder(ColumnarFormat::kArrow, fields, *cursor,
//                                                         {.order = query.order}));
//   … row_encoder.h …
//
// The columns follow from the fields and the style, never from the rows: docs/columnar.md. Times
// are TIMESTAMPs: nanoseconds for TimeStyle::kIso and kNanoseconds, else of the style's unit.
// NumberStyle::kString makes text columns of decimals. Begin gives the schema of an Arrow stream
// at once; rows follow in batches of 65,536; a Parquet file comes a row group at a time.
//
// Errors of Make: kInvalidArgument: fields that cannot be columns, such as none or a doubled name.
// Memory: columnar/writer.h. Owned by one thread.

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "base/status.h"
#include "columnar/writer.h"
#include "query/json_rows.h"
#include "query/row_cursor.h"
#include "query/row_encoder.h"

namespace tapedeck {

enum class ColumnarFormat : uint8_t { kArrow = 0, kParquet = 1 };

struct ColumnarStyle {
  RowStyle rows;
  /// Of the query; Parquet files say how they are sorted. Means nothing where the cursor's rows do
  /// not come by time.
  ReadOrder order = ReadOrder::kAscending;
  /// By column of the table; those not named have DefaultDecimalType(table).
  std::map<std::string, DecimalType> decimals;
  ArrowOptions arrow;
  /// ParquetOptions::row_group_bytes: a row group is held until it is complete.
  size_t parquet_group_bytes = size_t{128} << 20;
};

/// The cursor's query reads fields.columns(). What is needed of both is copied.
Result<std::unique_ptr<RowEncoder>> MakeColumnarEncoder(ColumnarFormat format,
                                                        const RowFields& fields,
                                                        const RowCursor& cursor,
                                                        const ColumnarStyle& style);

}  // namespace tapedeck

#endif  // TAPEDECK_QUERY_COLUMNAR_ENCODER_H_
