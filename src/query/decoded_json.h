#ifndef TAPEDECK_QUERY_DECODED_JSON_H_
#define TAPEDECK_QUERY_DECODED_JSON_H_

// A record as JSON, straight from the decoder: what replays send where a feed's own format is not
// wanted.
//
//   AppendDecodedJson(*tables->Find(record.table), record, {}, &out);
//   {"table":"trades","ts":"2024-07-02T04:17:16.373000000Z","symbol":"BTCUSDT","price":63229.69,…}
//
// The table, then the fields as an answer of records has them (json_rows.h): all columns as
// declared, null where the record has none, numbers digit for digit. A column whose name a line has
// for something else (table, cursor, _caught_up) is followed by underscores: no member is there
// twice.
//
// Thread-safe: pure functions.

#include <cstdint>
#include <string>

#include "mapping/mapping.h"
#include "model/table.h"
#include "query/json_rows.h"
#include "tape/tape_cursor.h"

namespace tapedeck {

void AppendDecodedJson(const Table& table, const DecodedRecord& record, RowStyle style,
                       std::string* out);
/// The same, with ts_kafka, topic, partition, lineage, offset and index behind the fields.
void AppendDecodedJsonWithOrigin(const Table& table, const DecodedRecord& record, uint32_t index,
                                 const StoredMessage& message, RowStyle style, std::string* out);

}  // namespace tapedeck

#endif  // TAPEDECK_QUERY_DECODED_JSON_H_
