#include "query/decoded_json.h"

#include "base/text.h"
#include "tape/tail.h"

namespace tapedeck {
namespace {

void AppendTime(Timestamp time, TimeStyle style, std::string* out) {
  const bool quoted = style == TimeStyle::kIso || style == TimeStyle::kNanoseconds;
  if (quoted) out->push_back('"');
  AppendTimeText(time, style, out);
  if (quoted) out->push_back('"');
}

void AppendValue(const Value& value, RowStyle style, std::string* out) {
  switch (value.kind()) {
    case Value::Kind::kNull:
      out->append("null");
      return;
    case Value::Kind::kText:
      return AppendJsonString(value.text(), out);
    case Value::Kind::kTimestamp:
      return AppendTime(value.timestamp(), style.time, out);
    case Value::Kind::kFlag:
      return value.AppendCanonical(out);
    case Value::Kind::kDecimal:
    case Value::Kind::kDecimalText:
    case Value::Kind::kInteger:
      break;
  }
  const bool quoted = style.numbers == NumberStyle::kString;
  if (quoted) out->push_back('"');
  value.AppendCanonical(out);
  if (quoted) out->push_back('"');
}

std::string MemberOf(const Table& table, const std::string& column) {
  std::string name = column;
  if (name != "table" && name != "cursor" && name != "_caught_up") return name;
  do {
    name.push_back('_');
  } while (table.FindColumn(name) >= 0);
  return name;
}

// All but the closing brace.
void AppendFields(const Table& table, const DecodedRecord& record, RowStyle style,
                  std::string* out) {
  out->append("{\"table\":");
  AppendJsonString(table.name, out);
  out->append(",\"ts\":");
  AppendTime(record.ts, style.time, out);
  out->append(",\"symbol\":");
  AppendJsonString(record.symbol, out);
  for (size_t i = 0; i < table.columns.size(); ++i) {
    out->push_back(',');
    AppendJsonString(MemberOf(table, table.columns[i].name), out);
    out->push_back(':');
    AppendValue(i < record.values.size() ? record.values[i] : Value(), style, out);
  }
}

}  // namespace

void AppendDecodedJson(const Table& table, const DecodedRecord& record, RowStyle style,
                       std::string* out) {
  AppendFields(table, record, style, out);
  out->push_back('}');
}

void AppendDecodedJsonWithOrigin(const Table& table, const DecodedRecord& record, uint32_t index,
                                 const StoredMessage& message, RowStyle style, std::string* out) {
  AppendFields(table, record, style, out);
  out->append(",\"ts_kafka\":");
  if (const int64_t kafka = KafkaNanosOf(message.message); kafka == kNoKafkaTime) {
    out->append("null");
  } else {
    AppendTime(Timestamp(kafka), style.time, out);
  }
  out->append(",\"topic\":");
  AppendJsonString(message.tape->topic, out);
  out->append(",\"partition\":" + std::to_string(message.tape->partition));
  out->append(",\"lineage\":" + std::to_string(message.tape->lineage));
  out->append(",\"offset\":" + std::to_string(message.message.offset));
  out->append(",\"index\":" + std::to_string(index) + "}");
}

}  // namespace tapedeck
