// Retention without an archive: what is dropped, what stays, and that the store is true throughout.

#include "ship/retainer.h"

#include <gtest/gtest.h>

#include "query/range_facts.h"
#include "query/verify.h"
#include "ship/ship_rig.h"
#include "support/seed.h"

namespace tapedeck::testing {
namespace {

using std::chrono::hours;

const TopicPartition kFirst{"Finhub1", 0};
const TopicPartition kSecond{"Finhub1", 1};
constexpr hours kRetain(48);
constexpr size_t kSmallBatch = 3;

void ExpectClean(const Store& store, const std::string& when) {
  const auto view = store.View();
  Result<VerifyReport> report = VerifyView(*view, {});
  ASSERT_TRUE(report.ok()) << report.status().ToString();
  for (const Finding& finding : report->findings)
    ADD_FAILURE() << when << ": " << finding.where << ": " << finding.what;
}

/// Serves a queue, verifies the store after every batch, and ends after `batches` of them as a
/// process does that is killed.
class VerifyingServer {
 public:
  VerifyingServer(StoreQueue* queue, Store* store, int batches = INT_MAX)
      : thread_([this, queue, store, batches] {
          while (!stop_) {
            if (!queue->waiting()) {
              std::this_thread::yield();
              continue;
            }
            if (served_ == batches) return queue->Close("killed");
            const Status served = queue->Serve(store);
            EXPECT_TRUE(served.ok()) << served.ToString();
            ExpectClean(*store, "after batch " + std::to_string(++served_));
          }
        }) {}
  ~VerifyingServer() {
    stop_ = true;
    thread_.join();
  }
  int served() const { return served_; }

 private:
  std::atomic<bool> stop_{false};
  std::atomic<int> served_{0};
  std::thread thread_;
};

class RetainerTest : public ::testing::Test {
 protected:
  RetainerTest() : rig_(TestSeed()) {
    rig_.options.commit_bytes = 500;  // small blocks
    rig_.log.Create("Finhub1", 2);
  }

  /// Records what comes at noon of the n-th day, at one o'clock.
  void RecordDay(int n, int messages = 20, bool both = true) {
    rig_.first_ms = kShipNoonMs + n * kShipDayMs;
    const int64_t one_o_clock = (rig_.first_ms + kShipDayMs / 24) * 1'000'000;
    rig_.clock.Advance(std::chrono::nanoseconds(one_o_clock - rig_.clock.Now().ns()));
    for (int i = 0; i < messages; ++i) {
      rig_.ProduceTrades(both && i % 2 == 1 ? kSecond : kFirst, 1 + i % 3);
      if (i % 10 == 7)
        rig_.ProduceRaw(kFirst, "{\"data\":[{\"s\":1}],\"type\":\"trade\"}", rig_.first_ms);
    }
    const Status end = rig_.Run();
    ASSERT_TRUE(end.ok()) << end.ToString();
  }
  void Start(std::chrono::nanoseconds retain = kRetain) {
    rig_.OpenStore();
    retainer_ = std::make_unique<Retainer>(
        retain, RetainParts{rig_.store.get(), &queue_, &rig_.clock}, kSmallBatch);
  }
  Status Round(int* batches = nullptr) {
    VerifyingServer server(&queue_, rig_.store.get());
    const Status end = retainer_->Round();
    if (batches != nullptr) *batches = server.served();
    return end;
  }
  Gap GapOf(const TopicPartition& partition) {
    const auto gaps = rig_.store->View()->Gaps(*rig_.CurrentTape(partition));
    EXPECT_TRUE(gaps.ok());
    EXPECT_EQ(gaps->size(), 1u);
    return gaps->empty() ? Gap{} : gaps->front();
  }
  std::set<int32_t> DaysLeft() {
    std::set<int32_t> days;
    for (const auto& [key, entry] : rig_.LoadState().days)
      days.insert(key.day.days() - kShipDay.days());
    return days;
  }
  Coverage CoverageOfDay(int n) {
    auto point = ReadPoint::Take(*rig_.open_rows, rig_.directory.get(), *rig_.store);
    EXPECT_TRUE(point.ok());
    RecordQuery query;
    query.table = "trades";
    query.start = Day(kShipDay.days() + n).start();
    query.end = Day(kShipDay.days() + n + 1).start();
    const auto coverage = CoverageOf(**point, query);
    EXPECT_TRUE(coverage.ok()) << coverage.status().ToString();
    return *coverage;
  }

  RecorderRig rig_;
  StoreQueue queue_;
  std::unique_ptr<Retainer> retainer_;
};

TEST_F(RetainerTest, G13WhatIsOldLeavesInWholeRangesAndTheStoreSaysSo) {
  for (int day = 0; day < 6; ++day) RecordDay(day);
  Start();
  const auto rows = rig_.StoredRows();
  const auto tape = rig_.StoredTape(*rig_.CurrentTape(kFirst));
  const StoreState before = rig_.LoadState();
  int batches = 0;
  const Status end = Round(&batches);
  ASSERT_TRUE(end.ok()) << end.ToString();
  EXPECT_GT(batches, 10);
  EXPECT_EQ(DaysLeft(), (std::set<int32_t>{3, 4, 5}));
  const Timestamp left_from = Day(kShipDay.days() + 3).start();
  std::map<RecorderRig::RowKey, std::string> expected;
  for (const auto& [key, text] : rows) {
    if (std::get<1>(key) >= left_from.ns()) expected[key] = text;
  }
  EXPECT_EQ(rig_.StoredRows(), expected);
  const Gap gap = GapOf(kFirst);
  EXPECT_EQ(gap.reason, GapReason::kRetain);
  EXPECT_EQ(gap.from, 0);
  std::map<int64_t, std::string> kept(tape.lower_bound(gap.to), tape.end());
  EXPECT_EQ(rig_.StoredTape(*rig_.CurrentTape(kFirst)), kept);
  EXPECT_EQ(kept.begin()->first, gap.to);
  EXPECT_GE(gap.kafka_before_ms, kShipNoonMs);
  EXPECT_LT(gap.kafka_after_ms, kShipNoonMs + 4 * kShipDayMs);
  const StoreState after = rig_.LoadState();
  EXPECT_EQ(after.checkpoints, before.checkpoints) << "counters stay";
  EXPECT_EQ(CoverageOfDay(0), Coverage::kGaps);
  EXPECT_EQ(CoverageOfDay(2), Coverage::kGaps);
  EXPECT_EQ(CoverageOfDay(5), Coverage::kWhole);
  EXPECT_EQ(retainer_->State().rows, rows.size() - expected.size());
  EXPECT_EQ(retainer_->State().last_error, "");
  EXPECT_EQ(retainer_->State().held, "");
  // Nothing more to do, and recording goes on.
  ASSERT_TRUE(Round(&batches).ok());
  EXPECT_EQ(batches, 0);
  retainer_.reset();
  RecordDay(6);
  ExpectClean(*rig_.store, "after more was recorded");
}

TEST_F(RetainerTest, A14AClockThatIsWrongDropsNothingEarly) {
  for (int day = 0; day < 3; ++day) RecordDay(day);
  const auto rows = rig_.StoredRows();
  Start(hours(60));
  rig_.clock.JumpTo(rig_.clock.Now().SaturatingAdd(std::chrono::nanoseconds(hours(9'600)).count()));
  int batches = 0;
  ASSERT_TRUE(Round(&batches).ok());
  EXPECT_EQ(batches, 0) << "a clock that is set forth while the node runs";
  Start(hours(60));
  rig_.clock.Advance(hours(1));
  ASSERT_TRUE(Round(&batches).ok());
  EXPECT_EQ(batches, 0) << "a clock that was wrong when the node began";
  EXPECT_EQ(rig_.StoredRows(), rows);
  rig_.clock.Advance(hours(59));  // time that did pass
  ASSERT_TRUE(Round(&batches).ok());
  EXPECT_GT(batches, 0);
  EXPECT_FALSE(DaysLeft().contains(0));
  EXPECT_TRUE(DaysLeft().contains(2));
}

TEST_F(RetainerTest, APartitionThatFellSilentLeavesWholly) {
  RecordDay(0);
  for (int day = 1; day < 5; ++day) RecordDay(day, 20, false);
  Start();
  ASSERT_TRUE(Round().ok());
  EXPECT_TRUE(rig_.StoredTape(*rig_.CurrentTape(kSecond)).empty());
  EXPECT_FALSE(DaysLeft().contains(0));
  retainer_.reset();
  RecordDay(5);
  ExpectClean(*rig_.store, "after it has spoken again");
  EXPECT_FALSE(rig_.StoredTape(*rig_.CurrentTape(kSecond)).empty());
  Start();
  ASSERT_TRUE(Round().ok());
  EXPECT_EQ(GapOf(kSecond).from, 0);
}

TEST_F(RetainerTest, D1ACrashBetweenAnyTwoBatchesIsResumed) {
  for (int day = 0; day < 4; ++day) RecordDay(day, 10);
  rig_.clock.Advance(hours(36));
  rig_.CloseStore();
  const auto source = rig_.dir.path() / "store";
  const auto copy = rig_.dir.path() / "copy";
  std::filesystem::copy(source, copy, std::filesystem::copy_options::recursive);
  Start();
  // The whole days' first half is old by then only if time has passed since the node began.
  int all = 0;
  rig_.clock.Advance(hours(36));
  ASSERT_TRUE(Round(&all).ok());
  ASSERT_GT(all, 5);
  const auto rows = rig_.StoredRows();
  const auto tape = rig_.StoredTape(*rig_.CurrentTape(kFirst));
  for (int killed = 0; killed < all; ++killed) {
    retainer_.reset();
    rig_.CloseStore();
    std::filesystem::remove_all(source);
    std::filesystem::copy(copy, source, std::filesystem::copy_options::recursive);
    rig_.OpenStore();
    StoreQueue doomed;
    Retainer first(kRetain, {rig_.store.get(), &doomed, &rig_.clock}, kSmallBatch);
    rig_.clock.Advance(hours(36));
    {
      VerifyingServer server(&doomed, rig_.store.get(), killed);
      EXPECT_EQ(first.Round().code(), StatusCode::kUnavailable);
    }
    rig_.CloseStore();
    Start();
    rig_.clock.Advance(hours(36));
    ASSERT_TRUE(Round().ok());
    EXPECT_EQ(rig_.StoredRows(), rows) << "killed after batch " << killed;
    EXPECT_EQ(rig_.StoredTape(*rig_.CurrentTape(kFirst)), tape) << "killed after batch " << killed;
  }
}

// On a full disk the writer opens the store anew, and has to get every view back for it.
TEST_F(RetainerTest, A8WhoWaitsForAQuietMomentHoldsNoView) {
  for (int day = 0; day < 5; ++day) RecordDay(day);
  Start();
  std::atomic<bool> ended{false};
  std::thread round([&] {
    EXPECT_TRUE(retainer_->Round().ok());
    ended = true;
  });
  const auto own = rig_.store->View();
  int quiet = 0;
  while (!ended) {
    if (queue_.wants_quiet()) {
      ++quiet;
      const Status refused = rig_.store->Close();
      EXPECT_EQ(refused.code(), StatusCode::kFailedPrecondition);
      EXPECT_NE(refused.message().find(": 1 in use"), std::string::npos) << refused.ToString();
    }
    if (queue_.waiting()) {
      EXPECT_TRUE(queue_.Serve(rig_.store.get()).ok());
    }
    std::this_thread::yield();
  }
  round.join();
  EXPECT_GT(quiet, 5) << "tapes and days";
}

TEST_F(RetainerTest, LateRowsOfADroppedDayBeginItAnew) {
  for (int day = 0; day < 5; ++day) RecordDay(day);
  Start();
  ASSERT_TRUE(Round().ok());
  ASSERT_FALSE(DaysLeft().contains(0));
  retainer_.reset();
  rig_.first_ms = kShipNoonMs;
  for (int i = 0; i < 5; ++i) rig_.ProduceTrades(kFirst, 2);
  ASSERT_TRUE(rig_.Run().ok());
  EXPECT_TRUE(DaysLeft().contains(0));
  ExpectClean(*rig_.store, "late rows");
  Start();
  ASSERT_TRUE(Round().ok());
  EXPECT_TRUE(DaysLeft().contains(0)) << "they came just now";
}

// A feed that goes on repeating an old time keeps that day, and only that one.
TEST_F(RetainerTest, ADayThatGoesOnGettingRowsKeepsNoOtherOne) {
  for (int day = 0; day < 6; ++day) {
    RecordDay(day, day == 0 ? 20 : 2);
    rig_.first_ms = kShipNoonMs;
    rig_.ProduceTrades(kFirst, 1);
    ASSERT_TRUE(rig_.Run().ok());
  }
  Start();
  int batches = 0;
  ASSERT_TRUE(Round(&batches).ok());
  EXPECT_GT(batches, 0);
  EXPECT_EQ(DaysLeft(), (std::set<int32_t>{0, 3, 4, 5}));
}

// Symbols of which only an old, living day is left after their newest one was dropped.
TEST_F(RetainerTest, TheNewestRowOfASymbolMayBeDroppedBeforeOlderOnes) {
  for (int day = 0; day < 5; ++day) {
    if (day < 3) RecordDay(day, 20);
    if (day >= 3) rig_.clock.Advance(hours(24));
    rig_.first_ms = kShipNoonMs;
    rig_.ProduceTrades(kFirst, 3);
    ASSERT_TRUE(rig_.Run().ok());
  }
  Start();
  ASSERT_TRUE(Round().ok());
  EXPECT_EQ(DaysLeft(), (std::set<int32_t>{0, 2}));
  rig_.clock.Advance(hours(40));
  ASSERT_TRUE(Round().ok());
  EXPECT_EQ(DaysLeft(), (std::set<int32_t>{0}));
  EXPECT_FALSE(rig_.StoredRows().empty());
}

// Rows come, are flushed and merged, while the retainer drops beside them.
TEST_F(RetainerTest, RecordingFlushingAndMergingGoOnMeanwhile) {
  for (int day = 0; day < 5; ++day) RecordDay(day, 60);
  Start();
  rig_.queue = &queue_;
  rig_.options.merge = true;
  rig_.options.flush_interval = std::chrono::milliseconds(40);
  std::atomic<bool> done{false};
  std::thread dropping([&] {
    while (!done) {
      const Status round = retainer_->Round();
      EXPECT_TRUE(round.ok() || round.code() == StatusCode::kUnavailable) << round.ToString();
    }
  });
  int polls = 0;
  const Status end = rig_.Run([&](FakeSource* source) {
    const int day = polls < 150 ? 2 + polls % 3 : polls % 5;  // late rows, too
    rig_.first_ms = kShipNoonMs + day * kShipDayMs;
    if (polls < 300) rig_.ProduceTrades(polls % 2 == 0 ? kFirst : kSecond, 2);
    if (polls == 300) done = true;
    ++polls;
    return polls < 300 || !source->AtEnd() || polls < 500;
  });
  queue_.Close("recording has ended");
  done = true;
  dropping.join();
  ASSERT_TRUE(end.ok()) << end.ToString();
  EXPECT_GT(retainer_->State().rows, 0u);
  ExpectClean(*rig_.store, "at the end");
}

}  // namespace
}  // namespace tapedeck::testing
