#ifndef TAPEDECK_QUERY_JSON_ROWS_H_
#define TAPEDECK_QUERY_JSON_ROWS_H_

// Records and messages as text: JSON objects, CSV lines, and cells for tables.
//
//   TD_ASSIGN_OR_RETURN(RowFields fields,
//                       RowFields::Choose(table, {"ts", "price:px"}, Origins::kLeftOut));
//   query.columns = fields.columns();
//   … open the cursor …
//   RecordWriter writer(fields, *cursor, {});
//   writer.AppendJson(run, n, &out);  // {"ts":"2024-07-02T04:17:16.373000000Z","px":63229.69}
//
// Numbers are the decimals that came in, digit for digit; nothing passes through a double. Times
// are RFC 3339 with nine digits, or integers of a unit rounded to the past; nanoseconds are a
// string in JSON, because a double cannot hold them. CSV follows RFC 4180 with CRLF; an empty field
// is null, an empty text is "".
//
// Owned by one thread.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "model/table.h"
#include "query/row_cursor.h"
#include "tape/tape_cursor.h"

namespace tapedeck {

enum class TimeStyle : uint8_t { kIso = 0, kNanoseconds, kMicroseconds, kMilliseconds, kSeconds };
enum class NumberStyle : uint8_t { kJson = 0, kString };
enum class Origins : bool { kLeftOut = false, kShown = true };

struct RowStyle {
  TimeStyle time = TimeStyle::kIso;
  NumberStyle numbers = NumberStyle::kJson;
};

/// Which fields an answer shows, in which order and under which names.
class RowFields {
 public:
  enum class Source : uint8_t {
    kTs,
    kSymbol,
    kColumn,
    kTsKafka,
    kTopic,
    kPartition,
    kLineage,
    kOffset,
    kIndex
  };
  struct Field {
    Source source = Source::kColumn;
    std::string column;  // of the table; kColumn only
    std::string name;    // in the answer
  };

  /// `wanted`: "name" or "name:new_name" each; empty: ts, symbol and the table's columns as
  /// declared. kShown adds ts_kafka, topic, partition, lineage, offset, index. kInvalidArgument:
  /// unknown or doubled names.
  static Result<RowFields> Choose(const Table& table, std::span<const std::string> wanted,
                                  Origins origins);

  const std::vector<Field>& fields() const { return fields_; }
  /// Columns of the table that the query must read.
  std::vector<std::string> columns() const;

 private:
  Status Add(Field field);
  std::vector<Field> fields_;
};

class RecordWriter {
 public:
  /// The cursor's query reads fields.columns(). The cursor outlives the writer.
  RecordWriter(const RowFields& fields, const RowCursor& cursor, RowStyle style);

  /// One object, without a line end.
  void AppendJson(const RowRun& run, uint32_t n, std::string* out) const;
  /// The header row; one row. Each with its CRLF.
  void AppendCsvHeader(std::string* out) const;
  void AppendCsv(const RowRun& run, uint32_t n, std::string* out) const;
  /// Replaces `cells` by the fields as people read them; null is "".
  void Cells(const RowRun& run, uint32_t n, std::vector<std::string>* cells) const;
  std::vector<std::string> names() const;

 private:
  struct Slot {
    RowFields::Source source;
    size_t column;         // of the cursor
    std::string json_key;  // with quotes, colon, and a comma or brace in front
    std::string name;
  };
  enum class Form : uint8_t { kJson, kPlain };
  /// False: null.
  bool AppendField(const Slot& slot, const RowRun& run, uint32_t row, Form form,
                   std::string* out) const;
  bool AppendValue(const Value& value, Form form, std::string* out) const;
  void AppendTime(Timestamp time, Form form, std::string* out) const;
  void AppendNumber(std::string_view number, Form form, std::string* out) const;
  void AppendText(std::string_view text, Form form, std::string* out) const;

  const RowCursor* cursor_;
  RowStyle style_;
  std::vector<Slot> slots_;
};

enum class MessageEncoding : uint8_t { kText = 0, kBase64 };

struct MessageStyle {
  TimeStyle time = TimeStyle::kIso;
  MessageEncoding encoding = MessageEncoding::kText;
};

/// {"topic":…,"partition":…,"offset":…,"ts":…,"ts_type":…,"key":…,"value":…,"headers":[…]};
/// "lineage" after the partition where it is not 0. Bytes that are UTF-8 are strings, others
/// {"base64":…}; absent ones null; with kBase64 keys, values and values of headers are strings of
/// base64.
void AppendMessageJson(const StoredMessage& message, MessageStyle style, std::string* out);
/// topic, partition, lineage, offset, ts, ts_type, key, value, headers (as JSON). Bytes that are
/// not UTF-8 are base64.
std::span<const std::string_view> MessageColumns();
std::vector<std::string> MessageCells(const StoredMessage& message, MessageStyle style);
/// The line with its CRLF.
void AppendMessageCsv(const StoredMessage& message, MessageStyle style, std::string* out);

/// "create", "log-append" or "none".
std::string_view TimestampTypeName(TimestampType type);
/// RFC 4648, with padding.
void AppendBase64(std::string_view bytes, std::string* out);
/// A JSON string where the bytes are UTF-8, else {"base64":…}; null where there are none.
void AppendJsonBytes(const OptionalBytes& bytes, MessageEncoding encoding, std::string* out);
/// One CSV field; quoted where it must be.
void AppendCsvField(std::string_view text, std::string* out);
/// RFC 3339 or an integer of the unit, without quotes.
void AppendTimeText(Timestamp time, TimeStyle style, std::string* out);

}  // namespace tapedeck

#endif  // TAPEDECK_QUERY_JSON_ROWS_H_
