// The parts without a cluster: metadata of commits, refused properties, made-up feeds.

#include <gtest/gtest.h>

#include <random>

#include "kafka/client_properties.h"
#include "kafka/commit_metadata.h"
#include "kafka/feed.h"
#include "kafka/kafka_source.h"

namespace tapedeck {
namespace {

TEST(CommitMetadataText, HasExactlyTheseBytes) {
  CommitMetadata metadata{
      "node-1", "6f1e2c", 0, 1200, {5121, Hash128{0x0011223344556677, 0x8899aabbccddeeff}}};
  Result<std::string> text = EncodeCommitMetadata(metadata);
  ASSERT_TRUE(text.ok());
  EXPECT_EQ(*text, "tapedeck/1 node-1 6f1e2c 0 1200 5121 00112233445566778899aabbccddeeff");
  EXPECT_EQ(ParseCommitMetadata(*text), metadata);
}

TEST(CommitMetadataText, KeepsAnyBytesInNames) {
  CommitMetadata metadata{std::string("a b%\0\xff\n", 7), "", 4'000'000'000, 0, {}};
  Result<std::string> text = EncodeCommitMetadata(metadata);
  ASSERT_TRUE(text.ok());
  EXPECT_EQ(ParseCommitMetadata(*text), metadata);
  metadata.node.assign(2'000, 'n');
  EXPECT_EQ(EncodeCommitMetadata(metadata).status().code(), StatusCode::kInvalidArgument);
}

TEST(CommitMetadataText, WhatIsNotOursIsNothing) {
  const std::string good = "tapedeck/1 node-1 6f1e2c 0 1200 5121 00112233445566778899aabbccddeeff";
  for (const std::string& text :
       {std::string(), std::string("consumer metadata"),
        std::string("tapedeck/2") + good.substr(10), good + " more",
        good.substr(0, good.size() - 1), std::string("tapedeck/1 a% b 0 0 0 00"),
        std::string("tapedeck/1 n s -1 0 0 00112233445566778899aabbccddeeff"),
        std::string("tapedeck/1 n s 0 -5 0 00112233445566778899aabbccddeeff"),
        std::string(5'000, ' ')}) {
    EXPECT_FALSE(ParseCommitMetadata(text)) << text;
  }
  // Any damage is either nothing or something whole; it never crashes.
  std::mt19937 random(20'261'121);
  for (int i = 0; i < 20'000; ++i) {
    std::string text = good;
    for (unsigned n = random() % 4 + 1; n > 0; --n)
      text[random() % text.size()] = static_cast<char>(random());
    (void)ParseCommitMetadata(text.substr(0, random() % (text.size() + 1)));
    (void)ParseCommitMetadata(text);
  }
}

TEST(RefusedProperties, NameThePropertyAndTheReasonAndNeverTheValue) {
  for (const char* name :
       {"plugin.library.paths", "sasl.kerberos.kinit.cmd", "ssl.engine.location",
        "enable.auto.commit", "isolation.level", "auto.offset.reset", "group.instance.id",
        "group.id", "client.rack", "check.crcs", "queued.min.messages", "bootstrap.servers",
        "statistics.interval.ms", "rebalance_cb", "opaque"}) {
    Status status = CheckProperties({{name, "hunter2"}}, ClientRole::kConsumer);
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << name;
    EXPECT_NE(status.message().find(name), std::string_view::npos);
    EXPECT_EQ(status.message().find("hunter2"), std::string_view::npos);
  }
  EXPECT_FALSE(CheckProperties({{"debug", "broker, security"}}, ClientRole::kConsumer).ok());
  EXPECT_FALSE(CheckProperties({{"debug", "all"}}, ClientRole::kProducer).ok());
  EXPECT_FALSE(CheckProperties({{"partition.assignment.strategy", "cooperative-sticky"}},
                               ClientRole::kConsumer)
                   .ok());
  EXPECT_TRUE(CheckProperties({{"debug", "broker,fetch"},
                               {"security.protocol", "sasl_ssl"},
                               {"sasl.password", "hunter2"},
                               {"session.timeout.ms", "6000"},
                               {"partition.assignment.strategy", "roundrobin"}},
                              ClientRole::kConsumer)
                  .ok());
  EXPECT_TRUE(CheckProperties({{"group.id", "x"}}, ClientRole::kProducer).ok());
}

TEST(RefusedProperties, AreRefusedWhenASourceIsOpened) {
  KafkaOptions options;
  options.bootstrap_servers = "127.0.0.1:1";
  options.group = "g";
  options.topics = {"t"};
  for (auto [name, value, wanted] : std::vector<std::tuple<std::string, std::string, std::string>>{
           {"isolation.level", "read_uncommitted", "isolation.level"},
           {"no.such.thing", "1", "no.such.thing"},
           {"session.timeout.ms", "soon", "session.timeout.ms"}}) {
    options.properties = {{name, value}};
    auto source = KafkaSource::Open(options, nullptr);
    ASSERT_FALSE(source.ok()) << name;
    EXPECT_EQ(source.status().code(), StatusCode::kInvalidArgument);
    EXPECT_NE(source.status().message().find(wanted), std::string_view::npos);
  }
}

TEST(MadeUpFeed, IsTheSameForTheSameSeed) {
  FeedOptions options{.seed = 42,
                      .symbols = 20,
                      .kind = FeedKind::kMixed,
                      .late_ppm = 10'000,
                      .malformed_ppm = 10'000};
  Feed first(options);
  Feed second(options);
  options.seed = 43;
  Feed third(options);
  int different = 0;
  for (int i = 0; i < 10'000; ++i) {
    std::string value(first.Next().value);
    ASSERT_EQ(value, second.Next().value);
    different += value != third.Next().value ? 1 : 0;
  }
  EXPECT_GT(different, 9'000);
  const Feed::Counts& counts = first.counts();
  EXPECT_EQ(counts.messages, 10'000u);
  EXPECT_EQ(counts.quotes + counts.trades + counts.malformed, counts.messages);
  EXPECT_GT(counts.trades, 1'000u);
  EXPECT_GT(counts.late, 50u);
  EXPECT_GT(counts.malformed, 50u);
}

TEST(MadeUpFeed, BeginsWithTheseBytes) {
  Feed feed({.seed = 1, .symbols = 2});
  EXPECT_EQ(feed.Next().value,
            R"({"symbol":"ETH-USD","ts":1719878400004,"bid":3442.16,"bid_size":0.0803,)"
            R"("ask":3442.18,"ask_size":0.0987})");
}

TEST(MadeUpFeed, MessagesAreAboutAsWideAsTheyShouldBe) {
  for (auto [width, wanted] :
       {std::pair(FeedWidth::k100, 100.0), std::pair(FeedWidth::k250, 250.0)}) {
    for (FeedKind kind : {FeedKind::kQuotes, FeedKind::kTrades}) {
      Feed feed({.seed = 3, .symbols = 500, .kind = kind, .width = width});
      size_t bytes = 0;
      for (int i = 0; i < 1'000; ++i) bytes += feed.Next().value.size();
      EXPECT_NEAR(static_cast<double>(bytes) / 1'000, wanted, wanted / 10);
    }
  }
}

TEST(MadeUpFeed, TimeGoesUpAndLateMessagesSayAnEarlierOne) {
  Feed feed({.seed = 5, .late_ppm = 50'000});
  Timestamp before = Timestamp::Min();
  int late = 0;
  for (int i = 0; i < 10'000; ++i) {
    const FeedMessage& message = feed.Next();
    ASSERT_GE(message.sent_at, before);
    ASSERT_LE(message.event_time, message.sent_at);
    late += message.sent_at.ns() - message.event_time.ns() > 500'000'000 ? 1 : 0;
    before = message.sent_at;
  }
  EXPECT_EQ(static_cast<uint64_t>(late), feed.counts().late);
}

}  // namespace
}  // namespace tapedeck
