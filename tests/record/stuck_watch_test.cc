#include "record/stuck_watch.h"

#include <gtest/gtest.h>

namespace tapedeck::testing {
namespace {

using std::chrono::seconds;

const TopicPartition kOne{"prices", 0};
const TopicPartition kOther{"prices", 1};

class StuckWatchTest : public ::testing::Test {
 protected:
  // Rounds, 5 s apart, in which the partitions stand at `next` in a log that ends at `end`.
  void Rounds(int count, int64_t next, int64_t end) {
    for (int i = 0; i < count; ++i) {
      now_ += seconds(5);
      watch_.Turn(now_);
      if (watch_.WantsEnd(kOne, next)) {
        ++asked_;
        watch_.TakeEnd(kOne, next, end);
      }
      watch_.WantsEnd(kOther, ++moving_);
      for (const TopicPartition& tp : watch_.NewlyStuck()) told_.push_back(tp);
    }
  }

  StuckWatch watch_{seconds(30), seconds(5)};
  MonotonicTime now_{1'000'000'000};
  int64_t moving_ = 0;
  int asked_ = 0;
  std::vector<TopicPartition> told_;
};

TEST_F(StuckWatchTest, APartitionBehindItsLogsEndIsToldOnceAndNoneThatMoves) {
  Rounds(8, 7, 9);
  EXPECT_TRUE(told_.empty()) << "40 s: asked after 10, behind for 30 only at 45";
  Rounds(4, 7, 9);
  EXPECT_EQ(told_, std::vector<TopicPartition>{kOne});
  EXPECT_NE(watch_.Reason(kOne, 7).find("tapedeck skip --topic prices --partition 0"),
            std::string::npos);
  EXPECT_EQ(watch_.Reason(kOther, moving_), "");
  Rounds(100, 7, 20);
  EXPECT_EQ(told_.size(), 1u);
  EXPECT_NE(watch_.Reason(kOne, 7).find("goes on to 20"), std::string::npos);
}

TEST_F(StuckWatchTest, APartitionAtItsEndIsAskedForNowAndThenAndIsWell) {
  Rounds(720, 7, 7);
  EXPECT_TRUE(told_.empty());
  EXPECT_NEAR(asked_, 360, 10) << "every 10 s of an hour";
  Rounds(10, 7, 8);
  EXPECT_EQ(told_.size(), 1u);
}

TEST_F(StuckWatchTest, AMoveEndsItAndTheNextPlaceIsToldAgain) {
  Rounds(12, 7, 9);
  EXPECT_EQ(watch_.Reason(kOne, 8), "") << "at once, before the next round";
  Rounds(2, 8, 9);
  EXPECT_EQ(watch_.Reason(kOne, 8), "");
  Rounds(12, 8, 9);
  EXPECT_EQ(told_.size(), 2u);
}

TEST_F(StuckWatchTest, AnEndThatComesNearerIsNoTrouble) {
  Rounds(12, 7, 9);
  Rounds(3, 7, 7);
  EXPECT_EQ(watch_.Reason(kOne, 7), "") << "an open transaction was aborted, or the log was cut";
}

TEST_F(StuckWatchTest, TimeInWhichNothingWasPulledDoesNotCount) {
  Rounds(4, 7, 9);
  now_ += std::chrono::hours(1);
  Rounds(1, 7, 9);
  EXPECT_TRUE(told_.empty());
  Rounds(6, 7, 9);
  EXPECT_EQ(told_.size(), 1u);
}

TEST_F(StuckWatchTest, AnAnswerThatIsOlderThanThePositionIsLeftAside) {
  Rounds(1, 7, 9);
  for (int i = 0; i < 20; ++i) {
    now_ += seconds(5);
    watch_.Turn(now_);
    watch_.WantsEnd(kOne, 8);
    watch_.TakeEnd(kOne, 7, 9);
  }
  EXPECT_TRUE(watch_.NewlyStuck().empty());
}

TEST_F(StuckWatchTest, APartitionThatWentElsewhereIsForgotten) {
  Rounds(12, 7, 9);
  for (int i = 0; i < 2; ++i) watch_.Turn(now_ += seconds(5));
  EXPECT_EQ(watch_.Reason(kOne, 7), "");
}

}  // namespace
}  // namespace tapedeck::testing
