#ifndef TAPEDECK_KAFKA_KAFKA_SOURCE_H_
#define TAPEDECK_KAFKA_KAFKA_SOURCE_H_

// KafkaSource: the MessageSource on a real cluster, over librdkafka's group consumer.
//
// The node is a static member of the group (its id is the instance id): a node that was killed and
// is back within the session time-out finds its partitions as it left them. Rebalancing is eager.
// Offsets come from the listener only: nothing is committed or stored by the client, a position
// outside the log is an error and never moved, checksums are checked, aborted transactions are not
// seen, and topics are never made by asking for them.
//
//   KafkaOptions options{.bootstrap_servers = "127.0.0.1:9092", .group = "tapedeck", .node_id =
//   "tapedeck-1",
//                        .topics = {"Finhub1", "^crypto-.*"}};
//   TD_ASSIGN_OR_RETURN(auto source, KafkaSource::Open(options, &recorder));
//
// Bytes are not copied: the messages of a batch view the buffers that they were received in, which
// the next Poll gives back.
//
// Messages of the plain kind (no TLS, no password, not compressed, no transactions, and no property
// about fetches or sockets) are fetched without librdkafka, in the thread that polls: a third of
// the CPU time (decision 0028). At the first thing out of the ordinary librdkafka goes on from the
// same place.
//
// Memory: of `memory_bytes`, 3/8 is for the roughly 300 bytes that each waiting message costs
// beside its payload, 1/4 for payload that waits, 1/64 (at most 8 MiB) for one fetch in flight,
// which can be four times as much once decompressed, again with 300 bytes for each message.
// Measured from 64 MiB up
// with 97-byte messages, plain, lz4 and zstd, and nobody polling: the process stays below the
// budget. Each further broker is another fetch in flight. What is fetched without librdkafka waits
// in the sockets; each broker costs two buffers, of 1 MiB or, where batches are larger, up to 8.
//
// librdkafka 2.0.2 sleeps for a second when its queue was full, even if it is emptied at once; the
// source wakes its fetchers by asking for the log's ends, which is why a backlogged consumer sends
// a few ListOffsets requests per second.
//
// Owned by one thread, which calls every method and on which the listener is called. Errors: see
// MessageSource.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "kafka/client_properties.h"
#include "kafka/message_source.h"

namespace tapedeck {

struct KafkaOptions {
  /// "host:port,host:port".
  std::string bootstrap_servers = {};
  std::string group = {};
  /// Static member of the group under this name. Empty: an ordinary member (for tests and tools).
  std::string node_id = {};
  /// Names; one that begins with '^' is a regular expression over all topics of the cluster.
  std::vector<std::string> topics = {};
  /// Passed through to librdkafka; see client_properties.h.
  KafkaProperties properties = {};
  /// For everything that waits between the network and Poll. At least 16 MiB.
  size_t memory_bytes = size_t{256} << 20;
  /// Most messages of one batch.
  size_t batch_messages_max = 2048;
  Clock* clock = nullptr;  // null: SystemClock()
};

class KafkaSource final : public MessageSource {
 public:
  /// Makes the client and subscribes; needs no broker yet. `listener` outlives the source.
  /// kInvalidArgument: options or properties.
  static Result<std::unique_ptr<KafkaSource>> Open(const KafkaOptions& options,
                                                   AssignmentListener* listener);
  ~KafkaSource() override;
  KafkaSource(const KafkaSource&) = delete;
  KafkaSource& operator=(const KafkaSource&) = delete;

  /// Also returns, with an empty batch, before `timeout` when the client did something else than
  /// deliver.
  Result<const SourceBatch*> Poll(std::chrono::milliseconds timeout) override;
  Status Commit(std::span<const GroupCommit> commits, std::chrono::milliseconds timeout) override;
  void CommitAsync(std::span<const GroupCommit> commits) override;
  Result<std::vector<GroupCommit>> Committed(std::span<const TopicPartition> partitions,
                                             std::chrono::milliseconds timeout) override;
  std::string ClusterId(std::chrono::milliseconds timeout) override;
  void Reassign() override;

  /// The listener is not called any more: commit first. A client that does not end in time is
  /// abandoned, with its threads, and kUnavailable is returned: end the process then, the store is
  /// safe. `leave`: a static member normally stays in the group for session.timeout.ms after it
  /// stopped; with `leave` it unsubscribes first, which makes the coordinator hand its partitions
  /// out at once.
  Status Close(bool leave, std::chrono::milliseconds timeout) override;

  struct Counters {
    uint64_t messages = 0;    // delivered
    uint64_t direct = 0;      // of them, fetched without librdkafka
    uint64_t rebalances = 0;  // times that partitions came or went
    uint64_t discarded = 0;  // messages thrown away because a rebalance ran while they were fetched
    uint64_t below_position = 0;   // messages below the expected offset, dropped
    uint64_t commit_failures = 0;  // of CommitAsync
    uint64_t fetcher_wakes = 0;
  };
  const Counters& counters() const;

 private:
  struct State;
  explicit KafkaSource(std::shared_ptr<State> state);
  std::shared_ptr<State>
      state_;  // shared with the thread that closes the client, which may be abandoned
};

}  // namespace tapedeck

#endif  // TAPEDECK_KAFKA_KAFKA_SOURCE_H_
