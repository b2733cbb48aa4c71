// A reindex against a decoding of the log: with the same mapping nothing changes, with another one
// everything is as if it had always been in force.

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "query/range_facts.h"
#include "reindex/reindex_rig.h"
#include "support/seed.h"

namespace tapedeck::testing {
namespace {

const Day kNextDay(kShipDay.days() + 1);
const ReindexRequest kAll{.topic = "Finhub1"};

TEST(Reindex, WithTheMappingInForceEveryAnswerStaysAsItWas) {
  ReindexRig rig(TestSeed());
  rig.Produce(kShipDay, 30);
  rig.Produce(kNextDay, 20);
  rig.Record({kShipDay});
  rig.Produce(kShipDay, 4);  // late: a second generation
  rig.Record();
  const std::string before = rig.Answers();
  const ReindexJob job = rig.Reindex(kAll);
  EXPECT_EQ(job.state, ReindexState::kDone) << job.error;
  EXPECT_EQ(job.result.messages, 54u);
  EXPECT_EQ(job.result.records, 54u * 3);
  EXPECT_EQ(job.result.replaced, 54u * 3);
  EXPECT_EQ(job.result.refused, 0u);
  EXPECT_EQ(rig.Answers(), before);
  rig.CheckSound();
  const ReindexJob again = rig.Reindex({.tables = {"trades"}});
  EXPECT_EQ(again.state, ReindexState::kDone) << again.error;
  EXPECT_EQ(rig.Answers(), before);
  rig.CheckSound();
}

TEST(Reindex, ADayThatLostRowsIsMadeWholeAndSoIsItsCatalog) {
  ReindexRig rig(TestSeed());
  rig.Produce(kShipDay, 30);
  rig.Produce(kNextDay, 20);
  rig.Record({kShipDay});
  const std::string before = rig.Answers();
  rig.ship.recorder.OpenStore();
  {
    StoreBatch batch;
    const auto view = rig.ship.recorder.store->View();
    const auto cursor = view->Scan("s", "t", ScanKind::kPoint);
    cursor->SeekToFirst();
    ASSERT_TRUE(cursor->Valid());
    batch.DeleteSeriesBlock(*keys::ParseSeries(cursor->key()));
    ASSERT_TRUE(rig.ship.recorder.store->Write(batch).ok());
  }
  const ReindexJob job = rig.Reindex(kAll);
  EXPECT_EQ(job.state, ReindexState::kDone) << job.error;
  EXPECT_EQ(rig.Answers(), before);
  // Verify finds the damage until what was replaced has left.
  rig.ship.recorder.clock.Advance(rig.options.grace + std::chrono::minutes(1));
  rig.StartReindexer();
  rig.RunUntilIdle();
  EXPECT_EQ(rig.Answers(), before);
  rig.CheckSound();
}

TEST(Reindex, WithAnotherMappingItIsAsIfThatHadAlwaysBeenInForce) {
  ReindexRig rig(TestSeed());
  rig.Produce(kShipDay, 30);
  rig.Record({kShipDay});
  rig.Produce(kNextDay, 20);
  rig.ship.recorder.ProduceRaw({"Finhub1", 0}, "no json");
  rig.Record();
  const FinnhubVariant variant{.prefix = "LAB:", .refuse = "s == 'AAPL'", .rates = true};
  rig.UseMapping(variant);
  rig.Record();  // in force from here on
  rig.Produce(kNextDay, 10);
  rig.Record();
  EXPECT_NE(rig.Query(), rig.Oracle(SpecOf(variant)));
  const ReindexJob job = rig.Reindex(kAll);
  EXPECT_EQ(job.state, ReindexState::kDone) << job.error;
  std::map<std::pair<int32_t, int64_t>, std::string> refused;
  EXPECT_EQ(rig.Query(), rig.Oracle(SpecOf(variant), &refused));
  EXPECT_GT(refused.size(), 1u) << "nothing was refused: the test says nothing";
  EXPECT_EQ(rig.Refusals(), refused);
  rig.CheckSound();
  rig.Produce(kShipDay, 6);  // recording goes on behind it
  rig.Record();
  EXPECT_EQ(rig.Query(), rig.Oracle(SpecOf(variant)));
  rig.CheckSound();
  // And back.
  rig.UseMapping({});
  rig.Record();
  EXPECT_EQ(rig.Reindex(kAll).state, ReindexState::kDone);
  EXPECT_EQ(rig.Query(), rig.Oracle(SpecOf({})));
  rig.CheckSound();
}

TEST(Reindex, AMappingThatRefusesEverythingLeavesNoRows) {
  ReindexRig rig(TestSeed());
  rig.Produce(kShipDay, 10);
  rig.Record({kShipDay});
  const FinnhubVariant nothing{.refuse = "$.type == 'trade'"};
  rig.UseMapping(nothing);
  rig.Record();
  const ReindexJob job = rig.Reindex(kAll);
  EXPECT_EQ(job.state, ReindexState::kDone) << job.error;
  EXPECT_EQ(rig.Query(), RowsFound{});
  EXPECT_EQ(rig.Refusals().size(), 10u);
  rig.CheckSound();
  rig.UseMapping({});
  rig.Record();
  EXPECT_EQ(rig.Reindex(kAll).state, ReindexState::kDone);
  EXPECT_EQ(rig.Query(), rig.Oracle(SpecOf({})));
  EXPECT_TRUE(rig.Refusals().empty());
  rig.CheckSound();
}

TEST(Reindex, OnlyTheDaysThatAreAskedForChange) {
  ReindexRig rig(TestSeed());
  rig.Produce(kShipDay, 12);
  rig.Record();
  rig.Produce(kNextDay, 12);
  rig.Record();
  const RowsFound before = rig.Query();
  const FinnhubVariant variant{.prefix = "LAB:"};
  rig.UseMapping(variant);
  rig.Record();
  const ReindexJob job = rig.Reindex({.topic = "Finhub1",
                                      .start = kNextDay.start().SaturatingAdd(1),
                                      .end = kNextDay.start().SaturatingAdd(2)});
  EXPECT_EQ(job.state, ReindexState::kDone) << job.error;
  RowsFound wanted;
  for (const auto& row : before) {
    if (std::get<2>(row.first) < kNextDay.start().ns()) wanted.insert(row);
  }
  for (const auto& row : rig.Oracle(SpecOf(variant))) {
    if (std::get<2>(row.first) >= kNextDay.start().ns()) wanted.insert(row);
  }
  EXPECT_EQ(rig.Query(), wanted);
  rig.CheckSound();
}

TEST(Reindex, WhatWasReadBeforeCanBeReadOnUntilTheGracePeriodIsOver) {
  ReindexRig rig(TestSeed());
  rig.Produce(kShipDay, 20);
  rig.Record({kShipDay});
  const auto old = rig.Point();
  RecordQuery query;
  query.table = "trades";
  const std::string as_of = StateName(*old, query)->value();
  const StatePin token{.flush = old->state().flush, .exact = false};
  const RowsFound before = rig.Query(old);
  rig.UseMapping({.prefix = "LAB:"});
  rig.Record();
  ASSERT_EQ(rig.Reindex(kAll).state, ReindexState::kDone);
  rig.Produce(kShipDay, 5);  // late rows are none of that state
  rig.Record({kShipDay});
  const auto now = rig.Point();
  EXPECT_NE(rig.Query(now), before);
  const Table& trades = *now->state().tables.Find("trades");
  const std::optional<StatePin> pin = PinOf(as_of);
  ASSERT_TRUE(pin.has_value()) << as_of;
  auto then = ReadPoint::At(now, *pin, trades, kShipDay, kShipDay);
  ASSERT_TRUE(then.ok()) << then.status().ToString();
  EXPECT_EQ(StateName(**then, query)->value(), as_of);
  EXPECT_EQ(rig.Query(*then), before);
  const auto paged = ReadPoint::At(now, token, trades, kShipDay, kShipDay);
  ASSERT_TRUE(paged.ok());
  RowsFound on_that_page = rig.Query(*paged);
  for (const auto& row : before) EXPECT_EQ(on_that_page.count(row.first), 1u);

  rig.ship.recorder.clock.Advance(rig.options.grace + std::chrono::minutes(1));
  rig.StartReindexer();
  rig.RunUntilIdle();
  const auto late = rig.Point();
  EXPECT_EQ(ReadPoint::At(late, *pin, trades, kShipDay, kShipDay).status().code(),
            StatusCode::kNotFound);
  EXPECT_EQ(rig.Query(late), rig.Query(now));
  rig.CheckSound();
  for (const auto& [key, entry] : rig.ship.Days()) {
    if (entry.replaced == 0) continue;
    EXPECT_TRUE(entry.gone);
    const std::string prefix = keys::SeriesPrefix(key.table, key.day, key.generation);
    auto cursor = late->view().Scan(prefix, keys::After(prefix), ScanKind::kPoint);
    cursor->SeekToFirst();
    EXPECT_FALSE(cursor->Valid()) << "blocks of a replaced generation are left";
  }
}

TEST(Reindex, ShippedAndPrunedDaysAreMadeAgainFromTheArchivedTape) {
  ReindexRig rig(TestSeed());
  rig.AddArchive();
  rig.Produce(kShipDay, 30);
  rig.Record({kShipDay});
  rig.ShipAndPrune();
  for (const auto& [key, entry] : rig.ship.Days()) ASSERT_EQ(entry.phase, DayPhase::kPruned);
  const auto old = rig.Point();
  const RowsFound before = rig.Query(old);
  ASSERT_EQ(before, rig.Oracle(SpecOf({})));
  std::set<std::string> old_objects;
  for (const auto& [name, bytes] : ContentsOf(&rig.ship.fake)) {
    if (name.starts_with("trades/") || name.find("/trades-") != std::string::npos)
      old_objects.insert(name);
  }
  ASSERT_FALSE(old_objects.empty());

  const FinnhubVariant variant{.prefix = "LAB:", .rates = true};
  rig.ship.shipper.reset();
  rig.UseMapping(variant);
  rig.Record();
  const ReindexJob job = rig.Reindex(kAll);
  EXPECT_EQ(job.state, ReindexState::kDone) << job.error;
  EXPECT_EQ(job.result.messages, 30u);
  const RowsFound wanted = rig.Oracle(SpecOf(variant));
  EXPECT_EQ(rig.Query(), wanted) << "in the store";
  rig.ShipAndPrune();
  EXPECT_EQ(rig.Query(), wanted) << "in the archive";
  rig.CheckSound();
  const StoreState state = rig.ship.recorder.LoadState();
  EXPECT_EQ(ShipRig::InArchive(ContentsOf(&rig.ship.fake), state).rows.size(), wanted.size());
  // keep_local is longer than the grace period: what was replaced leaves.
  rig.StartReindexer();
  rig.RunUntilIdle();
  for (int round = 0; round < 3; ++round) {
    ASSERT_TRUE(rig.ship.Round().ok());
    rig.ship.recorder.clock.Advance(std::chrono::minutes(1));
  }
  EXPECT_EQ(rig.ship.shipper->State().last_error, "");
  for (const auto& [name, bytes] : ContentsOf(&rig.ship.fake))
    EXPECT_FALSE(old_objects.contains(name)) << name << " is still there";
  EXPECT_EQ(rig.Query(), wanted);
  rig.StartReindexer();
  EXPECT_EQ(rig.Reindex(kAll).state, ReindexState::kDone) << "again, all of it archived";
  EXPECT_EQ(rig.Query(), wanted);
  // To nothing: a manifest without objects that stands for all of it.
  rig.ship.shipper.reset();
  rig.UseMapping({.refuse = "$.type == 'trade'"});
  rig.Record();
  EXPECT_EQ(rig.Reindex(kAll).state, ReindexState::kDone);
  EXPECT_EQ(rig.Refusals().size(), 30u);
  rig.ShipAndPrune();
  EXPECT_EQ(rig.Query(), RowsFound{});
  EXPECT_TRUE(
      ShipRig::InArchive(ContentsOf(&rig.ship.fake), rig.ship.recorder.LoadState()).rows.empty());
  rig.CheckSound();
}

TEST(Reindex, RowsThatComeWhileItRunsEndUpOnce) {
  ReindexRig rig(TestSeed());
  rig.Produce(kShipDay, 20);
  rig.Record({kShipDay});
  const FinnhubVariant variant{.prefix = "LAB:"};
  rig.UseMapping(variant);
  rig.ship.recorder.OpenStore();
  rig.live = true;
  rig.ship.recorder.options.flush_interval = std::chrono::milliseconds(50);
  std::unique_ptr<std::thread> job;
  std::string id;
  int quiet = 0;
  int produced = 0;
  const Status end = rig.ship.recorder.Run([&](FakeSource* source) {
    if (job == nullptr && source->AtEnd()) {
      rig.StartReindexer();
      job = std::make_unique<std::thread>([&] {
        const auto made = rig.reindexer->Create(kAll);
        EXPECT_TRUE(made.ok()) << made.status().ToString();
        id = made->job.id;
        while (!rig.reindexer->Get(id)->job.over()) rig.reindexer->RunOnce();
      });
    }
    if (produced < 200) {
      rig.Produce(produced % 2 == 0 ? kShipDay : kNextDay, 1);
      ++produced;
    }
    bool over = false;
    for (const ReindexView& view :
         rig.reindexer ? rig.reindexer->List() : std::vector<ReindexView>())
      over = over || view.job.over();
    quiet = over && produced == 200 && source->AtEnd() ? quiet + 1 : 0;
    return quiet < 30;
  });
  job->join();
  ASSERT_TRUE(end.ok()) << end.ToString();
  EXPECT_EQ(rig.reindexer->Get(id)->job.state, ReindexState::kDone);
  EXPECT_EQ(rig.Query(), rig.Oracle(SpecOf(variant)));
  rig.CheckSound();
}

TEST(Reindex, ACancelledJobLeavesNothingBehind) {
  ReindexRig rig(TestSeed());
  rig.Produce(kShipDay, 20);
  rig.Record({kShipDay});
  const std::string before = rig.Answers();
  rig.StartReindexer();
  std::string id;
  {
    QueueServer server(&rig.ship.queue, rig.ship.recorder.store.get());
    const auto made = rig.reindexer->Create(kAll);
    ASSERT_TRUE(made.ok());
    id = made->job.id;
    EXPECT_EQ(rig.reindexer->List().size(), 1u);
    EXPECT_TRUE(rig.reindexer->Delete(id).ok());
    EXPECT_EQ(rig.reindexer->Get(id).status().code(), StatusCode::kNotFound);
    while (rig.reindexer->RunOnce()) continue;
  }
  EXPECT_EQ(rig.Answers(), before);
  EXPECT_FALSE(rig.ship.StoreHas('j'));
  EXPECT_EQ(rig.ship.Days().size(), 1u);
}

// Both are written one behind the other, and nobody knows which of the two threads wakes first.
TEST(Reindex, ACancelThatMeetsTheReservationOfDaysIsNotForgotten) {
  ReindexRig rig(TestSeed());
  rig.Produce(kShipDay, 20);
  rig.Record({kShipDay});
  const std::string before = rig.Answers();
  rig.StartReindexer();
  for (int round = 0; round < 30; ++round) {
    std::string id;
    {
      QueueServer server(&rig.ship.queue, rig.ship.recorder.store.get());
      const auto made = rig.reindexer->Create(kAll);
      ASSERT_TRUE(made.ok()) << made.status().ToString();
      id = made->job.id;
    }
    std::atomic<bool> ended{false};
    std::thread works([&] {
      rig.reindexer->RunOnce();
      ended.store(true);
    });
    while (!rig.ship.queue.wants_quiet() && !ended.load())
      SystemClock().SleepFor(std::chrono::milliseconds(1));
    std::thread cancels([&] { EXPECT_TRUE(rig.reindexer->Delete(id).ok()); });
    SystemClock().SleepFor(std::chrono::milliseconds(2));  // most often both wait by then
    {
      QueueServer server(&rig.ship.queue, rig.ship.recorder.store.get());
      works.join();
      cancels.join();
      for (int turn = 0; turn < 3; ++turn) rig.reindexer->RunOnce();
    }
    ASSERT_EQ(rig.reindexer->Get(id).status().code(), StatusCode::kNotFound) << round;
    ASSERT_FALSE(rig.ship.StoreHas('j')) << round;
    ASSERT_EQ(rig.ship.Days().size(), 1u) << round;
  }
  EXPECT_EQ(rig.Answers(), before);
}

TEST(Reindex, WhatItDoesNotKnowIsNotFound) {
  ReindexRig rig(TestSeed());
  rig.Produce(kShipDay, 2);
  rig.Record();
  rig.StartReindexer();
  EXPECT_EQ(rig.reindexer->Create({.topic = "nothing"}).status().code(), StatusCode::kNotFound);
  EXPECT_EQ(rig.reindexer->Create({.tables = {"nothing"}}).status().code(), StatusCode::kNotFound);
  EXPECT_EQ(rig.reindexer->Create({}).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(rig.reindexer->Delete("x").code(), StatusCode::kNotFound);
}

}  // namespace
}  // namespace tapedeck::testing
