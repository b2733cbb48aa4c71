// SASL and TLS on a real broker: what a wrong password looks like, and that no secret is ever
// written (docs/faults.md, B17, S5).

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "kafka/kafka_source.h"
#include "kafka/log_probe.h"
#include "support/kafka_service.h"

namespace tapedeck {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class FromTheBeginning final : public AssignmentListener {
 public:
  Result<std::vector<StartOffset>> OnAssigned(std::span<const TopicPartition> partitions) override {
    return std::vector<StartOffset>(partitions.size());
  }
  void OnRevoked(bool) override {}
};

KafkaOptions Options(const testing::KafkaService& kafka, const std::string& password) {
  const nlohmann::json& secure = kafka.info().at("secure");
  KafkaOptions options;
  options.bootstrap_servers = secure.at("sasl_ssl");
  options.group = "g";
  options.topics = {"secured"};
  options.properties = {{"security.protocol", "sasl_ssl"},
                        {"sasl.mechanisms", "PLAIN"},
                        {"sasl.username", secure.at("username")},
                        {"sasl.password", password},
                        {"ssl.ca.location", secure.at("ca")}};
  return options;
}

/// Polls until a message or a notice of this code came; which of both.
std::string FirstOf(KafkaSource* source, const std::string& code) {
  for (MonotonicTime end = SystemClock().Monotonic() + seconds(30);
       SystemClock().Monotonic() < end;) {
    auto batch = source->Poll(milliseconds(50));
    if (!batch.ok()) return batch.status().ToString();
    if (!(*batch)->messages.empty())
      return std::string((*batch)->messages[0].message.value.value_or("(null)"));
    for (const SourceNotice& notice : (*batch)->notices) {
      if (notice.code == code) return notice.code;
    }
  }
  return "nothing in time";
}

TEST(SecuredKafka, IsReadWithTheRightPasswordAndSaysSoWithAWrongOne) {
  TD_START_KAFKA(kafka, {.is_secure = true});
  kafka->admin().CreateTopic("secured", 1);
  testing::ClientMessage message;
  message.topic = "secured";
  message.partition = 0;
  message.value = "behind the lock";
  kafka->admin().Produce({message});

  const std::string canary = "canary-48151623";
  FromTheBeginning listener;
  ::testing::internal::CaptureStderr();
  std::string password = kafka->info().at("secure").at("password");
  {
    KafkaOptions options = Options(*kafka, password);
    options.properties["debug"] = "broker,protocol,feature";
    auto source = KafkaSource::Open(options, &listener);
    ASSERT_TRUE(source.ok()) << source.status().ToString();
    EXPECT_EQ(FirstOf(source->get(), "_AUTHENTICATION"), "behind the lock");
    auto probe = KafkaProbe::Open({.bootstrap_servers = options.bootstrap_servers,
                                   .properties = Options(*kafka, password).properties});
    ASSERT_TRUE(probe.ok()) << probe.status().ToString();
    auto read = (*probe)->ReadAt({"secured", 0}, 0, seconds(20));
    ASSERT_TRUE(read.ok()) << read.status().ToString();
    EXPECT_TRUE((*read)->found);
  }
  {
    auto source = KafkaSource::Open(Options(*kafka, canary), &listener);
    ASSERT_TRUE(source.ok()) << source.status().ToString();
    EXPECT_EQ(FirstOf(source->get(), "_AUTHENTICATION"), "_AUTHENTICATION");
  }
  std::string log = ::testing::internal::GetCapturedStderr();
  EXPECT_NE(log, "");
  EXPECT_EQ(log.find(canary), std::string::npos);
  EXPECT_EQ(log.find(password), std::string::npos);
}

}  // namespace
}  // namespace tapedeck
