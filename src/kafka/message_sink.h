#ifndef TAPEDECK_KAFKA_MESSAGE_SINK_H_
#define TAPEDECK_KAFKA_MESSAGE_SINK_H_

// MessageSink: where a replay sends its messages, with its progress. A seam: librdkafka's producer
// on one side, a target in memory with injected faults in tests on the other.
//
//   TD_RETURN_IF_ERROR(sink->Start(30s));                 // fences older sinks of the same name
//   TD_ASSIGN_OR_RETURN(auto progress, sink->ReadProgress(10s));
//   TD_RETURN_IF_ERROR(sink->Begin());
//   TD_RETURN_IF_ERROR(sink->Send("Finhub1-replay", message, 10s));
//   TD_RETURN_IF_ERROR(sink->Commit({.next_seq = 43, .metadata = …}, 30s));
//
// Exactly once: what is sent between Begin and Commit, and the progress, become visible together or
// not at all. Progress is the committed offset and metadata of a consumer group, sent into the
// transaction (so an abort undoes it), and read back as a read_committed consumer does: anything
// else would return the value before an open transaction.
//
// At least once: messages go out as they are sent; Commit and Begin do nothing, ReadProgress has
// nothing, and `acked_through` says up to which tag every message has arrived.
//
// After any error but kUnavailable from Commit, which may be called again, a sink is of no use:
// what it sent may still arrive later (KIP-890). Throw it away, make another, read the progress.
// kInvalidArgument: the target refuses a message for what it is, such as its size.
// kFailedPrecondition: fenced by a newer sink, or a transaction that the broker gave up. Nothing
// is open after Abort or a Commit that succeeded.
//
// Owned by one thread.

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/status.h"
#include "kafka/producer.h"

namespace tapedeck {

struct SinkProgress {
  int64_t next_seq = 0;
  std::string metadata;  // at most kProgressBytesMax
  bool operator==(const SinkProgress&) const = default;
};
/// A quarter of what brokers take by default.
inline constexpr size_t kProgressBytesMax = 1024;

class MessageSink {
 public:
  virtual ~MessageSink() = default;
  virtual Status Start(std::chrono::milliseconds timeout) = 0;
  /// nullopt: none was ever committed, or it has expired.
  virtual Result<std::optional<SinkProgress>> ReadProgress(std::chrono::milliseconds timeout) = 0;
  virtual Status Begin() = 0;
  /// `message.tag` counts up by one from one message to the next.
  virtual Status Send(const std::string& topic, const OutgoingMessage& message,
                      std::chrono::milliseconds timeout) = 0;
  virtual Status Commit(const SinkProgress& progress, std::chrono::milliseconds timeout) = 0;
  virtual Status Abort(std::chrono::milliseconds timeout) = 0;
  /// Deliveries are noted; a message that failed is an error.
  virtual Status Serve(std::chrono::milliseconds timeout) = 0;
  /// Every message with a tag up to this one has arrived. 0: none has.
  virtual uint64_t acked_through() const = 0;
  virtual uint64_t acked() const = 0;
};

enum class SinkDelivery : uint8_t { kExactlyOnce, kAtLeastOnce };

struct SinkOptions {
  std::string bootstrap_servers = {};
  KafkaProperties properties = {};
  SinkDelivery delivery = SinkDelivery::kExactlyOnce;
  /// Names the sink: transactional id, client id.
  std::string name = {};
  std::string group = {};           // holds the progress
  TopicPartition progress_at = {};  // of the target
  std::chrono::milliseconds linger{5};
  std::chrono::milliseconds transaction_timeout{60'000};
  size_t queue_bytes_max = size_t{64} << 20;
  Clock* clock = nullptr;
};
/// Connects later. kInvalidArgument: properties.
Result<std::unique_ptr<MessageSink>> OpenKafkaSink(const SinkOptions& options);

}  // namespace tapedeck

#endif  // TAPEDECK_KAFKA_MESSAGE_SINK_H_
