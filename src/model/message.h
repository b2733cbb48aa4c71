#ifndef TAPEDECK_MODEL_MESSAGE_H_
#define TAPEDECK_MODEL_MESSAGE_H_

// MessageView: one Kafka message as bytes that somebody else owns.
//
// Key, value and header values may be absent (null), which is not the same as empty. Headers may
// repeat a name. Nothing is assumed to be text. A view is valid as long as its source says (a
// polled batch: until the next poll; a tape block: as long as its decoded bytes).
//
// content hash = XXH3-128 of the content form below; message hash = of the identified form.
//   content    := time key value headers
//   time       := type:u8 timestamp_ms:i64 little-endian    (left out in the variant for replays)
//   key, value := 0x00 | 0x01 length:u32 little-endian bytes
//   headers    := count:u32 { length:u32 name  (0x00 | 0x01 length:u32 bytes) }
//   identified := content length:u32 topic partition:i32 offset:i64
// docs/formats.md, "Hashes".
//
// Thread-compatible.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/hash.h"

namespace tapedeck {

/// Persisted. As Kafka's protocol has them, plus "none" for formats before 0.10.
enum class TimestampType : uint8_t { kNone = 0, kCreate = 1, kLogAppend = 2 };

/// Bytes or null.
using OptionalBytes = std::optional<std::string_view>;

struct HeaderView {
  std::string_view name;
  OptionalBytes value;
};

struct MessageView {
  int64_t offset = -1;
  /// Milliseconds since the epoch as Kafka has them; -1 with TimestampType::kNone.
  int64_t timestamp_ms = -1;
  TimestampType timestamp_type = TimestampType::kNone;
  OptionalBytes key;
  OptionalBytes value;
  std::span<const HeaderView> headers;

  /// Bytes of key, value and headers (names and values).
  size_t PayloadBytes() const;
};

/// Kafka's own partition of a topic.
struct TopicPartition {
  std::string topic;
  int32_t partition = 0;
  auto operator<=>(const TopicPartition&) const = default;
  /// "Finhub1[3]", for logs and errors.
  std::string ToString() const;
};

enum class HashTime : bool { kLeftOut = false, kIncluded = true };

/// Computes hashes of messages; keeps a buffer. Owned by one thread.
class MessageHasher {
 public:
  Hash128 Content(const MessageView& message, HashTime time = HashTime::kIncluded);
  Hash128 Message(const MessageView& message, const TopicPartition& tp);

 private:
  std::string buffer_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_MODEL_MESSAGE_H_
