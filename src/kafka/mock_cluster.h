#ifndef TAPEDECK_KAFKA_MOCK_CLUSTER_H_
#define TAPEDECK_KAFKA_MOCK_CLUSTER_H_

// MockCluster: librdkafka's simulated brokers in this process, on loopback ports. For `tapedeck
// demo` and tests.
//
//   TD_ASSIGN_OR_RETURN(auto cluster, MockCluster::Start({.brokers = 1}));
//   TD_RETURN_IF_ERROR(cluster->CreateTopic("quotes", 12));
//   KafkaOptions options{.bootstrap_servers = cluster->bootstrap_servers(), …};
//
// What it cannot do (2.0.2): a partition keeps the last 5 MiB or 100,000 messages and drops older
// ones at once, static membership is ignored, there are no offsets by time, no aborted transactions
// and no administration. Those are tested on real brokers.
//
// A group's first assignment takes 3 s on it, each further one 5 s.
//
// Thread-safe after Start.

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "base/status.h"
#include "kafka/rdkafka_client.h"

struct rd_kafka_mock_cluster_s;

namespace tapedeck {

/// Requests of Kafka's protocol, by their numbers there.
enum class MockRequest : int16_t {
  kProduce = 0,
  kFetch = 1,
  kListOffsets = 2,
  kMetadata = 3,
  kOffsetCommit = 8,
  kOffsetFetch = 9,
  kFindCoordinator = 10,
  kJoinGroup = 11,
  kHeartbeat = 12,
  kLeaveGroup = 13,
  kSyncGroup = 14,
  kTxnOffsetCommit = 28,
};

/// Errors by Kafka's numbers; kDisconnect cuts the connection.
enum class MockError : int16_t {
  kDisconnect = -195,
  kOffsetOutOfRange = 1,
  kUnknownTopicOrPartition = 3,
  kNotLeader = 6,
  kRequestTimedOut = 7,
  kCoordinatorLoading = 14,
  kCoordinatorNotAvailable = 15,
  kNotCoordinator = 16,
  kUnknownMember = 25,
  kRebalanceInProgress = 27,
  kInvalidProducerEpoch = 47,
  kFencedInstanceId = 82,
};

struct MockOptions {
  int brokers = 1;
};

class MockCluster {
 public:
  static Result<std::unique_ptr<MockCluster>> Start(const MockOptions& options);
  ~MockCluster();
  MockCluster(const MockCluster&) = delete;
  MockCluster& operator=(const MockCluster&) = delete;

  /// "127.0.0.1:41233,127.0.0.1:35411".
  std::string bootstrap_servers() const;
  Status CreateTopic(const std::string& topic, int partitions);

  /// Brokers are numbered from 1. Down: connections are cut and refused; up: they are taken again.
  Status SetBrokerDown(int broker);
  Status SetBrokerUp(int broker);
  /// The next requests of this kind, to any broker, fail with these errors in turn.
  void PushErrors(MockRequest request, std::span<const MockError> errors);
  void ClearErrors(MockRequest request);
  Status SetGroupCoordinator(const std::string& group, int broker);
  Status SetLeader(const std::string& topic, int32_t partition, int broker);
  /// Every answer of the broker is delayed by this much.
  Status SetRoundTrip(int broker, int milliseconds);

 private:
  struct Context;
  MockCluster(std::unique_ptr<Context> context, RdkClient client, rd_kafka_mock_cluster_s* cluster);
  std::unique_ptr<Context> context_;
  RdkClient client_;
  rd_kafka_mock_cluster_s* cluster_;  // owned; destroyed before the client
};

}  // namespace tapedeck

#endif  // TAPEDECK_KAFKA_MOCK_CLUSTER_H_
