// The tools of the tests are tested themselves: what they say is the oracle of everything else.

#include "support/kafka_service.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace tapedeck::testing {
namespace {

std::vector<ClientMessage> AwkwardMessages(const std::string& topic) {
  std::string binary;
  for (int i = 0; i < 256; ++i) binary += static_cast<char>(i);
  return {
      {.topic = topic,
       .partition = 0,
       .timestamp = 1'500'000'000'000,
       .key = {},
       .value = {},
       .headers = {}},
      {.topic = topic,
       .partition = 0,
       .timestamp = 1'500'000'000'001,
       .key = "",
       .value = "",
       .headers = {}},
      {.topic = topic,
       .partition = 0,
       .timestamp = 0,
       .key = binary,
       .value = binary,
       .headers = {{"same", "1"}, {"same", std::nullopt}, {"same", ""}, {"", binary}}},
      {.topic = topic,
       .partition = 0,
       .timestamp = 1'500'000'000'003,
       .key = {},
       .value = std::string(900'000, 'x'),
       .headers = {}},
  };
}

TEST(KafkaServiceTest, AwkwardMessagesComeBackByteForByte) {
  TD_SHARED_KAFKA(kafka);
  const std::string topic =
      "service-awkward-" + std::to_string(::testing::UnitTest::GetInstance()->random_seed());
  kafka->admin().CreateTopic(topic, 1, {{"max.message.bytes", "2000000"}});
  std::vector<ClientMessage> sent = AwkwardMessages(topic);
  const std::vector<ClientOffset> offsets = kafka->admin().Produce(sent);
  ASSERT_EQ(offsets.size(), sent.size());
  for (size_t i = 0; i < sent.size(); ++i) {
    EXPECT_EQ(offsets[i], (ClientOffset{0, static_cast<int64_t>(i)}));
    sent[i].offset = offsets[i].offset;
  }
  EXPECT_TRUE(kafka->admin().Dump(topic) == sent);
  kafka->admin().DeleteTopic(topic);
}

TEST(KafkaServiceTest, AbortedMessagesLeaveOffsetsAndNothingElse) {
  TD_SHARED_KAFKA(kafka);
  KafkaAdmin& admin = kafka->admin();
  admin.CreateTopic("service-transactions", 1);
  const ClientMessage message = {.topic = "service-transactions",
                                 .partition = 0,
                                 .timestamp = 1,
                                 .key = {},
                                 .value = "v",
                                 .headers = {}};
  admin.Begin("t");
  EXPECT_EQ(admin.Produce({message}, "t").at(0), (ClientOffset{0, 0}));
  admin.Abort("t");
  admin.Begin("t");
  EXPECT_EQ(admin.Produce({message}, "t").at(0), (ClientOffset{0, 2}));
  EXPECT_TRUE(admin.Dump("service-transactions").empty()) << "an open transaction is not shown";
  admin.Commit("t");
  const std::vector<ClientMessage> seen = admin.Dump("service-transactions");
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(seen[0].offset, 2);
  EXPECT_EQ(admin.Offsets("service-transactions"),
            (std::vector<std::pair<int64_t, int64_t>>{{0, 4}}));
  admin.DeleteTopic("service-transactions");
}

TEST(KafkaServiceTest, RefusedCommandSaysWhy) {
  TD_SHARED_KAFKA(kafka);
  try {
    kafka->admin().DeleteTopic("never-created");
    FAIL() << "deleting what is not there must fail";
  } catch (const std::runtime_error& error) {
    EXPECT_NE(std::string(error.what()).find("delete-topic"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("UnknownTopicOrPartition"), std::string::npos)
        << error.what();
  }
}

TEST(KafkaServiceTest, KilledBrokerComesBackWithItsDataAndALostTailStaysLost) {
  TD_START_KAFKA(kafka, {});
  KafkaAdmin& admin = kafka->admin();
  admin.CreateTopic("prices", 1);
  const ClientMessage first = {.topic = "prices",
                               .partition = 0,
                               .timestamp = 1,
                               .key = {},
                               .value = "first",
                               .headers = {}};
  ClientMessage second = first;
  second.value = "second";
  admin.Produce({first});
  const std::string address = kafka->bootstrap_servers();

  kafka->Stop();
  kafka->SaveData("one message");
  kafka->Restart();
  EXPECT_EQ(kafka->bootstrap_servers(), address);
  EXPECT_EQ(admin.Produce({second}).at(0).offset, 1);

  kafka->Kill();
  kafka->Restart();
  EXPECT_EQ(admin.Dump("prices").size(), 2u);

  kafka->Kill();
  kafka->RestoreData("one message");
  kafka->Restart();
  const std::vector<ClientMessage> left = admin.Dump("prices");
  ASSERT_EQ(left.size(), 1u);
  EXPECT_EQ(left[0].value, "first");
}

}  // namespace
}  // namespace tapedeck::testing
