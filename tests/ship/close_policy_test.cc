// When generations are closed, on a clock that the test moves.

#include "ship/close_policy.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/steady_time.h"

namespace tapedeck::testing {
namespace {

using std::chrono::hours;
using std::chrono::minutes;

const Day kDay(19'906);  // 2024-07-02
constexpr std::chrono::nanoseconds kCloseAfter = hours(2);

// Partitions of one topic that feeds `trades`, and a clock.
class Watch {
 public:
  explicit Watch(int partitions) : policy_(kCloseAfter) {
    for (int p = 0; p < partitions; ++p) {
      seen_.push_back({{.tp = {"t", p}, .next = 0, .log_end = 0, .tables = {"trades"}}, {}});
      seen_.back().believed = Timestamp::Min();
    }
    Look();
  }
  /// The partition records a message; `ahead` more wait in its log.
  void Move(int p, Timestamp believed, int64_t ahead = 0) {
    ++seen_[p].progress.next;
    seen_[p].progress.log_end = seen_[p].progress.next + ahead;
    seen_[p].believed = believed;
    Look();
  }
  void Pass(std::chrono::nanoseconds time) {
    clock.Advance(time);
    Look();
  }
  void Look() { policy_.Observe(seen_, clock.Monotonic()); }
  bool Due(Day day = kDay, DaySize size = DaySize::kDay) {
    return policy_.Due({.table = "trades", .day_size = size, .day = day}, time_.Now(),
                       clock.Monotonic());
  }
  bool DueLate(Timestamp first, Timestamp last) {
    return policy_.Due(
        {.table = "trades", .day = kDay, .generation = 1, .first_at = first, .last_at = last},
        time_.Now(), clock.Monotonic());
  }
  Timestamp Now() const { return time_.Now(); }
  std::vector<ClosePolicy::Seen>& partitions() { return seen_; }

  ManualClock clock{Day(19'907).start()};

 private:
  SteadyTime time_{&clock};
  ClosePolicy policy_;
  std::vector<ClosePolicy::Seen> seen_;
};

Timestamp After(Day day, std::chrono::nanoseconds time) {
  return day.start().SaturatingAdd(time.count());
}

TEST(ClosePolicy, ADayClosesWhenEveryPartitionHasMovedFarEnoughPastIt) {
  Watch watch(2);
  watch.Move(0, After(kDay, hours(26)), 5);
  watch.Move(1, After(kDay, hours(26) - minutes(1)), 5);
  EXPECT_FALSE(watch.Due());
  watch.Move(1, After(kDay, hours(26)), 5);
  EXPECT_TRUE(watch.Due());
  EXPECT_FALSE(watch.Due(Day(kDay.days() + 1)));
}

TEST(ClosePolicy, APartitionThatLagsBehindHoldsTheDay) {
  Watch watch(2);
  watch.Move(0, After(kDay, hours(50)));
  watch.Move(1, After(kDay, hours(3)), 1000);  // stands still, and not at its end
  watch.Pass(hours(100));
  EXPECT_FALSE(watch.Due());
}

TEST(ClosePolicy, SilentPartitionsCloseADay) {
  Watch watch(2);
  watch.Move(0, After(kDay, hours(3)));
  watch.Move(1, After(kDay, hours(3)));
  watch.Pass(hours(1));
  watch.Move(1, After(kDay, hours(4)));
  watch.Pass(hours(2) - minutes(1));
  EXPECT_FALSE(watch.Due());
  watch.Pass(minutes(1));
  EXPECT_TRUE(watch.Due());
}

TEST(ClosePolicy, ASilentPartitionDoesNotHoldOneThatMovesOn) {
  Watch watch(2);
  watch.Move(0, After(kDay, hours(3)));
  watch.Pass(hours(2));
  watch.Move(1, After(kDay, hours(20)), 10);
  EXPECT_FALSE(watch.Due());
  watch.Move(1, After(kDay, hours(27)), 10);
  EXPECT_TRUE(watch.Due());
}

TEST(ClosePolicy, APartitionThatWasAssignedAgainBeginsItsSilenceAnew) {
  Watch watch(1);
  watch.Move(0, After(kDay, hours(3)));
  watch.Pass(hours(1));
  auto kept = watch.partitions();
  watch.partitions().clear();
  watch.Look();
  watch.partitions() = kept;
  watch.Look();
  watch.Pass(hours(1));
  EXPECT_FALSE(watch.Due());
  watch.Pass(hours(1));
  EXPECT_TRUE(watch.Due());
}

TEST(ClosePolicy, ATableThatNoPartitionFeedsIsSilent) {
  Watch watch(0);
  EXPECT_FALSE(watch.Due());
  watch.Pass(hours(2) - minutes(1));
  EXPECT_FALSE(watch.Due());
  watch.Pass(minutes(1));
  EXPECT_TRUE(watch.Due());
}

TEST(ClosePolicy, A14ClocksThatJumpCloseNothingEarly) {
  Watch watch(1);
  watch.Move(0, After(kDay, hours(3)));
  const Timestamp came = watch.Now();
  for (const auto jump : {hours(24), hours(-48), hours(24 * 400)}) {
    watch.clock.JumpTo(watch.clock.Now().SaturatingAdd(std::chrono::nanoseconds(jump).count()));
    watch.Look();
    EXPECT_FALSE(watch.Due());
    EXPECT_FALSE(watch.DueLate(came, came));
  }
  watch.Pass(hours(2));
  EXPECT_TRUE(watch.Due());
  EXPECT_TRUE(watch.DueLate(came, came));
}

TEST(ClosePolicy, D2LaterGenerationsCloseAfterTheirLastRowOrADayAfterTheirFirst) {
  Watch watch(1);
  const Timestamp came = watch.Now();
  watch.Pass(hours(1));
  const Timestamp more = watch.Now();
  watch.Pass(hours(1));
  EXPECT_TRUE(watch.DueLate(came, came));
  EXPECT_FALSE(watch.DueLate(came, more));
  watch.Pass(hours(21));
  EXPECT_FALSE(watch.DueLate(came, watch.Now()));
  watch.Pass(hours(1));
  EXPECT_TRUE(watch.DueLate(came, watch.Now()));
}

TEST(ClosePolicy, D16DaysMonthsAndYearsEndWhereTheCalendarSays) {
  EXPECT_EQ(EndOfDay(DaySize::kDay, Day(-1)).ns(), 0);
  EXPECT_EQ(EndOfDay(DaySize::kDay, kDay), Day(19'907).start());
  EXPECT_EQ(FormatRfc3339(EndOfDay(DaySize::kMonth, ParseDay("2024-02-01").value())),
            "2024-03-01T00:00:00.000000000Z");
  EXPECT_EQ(FormatRfc3339(EndOfDay(DaySize::kMonth, ParseDay("1969-12-01").value())),
            "1970-01-01T00:00:00.000000000Z");
  EXPECT_EQ(FormatRfc3339(EndOfDay(DaySize::kYear, ParseDay("2024-01-01").value())),
            "2025-01-01T00:00:00.000000000Z");
  Watch watch(1);
  const Day month = ParseDay("2024-07-01").value();
  watch.Move(0, ParseRfc3339("2024-08-01T01:59:59Z").value(), 3);
  EXPECT_FALSE(watch.Due(month, DaySize::kMonth));
  watch.Move(0, ParseRfc3339("2024-08-01T02:00:00Z").value(), 3);
  EXPECT_TRUE(watch.Due(month, DaySize::kMonth));
  EXPECT_TRUE(watch.Due(Day(-400)));  // long ago
}

}  // namespace
}  // namespace tapedeck::testing
