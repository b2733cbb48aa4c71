#include "kafka/clusters.h"
#include "kafka/mock_cluster.h"

namespace tapedeck {
namespace {

class MockForTests final : public Cluster {
 public:
  static constexpr uint32_t kCapabilities = kErrorInjection | kOutage | kMovingCoordinator;

  explicit MockForTests(std::unique_ptr<MockCluster> cluster) : cluster_(std::move(cluster)) {}
  uint32_t capabilities() const override { return kCapabilities; }
  std::string bootstrap_servers() const override { return cluster_->bootstrap_servers(); }
  Status CreateTopic(const std::string& topic, int partitions) override {
    return cluster_->CreateTopic(topic, partitions);
  }
  Status TakeDown() override { return cluster_->SetBrokerDown(-1); }
  Status TakeUp() override { return cluster_->SetBrokerUp(-1); }
  Status MoveCoordinator(const std::string& group) override {
    coordinator_ = coordinator_ % 3 + 1;
    return cluster_->SetGroupCoordinator(group, coordinator_);
  }
  Status FailFetches(int count) override {
    std::vector<MockError> errors(static_cast<size_t>(count), MockError::kNotLeader);
    cluster_->PushErrors(MockRequest::kFetch, errors);
    return Status::Ok();
  }

 private:
  std::unique_ptr<MockCluster> cluster_;
  int coordinator_ = 1;
};

Result<Cluster*> SharedMock() {
  static const Result<std::unique_ptr<MockForTests>> shared =
      []() -> Result<std::unique_ptr<MockForTests>> {
    TD_ASSIGN_OR_RETURN(auto cluster, MockCluster::Start({.brokers = 3}));
    return std::make_unique<MockForTests>(std::move(cluster));
  }();
  if (!shared.ok()) return shared.status();
  return shared->get();
}

}  // namespace

ClusterKind MockKind() { return {"mock", MockForTests::kCapabilities, SharedMock}; }

}  // namespace tapedeck
