#ifndef TAPEDECK_KAFKA_TOPIC_ADMIN_H_
#define TAPEDECK_KAFKA_TOPIC_ADMIN_H_

// TopicAdmin: makes, deletes and changes topics. For the load tool and tests; the recorder itself
// never does.
//
//   TD_ASSIGN_OR_RETURN(auto admin, TopicAdmin::Open({.bootstrap_servers = servers}));
//   TD_RETURN_IF_ERROR(admin->CreateTopic("quotes", 12, {{"retention.ms", "-1"}}));
//
// Each call waits for the brokers' answer, at most the time-out of the options. The mock cluster
// of 2.0.2 answers none of this.
//
// Owned by one thread. Errors: kAlreadyExists and kNotFound for topics, kUnavailable in time-outs.

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "kafka/rdkafka_client.h"
#include "model/message.h"

namespace tapedeck {

struct TopicAdminOptions {
  std::string bootstrap_servers = {};
  KafkaProperties properties = {};
  std::chrono::milliseconds timeout{15'000};
};

class TopicAdmin {
 public:
  static Result<std::unique_ptr<TopicAdmin>> Open(const TopicAdminOptions& options);
  ~TopicAdmin();
  TopicAdmin(const TopicAdmin&) = delete;
  TopicAdmin& operator=(const TopicAdmin&) = delete;

  /// Replication factor is the broker's default. `config` as in Kafka's topic configuration.
  Status CreateTopic(const std::string& topic, int partitions,
                     const std::map<std::string, std::string>& config = {});
  Status DeleteTopic(const std::string& topic);
  /// `partitions` is the new total.
  Status AddPartitions(const std::string& topic, int partitions);
  /// Messages below `offset` are gone afterwards.
  Status DeleteMessagesBefore(const TopicPartition& tp, int64_t offset);
  /// Number of partitions; kNotFound where there is no such topic.
  Result<int> PartitionCount(const std::string& topic);

 private:
  struct Context;
  TopicAdmin(std::unique_ptr<Context> context, RdkClient client, const TopicAdminOptions& options);
  std::unique_ptr<Context> context_;
  RdkClient client_;
  TopicAdminOptions options_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_KAFKA_TOPIC_ADMIN_H_
