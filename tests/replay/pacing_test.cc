// Pacing on a simulated clock: when messages are due, and what happens to those that are late.

#include "replay/pacing.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/random.h"
#include "support/seed.h"

namespace tapedeck::testing {
namespace {

using std::chrono::nanoseconds;
using namespace std::chrono_literals;

class PacingTest : public ::testing::Test {
 protected:
  /// Waits for and sends a message; how long after the first one it went.
  nanoseconds Send(Pacer* pacer, Timestamp time, size_t bytes = 100) {
    const MonotonicTime due = pacer->Due(time, bytes);
    WaitUntil(due, &clock_);
    if (!began_) begin_ = clock_.Monotonic();
    began_ = true;
    const nanoseconds at = clock_.Monotonic() - begin_;
    pacer->Sent(time, bytes, due);
    return at;
  }
  static Timestamp At(nanoseconds since) {
    return Timestamp(int64_t{1'720'000'000} * 1'000'000'000 + since.count());
  }

  ManualClock clock_{At(0s)};
  MonotonicTime begin_{0};
  bool began_ = false;
};

TEST_F(PacingTest, OriginalSpacingDoesNotDriftInAnHourOfSlowSends) {
  const uint64_t seed = TestSeed();
  SCOPED_TRACE(RepeatWith(seed));
  Random random(seed);
  Pacer pacer({.mode = PaceMode::kOriginal, .speed = 1}, {}, &clock_);
  nanoseconds time{0};
  for (uint64_t n = 0; time < 1h; ++n) {
    const nanoseconds at = Send(&pacer, At(time));
    ASSERT_GE(at, time);
    ASSERT_LT(at, time + 2us) << "message " << n;  // the lateness of one send, never a sum
    clock_.Advance(nanoseconds(random.Uniform(2'000)));
    time += nanoseconds(2'000 + random.Uniform(20'000'000));
  }
  EXPECT_EQ(pacer.shifted(), 0ns);
}

TEST_F(PacingTest, SpeedsAreFactorsAndFractions) {
  for (const double speed : {10.0, 0.25, 3.0, 1000.0}) {
    began_ = false;
    Pacer pacer({.mode = PaceMode::kOriginal, .speed = speed}, {}, &clock_);
    for (int second = 0; second < 100; ++second) {
      const double wanted = second * 1e9 / speed;
      EXPECT_NEAR(Send(&pacer, At(second * 1s)).count(), wanted, 1.0) << speed;
    }
  }
}

TEST_F(PacingTest, IdleGapsAreCutAndTheRestKeepsItsSpacing) {
  Pacer pacer({.mode = PaceMode::kOriginal, .speed = 2, .max_idle = 5s}, {}, &clock_);
  EXPECT_EQ(Send(&pacer, At(0s)), 0s);
  EXPECT_EQ(Send(&pacer, At(4s)), 2s);
  EXPECT_EQ(Send(&pacer, At(10h)), 7s);
  EXPECT_EQ(Send(&pacer, At(10h + 8s)), 11s);
}

TEST_F(PacingTest, MessagesOfOneMomentGoTogether) {
  Pacer pacer({.mode = PaceMode::kOriginal}, {}, &clock_);
  EXPECT_EQ(Send(&pacer, At(1s)), 0s);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(Send(&pacer, At(1s)), 0s);
  EXPECT_EQ(Send(&pacer, Timestamp::Min()), 0s);  // without a time: with the one before
  EXPECT_EQ(Send(&pacer, At(2s)), 1s);
}

TEST_F(PacingTest, RatesOfMessagesAndBytesAreExact) {
  Pacer messages({.mode = PaceMode::kRate, .messages_per_second = 3}, {}, &clock_);
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(Send(&messages, At(0s)), nanoseconds(int64_t{i} * 1'000'000'000 / 3));
  }
  began_ = false;
  Pacer bytes({.mode = PaceMode::kRate, .bytes_per_second = 1000}, {}, &clock_);
  EXPECT_EQ(Send(&bytes, At(0s), 500), 0s);
  EXPECT_EQ(Send(&bytes, At(0s), 2000), 500ms);
  EXPECT_EQ(Send(&bytes, At(0s), 1), 2500ms);
}

// Sends everything that is due, in slices of 10 ms, and returns the greatest number in any second.
uint64_t BusiestSecond(Pacer* pacer, ManualClock* clock, nanoseconds spacing, Timestamp start) {
  std::vector<MonotonicTime> sent;
  int64_t n = 0;
  for (int slice = 0; slice < 20'000; ++slice) {
    if (slice == 1000) clock->Advance(60s);  // SIGSTOP
    for (;;) {
      const Timestamp time = start.SaturatingAdd(spacing.count() * n);
      const MonotonicTime due = pacer->Due(time, 100);
      if (due > clock->Monotonic()) break;
      pacer->Sent(time, 100, due);
      sent.push_back(clock->Monotonic());
      ++n;
    }
    clock->Advance(10ms);
  }
  uint64_t busiest = 0;
  size_t first = 0;
  for (size_t i = 0; i < sent.size(); ++i) {
    while (sent[i] - sent[first] >= 1s) ++first;
    busiest = std::max<uint64_t>(busiest, i - first + 1);
  }
  return busiest;
}

TEST_F(PacingTest, E10AJobStoppedForAMinuteDoesNotBurst) {
  Pacer rate({.mode = PaceMode::kRate, .messages_per_second = 1000}, {}, &clock_);
  EXPECT_LE(BusiestSecond(&rate, &clock_, 0s, At(0s)), 1100u);
  EXPECT_GE(rate.shifted(), 59s);
  Pacer original({.mode = PaceMode::kOriginal}, {}, &clock_);
  EXPECT_LE(BusiestSecond(&original, &clock_, 1ms, At(0s)), 1100u);
  EXPECT_GE(original.shifted(), 58s);
}

TEST_F(PacingTest, E12TheLimitOfTheNodeHoldsInEveryMode) {
  for (const Pace& pace : {Pace{.mode = PaceMode::kMax}, Pace{.mode = PaceMode::kOriginal},
                           Pace{.mode = PaceMode::kRate, .messages_per_second = 5000}}) {
    Pacer pacer(pace, {.messages_per_second = 500}, &clock_);
    const MonotonicTime begin = clock_.Monotonic();
    for (int i = 0; i < 5000; ++i) Send(&pacer, At(i * 100us));
    const double seconds = std::chrono::duration<double>(clock_.Monotonic() - begin).count();
    EXPECT_NEAR(5000 / seconds, 500, 25) << PaceModeName(pace.mode);
  }
}

TEST_F(PacingTest, ANewSpeedIsInForceWithinAGap) {
  Pacer pacer({.mode = PaceMode::kOriginal, .speed = 1}, {}, &clock_);
  EXPECT_EQ(Send(&pacer, At(0s)), 0s);
  EXPECT_EQ(Send(&pacer, At(1s)), 1s);
  clock_.Advance(2s);
  pacer.Change({.mode = PaceMode::kOriginal, .speed = 10});
  EXPECT_EQ(Send(&pacer, At(101s)), 11s);  // 100 s behind the last one, ten times as fast
  pacer.Change({.mode = PaceMode::kMax});
  EXPECT_EQ(Send(&pacer, At(5000s)), 11s);
  pacer.Change({.mode = PaceMode::kRate, .messages_per_second = 2});
  EXPECT_EQ(Send(&pacer, At(5000s)), 11s);
  EXPECT_EQ(Send(&pacer, At(5000s)), 11500ms);
}

TEST_F(PacingTest, APauseMovesTheScheduleByItsLength) {
  Pacer pacer({.mode = PaceMode::kOriginal}, {}, &clock_);
  EXPECT_EQ(Send(&pacer, At(0s)), 0s);
  clock_.Advance(1h);
  pacer.Shift(1h);
  EXPECT_EQ(Send(&pacer, At(3s)), 1h + 3s);
  EXPECT_EQ(pacer.shifted(), 0s);
  pacer.Restart();
  EXPECT_EQ(Send(&pacer, At(700s)), 1h + 3s);
}

TEST_F(PacingTest, TimesFarApartAreCapped) {
  Pacer pacer({.mode = PaceMode::kOriginal, .speed = kSpeedMin}, {}, &clock_);
  Send(&pacer, Timestamp(INT64_MIN + 1));
  EXPECT_GT(pacer.Due(Timestamp(INT64_MAX - 1), 1), clock_.Monotonic() + 24h);
  pacer.Change({.mode = PaceMode::kOriginal, .speed = 1, .max_idle = 0s});
  EXPECT_LE(pacer.Due(Timestamp(INT64_MAX - 1), 1), clock_.Monotonic());
}

TEST_F(PacingTest, QuantilesOfLatenessAreWithinSixPercent) {
  const uint64_t seed = TestSeed();
  SCOPED_TRACE(RepeatWith(seed));
  Random random(seed);
  LatenessHistogram histogram;
  std::vector<int64_t> all;
  for (int i = 0; i < 20'000; ++i) {
    all.push_back(static_cast<int64_t>(random.Uniform(uint64_t{1} << random.Uniform(40))));
    histogram.Add(nanoseconds(all.back()));
  }
  std::sort(all.begin(), all.end());
  for (const double q : {0.01, 0.5, 0.9, 0.99, 0.999}) {
    const double exact =
        static_cast<double>(all[static_cast<size_t>(q * static_cast<double>(all.size())) - 1]);
    EXPECT_NEAR(histogram.Quantile(q).count(), exact, exact * 0.0625 + 1) << q;
  }
  EXPECT_EQ(histogram.max().count(), all.back());
  EXPECT_EQ(histogram.Quantile(1.0).count(), all.back());
}

TEST_F(PacingTest, ImpossiblePacesAreRefusedByField) {
  EXPECT_TRUE(CheckPace({}).ok());
  EXPECT_TRUE(CheckPace({.mode = PaceMode::kOriginal, .speed = 0.5}).ok());
  for (const double speed : {0.0, -1.0, 1e9, std::nan("")}) {
    EXPECT_NE(CheckPace({.mode = PaceMode::kOriginal, .speed = speed}).message().find("pace.speed"),
              std::string_view::npos);
  }
  EXPECT_FALSE(CheckPace({.mode = PaceMode::kRate}).ok());
  EXPECT_FALSE(
      CheckPace({.mode = PaceMode::kRate, .messages_per_second = 1, .bytes_per_second = 1}).ok());
}

}  // namespace
}  // namespace tapedeck::testing
