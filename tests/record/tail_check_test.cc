// What a look at the end of a log concludes.

#include "record/tail_check.h"

#include <gtest/gtest.h>

#include "support/fake_log.h"

namespace tapedeck::testing {
namespace {

const TopicPartition kTp{"Finhub1", 0};

class TailCheck : public ::testing::Test {
 protected:
  TailCheck() {
    log_.Create(kTp.topic, 1);
    for (int i = 0; i < 10; ++i) {
      FakeMessage message;
      message.value = "v" + std::to_string(i);
      log_.Produce(kTp, std::move(message));
    }
  }
  Landmark At(int64_t offset) {
    MessageHasher hasher;
    return {offset, hasher.Message(FakeView(log_.Copy(kTp).messages.at(offset)).view(), kTp)};
  }
  TailAnswer Check(int64_t next, int64_t last) {
    FakeProbe probe(&log_);
    Result<TailAnswer> answer =
        CheckTail(&probe, {kTp, next, At(last), At(2)}, std::chrono::milliseconds(10), &clock_);
    EXPECT_TRUE(answer.ok()) << answer.status().ToString();
    return answer.ok() ? *answer : TailAnswer{};
  }

  FakeLog log_;
  ManualClock clock_{Timestamp(0)};
};

TEST_F(TailCheck, TheSameLogIsTheSame) { EXPECT_EQ(Check(10, 9).verdict, TailVerdict::kSame); }

TEST_F(TailCheck, ASkipBeyondTheEndOfTheLogIsNamed) {
  const TailAnswer answer = Check(15, 9);
  EXPECT_EQ(answer.verdict, TailVerdict::kChanged);
  EXPECT_NE(answer.reason.find("ends at 10, before offset 15"), std::string::npos) << answer.reason;
  EXPECT_NE(answer.reason.find("a skip that went too far"), std::string::npos) << answer.reason;
}

TEST_F(TailCheck, ACutLogIsNotTakenForASkip) {
  const Landmark last = At(9);
  log_.Truncate(kTp, 7);
  FakeProbe probe(&log_);
  Result<TailAnswer> answer =
      CheckTail(&probe, {kTp, 10, last, At(2)}, std::chrono::milliseconds(10), &clock_);
  ASSERT_TRUE(answer.ok()) << answer.status().ToString();
  EXPECT_EQ(answer->verdict, TailVerdict::kChanged);
  EXPECT_EQ(answer->reason.find("skip"), std::string::npos) << answer->reason;
}

}  // namespace
}  // namespace tapedeck::testing
