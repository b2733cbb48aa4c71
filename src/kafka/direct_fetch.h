#ifndef TAPEDECK_KAFKA_DIRECT_FETCH_H_
#define TAPEDECK_KAFKA_DIRECT_FETCH_H_

// Inside this module only. DirectFetch: assigned partitions read from their leaders without
// librdkafka, where nothing is special.
//
// librdkafka makes an object of each message, on a thread of its own, and hands it over with locks:
// half of what recording a message of 250 bytes costs. Here the thread that polls reads the
// brokers' answers from their sockets, a part at a time, and the messages are views into what it
// has just read. The kernel's socket buffers are the queue.
//
// Only the plain case is done: connections without TLS and passwords, record batches of format 2
// that are neither compressed nor of a transaction, brokers that answer. Whatever else happens is
// an error of Poll, and nothing is lost by it: positions() says where librdkafka has to go on. So
// every kind of trouble is told, retried and named by librdkafka, as if there were no DirectFetch.
//
//   TD_ASSIGN_OR_RETURN(auto direct, DirectFetch::Open(leaders, options));
//   Status status = direct->Poll(&batch);              // appends to it; returns at once
//   if (!status.ok()) GoOnFrom(direct->positions());
//
// Each leader has two connections, with half of the partitions each: one fills while the other is
// read. Memory: one buffer for each connection, of a mebibyte or as large as the largest batch.
//
// Owned by one thread, which calls everything.

#include <poll.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "kafka/fetch_connection.h"
#include "kafka/message_source.h"

namespace tapedeck {

/// Partitions of one broker. Slots are the caller's.
struct FetchLeader {
  std::string host;
  int port = 0;
  struct Part {
    PartitionSlot slot = 0;
    FetchPart at;
  };
  std::vector<Part> parts;
};

struct DirectFetchOptions {
  std::string client_id = {};
  size_t batch_messages_max = 2048;
  /// Of one record batch.
  size_t batch_bytes_max = size_t{64} << 20;
  /// Of all buffers together. Each connection has its share, which also bounds its batches.
  size_t memory_bytes = size_t{64} << 20;
  Clock* clock = nullptr;
};

class DirectFetch {
 public:
  /// Connects, within some seconds for all together, beside what the resolver takes for names. An
  /// error: librdkafka has to read these partitions. kFailedPrecondition: there are too many
  /// connections for the memory.
  static Result<std::unique_ptr<DirectFetch>> Open(const std::vector<FetchLeader>& leaders,
                                                   const DirectFetchOptions& options);

  /// Appends messages that have arrived, and ends that were reached. Messages are valid until the
  /// next call. After an error, call nothing but positions().
  Status Poll(SourceBatch* batch);
  /// What to wait for until Poll has something.
  void AddWaits(std::vector<pollfd>* waits) const;
  /// The next offset of each slot.
  std::vector<StartOffset> positions() const;

  uint64_t messages() const { return messages_; }
  uint64_t payload_bytes() const { return payload_bytes_; }

 private:
  DirectFetch() = default;
  void NextTurn();

  std::vector<std::unique_ptr<FetchConnection>> connections_;
  size_t turn_ = 0;
  uint64_t turn_bytes_ = 0;  // given since the turn came to it
  size_t slots_ = 0;
  size_t messages_max_ = 0;
  std::vector<HeaderView> headers_;
  std::vector<FetchConnection::HeaderRange> ranges_;
  uint64_t messages_ = 0;
  uint64_t payload_bytes_ = 0;
};

}  // namespace tapedeck

#endif  // TAPEDECK_KAFKA_DIRECT_FETCH_H_
