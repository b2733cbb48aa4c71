// Reading: order, completeness, positions, and what a message can hold.

#include <algorithm>

#include "base/random.h"
#include "kafka/clusters.h"
#include "kafka/source_conformance.h"
#include "support/kafka_service.h"
#include "support/seed.h"

namespace tapedeck {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

INSTANTIATE_TEST_SUITE_P(Clusters, SourceConformance, ::testing::Values(MockKind(), RealKind()),
                         [](const auto& param) { return param.param.name; });

std::vector<std::string> Numbered(const std::string& prefix, int from, int to) {
  std::vector<std::string> values;
  for (int i = from; i < to; ++i) values.push_back(prefix + std::to_string(i));
  return values;
}

TEST_P(SourceConformance, TwelvePartitionsComeWholeAndInOrder) {
  constexpr int kPartitions = 12;
  constexpr int kMessages = 24'000;
  std::string topic = Named("t");
  ASSERT_TRUE(cluster_->CreateTopic(topic, kPartitions).ok());
  auto producer = OpenProducer();
  for (int i = 0; i < kMessages; ++i) {
    std::string value = "m" + std::to_string(i);
    ASSERT_TRUE(
        producer->Send(topic, {.value = value, .partition = i % kPartitions}, seconds(10)).ok());
  }
  ASSERT_TRUE(producer->Flush(seconds(30)).ok());
  ASSERT_EQ(producer->counters().failed, 0u) << producer->first_failure();

  Recording recording(cluster_, Named("g"), {topic});
  ASSERT_TRUE(recording.PollDirectlyUntilMessages(kMessages)) << recording.error.ToString();
  ASSERT_TRUE(recording.PollUntilEnds());
  ASSERT_EQ(recording.message_count(), size_t{kMessages});
  for (const auto& [tp, messages] : recording.messages) {
    for (size_t i = 0; i < messages.size(); ++i) {
      ASSERT_EQ(messages[i].offset, static_cast<int64_t>(i)) << tp.ToString();
      ASSERT_EQ(messages[i].value, "m" + std::to_string(i * kPartitions + tp.partition));
    }
    EXPECT_EQ(recording.ends[tp], kMessages / kPartitions);
  }
}

TEST_P(SourceConformance, CompressedMessagesAmongOthersComeWholeByWayOfLibrdkafka) {
  std::string topic = Named("t");
  TopicPartition tp{topic, 0};
  ASSERT_TRUE(cluster_->CreateTopic(topic, 1).ok());
  Send(topic, 0, Numbered("m", 0, 500));
  auto producer = Producer::Open({.bootstrap_servers = cluster_->bootstrap_servers(),
                                  .properties = {{"compression.type", "lz4"}}});
  ASSERT_TRUE(producer.ok()) << producer.status().ToString();
  for (const std::string& value : Numbered("m", 500, 1'000))
    ASSERT_TRUE((*producer)->Send(topic, {.value = value, .partition = 0}, seconds(10)).ok());
  ASSERT_TRUE((*producer)->Flush(seconds(30)).ok());
  Recording recording(cluster_, Named("g"), {topic});
  ASSERT_TRUE(recording.PollDirectlyUntilMessages(1'000));
  Send(topic, 0, Numbered("m", 1'000, 1'500));
  ASSERT_TRUE(recording.PollUntilMessages(1'500));
  EXPECT_EQ(recording.Values(tp), Numbered("m", 0, 1'500));
  EXPECT_LT(recording.source->counters().direct, 1'500u);
}

TEST_P(SourceConformance, NullAndEmptyAreDifferentAndHeadersMayRepeat) {
  std::string topic = Named("t");
  ASSERT_TRUE(cluster_->CreateTopic(topic, 1).ok());
  auto producer = OpenProducer();
  const std::string binary("\x00\xff\x01{", 4);
  std::vector<HeaderView> headers = {
      {"a", "1"}, {"a", "2"}, {"empty", ""}, {"null", std::nullopt}, {"", binary}};
  std::vector<OutgoingMessage> sent = {
      {.value = std::nullopt, .key = std::nullopt, .partition = 0, .timestamp_ms = 1},
      {.value = "", .key = "", .partition = 0, .timestamp_ms = 1'719'893'836'373},
      {.value = binary, .key = binary, .headers = headers, .partition = 0, .timestamp_ms = 2},
  };
  for (const OutgoingMessage& message : sent) {
    ASSERT_TRUE(producer->Send(topic, message, seconds(10)).ok());
  }
  ASSERT_TRUE(producer->Flush(seconds(20)).ok());

  Recording recording(cluster_, Named("g"), {topic});
  ASSERT_TRUE(recording.PollUntilMessages(sent.size()));
  const std::vector<KeptMessage>& got = recording.messages[{topic, 0}];
  ASSERT_EQ(got.size(), sent.size());
  for (size_t i = 0; i < sent.size(); ++i) {
    KeptMessage want;
    want.offset = static_cast<int64_t>(i);
    want.timestamp_ms = sent[i].timestamp_ms;
    want.timestamp_type = TimestampType::kCreate;
    if (sent[i].key) want.key = std::string(*sent[i].key);
    if (sent[i].value) want.value = std::string(*sent[i].value);
    for (const HeaderView& h : sent[i].headers) {
      want.headers.emplace_back(h.name,
                                h.value ? std::optional<std::string>(*h.value) : std::nullopt);
    }
    EXPECT_EQ(got[i], want) << "message " << i;
  }
}

/// Bytes that end in zeros more often than not: what stands behind a value in Kafka's format is
/// zero, too.
std::string RandomBytes(Random* random, size_t size_max) {
  std::string bytes(random->Uniform(size_max + 1), '\0');
  for (size_t i = 0; i + random->Uniform(3) < bytes.size(); ++i) {
    bytes[i] = static_cast<char>(random->Uniform(4));
  }
  return bytes;
}

TEST_P(SourceConformance, RandomMessagesWithAndWithoutHeadersArriveAsTheyWere) {
  uint64_t seed = testing::TestSeed();
  SCOPED_TRACE(testing::RepeatWith(seed));
  Random random(seed);
  std::string topic = Named("t");
  ASSERT_TRUE(cluster_->CreateTopic(topic, 2).ok());
  auto producer = OpenProducer();
  std::map<TopicPartition, std::vector<KeptMessage>> want;
  for (int i = 0; i < 20'000; ++i) {
    KeptMessage kept;
    kept.timestamp_ms = static_cast<int64_t>(random.Uniform(1'700'000'000'000));
    kept.timestamp_type = TimestampType::kCreate;
    if (random.Uniform(2) == 0) kept.key = RandomBytes(&random, 12);
    if (random.Uniform(4) != 0) kept.value = RandomBytes(&random, 40);
    uint64_t headers = random.Uniform(3) == 0 ? random.Uniform(4) : 0;
    for (uint64_t h = 0; h < headers; ++h) {
      std::optional<std::string> value;
      if (random.Uniform(4) != 0) value = RandomBytes(&random, 6);
      kept.headers.emplace_back(random.Uniform(2) == 0 ? "" : "name", std::move(value));
    }
    OutgoingMessage message;
    message.key = kept.key;
    message.value = kept.value;
    std::vector<HeaderView> views;
    for (const auto& [name, value] : kept.headers) views.push_back({name, value});
    message.headers = views;
    message.partition = static_cast<int32_t>(random.Uniform(2));
    message.timestamp_ms = kept.timestamp_ms;
    auto& list = want[{topic, message.partition}];
    kept.offset = static_cast<int64_t>(list.size());
    ASSERT_TRUE(producer->Send(topic, message, seconds(10)).ok());
    list.push_back(std::move(kept));  // only now: the message views it
  }
  ASSERT_TRUE(producer->Flush(seconds(30)).ok());
  ASSERT_EQ(producer->counters().failed, 0u) << producer->first_failure();
  // Any property about fetches leaves them to librdkafka.
  for (const KafkaProperties& more : {KafkaProperties{}, {{"fetch.wait.max.ms", "40"}}}) {
    Recording recording(cluster_, Named(more.empty() ? "g" : "h"), {topic}, "", Recording::kSession,
                        more);
    if (more.empty()) {
      ASSERT_TRUE(recording.PollDirectlyUntilMessages(20'000));
    } else {
      ASSERT_TRUE(recording.PollUntilMessages(20'000));
      EXPECT_EQ(recording.source->counters().direct, 0u);
    }
    for (const auto& [tp, messages] : want) {
      ASSERT_EQ(recording.messages[tp].size(), messages.size());
      for (size_t i = 0; i < messages.size(); ++i) {
        ASSERT_EQ(recording.messages[tp][i], messages[i]) << tp.ToString() << " at " << i;
      }
    }
  }
}

TEST_P(SourceConformance, OneByteAndNineHundredKilobyteValuesArriveAsTheyWere) {
  std::string topic = Named("t");
  ASSERT_TRUE(cluster_->CreateTopic(topic, 1).ok());
  std::string large(900'000, '\0');
  for (size_t i = 0; i < large.size(); ++i) large[i] = static_cast<char>(i * 31 + i / 251);
  Send(topic, 0, {"x", large, "y"});
  Recording recording(cluster_, Named("g"), {topic});
  ASSERT_TRUE(recording.PollUntilMessages(3));
  EXPECT_EQ(recording.Values({topic, 0}), (std::vector<std::string>{"x", large, "y"}));
}

TEST_P(SourceConformance, WhatAnIndependentClientWroteIsReadAsItReadsItItself) {
  NEEDS(kIndependentClient);
  std::string topic = Named("t");
  testing::KafkaAdmin& client = *cluster_->independent_client();
  client.CreateTopic(topic, 3);
  std::vector<testing::ClientMessage> sent;
  for (int i = 0; i < 300; ++i) {
    testing::ClientMessage& message = sent.emplace_back();
    message.topic = topic;
    message.partition = i % 3;
    message.timestamp = 1'000 + i;
    if (i % 2 == 0) message.key = std::string(static_cast<size_t>(i % 5), '\xfe');
    if (i % 7 != 0) message.value = std::string("value\0 ", 7) + std::to_string(i);
    for (int h = 0; h < i % 4; ++h) {
      message.headers.emplace_back(
          "h", h == 1 ? std::nullopt
                      : std::optional<std::string>(std::string(static_cast<size_t>(h), '\0')));
    }
  }
  client.Begin("aborted");
  client.Produce({sent.begin(), sent.begin() + 90}, "aborted");
  client.Abort("aborted");
  client.Produce(sent);
  Recording recording(cluster_, Named("g"), {topic});
  ASSERT_TRUE(recording.PollUntilEnds());
  std::map<TopicPartition, std::vector<KeptMessage>> want;
  for (const testing::ClientMessage& seen : client.Dump(topic)) {
    KeptMessage kept{seen.offset, *seen.timestamp, TimestampType::kCreate,
                     seen.key,    seen.value,      seen.headers};
    want[{topic, *seen.partition}].push_back(std::move(kept));
  }
  EXPECT_EQ(recording.message_count(), 300u);
  EXPECT_EQ(recording.messages, want);
}

TEST_P(SourceConformance, EachAssignmentStartsWhereTheListenerSays) {
  std::string topic = Named("t");
  TopicPartition tp{topic, 0};
  ASSERT_TRUE(cluster_->CreateTopic(topic, 1).ok());
  Send(topic, 0, Numbered("m", 0, 1'000));
  Recording recording(cluster_, Named("g"), {topic});
  recording.listener.starts[tp] = 990;
  ASSERT_TRUE(recording.PollUntilEnds());
  EXPECT_EQ(recording.Values(tp), Numbered("m", 990, 1'000));

  for (int64_t start : {0, 500, 999, 1, 1'000, 700}) {
    recording.listener.starts[tp] = start;
    int assignments = recording.listener.assignments;
    recording.source->Reassign();
    ASSERT_TRUE(recording.PollUntil([&] { return recording.listener.assignments > assignments; }));
    ASSERT_TRUE(recording.PollUntilEnds());
    EXPECT_EQ(recording.Values(tp), Numbered("m", static_cast<int>(start), 1'000))
        << "from " << start;
  }
}

TEST_P(SourceConformance, ReassigningWhileMessagesFlowNeitherLosesNorRepeats) {
  constexpr int kPartitions = 4;
  constexpr int kMessages = 40'000;
  std::string topic = Named("t");
  ASSERT_TRUE(cluster_->CreateTopic(topic, kPartitions).ok());
  for (int p = 0; p < kPartitions; ++p) Send(topic, p, Numbered("m", 0, kMessages / kPartitions));
  Recording recording(cluster_, Named("g"), {topic});
  std::map<TopicPartition, std::vector<KeptMessage>> all;
  int assignments = 1;
  for (int round = 0; round < 20; ++round) {
    ASSERT_TRUE(recording.PollUntil([&] {
      return recording.listener.assignments >= assignments && recording.message_count() >= 100;
    })) << "round "
        << round;
    for (auto& [tp, messages] : recording.messages) {
      all[tp].insert(all[tp].end(), messages.begin(), messages.end());
      recording.listener.starts[tp] = static_cast<int64_t>(all[tp].size());
      messages.clear();
    }
    assignments = recording.listener.assignments + 1;
    recording.source->Reassign();
    if (all[{topic, 0}].size() * kPartitions > kMessages * 3 / 4) break;
  }
  ASSERT_TRUE(recording.PollUntil([&] { return recording.listener.assignments >= assignments; }));
  ASSERT_TRUE(recording.PollUntilEnds());
  for (auto& [tp, messages] : recording.messages) {
    all[tp].insert(all[tp].end(), messages.begin(), messages.end());
  }
  for (const auto& [tp, messages] : all) {
    ASSERT_EQ(messages.size(), size_t{kMessages / kPartitions}) << tp.ToString();
    for (size_t i = 0; i < messages.size(); ++i) {
      ASSERT_EQ(messages[i].offset, static_cast<int64_t>(i)) << tp.ToString();
    }
  }
}

TEST_P(SourceConformance, AStartAboveTheLogsEndIsReportedAndNeverMoved) {
  std::string topic = Named("t");
  TopicPartition tp{topic, 0};
  ASSERT_TRUE(cluster_->CreateTopic(topic, 1).ok());
  Send(topic, 0, Numbered("m", 0, 10));
  Recording recording(cluster_, Named("g"), {topic});
  recording.listener.starts[tp] = 5'000;
  ASSERT_TRUE(
      recording.PollUntil([&] { return recording.HasTrouble(SourceTrouble::kOutOfRange); }));
  EXPECT_EQ(recording.message_count(), 0u);
  recording.listener.starts[tp] = 5;
  recording.source->Reassign();
  ASSERT_TRUE(recording.PollUntilMessages(5));
  EXPECT_EQ(recording.Values(tp), Numbered("m", 5, 10));
}

TEST_P(SourceConformance, AListenerThatRefusesKeepsTheSourceUnassignedUntilReassign) {
  std::string topic = Named("t");
  ASSERT_TRUE(cluster_->CreateTopic(topic, 1).ok());
  Send(topic, 0, {"a"});
  Recording recording(cluster_, Named("g"), {topic});
  recording.listener.refuse = Status::Unavailable("the store is not ready");
  EXPECT_FALSE(recording.PollUntilMessages(1, seconds(20)));
  EXPECT_EQ(recording.error.ToString(), recording.listener.refuse.ToString());
  recording.listener.refuse = Status::Ok();
  recording.source->Reassign();
  EXPECT_TRUE(recording.PollUntilMessages(1));
}

TEST_P(SourceConformance, APatternFindsItsTopics) {
  std::string stem = Named("pattern");
  ASSERT_TRUE(cluster_->CreateTopic(stem + ".a", 2).ok());
  ASSERT_TRUE(cluster_->CreateTopic(stem + ".b", 1).ok());
  ASSERT_TRUE(cluster_->CreateTopic("other-" + stem, 1).ok());
  Send(stem + ".a", 1, {"a"});
  Send(stem + ".b", 0, {"b"});
  Send("other-" + stem, 0, {"c"});
  Recording recording(cluster_, Named("g"), {"^" + stem + "\\..*"});
  ASSERT_TRUE(recording.PollUntilMessages(2)) << recording.error.ToString();
  ASSERT_TRUE(recording.PollUntilEnds());
  EXPECT_EQ(recording.listener.assigned.size(), 3u);
  EXPECT_EQ(recording.Values({stem + ".a", 1}), std::vector<std::string>{"a"});
  EXPECT_EQ(recording.Values({stem + ".b", 0}), std::vector<std::string>{"b"});
}

TEST_P(SourceConformance, AnUnknownTopicIsANoticeAndOthersAreRead) {
  std::string topic = Named("t");
  ASSERT_TRUE(cluster_->CreateTopic(topic, 1).ok());
  Send(topic, 0, {"a"});
  if (GetParam().name == "mock")
    GTEST_SKIP() << "the mock cluster makes every topic it is asked about";
  Recording recording(cluster_, Named("g"), {topic, Named("absent")});
  ASSERT_TRUE(recording.PollUntilMessages(1)) << recording.error.ToString();
  auto named = [&](const SourceNotice& n) { return n.code == "UNKNOWN_TOPIC_OR_PART"; };
  EXPECT_TRUE(recording.PollUntil(
      [&] { return std::any_of(recording.notices.begin(), recording.notices.end(), named); }));
}

TEST_P(SourceConformance, AbortedMessagesAreNeverSeenAndTheEndIsBehindThem) {
  NEEDS(kTransactions);
  std::string topic = Named("t");
  TopicPartition tp{topic, 0};
  ASSERT_TRUE(cluster_->CreateTopic(topic, 1).ok());
  auto producer = OpenProducer(Named("x"));
  ASSERT_TRUE(producer->InitTransactions(seconds(20)).ok());
  for (int t = 0; t < 6; ++t) {
    ASSERT_TRUE(producer->Begin().ok());
    for (int i = 0; i < 50; ++i) {
      std::string value = (t % 2 == 0 ? "kept" : "aborted") + std::to_string(i);
      ASSERT_TRUE(producer->Send(topic, {.value = value, .partition = 0}, seconds(10)).ok());
    }
    ASSERT_TRUE(producer->Flush(seconds(20)).ok());
    Status status = t % 2 == 0 ? producer->CommitTransaction(seconds(20))
                               : producer->AbortTransaction(seconds(20));
    ASSERT_TRUE(status.ok()) << status.ToString();
  }
  Recording recording(cluster_, Named("g"), {topic});
  ASSERT_TRUE(recording.PollUntil([&] { return recording.ends[tp] == 6 * 51; }))
      << "end at " << recording.ends[tp];
  std::vector<std::string> want;
  for (int t = 0; t < 3; ++t) {
    for (const std::string& v : Numbered("kept", 0, 50)) want.push_back(v);
  }
  EXPECT_EQ(recording.Values(tp), want);

  auto probe = OpenProbe();
  auto aborted = probe->ReadAt(tp, 60, seconds(10));  // within the first aborted transaction
  ASSERT_TRUE(aborted.ok()) << aborted.status().ToString();
  EXPECT_FALSE((*aborted)->found);
  EXPECT_EQ((*aborted)->next_offset, 102);
  auto control = probe->ReadAt(tp, 305, seconds(10));  // the last control record
  ASSERT_TRUE(control.ok()) << control.status().ToString();
  EXPECT_FALSE((*control)->found);
  EXPECT_EQ((*control)->next_offset, 306);
}

TEST_P(SourceConformance, AStartBelowTheLogsStartIsReported) {
  NEEDS(kDeleteRecords);
  std::string topic = Named("t");
  TopicPartition tp{topic, 0};
  ASSERT_TRUE(cluster_->CreateTopic(topic, 1).ok());
  Send(topic, 0, Numbered("m", 0, 100));
  ASSERT_TRUE(cluster_->DeleteMessagesBefore(tp, 40).ok());
  Recording recording(cluster_, Named("g"), {topic});
  recording.listener.starts[tp] = 10;
  ASSERT_TRUE(
      recording.PollUntil([&] { return recording.HasTrouble(SourceTrouble::kOutOfRange); }));
  EXPECT_EQ(recording.message_count(), 0u);
  auto probe = OpenProbe();
  auto gone = probe->ReadAt(tp, 10, seconds(10));
  ASSERT_TRUE(gone.ok()) << gone.status().ToString();
  EXPECT_FALSE((*gone)->found);
  EXPECT_EQ((*gone)->next_offset, 40);
  recording.listener.starts[tp] = 40;
  recording.source->Reassign();
  ASSERT_TRUE(recording.PollUntilMessages(60));
  EXPECT_EQ(recording.Values(tp), Numbered("m", 40, 100));
}

// B10 of docs/faults.md
TEST_P(SourceConformance, ADamagedBatchStopsItsPartitionAndNoOther) {
  NEEDS(kLogFiles);
  std::string topic = Named("t");
  TopicPartition tp{topic, 0};
  ASSERT_TRUE(cluster_->CreateTopic(topic, 2).ok());
  Send(topic, 0, Numbered("before", 0, 5));
  Send(topic, 0, {"the-damaged-one"});
  Send(topic, 0, Numbered("after", 0, 5));
  Send(topic, 1, Numbered("other", 0, 5));
  Status damaged = cluster_->DamageLog(tp, "the-damaged-one");
  ASSERT_TRUE(damaged.ok()) << damaged.ToString();
  Recording recording(cluster_, Named("g"), {topic});
  ASSERT_TRUE(recording.PollUntil([&] {
    return recording.HasTrouble(SourceTrouble::kBadBatch) && recording.ends.contains({topic, 1});
  }));
  EXPECT_FALSE(recording.PollUntil([&] { return recording.Values(tp).size() > 5; }, seconds(2)));
  EXPECT_EQ(recording.Values(tp), Numbered("before", 0, 5));
  EXPECT_EQ(recording.Values({topic, 1}), Numbered("other", 0, 5));

  auto probe = OpenProbe();
  EXPECT_EQ(probe->ReadAt(tp, 5, seconds(10)).status().code(), StatusCode::kCorruption);
  // An operator's skip: assigned again behind the batch.
  recording.listener.starts[tp] = 6;
  recording.listener.starts[{topic, 1}] = 5;
  recording.source->Reassign();
  ASSERT_TRUE(recording.PollUntil([&] { return recording.listener.assignments == 2; }));
  ASSERT_TRUE(recording.PollUntil([&] { return recording.Values(tp).size() == 5; }));
  EXPECT_EQ(recording.Values(tp), Numbered("after", 0, 5));
}

TEST_P(SourceConformance, FailingFetchesOnlyDelay) {
  NEEDS(kErrorInjection);
  std::string topic = Named("t");
  ASSERT_TRUE(cluster_->CreateTopic(topic, 1).ok());
  Send(topic, 0, Numbered("m", 0, 100));
  ASSERT_TRUE(cluster_->FailFetches(5).ok());
  Recording recording(cluster_, Named("g"), {topic});
  ASSERT_TRUE(recording.PollUntilMessages(100));
  EXPECT_EQ(recording.Values({topic, 0}), Numbered("m", 0, 100));
}

}  // namespace
}  // namespace tapedeck
