#include "kafka/message_bytes.h"

#include <librdkafka/rdkafka.h>

namespace tapedeck {
namespace {

/// librdkafka 2.0.2.
constexpr int kVersionLookedAt = 0x020002ff;
/// From the end of a value without headers to the next record's key or value: at most count 1,
/// length 5, attributes 1, time 10, offset 5, key length 5, value length 5. At least six bytes of
/// these are always there.
constexpr uintptr_t kNextRecordMin = 6;
constexpr uintptr_t kNextRecordMax = 40;

OptionalBytes BytesOf(const void* data, size_t size) {
  if (data == nullptr) return std::nullopt;
  return std::string_view(static_cast<const char*>(data), size);
}

/// Copies bytes to the end of `owner`, which has the room, and returns the copy.
std::string_view Append(std::string_view bytes, std::string* owner) {
  size_t at = owner->size();
  owner->append(bytes);
  return std::string_view(owner->data() + at, bytes.size());
}

OptionalBytes Append(const OptionalBytes& bytes, std::string* owner) {
  if (!bytes) return std::nullopt;
  return Append(*bytes, owner);
}

}  // namespace

void FillView(const rd_kafka_message_s& message, MessageView* view) {
  view->offset = message.offset;
  rd_kafka_timestamp_type_t type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
  int64_t timestamp_ms = rd_kafka_message_timestamp(&message, &type);
  if (type == RD_KAFKA_TIMESTAMP_CREATE_TIME) view->timestamp_type = TimestampType::kCreate;
  if (type == RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME) view->timestamp_type = TimestampType::kLogAppend;
  if (type != RD_KAFKA_TIMESTAMP_NOT_AVAILABLE) view->timestamp_ms = timestamp_ms;
  if (message.key != nullptr) {
    view->key.emplace(static_cast<const char*>(message.key), message.key_len);
  }
  if (message.payload != nullptr) {
    view->value.emplace(static_cast<const char*>(message.payload), message.len);
  }
}

bool SurelyHasNoHeaders(const rd_kafka_message_s& message, const rd_kafka_message_s& next) {
  static const bool looked_at = rd_kafka_version() == kVersionLookedAt;
  if (!looked_at || message.payload == nullptr) return false;
  const char* end = static_cast<const char*>(message.payload) + message.len;
  const void* next_bytes = next.key != nullptr ? next.key : next.payload;
  uintptr_t distance = reinterpret_cast<uintptr_t>(next_bytes) - reinterpret_cast<uintptr_t>(end);
  return distance >= kNextRecordMin && distance <= kNextRecordMax && *end == '\0';
}

bool AppendHeaders(const rd_kafka_message_s& message, std::vector<HeaderView>* headers) {
  rd_kafka_headers_t* list = nullptr;
  rd_kafka_resp_err_t err = rd_kafka_message_headers(&message, &list);
  if (err == RD_KAFKA_RESP_ERR__NOENT) [[likely]]
    return true;
  if (err != RD_KAFKA_RESP_ERR_NO_ERROR) return false;
  const char* name = nullptr;
  const void* value = nullptr;
  size_t size = 0;
  for (size_t i = 0;
       rd_kafka_header_get_all(list, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR; ++i) {
    headers->push_back({name, BytesOf(value, size)});
  }
  return true;
}

void CopyMessage(const MessageView& message, ProbedMessage* out) {
  size_t size = message.key.value_or("").size() + message.value.value_or("").size();
  for (const HeaderView& header : message.headers) {
    size += header.name.size() + header.value.value_or("").size();
  }
  out->bytes.clear();
  out->bytes.reserve(size + 1);  // views point into it: it must not move
  out->headers.clear();
  out->headers.reserve(message.headers.size());
  out->message = message;
  out->message.key = Append(message.key, &out->bytes);
  out->message.value = Append(message.value, &out->bytes);
  for (const HeaderView& header : message.headers) {
    std::string_view name = Append(header.name, &out->bytes);
    out->headers.push_back({name, Append(header.value, &out->bytes)});
  }
  out->message.headers = out->headers;
}

}  // namespace tapedeck
