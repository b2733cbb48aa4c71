#ifndef TAPEDECK_QUERY_TEXT_ENCODER_H_
#define TAPEDECK_QUERY_TEXT_ENCODER_H_

// Text forms of an answer: JSON, NDJSON, CSV.
//
//   TD_ASSIGN_OR_RETURN(RowFields fields, RowFields::Choose(table, wanted, Origins::kLeftOut));
//   query.columns = fields.columns();
//   TD_ASSIGN_OR_RETURN(auto cursor, RecordCursor::Open(point, query));
//   auto encoder = MakeTextEncoder(TextFormat::kNdjson, fields, *cursor, RowStyle{});
//   … row_encoder.h …
//
//   kJson    {"data":[{…},{…}],"next_page_token":null}      one line, with a line end
//   kNdjson  {…}\n{…}\n
//   kCsv     ts,symbol,price\r\n…\r\n                       RFC 4180; an empty field is null
//
// The bytes of a row are those of RecordWriter (json_rows.h), which is the slow and obvious side of
// the same thing. Runs are written row by row from columns: what is constant within a run (keys,
// symbol, tape) is prepared once, times repeat their second, digits come in pairs, and no number
// passes through a double.
//
// Owned by one thread.

#include <cstdint>
#include <memory>

#include "query/json_rows.h"
#include "query/row_cursor.h"
#include "query/row_encoder.h"

namespace tapedeck {

enum class TextFormat : uint8_t { kJson = 0, kNdjson = 1, kCsv = 2 };
enum class EndMarker : bool { kNone = false, kLastLine = true };

/// The cursor's query reads fields.columns(); the cursor outlives the encoder. kLastLine: NDJSON
/// ends with {"_end":{"rows":N}}; the other formats do not change.
std::unique_ptr<RowEncoder> MakeTextEncoder(TextFormat format, const RowFields& fields,
                                            const RowCursor& cursor, RowStyle style,
                                            EndMarker marker = EndMarker::kNone);

}  // namespace tapedeck

#endif  // TAPEDECK_QUERY_TEXT_ENCODER_H_
