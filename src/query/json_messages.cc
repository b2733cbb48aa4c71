// Messages as text: the other half of json_rows.h.

#include <array>

#include "base/text.h"
#include "query/json_rows.h"
#include "tape/tail.h"

namespace tapedeck {
namespace {

void AppendJsonTime(const StoredMessage& m, TimeStyle style, std::string* out) {
  if (KafkaNanosOf(m.message) == kNoKafkaTime) {
    out->append("null");
    return;
  }
  const bool quoted = style == TimeStyle::kIso || style == TimeStyle::kNanoseconds;
  if (quoted) out->push_back('"');
  AppendTimeText(m.time, style, out);
  if (quoted) out->push_back('"');
}

void AppendHeadersJson(const StoredMessage& m, MessageEncoding encoding, std::string* out) {
  out->push_back('[');
  bool first = true;
  for (const HeaderView& header : m.message.headers) {
    out->append(first ? "{\"key\":" : ",{\"key\":");
    first = false;
    // Kafka says that names are UTF-8, and checks nothing.
    AppendJsonBytes(header.name, MessageEncoding::kText, out);
    out->append(",\"value\":");
    AppendJsonBytes(header.value, encoding, out);
    out->push_back('}');
  }
  out->push_back(']');
}

}  // namespace

std::string_view TimestampTypeName(TimestampType type) {
  switch (type) {
    case TimestampType::kNone:
      return "none";
    case TimestampType::kCreate:
      return "create";
    case TimestampType::kLogAppend:
      return "log-append";
  }
  return "none";
}

void AppendBase64(std::string_view bytes, std::string* out) {
  static constexpr char kDigits[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t count = bytes.size() - i < 3 ? bytes.size() - i : 3;
    uint32_t group = 0;
    for (size_t k = 0; k < 3; ++k) {
      group = group << 8 | (k < count ? static_cast<uint8_t>(bytes[i + k]) : 0u);
    }
    for (size_t k = 0; k < 4; ++k) {
      out->push_back(k <= count ? kDigits[group >> (18 - 6 * k) & 63] : '=');
    }
  }
}

void AppendJsonBytes(const OptionalBytes& bytes, MessageEncoding encoding, std::string* out) {
  if (!bytes) {
    out->append("null");
  } else if (encoding == MessageEncoding::kText && IsValidUtf8(*bytes)) {
    AppendJsonString(*bytes, out);
  } else {
    out->append(encoding == MessageEncoding::kText ? "{\"base64\":\"" : "\"");
    AppendBase64(*bytes, out);
    out->append(encoding == MessageEncoding::kText ? "\"}" : "\"");
  }
}

void AppendMessageJson(const StoredMessage& m, MessageStyle style, std::string* out) {
  out->append("{\"topic\":");
  AppendJsonString(m.tape->topic, out);
  out->append(",\"partition\":" + std::to_string(m.tape->partition));
  if (m.tape->lineage != 0) out->append(",\"lineage\":" + std::to_string(m.tape->lineage));
  out->append(",\"offset\":" + std::to_string(m.message.offset));
  out->append(",\"ts\":");
  AppendJsonTime(m, style.time, out);
  out->append(",\"ts_type\":\"");
  out->append(TimestampTypeName(m.message.timestamp_type));
  out->append("\",\"key\":");
  AppendJsonBytes(m.message.key, style.encoding, out);
  out->append(",\"value\":");
  AppendJsonBytes(m.message.value, style.encoding, out);
  out->append(",\"headers\":");
  AppendHeadersJson(m, style.encoding, out);
  out->push_back('}');
}

void AppendCsvField(std::string_view text, std::string* out) {
  if (!text.empty() && text.find_first_of(",\"\r\n") == std::string_view::npos) {
    out->append(text);
    return;
  }
  out->push_back('"');
  for (char c : text) {
    if (c == '"') out->push_back('"');
    out->push_back(c);
  }
  out->push_back('"');
}

std::span<const std::string_view> MessageColumns() {
  static constexpr std::array<std::string_view, 9> kNames = {
      "topic", "partition", "lineage", "offset", "ts", "ts_type", "key", "value", "headers"};
  return kNames;
}

std::vector<std::string> MessageCells(const StoredMessage& m, MessageStyle style) {
  std::vector<std::string> cells = {m.tape->topic, std::to_string(m.tape->partition),
                                    std::to_string(m.tape->lineage),
                                    std::to_string(m.message.offset)};
  std::string& time = cells.emplace_back();
  if (KafkaNanosOf(m.message) != kNoKafkaTime) AppendTimeText(m.time, style.time, &time);
  cells.emplace_back(TimestampTypeName(m.message.timestamp_type));
  for (const OptionalBytes& bytes : {m.message.key, m.message.value}) {
    std::string& cell = cells.emplace_back();
    if (!bytes) continue;
    if (style.encoding == MessageEncoding::kText && IsValidUtf8(*bytes)) {
      cell = *bytes;
    } else {
      AppendBase64(*bytes, &cell);
    }
  }
  AppendHeadersJson(m, style.encoding, &cells.emplace_back());
  return cells;
}

void AppendMessageCsv(const StoredMessage& m, MessageStyle style, std::string* out) {
  const std::vector<std::string> cells = MessageCells(m, style);
  const bool null[] = {
      false, false, false, false, cells[4].empty(), false, !m.message.key, !m.message.value, false};
  for (size_t i = 0; i < cells.size(); ++i) {
    if (i > 0) out->push_back(',');
    if (!null[i]) AppendCsvField(cells[i], out);
  }
  out->append("\r\n");
}

}  // namespace tapedeck
