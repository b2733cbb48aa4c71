#ifndef TAPEDECK_TESTS_KAFKA_SOURCE_CONFORMANCE_H_
#define TAPEDECK_TESTS_KAFKA_SOURCE_CONFORMANCE_H_

// The conformance suite of MessageSource and LogProbe. A case names the capabilities that it needs;
// it runs on every cluster that has them: the mock cluster (what it can do) and a real Apache Kafka
// (everything).

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kafka/kafka_source.h"
#include "kafka/log_probe.h"
#include "kafka/message_source.h"
#include "kafka/producer.h"

namespace tapedeck {

namespace testing {
class KafkaAdmin;
}  // namespace testing

enum Capability : uint32_t {
  kReading = 0,  // every cluster
  kOffsetsByTime = 1u << 0,
  kTransactions = 1u << 1,
  kStaticMembership = 1u << 2,
  kRecreate = 1u << 3,  // topics can be deleted
  kDeleteRecords = 1u << 4,
  kAddPartitions = 1u << 5,
  kErrorInjection = 1u << 6,  // requests can be made to fail
  kOutage = 1u << 7,          // brokers go down and come back
  kMovingCoordinator = 1u << 8,
  kLogFiles = 1u << 9,            // the log's bytes can be damaged
  kIndependentClient = 1u << 11,  // Kafka's own Java client can be asked
  kCommitMetadata = 1u << 10,     // commits keep their metadata
};

/// A cluster to test on.
class Cluster {
 public:
  virtual ~Cluster() = default;
  virtual uint32_t capabilities() const = 0;
  virtual std::string bootstrap_servers() const = 0;
  virtual Status CreateTopic(const std::string& topic, int partitions) = 0;
  virtual Status DeleteTopic(const std::string&) { return Unsupported(); }
  virtual Status AddPartitions(const std::string&, int) { return Unsupported(); }
  virtual Status DeleteMessagesBefore(const TopicPartition&, int64_t) { return Unsupported(); }
  virtual testing::KafkaAdmin* independent_client() { return nullptr; }
  virtual Status TakeDown() { return Unsupported(); }
  virtual Status TakeUp() { return Unsupported(); }
  virtual Status MoveCoordinator(const std::string&) { return Unsupported(); }
  virtual Status FailFetches(int) { return Unsupported(); }
  /// Flips one byte of the log's file that holds the first occurrence of `marker`.
  virtual Status DamageLog(const TopicPartition&, std::string_view) { return Unsupported(); }

 protected:
  static Status Unsupported() {
    return Status::Internal("the cluster of this test cannot do that");
  }
};

/// Starts a cluster, or says why the case is skipped.
struct ClusterKind {
  std::string name;
  uint32_t capabilities;
  std::function<Result<Cluster*>()> get;  // shared by the cases of a process
};
void PrintTo(const ClusterKind& kind, std::ostream* out);

/// An AssignmentListener that starts where it is told and writes down what happens.
class Listener final : public AssignmentListener {
 public:
  Result<std::vector<StartOffset>> OnAssigned(std::span<const TopicPartition> partitions) override;
  void OnRevoked(bool lost) override;

  int64_t default_start = 0;
  std::map<TopicPartition, int64_t> starts;
  Status refuse;  // not OK: OnAssigned fails with it
  std::vector<TopicPartition> assigned;
  int assignments = 0;
  int revocations = 0;
  int losses = 0;
};

/// A message that somebody keeps.
struct KeptMessage {
  int64_t offset = -1;
  int64_t timestamp_ms = -1;
  TimestampType timestamp_type = TimestampType::kNone;
  std::optional<std::string> key;
  std::optional<std::string> value;
  std::vector<std::pair<std::string, std::optional<std::string>>> headers;
  bool operator==(const KeptMessage&) const = default;
};
KeptMessage Keep(const MessageView& message);

/// A source and everything that it has given so far.
class Recording {
 public:
  static constexpr std::chrono::seconds kSession{6};  // a broker allows no less
  Recording(Cluster* cluster, const std::string& group, std::vector<std::string> topics,
            const std::string& node_id = "", std::chrono::milliseconds session = kSession,
            const KafkaProperties& more = {});

  /// Polls until `done` or the time is up; whether it is done. The first error of Poll ends it,
  /// too, and is kept in `error`.
  bool PollUntil(const std::function<bool()>& done,
                 std::chrono::milliseconds limit = std::chrono::seconds(30));
  bool PollUntilMessages(size_t count, std::chrono::milliseconds limit = std::chrono::seconds(30));
  /// The same, and some of them without librdkafka. A topic that was just made may have no leader
  /// yet that the client knows: it is assigned anew, then.
  bool PollDirectlyUntilMessages(size_t count);
  /// Until every assigned partition has said that it ended.
  bool PollUntilEnds();
  size_t message_count() const;
  std::vector<std::string> Values(const TopicPartition& tp) const;
  bool HasTrouble(SourceTrouble trouble) const;

  Listener listener;
  std::unique_ptr<KafkaSource> source;
  std::map<TopicPartition, std::vector<KeptMessage>>
      messages;  // since the last assignment that gave them
  std::map<TopicPartition, int64_t> ends;
  std::vector<std::pair<TopicPartition, SourceTrouble>> troubles;
  std::vector<SourceNotice> notices;
  Status error;

 private:
  void Take(const SourceBatch& batch);
};

class SourceConformance : public ::testing::TestWithParam<ClusterKind> {
 protected:
  void SetUp() override;
  /// Skips the case where the cluster lacks something. Use as: if (Lacks(kTransactions))
  /// GTEST_SKIP() << …;
  bool Lacks(uint32_t capabilities) const;
  /// A name of its own for each case: topics and groups of earlier cases do not disturb.
  std::string Named(const std::string& what) const;
  /// Sends texts to one partition and waits for them.
  void Send(const std::string& topic, int32_t partition, const std::vector<std::string>& values);
  std::unique_ptr<Producer> OpenProducer(const std::string& transactional_id = "");
  std::unique_ptr<KafkaProbe> OpenProbe();

  Cluster* cluster_ = nullptr;
};

#define NEEDS(capabilities) \
  if (Lacks(capabilities)) GTEST_SKIP() << "the " << GetParam().name << " cluster cannot do this"

}  // namespace tapedeck

#endif  // TAPEDECK_TESTS_KAFKA_SOURCE_CONFORMANCE_H_
