#include "kafka/mock_cluster.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include <vector>

namespace tapedeck {

struct MockCluster::Context final : ClientContext {
  Context() { log_name = "mock-cluster"; }
  // The client inside has no brokers of its own: what it says about connections means nothing.
  void OnError(int, std::string_view) override {}
};

Result<std::unique_ptr<MockCluster>> MockCluster::Start(const MockOptions& options) {
  if (options.brokers < 1 || options.brokers > 100) {
    return Status::InvalidArgument("a mock cluster has 1 to 100 brokers");
  }
  auto context = std::make_unique<Context>();
  ClientSettings settings;
  settings.role = ClientRole::kProducer;
  settings.fixed = {{"client.id", "tapedeck-mock"}, {"log_level", "3"}};
  TD_ASSIGN_OR_RETURN(RdkClient client, MakeClient(settings, context.get()));
  rd_kafka_mock_cluster_t* cluster = rd_kafka_mock_cluster_new(client.get(), options.brokers);
  if (cluster == nullptr) return Status::Unavailable("the mock cluster found no free ports");
  return std::unique_ptr<MockCluster>(
      new MockCluster(std::move(context), std::move(client), cluster));
}

MockCluster::MockCluster(std::unique_ptr<Context> context, RdkClient client,
                         rd_kafka_mock_cluster_s* cluster)
    : context_(std::move(context)), client_(std::move(client)), cluster_(cluster) {}

MockCluster::~MockCluster() { rd_kafka_mock_cluster_destroy(cluster_); }

std::string MockCluster::bootstrap_servers() const {
  return rd_kafka_mock_cluster_bootstraps(cluster_);
}

Status MockCluster::CreateTopic(const std::string& topic, int partitions) {
  return RdkStatus(rd_kafka_mock_topic_create(cluster_, topic.c_str(), partitions, 1),
                   "creating mock topic " + topic);
}

Status MockCluster::SetBrokerDown(int broker) {
  return RdkStatus(rd_kafka_mock_broker_set_down(cluster_, broker), "taking a mock broker down");
}

Status MockCluster::SetBrokerUp(int broker) {
  return RdkStatus(rd_kafka_mock_broker_set_up(cluster_, broker), "taking a mock broker up");
}

void MockCluster::PushErrors(MockRequest request, std::span<const MockError> errors) {
  std::vector<rd_kafka_resp_err_t> codes;
  for (MockError error : errors) codes.push_back(static_cast<rd_kafka_resp_err_t>(error));
  rd_kafka_mock_push_request_errors_array(cluster_, static_cast<int16_t>(request), codes.size(),
                                          codes.data());
}

void MockCluster::ClearErrors(MockRequest request) {
  rd_kafka_mock_clear_request_errors(cluster_, static_cast<int16_t>(request));
}

Status MockCluster::SetGroupCoordinator(const std::string& group, int broker) {
  return RdkStatus(rd_kafka_mock_coordinator_set(cluster_, "group", group.c_str(), broker),
                   "moving the mock coordinator");
}

Status MockCluster::SetLeader(const std::string& topic, int32_t partition, int broker) {
  return RdkStatus(rd_kafka_mock_partition_set_leader(cluster_, topic.c_str(), partition, broker),
                   "moving a mock leader");
}

Status MockCluster::SetRoundTrip(int broker, int milliseconds) {
  return RdkStatus(rd_kafka_mock_broker_set_rtt(cluster_, broker, milliseconds),
                   "delaying a mock broker");
}

}  // namespace tapedeck
