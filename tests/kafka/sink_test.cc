// Sinks on a real broker: what is sent becomes visible with its progress or not at all; what a
// trailing reader and the facts of a target say.

#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "kafka/message_sink.h"
#include "kafka/target_facts.h"
#include "kafka/trailing_reader.h"
#include "support/kafka_service.h"

namespace tapedeck::testing {
namespace {

using namespace std::chrono_literals;

std::unique_ptr<MessageSink> OpenSink(KafkaService* kafka, const std::string& topic,
                                      SinkDelivery delivery = SinkDelivery::kExactlyOnce,
                                      std::chrono::milliseconds transaction_timeout = 60s) {
  auto sink = OpenKafkaSink({.bootstrap_servers = kafka->bootstrap_servers(),
                             .delivery = delivery,
                             .name = "sink." + topic,
                             .group = "group." + topic,
                             .progress_at = {topic, 0},
                             .transaction_timeout = transaction_timeout});
  EXPECT_TRUE(sink.ok()) << sink.status().ToString();
  return std::move(sink).value();
}

Status SendOne(MessageSink* sink, const std::string& topic, uint64_t tag,
               const std::string& value) {
  return sink->Send(topic, {.value = value, .partition = static_cast<int32_t>(tag % 2), .tag = tag},
                    10s);
}

// A broker that still loads its coordinator, or hands it over, is asked again.
Result<std::optional<SinkProgress>> ProgressOf(MessageSink* sink) {
  auto progress = sink->ReadProgress(10s);
  for (int asked = 1; asked < 200; ++asked) {
    if (progress.ok() || progress.status().code() != StatusCode::kUnavailable) break;
    std::this_thread::sleep_for(300ms);
    progress = sink->ReadProgress(10s);
  }
  return progress;
}

std::vector<std::string> ValuesIn(KafkaService* kafka, const std::string& topic) {
  std::vector<std::string> values;
  for (const ClientMessage& m : kafka->admin().Dump(topic)) values.push_back(*m.value);
  return values;
}

#define ASSERT_GOOD(status)                          \
  do {                                               \
    const Status td_good = (status);                 \
    ASSERT_TRUE(td_good.ok()) << td_good.ToString(); \
  } while (false)

// The broker may know nothing of the transaction yet: who sends gives such a producer up.
void AbortOrGiveUp(KafkaService* kafka, const std::string& topic,
                   std::unique_ptr<MessageSink>* sink) {
  const Status aborted = (*sink)->Abort(30s);
  if (aborted.ok()) return;
  EXPECT_EQ(aborted.code(), StatusCode::kFailedPrecondition) << aborted.ToString();
  *sink = OpenSink(kafka, topic);
  ASSERT_GOOD((*sink)->Start(30s));
}

TEST(KafkaSink, ACommitShowsMessagesAndProgressTogetherAndAnAbortNeither) {
  TD_SHARED_KAFKA(kafka);
  kafka->admin().CreateTopic("sink-a", 2);
  auto sink = OpenSink(kafka, "sink-a");
  ASSERT_GOOD(sink->Start(30s));
  auto none = ProgressOf(sink.get());
  ASSERT_GOOD(none.status());
  EXPECT_FALSE(none->has_value());
  ASSERT_GOOD(sink->Begin());
  ASSERT_GOOD(SendOne(sink.get(), "sink-a", 1, "one"));
  ASSERT_GOOD(SendOne(sink.get(), "sink-a", 2, "two"));
  const SinkProgress first{.next_seq = 3, .metadata = std::string("place \x01\x02 of two", 16)};
  ASSERT_GOOD(sink->Commit(first, 30s));
  ASSERT_GOOD(sink->Begin());
  ASSERT_GOOD(SendOne(sink.get(), "sink-a", 3, "never"));
  AbortOrGiveUp(kafka, "sink-a", &sink);
  auto read = ProgressOf(sink.get());
  ASSERT_GOOD(read.status());
  ASSERT_TRUE(read->has_value());
  EXPECT_EQ(**read, first);
  ASSERT_GOOD(sink->Begin());
  ASSERT_GOOD(sink->Commit({.next_seq = 9, .metadata = "progress only"}, 30s));
  EXPECT_EQ((*ProgressOf(sink.get()))->next_seq, 9);
  EXPECT_EQ(ValuesIn(kafka, "sink-a"), (std::vector<std::string>{"two", "one"}));
}

TEST(KafkaSink, E2AnOlderSinkIsFencedAndShowsNothing) {
  TD_SHARED_KAFKA(kafka);
  kafka->admin().CreateTopic("sink-f", 2);
  auto older = OpenSink(kafka, "sink-f");
  ASSERT_GOOD(older->Start(30s));
  ASSERT_GOOD(older->Begin());
  ASSERT_GOOD(SendOne(older.get(), "sink-f", 1, "of the older"));
  auto newer = OpenSink(kafka, "sink-f");
  ASSERT_GOOD(newer->Start(30s));
  const Status fenced = older->Commit({.next_seq = 2, .metadata = "older"}, 10s);
  EXPECT_EQ(fenced.code(), StatusCode::kFailedPrecondition) << fenced.ToString();
  ASSERT_GOOD(newer->Begin());
  ASSERT_GOOD(SendOne(newer.get(), "sink-f", 1, "of the newer"));
  ASSERT_GOOD(newer->Commit({.next_seq = 2, .metadata = "newer"}, 30s));
  EXPECT_EQ((*ProgressOf(newer.get()))->metadata, "newer");
  EXPECT_EQ(ValuesIn(kafka, "sink-f"), std::vector<std::string>{"of the newer"});
}

TEST(KafkaSink, E4ATransactionThatTimesOutEndsTheSink) {
  TD_START_KAFKA(
      kafka, {.properties = {"transaction.abort.timed.out.transaction.cleanup.interval.ms=200"}});
  kafka->admin().CreateTopic("sink-t", 2);
  auto sink = OpenSink(kafka.get(), "sink-t", SinkDelivery::kExactlyOnce, 1s);
  ASSERT_GOOD(sink->Start(30s));
  ASSERT_GOOD(sink->Begin());
  ASSERT_GOOD(SendOne(sink.get(), "sink-t", 1, "too late"));
  SystemClock().SleepFor(5s);  // the broker's own time
  Status ended = sink->Commit({.next_seq = 2, .metadata = "x"}, 10s);
  EXPECT_FALSE(ended.ok());
  EXPECT_NE(ended.code(), StatusCode::kUnavailable) << ended.ToString();
  auto next = OpenSink(kafka.get(), "sink-t");
  ASSERT_GOOD(next->Start(30s));
  auto read = ProgressOf(next.get());
  ASSERT_GOOD(read.status());
  EXPECT_FALSE(read->has_value());
  EXPECT_TRUE(ValuesIn(kafka.get(), "sink-t").empty());
}

TEST(KafkaSink, AtLeastOnceTellsHowFarEverythingHasArrived) {
  TD_SHARED_KAFKA(kafka);
  kafka->admin().CreateTopic("sink-l", 2);
  auto sink = OpenSink(kafka, "sink-l", SinkDelivery::kAtLeastOnce);
  ASSERT_GOOD(sink->Start(30s));
  EXPECT_EQ(sink->acked_through(), 0u);
  for (uint64_t tag = 1; tag <= 1000; ++tag) {
    ASSERT_GOOD(SendOne(sink.get(), "sink-l", tag, std::to_string(tag)));
  }
  for (int i = 0; i < 300 && sink->acked_through() < 1000; ++i) ASSERT_GOOD(sink->Serve(100ms));
  EXPECT_EQ(sink->acked_through(), 1000u);
  EXPECT_EQ(sink->acked(), 1000u);
  EXPECT_EQ(ValuesIn(kafka, "sink-l").size(), 1000u);
}

TEST(TrailingReader, SeesWhatIsCommittedAndGoesOnFromAnOffset) {
  TD_SHARED_KAFKA(kafka);
  kafka->admin().CreateTopic("trail", 2);
  auto sink = OpenSink(kafka, "trail");
  ASSERT_GOOD(sink->Start(30s));
  std::map<TopicPartition, int64_t> starts{{{"trail", 0}, 0}, {{"trail", 1}, 0}};
  auto reader = TrailingReader::Open({.bootstrap_servers = kafka->bootstrap_servers()}, starts);
  ASSERT_GOOD(reader.status());
  std::vector<std::string> seen;
  auto poll = [&](size_t wanted) {
    for (int i = 0; i < 100 && (seen.size() < wanted || !(*reader)->at_end()); ++i) {
      const Status status =
          (*reader)->Poll(100ms, [&](const TopicPartition& tp, const MessageView& m) {
            seen.push_back(std::to_string(tp.partition) + ":" + std::string(*m.value));
          });
      EXPECT_TRUE(status.ok()) << status.ToString();
    }
  };
  for (int n = 0; n < 3; ++n) {
    ASSERT_GOOD(sink->Begin());
    ASSERT_GOOD(SendOne(sink.get(), "trail", 2, "c" + std::to_string(n)));
    ASSERT_GOOD(sink->Commit({.next_seq = n + 1, .metadata = "x"}, 30s));
    ASSERT_GOOD(sink->Begin());
    ASSERT_GOOD(SendOne(sink.get(), "trail", 2, "aborted"));
    AbortOrGiveUp(kafka, "trail", &sink);
    poll(static_cast<size_t>(n) + 1);
  }
  EXPECT_EQ(seen, (std::vector<std::string>{"0:c0", "0:c1", "0:c2"}));
  const auto positions = (*reader)->positions();
  reader = TrailingReader::Open({.bootstrap_servers = kafka->bootstrap_servers()}, positions);
  ASSERT_GOOD(reader.status());
  ASSERT_GOOD(sink->Begin());
  ASSERT_GOOD(SendOne(sink.get(), "trail", 1, "last"));
  ASSERT_GOOD(sink->Commit({.next_seq = 9, .metadata = "x"}, 30s));
  seen.clear();
  poll(1);
  EXPECT_EQ(seen, std::vector<std::string>{"1:last"});
}

TEST(TargetFacts, SayWhatThereIsAndHowItIsSet) {
  TD_SHARED_KAFKA(kafka);
  kafka->admin().CreateTopic("facts", 3,
                             {{"retention.ms", "1234567"}, {"max.message.bytes", "2222"}});
  auto facts = ReadTargetFacts({.bootstrap_servers = kafka->bootstrap_servers(),
                                .topics = {"facts", "nothing-there"},
                                .group = "facts-group"});
  ASSERT_GOOD(facts.status());
  EXPECT_FALSE(facts->cluster_id.empty());
  EXPECT_EQ(facts->group_trouble, "");
  ASSERT_EQ(facts->topics.size(), 2u);
  EXPECT_TRUE(facts->topics[0].exists);
  EXPECT_EQ(facts->topics[0].partitions, 3);
  EXPECT_EQ(facts->topics[0].ends, (std::vector<int64_t>{0, 0, 0}));
  EXPECT_EQ(facts->topics[0].config.at("retention.ms"), "1234567");
  EXPECT_EQ(facts->topics[0].config.at("max.message.bytes"), "2222");
  EXPECT_EQ(facts->topics[0].config.at("cleanup.policy"), "delete");
  EXPECT_FALSE(facts->topics[1].exists);
}

TEST(TargetFacts, OfManyPartitionsAreAskedForAtOnce) {
  TD_SHARED_KAFKA(kafka);
  kafka->admin().CreateTopic("wide-facts", 60);
  kafka->admin().CreateTopic("more-facts", 2);
  kafka->admin().Produce({{.topic = "wide-facts", .partition = 59, .value = "x"},
                          {.topic = "more-facts", .partition = 1, .value = "y"}});
  auto facts = ReadTargetFacts({.bootstrap_servers = kafka->bootstrap_servers(),
                                .topics = {"wide-facts", "absent-facts", "more-facts"},
                                .group = "facts-group"});
  ASSERT_GOOD(facts.status());
  std::vector<int64_t> ends(60, 0);
  ends.back() = 1;
  EXPECT_EQ(facts->topics[0].ends, ends);
  EXPECT_TRUE(facts->topics[1].ends.empty());
  EXPECT_EQ(facts->topics[2].ends, (std::vector<int64_t>{0, 1}));
}

TEST(TargetFacts, ABrokerThatDoesNotAnswerIsUnavailable) {
  auto facts = ReadTargetFacts(
      {.bootstrap_servers = "127.0.0.1:1", .topics = {"x"}, .group = "g", .timeout = 500ms});
  EXPECT_EQ(facts.status().code(), StatusCode::kUnavailable);
}

}  // namespace
}  // namespace tapedeck::testing
