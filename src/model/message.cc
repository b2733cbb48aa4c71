#include "model/message.h"

#include <cstring>

#include "base/bytes.h"

namespace tapedeck {
namespace {

// What is hashed for each message beside its bytes and names: at most this.
constexpr size_t kFixedBytes = 64;
constexpr size_t kFixedBytesPerHeader = 9;

// Writes into memory that was made large enough.
class HashInput {
 public:
  explicit HashInput(char* begin) : at_(begin) {}

  void Byte(uint8_t value) { *at_++ = static_cast<char>(value); }
  void Little32(uint32_t value) { Fixed(&value, sizeof value); }
  void Little64(uint64_t value) { Fixed(&value, sizeof value); }
  void Sized(std::string_view bytes) {
    Little32(static_cast<uint32_t>(bytes.size()));
    if (!bytes.empty()) Fixed(bytes.data(), bytes.size());
  }
  void Optional(const OptionalBytes& bytes) {
    Byte(bytes ? 1 : 0);
    if (bytes) Sized(*bytes);
  }
  void Content(const MessageView& message, HashTime time) {
    if (time == HashTime::kIncluded) {
      Byte(static_cast<uint8_t>(message.timestamp_type));
      Little64(static_cast<uint64_t>(message.timestamp_ms));
    }
    Optional(message.key);
    Optional(message.value);
    Little32(static_cast<uint32_t>(message.headers.size()));
    for (const HeaderView& header : message.headers) {
      Sized(header.name);
      Optional(header.value);
    }
  }
  const char* at() const { return at_; }

 private:
  void Fixed(const void* bytes, size_t size) {
    std::memcpy(at_, bytes, size);
    at_ += size;
  }

  char* at_;
};

// Makes room for all that HashInput writes of the message and a topic.
char* RoomFor(const MessageView& message, std::string_view topic, std::string* buffer) {
  const size_t bytes = message.PayloadBytes() + topic.size() + kFixedBytes +
                       kFixedBytesPerHeader * message.headers.size();
  if (buffer->size() < bytes) buffer->resize(bytes);
  return buffer->data();
}

Hash128 HashOf(const HashInput& input, const char* begin) {
  return HashBytes({begin, static_cast<size_t>(input.at() - begin)});
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
  const char* begin = RoomFor(message, {}, &buffer_);
  HashInput input(buffer_.data());
  input.Content(message, time);
  return HashOf(input, begin);
}

Hash128 MessageHasher::Message(const MessageView& message, const TopicPartition& tp) {
  const char* begin = RoomFor(message, tp.topic, &buffer_);
  HashInput input(buffer_.data());
  input.Content(message, HashTime::kIncluded);
  input.Sized(tp.topic);
  input.Little32(static_cast<uint32_t>(tp.partition));
  input.Little64(static_cast<uint64_t>(message.offset));
  return HashOf(input, begin);
}

}  // namespace tapedeck
