#ifndef TAPEDECK_KAFKA_PRODUCER_H_
#define TAPEDECK_KAFKA_PRODUCER_H_

// Producer: sends messages to Kafka, with keys, headers, timestamps and partitions as the caller
// wants them.
//
//   TD_ASSIGN_OR_RETURN(auto producer, Producer::Open({.bootstrap_servers = servers}));
//   TD_RETURN_IF_ERROR(producer->Send("quotes", {.value = "{…}", .key = "BTCUSDT"},
//   std::chrono::seconds(10))); TD_RETURN_IF_ERROR(producer->Flush(std::chrono::seconds(10)));
//   producer->counters().failed  // must be 0
//
// Send copies the message and returns at once; while the client's queue is full it serves
// deliveries and waits. Whether a message arrived is known after Flush, from the counters or the
// delivery callback.
//
// Owned by one thread; the delivery callback runs on it, inside Send, Serve, Flush and the
// transaction calls.

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/status.h"
#include "kafka/client_properties.h"
#include "model/message.h"

namespace tapedeck {

/// What happened to a message; `offset` is -1 where it did not arrive or is not known.
struct Delivery {
  bool delivered = false;
  int32_t partition = -1;
  int64_t offset = -1;
  uint64_t tag = 0;        // as given to Send
  std::string_view error;  // librdkafka's name; empty where delivered
};

struct ProducerOptions {
  std::string bootstrap_servers = {};
  KafkaProperties properties = {};
  /// No duplicates and no reordering by retries within one producer.
  bool idempotent = false;
  /// Not empty: transactions, and idempotence with them.
  std::string transactional_id = {};
  /// After it the broker aborts a transaction that is neither committed nor aborted.
  std::chrono::milliseconds transaction_timeout{60'000};
  std::string client_id = "tapedeck-producer";
  /// How long a message may wait for others to share a request.
  std::chrono::milliseconds linger{5};
  /// Messages and their payload that wait for delivery; beyond it Send waits.
  size_t queue_messages_max = 500'000;
  size_t queue_bytes_max = size_t{256} << 20;
  /// Called for every message; without it deliveries are only counted.
  std::function<void(const Delivery&)> on_delivery = {};
  Clock* clock = nullptr;  // null: SystemClock()
};

/// A message to be sent. Views are needed only during the call.
struct OutgoingMessage {
  OptionalBytes value = {};
  OptionalBytes key = {};
  std::span<const HeaderView> headers = {};
  int32_t partition = -1;     // -1: by key, at random without one
  int64_t timestamp_ms = -1;  // -1: now
  uint64_t tag = 0;           // comes back in the Delivery
};

class Producer {
 public:
  static Result<std::unique_ptr<Producer>> Open(const ProducerOptions& options);
  /// Drops what has not been delivered: Flush first.
  ~Producer();
  Producer(const Producer&) = delete;
  Producer& operator=(const Producer&) = delete;

  /// kResourceExhausted where the queue stayed full for `timeout`; kInvalidArgument for a message
  /// that can never be sent; kFailedPrecondition after a fatal error of the client (make another).
  Status Send(const std::string& topic, const OutgoingMessage& message,
              std::chrono::milliseconds timeout);

  /// The fast way for many messages to one topic: no headers, time is now. All or an error; on an
  /// error some may be queued.
  Status SendBatch(const std::string& topic, std::span<const OutgoingMessage> messages,
                   std::chrono::milliseconds timeout);

  /// Runs delivery callbacks, waiting up to `timeout` for the first.
  void Serve(std::chrono::milliseconds timeout);
  /// Waits until nothing is queued or on its way. kUnavailable where something still is after
  /// `timeout`.
  Status Flush(std::chrono::milliseconds timeout);
  /// Messages queued or on their way.
  size_t queued() const;

  /// Transactions, for producers with a transactional id. InitTransactions once, first; it fences
  /// older producers of that id.
  Status InitTransactions(std::chrono::milliseconds timeout);
  Status Begin();
  /// Flushes and commits.
  Status CommitTransaction(std::chrono::milliseconds timeout);
  Status AbortTransaction(std::chrono::milliseconds timeout);
  /// Commits a group's offset, with metadata, as a part of the transaction that has begun: it is
  /// there if and only if the transaction's messages are. No consumer of the group is needed.
  Status SendOffset(const std::string& group, const TopicPartition& tp, int64_t offset,
                    std::string_view metadata, std::chrono::milliseconds timeout);

  struct Counters {
    uint64_t sent = 0;  // taken by Send
    uint64_t delivered = 0;
    uint64_t failed = 0;
    uint64_t full_waits = 0;  // times that the queue was full
  };
  const Counters& counters() const;
  /// Of the first message that failed: librdkafka's name and words. Empty where none did.
  const std::string& first_failure() const;
  /// The broker refused that message for what it is, such as its size: sending it again is of no
  /// use.
  bool first_failure_is_final() const;

 private:
  struct State;
  explicit Producer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_KAFKA_PRODUCER_H_
