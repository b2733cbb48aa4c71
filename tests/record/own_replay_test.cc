// G12: messages of this node's own replays that come back to it, and those that only say so.

#include <gtest/gtest.h>

#include "model/replay_headers.h"
#include "record/recorder_rig.h"
#include "support/seed.h"

namespace tapedeck::testing {
namespace {

const TopicPartition kFirst{"Finhub1", 0};
constexpr char kOwn[] = "tapedeck/node-1/mine";

class OwnReplay : public ::testing::Test {
 protected:
  OwnReplay() : rig_(TestSeed()) {
    rig_.log.Create("Finhub1", 1);
    rig_.is_own_replay = [this](const std::string& cluster, const TopicPartition& tp,
                                const MessageView& message) {
      EXPECT_FALSE(cluster.empty());
      EXPECT_EQ(tp, kFirst);
      ++asked_;
      const auto headers = ReplayHeadersOf(message);
      return headers && headers->name == kOwn;
    };
  }

  int64_t Replayed(const std::string& name, int64_t timestamp_ms = 1'719'893'836'512) {
    FakeMessage message;
    message.value = "{\"data\":[],\"type\":\"trade\"}";
    message.timestamp_ms = timestamp_ms;
    message.headers = {{"kept", "1"},
                       {"tapedeck-replay", name},
                       {"tapedeck-seq", std::to_string(++seq_)},
                       {"tapedeck-origin", "Finhub1/0/0/0"},
                       {"tapedeck-ts", "-1"}};
    return rig_.log.Produce(kFirst, std::move(message));
  }
  std::vector<Gap> Gaps() { return rig_.store->View()->Gaps(*rig_.CurrentTape(kFirst)).value(); }
  std::string Metrics() { return rig_.metrics.Expose(); }

  RecorderRig rig_;
  uint64_t seq_ = 0;
  int asked_ = 0;
};

TEST_F(OwnReplay, G12OfOurOwnNothingIsRecordedAndOneGapGrowsOverCommitsAndRestarts) {
  rig_.ProduceTrades(kFirst, 2);
  const int64_t from = Replayed(kOwn);
  for (int i = 0; i < 40; ++i) Replayed(kOwn, 1'719'893'836'512 + i);
  int polls = 0;
  ASSERT_TRUE(rig_.Run([&](FakeSource* source) {
                    source->batch_max = 3;  // many commits
                    return ++polls < 300;
                  })
                  .ok());
  ASSERT_EQ(Gaps().size(), 1u);
  EXPECT_EQ(Gaps()[0].reason, GapReason::kOwnReplay);
  EXPECT_EQ(Gaps()[0].from, from);
  EXPECT_EQ(Gaps()[0].to, from + 41);
  EXPECT_EQ(Gaps()[0].kafka_before_ms, 1'719'893'836'512);
  EXPECT_EQ(Gaps()[0].kafka_after_ms, 1'719'893'836'551);
  rig_.CloseStore();
  Replayed(kOwn);
  const int64_t last = rig_.ProduceTrades(kFirst, 1);
  Replayed(kOwn);
  ASSERT_TRUE(rig_.Run().ok());
  EXPECT_EQ(asked_, 43);
  const std::vector<Gap> gaps = Gaps();
  ASSERT_EQ(gaps.size(), 3u);
  EXPECT_EQ(gaps[1].from, from + 41);
  EXPECT_EQ(gaps[1].to, last);
  EXPECT_EQ(gaps[2].from, last + 1);
  EXPECT_EQ(rig_.StoredTape(*rig_.CurrentTape(kFirst)).size(), 2u);
  EXPECT_EQ(rig_.LoadState().checkpoints[0].second.next, last + 2);
}

TEST_F(OwnReplay, G12AForgedHeaderIsRecordedAndCounted) {
  Replayed("tapedeck/node-2/theirs");
  Replayed("");
  FakeMessage odd;  // the name alone
  odd.value = "{}";
  odd.headers = {{"tapedeck-replay", kOwn}};
  rig_.log.Produce(kFirst, std::move(odd));
  ASSERT_TRUE(rig_.Run().ok());
  EXPECT_EQ(rig_.StoredTape(*rig_.CurrentTape(kFirst)).size(), 3u);
  EXPECT_TRUE(Gaps().empty());
  EXPECT_NE(Metrics().find("tapedeck_record_replayed_total{topic=\"Finhub1\"} 3"),
            std::string::npos)
      << Metrics();
}

TEST_F(OwnReplay, WithoutAcceptReplayedThoseOfOthersAreLeftOutWithAGap) {
  ASSERT_EQ(rig_.options.topics.size(), 1u);
  rig_.options.topics[0].accept_replayed = false;
  rig_.ProduceTrades(kFirst, 1);
  Replayed("tapedeck/node-2/theirs");
  Replayed("tapedeck/node-2/theirs");
  Replayed(kOwn);
  rig_.ProduceTrades(kFirst, 1);
  ASSERT_TRUE(rig_.Run().ok());
  const std::vector<Gap> gaps = Gaps();
  ASSERT_EQ(gaps.size(), 2u);
  EXPECT_EQ(gaps[0].reason, GapReason::kSkipped);
  EXPECT_EQ(gaps[0].from, 1);
  EXPECT_EQ(gaps[0].to, 3);
  EXPECT_EQ(gaps[1].reason, GapReason::kOwnReplay);
  EXPECT_EQ(gaps[1].to, 4);
  EXPECT_EQ(rig_.StoredTape(*rig_.CurrentTape(kFirst)).size(), 2u);
  const std::string metrics = Metrics();
  for (const char* counted :
       {"tapedeck_record_skipped_total{reason=\"replayed\",topic=\"Finhub1\"} 2",
        "tapedeck_record_skipped_total{reason=\"own-replay\",topic=\"Finhub1\"} 1",
        "tapedeck_gaps_total{reason=\"own-replay\",topic=\"Finhub1\"} 1"}) {
    EXPECT_NE(metrics.find(counted), std::string::npos) << counted << "\n" << metrics;
  }
}

}  // namespace
}  // namespace tapedeck::testing
