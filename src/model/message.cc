#include "model/message.h"

#include "base/bytes.h"

namespace tapedeck {
namespace {

void PutSized(std::string* out, std::string_view bytes) {
  PutLittle32(out, static_cast<uint32_t>(bytes.size()));
  out->append(bytes);
}

void PutOptional(std::string* out, const OptionalBytes& bytes) {
  out->push_back(bytes ? 1 : 0);
  if (bytes) PutSized(out, *bytes);
}

void PutContent(std::string* out, const MessageView& message, HashTime time) {
  if (time == HashTime::kIncluded) {
    out->push_back(static_cast<char>(message.timestamp_type));
    PutLittle64(out, static_cast<uint64_t>(message.timestamp_ms));
  }
  PutOptional(out, message.key);
  PutOptional(out, message.value);
  PutLittle32(out, static_cast<uint32_t>(message.headers.size()));
  for (const HeaderView& header : message.headers) {
    PutSized(out, header.name);
    PutOptional(out, header.value);
  }
}

}  // namespace

size_t MessageView::PayloadBytes() const {
  size_t bytes = (key ? key->size() : 0) + (value ? value->size() : 0);
  for (const HeaderView& header : headers) {
    bytes += header.name.size() + (header.value ? header.value->size() : 0);
  }
  return bytes;
}

std::string TopicPartition::ToString() const {
  return topic + "[" + std::to_string(partition) + "]";
}

Hash128 MessageHasher::Content(const MessageView& message, HashTime time) {
  buffer_.clear();
  PutContent(&buffer_, message, time);
  return HashBytes(buffer_);
}

Hash128 MessageHasher::Message(const MessageView& message, const TopicPartition& tp) {
  buffer_.clear();
  PutContent(&buffer_, message, HashTime::kIncluded);
  PutSized(&buffer_, tp.topic);
  PutLittle32(&buffer_, static_cast<uint32_t>(tp.partition));
  PutLittle64(&buffer_, static_cast<uint64_t>(message.offset));
  return HashBytes(buffer_);
}

}  // namespace tapedeck
