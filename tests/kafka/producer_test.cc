// Producers on simulated brokers whose answers are chosen.

#include "kafka/producer.h"

#include <gtest/gtest.h>

#include <chrono>
#include <vector>

#include "kafka/mock_cluster.h"

namespace tapedeck::testing {
namespace {

using namespace std::chrono_literals;

// The fence comes as the answer to a message, while the group's coordinator is still being asked to
// take the progress: nobody waits for that answer any more. (AddressSanitizer sees that none of our
// memory is lost by it.)
TEST(MockProducer, E2FencedWhileItsProgressIsOnItsWayItEnds) {
  auto cluster = MockCluster::Start({.brokers = 1});
  ASSERT_TRUE(cluster.ok()) << cluster.status().ToString();
  ASSERT_TRUE((*cluster)->CreateTopic("fenced", 1).ok());
  auto producer = Producer::Open({.bootstrap_servers = (*cluster)->bootstrap_servers(),
                                  .transactional_id = "one",
                                  .linger = 500ms});  // the message leaves after the progress
  ASSERT_TRUE(producer.ok()) << producer.status().ToString();
  Status started = (*producer)->InitTransactions(60s);
  ASSERT_TRUE(started.ok()) << started.ToString();
  (*cluster)->PushErrors(MockRequest::kTxnOffsetCommit,
                         std::vector<MockError>(1000, MockError::kCoordinatorLoading));
  (*cluster)->PushErrors(MockRequest::kProduce,
                         std::vector<MockError>(2, MockError::kInvalidProducerEpoch));
  Status begun = (*producer)->Begin();
  ASSERT_TRUE(begun.ok()) << begun.ToString();
  Status sent = (*producer)->Send("fenced", {.value = "late", .partition = 0}, 10s);
  ASSERT_TRUE(sent.ok()) << sent.ToString();
  Status added = (*producer)->SendOffset("group", {"fenced", 0}, 1, "place", 60s);
  EXPECT_EQ(added.code(), StatusCode::kFailedPrecondition) << added.ToString();
  EXPECT_NE(added.message().find("fenced"), std::string::npos) << added.ToString();
  producer->reset();
}

}  // namespace
}  // namespace tapedeck::testing
