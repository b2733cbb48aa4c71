// Days and tapes on their way into an archive: what is there afterwards, and what is left here.

#include <gtest/gtest.h>

#include "ship/ship_rig.h"
#include "support/seed.h"

namespace tapedeck::testing {
namespace {

using std::chrono::hours;

const TopicPartition kFirst{"Finhub1", 0};
const TopicPartition kSecond{"Finhub1", 1};

// Two partitions with a day of trades, some of what cannot be decoded, and a day after it.
void ProduceADay(ShipRig* rig, int messages = 60) {
  rig->recorder.log.Create("Finhub1", 2);
  for (int i = 0; i < messages; ++i) {
    rig->recorder.ProduceTrades(i % 2 == 0 ? kFirst : kSecond, 1 + i % 3);
    if (i % 20 == 7) rig->recorder.ProduceRaw(kFirst, "{\"data\":[{\"s\":1}],\"type\":\"trade\"}");
  }
}

TEST(Journey, AClosedDayAndItsTapesAreInTheArchiveAsTheyWereInTheStore) {
  ShipRig rig(TestSeed());
  ProduceADay(&rig);
  rig.Record({kShipDay});
  const Holdings before = rig.InStore();
  ASSERT_GT(before.rows.size(), 60u);
  rig.StartShipper();
  rig.ShipAll();
  const auto days = rig.Days();
  ASSERT_EQ(days.size(), 1u);
  EXPECT_EQ(days.begin()->second.phase, DayPhase::kShipped);
  EXPECT_EQ(ShipRig::InArchive(rig.fake.Contents(), rig.recorder.LoadState()), before);
  EXPECT_EQ(rig.InStore(), before) << "nothing leaves the store before its time";
  EXPECT_TRUE(rig.ObjectEntries().empty());
  ASSERT_EQ(rig.added.size(), 3u);
  EXPECT_NE(rig.added[0].find("/tape-"), std::string::npos) << "the tape goes first";
  EXPECT_NE(rig.added[1].find("/tape-"), std::string::npos);
  EXPECT_EQ(rig.added[2], days.begin()->second.manifest);
  const ShipState state = rig.shipper->State();
  EXPECT_EQ(state.last_error, "");
  EXPECT_EQ(state.rows, before.rows.size());
  EXPECT_EQ(state.runs.at({"trades", "ok"}), 1u);
}

TEST(Journey, WhatWasShippedLongEnoughAgoLeavesTheStore) {
  ShipRig rig(TestSeed());
  rig.recorder.options.commit_bytes = 500;  // small blocks
  ProduceADay(&rig);
  rig.Record({kShipDay});
  const Holdings before = rig.InStore();
  rig.StartShipper();
  rig.ShipAll();
  rig.recorder.clock.Advance(rig.options.keep_local - hours(1));
  ASSERT_TRUE(rig.Round().ok());
  EXPECT_EQ(rig.InStore(), before);
  rig.recorder.clock.Advance(hours(1));
  ASSERT_TRUE(rig.Round().ok());
  EXPECT_FALSE(rig.StoreHas('s'));
  EXPECT_EQ(rig.Days().begin()->second.phase, DayPhase::kPruned);
  const StoreState state = rig.recorder.LoadState();
  for (const auto& [tp, checkpoint] : state.checkpoints) {
    const TapeShip ship = state.ShipOf(tp);
    EXPECT_EQ(ship.shipped, checkpoint.next);
    EXPECT_GT(ship.pruned, 0);
    for (const auto& [offset, text] : rig.recorder.StoredTape(tp)) EXPECT_GE(offset, ship.pruned);
  }
  EXPECT_EQ(ShipRig::InArchive(rig.fake.Contents(), state), before);
}

TEST(Journey, A14AClockThatJumpsPrunesNothingEarly) {
  ShipRig rig(TestSeed());
  ProduceADay(&rig);
  rig.Record({kShipDay});
  const Holdings before = rig.InStore();
  rig.StartShipper();
  rig.ShipAll();
  rig.recorder.clock.JumpTo(
      rig.recorder.clock.Now().SaturatingAdd(std::chrono::nanoseconds(hours(24 * 400)).count()));
  rig.recorder.clock.Advance(std::chrono::seconds(60));
  ASSERT_TRUE(rig.Round().ok());
  EXPECT_EQ(rig.InStore(), before);
}

TEST(Journey, D2LateRowsAreAnAdditionalObjectAndEarlierOnesStay) {
  ShipRig rig(TestSeed());
  ProduceADay(&rig);
  rig.Record({kShipDay});
  rig.StartShipper();
  rig.ShipAll();
  const auto first = rig.fake.Contents();
  for (int i = 0; i < 5; ++i) rig.recorder.ProduceTrades(kFirst, 2);
  rig.Record({kShipDay});
  rig.StartShipper();
  rig.ShipAll();
  const auto days = rig.Days();
  ASSERT_EQ(days.size(), 2u);
  for (const auto& [key, entry] : days) EXPECT_EQ(entry.phase, DayPhase::kShipped);
  const auto second = rig.fake.Contents();
  for (const auto& [name, bytes] : first) EXPECT_EQ(second.at(name), bytes);
  EXPECT_GT(second.size(), first.size());
  EXPECT_EQ(ShipRig::InArchive(second, rig.recorder.LoadState()), rig.InStore());
}

TEST(Journey, D16DaysOfOneRecordAndDaysBefore1970) {
  ShipRig rig(TestSeed());
  rig.recorder.log.Create("Finhub1", 2);
  rig.recorder.first_ms = -3 * kShipDayMs;
  rig.recorder.ProduceTrades(kFirst, 1);
  rig.Record({Day(-3)});
  rig.StartShipper();
  rig.ShipAll();
  ASSERT_EQ(rig.Days().size(), 1u);
  EXPECT_EQ(rig.Days().begin()->second.phase, DayPhase::kShipped);
  EXPECT_NE(rig.Days().begin()->second.manifest.find("/1969-12-29/trades-"), std::string::npos);
  EXPECT_EQ(ShipRig::InArchive(rig.fake.Contents(), rig.recorder.LoadState()), rig.InStore());
}

// Months and years close, ship and leave the store as days do; late rows, leap days and the last
// second of a year are where the calendar says they belong.
TEST(Journey, D16MonthsAndYearsAreShippedAndPrunedAsDaysAre) {
  for (const DaySize size : {DaySize::kMonth, DaySize::kYear}) {
    ShipRig rig(TestSeed());
    rig.recorder.options.commit_bytes = 500;
    rig.recorder.log.Create("Finhub1", 2);
    rig.ShapeTrades(size, {});
    // 2023-12-31 23:59:59.999, 2024-01-01, 2024-02-29, 2024-03-01, 1969-12-31 23:59:59.999.
    const std::vector<int64_t> times = {1'704'067'199'999, 1'704'067'200'000, 1'709'164'800'000,
                                        1'709'251'200'000, -1};
    auto produce = [&](int count) {
      for (int64_t ms : times) {
        for (int i = 0; i < count; ++i)
          rig.recorder.ProduceRaw(i % 2 == 0 ? kFirst : kSecond, TradeOf("A", ms, "1.50"));
      }
    };
    auto ship = [&] {
      rig.Record();
      rig.StartShipper();
      for (int64_t ms : times)
        ASSERT_TRUE(rig.shipper->RequestClose(Day::Of(Timestamp(ms * 1'000'000)), {}).ok());
      for (int round = 0; round < 3; ++round) ASSERT_TRUE(rig.Round().ok());
      rig.ShipAll();
    };
    produce(6);
    ship();
    const size_t periods = size == DaySize::kMonth ? 5 : 3;
    ASSERT_EQ(rig.Days().size(), periods);
    produce(2);  // late
    ship();
    ASSERT_EQ(rig.Days().size(), 2 * periods);
    const Holdings before = rig.InStore();
    EXPECT_EQ(before.rows.size(), 40u);
    rig.recorder.clock.Advance(rig.options.keep_local);
    ASSERT_TRUE(rig.Round().ok());
    EXPECT_FALSE(rig.StoreHas('s'));
    for (const auto& [key, entry] : rig.Days()) {
      EXPECT_EQ(entry.phase, DayPhase::kPruned);
      EXPECT_EQ(key.day.ToString().substr(8), "01") << "the first of its month";
      if (size == DaySize::kYear) {
        EXPECT_EQ(key.day.ToString().substr(5), "01-01");
      }
    }
    EXPECT_EQ(ShipRig::InArchive(rig.fake.Contents(), rig.recorder.LoadState()), before);
  }
}

// Times in no order, within and across partitions, some of them equal: objects have them sorted,
// equal ones by partition and offset.
TEST(Journey, D3OutOfOrderWithinAndAcrossPartitionsIsSortedStably) {
  const uint64_t seed = TestSeed();
  SCOPED_TRACE(RepeatWith(seed));
  ShipRig rig(seed);
  rig.recorder.options.commit_bytes = 700;
  rig.recorder.options.merge = true;
  rig.recorder.log.Create("Finhub1", 2);
  for (int i = 0; i < 300; ++i) {
    const int64_t ts = kShipNoonMs + static_cast<int64_t>(rig.recorder.random.Uniform(40));
    rig.recorder.ProduceRaw(rig.recorder.random.OneIn(2) ? kFirst : kSecond,
                            TradeOf(rig.recorder.random.OneIn(3) ? "A" : "B", ts, "1.50"));
  }
  rig.options.formats = {"ndjson.gz", "parquet"};
  rig.Record({kShipDay});
  const Holdings before = rig.InStore();
  rig.StartShipper();
  rig.ShipAll();
  const auto contents = rig.fake.Contents();
  EXPECT_EQ(ShipRig::InArchive(contents, rig.recorder.LoadState()), before);
  std::vector<RecorderRig::RowKey> sorted;
  for (const auto& [key, text] : before.rows) sorted.push_back(key);
  int objects = 0;
  for (const auto& [name, bytes] : contents) {
    if (!name.starts_with("trades/")) continue;
    EXPECT_EQ(ShipRig::RowsInOrder(name, bytes, rig.recorder.LoadState()), sorted) << name;
    ++objects;
  }
  EXPECT_EQ(objects, 2);
}

TEST(Journey, BothFormatsHoldAllRows) {
  ShipRig rig(TestSeed());
  ProduceADay(&rig, 20);
  rig.options.formats = {"parquet", "ndjson.zst"};
  rig.Record({kShipDay});
  rig.StartShipper();
  rig.ShipAll();
  const auto manifest = ParseManifest(rig.fake.Contents().at(rig.Days().begin()->second.manifest));
  ASSERT_TRUE(manifest.ok());
  const auto& records = std::get<RecordManifest>(*manifest);
  ASSERT_EQ(records.objects.size(), 2u);
  for (const ShippedObject& object : records.objects) EXPECT_EQ(object.rows, records.rows);
  EXPECT_EQ(records.objects[0].format, "parquet");
  EXPECT_EQ(records.objects[1].format, "ndjson.zst");
}

TEST(Journey, TapesShipByTimeAndBySizeInRangesThatFollowEachOther) {
  ShipRig rig(TestSeed());
  rig.recorder.options.commit_bytes = 500;  // small blocks
  ProduceADay(&rig);
  rig.options.tape_ship_bytes = 1000;
  rig.Record();
  const Holdings before = rig.InStore();
  rig.StartShipper();
  ASSERT_TRUE(rig.Round().ok());
  rig.recorder.clock.Advance(rig.options.tape_ship);
  ASSERT_TRUE(rig.Round().ok());
  EXPECT_GT(rig.added.size(), 2u);
  const Holdings shipped = ShipRig::InArchive(rig.fake.Contents(), rig.recorder.LoadState());
  EXPECT_EQ(shipped.messages, before.messages);
  EXPECT_TRUE(shipped.rows.empty()) << "no day was closed";
  std::map<TapeId, std::map<int64_t, int64_t>> ranges;
  for (const auto& [name, content] : rig.fake.Contents()) {
    if (!name.starts_with(kManifestsPrefix)) continue;
    const auto tape = std::get<TapeManifest>(ParseManifest(content).value());
    EXPECT_TRUE(ranges[tape.range.tape].emplace(tape.range.from, tape.range.to).second);
    for (const ShippedRefusal& refusal : tape.refusals) {
      EXPECT_GE(refusal.offset, tape.range.from);
      EXPECT_LT(refusal.offset, tape.range.to);
    }
    EXPECT_FALSE(tape.mappings.empty());
  }
  for (const auto& [tape, of] : ranges) {
    int64_t next = 0;
    for (const auto& [from, to] : of) {
      EXPECT_EQ(from, next);
      next = to;
    }
  }
}

TEST(Journey, EverythingThatWasAskedForIsShippedBeforeTheRequestIsDone) {
  ShipRig rig(TestSeed());
  ProduceADay(&rig);
  rig.Record();
  rig.StartShipper();
  const auto asked = rig.shipper->RequestClose(kShipDay, {"trades"});
  ASSERT_TRUE(asked.ok());
  ASSERT_EQ(asked->size(), 1u);
  EXPECT_EQ(asked->front().phase, DayPhase::kOpen);
  EXPECT_GT(asked->front().rows, 0u);
  EXPECT_EQ(rig.shipper->RequestClose(kShipDay, {"no_such"}).status().code(),
            StatusCode::kNotFound);
  const auto empty = rig.shipper->RequestClose(Day(19'000), {});
  ASSERT_TRUE(empty.ok());
  EXPECT_EQ(empty->size(), rig.recorder.LoadState().tables.tables().size());
  const uint64_t number = rig.shipper->RequestAll();
  for (int round = 0; round < 20 && rig.shipper->State().requests_done < number; ++round)
    ASSERT_TRUE(rig.Round().ok());
  ASSERT_EQ(rig.shipper->State().requests_done, number);
  EXPECT_EQ(rig.Days().begin()->second.phase, DayPhase::kShipped);
  EXPECT_EQ(ShipRig::InArchive(rig.fake.Contents(), rig.recorder.LoadState()), rig.InStore());
}

TEST(Journey, SilenceClosesADay) {
  ShipRig rig(TestSeed());
  ProduceADay(&rig);
  rig.Record();
  for (int p = 0; p < 2; ++p) {
    const int64_t end = rig.recorder.log.Copy({"Finhub1", p}).end;
    rig.progress.push_back(
        {.tp = {"Finhub1", p}, .next = end, .log_end = end, .tables = {"trades"}});
  }
  rig.StartShipper();
  ASSERT_TRUE(rig.Round().ok());
  EXPECT_EQ(rig.Days().begin()->second.phase, DayPhase::kOpen);
  rig.recorder.clock.Advance(rig.options.close_after);
  for (int round = 0; round < 3; ++round) ASSERT_TRUE(rig.Round().ok());
  EXPECT_EQ(rig.Days().begin()->second.phase, DayPhase::kShipped);
}

TEST(Journey, MessagesOfSomeTopicsHaveObjectsOfTheirOwn) {
  ShipRig rig(TestSeed());
  ProduceADay(&rig, 30);
  rig.options.per_message = {"Finhub1"};
  rig.Record();
  rig.StartShipper();
  for (int round = 0; round < 3; ++round) ASSERT_TRUE(rig.Round().ok());
  const auto first = rig.fake.Contents();
  const Holdings stored = rig.InStore();
  EXPECT_EQ(first.size(), stored.messages.size());
  ASSERT_TRUE(first.contains("messages/Finhub1/p00001/00000000000000000003-l0.json"));
  EXPECT_TRUE(first.at("messages/Finhub1/p00001/00000000000000000003-l0.json")
                  .starts_with("{\"topic\":\"Finhub1\",\"partition\":1,\"offset\":3,"));
  // Forgotten progress puts the same again.
  {
    QueueServer server(&rig.queue, rig.recorder.store.get());
    ASSERT_TRUE(rig.queue
                    .Write([&](StoreBatch* batch) {
                      for (const auto& [tp, tape] : rig.recorder.LoadState().tapes)
                        batch->PutTapeShip(tp, {});
                      return Status::Ok();
                    })
                    .ok());
  }
  rig.StartShipper();
  for (int round = 0; round < 3; ++round) ASSERT_TRUE(rig.Round().ok());
  EXPECT_EQ(rig.fake.Contents(), first);
}

// A mapping that refuses everything: no manifest grows without end, and none is missing.
TEST(Journey, ARangeOfTheTapeEndsWithItsShareOfRefusals) {
  ShipRig rig(TestSeed());
  rig.recorder.log.Create("Finhub1", 1);
  rig.recorder.options.commit_bytes = 300;
  rig.options.tape_refusals_max = 10;
  for (int i = 0; i < 60; ++i)
    rig.recorder.ProduceRaw({"Finhub1", 0}, "{\"data\":[{\"s\":1}],\"type\":\"trade\"}");
  rig.Record();
  const Holdings before = rig.InStore();
  rig.StartShipper();
  ASSERT_TRUE(rig.Round().ok());  // an hour is counted from here
  rig.recorder.clock.Advance(std::chrono::hours(1));
  for (int round = 0; round < 12; ++round) ASSERT_TRUE(rig.Round().ok());
  std::map<int64_t, TapeManifest> ranges;
  for (const auto& [name, bytes] : rig.fake.Contents()) {
    if (!name.starts_with(kManifestsPrefix)) continue;
    const auto manifest = std::get<TapeManifest>(ParseManifest(bytes).value());
    ranges[manifest.range.from] = manifest;
  }
  EXPECT_GT(ranges.size(), 2u);
  int64_t next = 0;
  size_t refused = 0;
  for (const auto& [from, manifest] : ranges) {
    EXPECT_EQ(from, next);
    EXPECT_LT(manifest.refusals.size(), 30u) << "ten, and the rest of a block";
    next = manifest.range.to;
    refused += manifest.refusals.size();
  }
  EXPECT_EQ(next, 60);
  EXPECT_EQ(refused, 60u);
  EXPECT_EQ(ShipRig::InArchive(rig.fake.Contents(), rig.recorder.LoadState()).messages,
            before.messages);
}

// One without Kafka's time stands by its time of receipt: a range that has one may hold any time.
TEST(Journey, AMessageWithoutATimeLeavesItsRangeWithoutALeastOne) {
  ShipRig rig(TestSeed());
  rig.recorder.log.Create("Finhub1", 2);
  for (int64_t ms : {kShipNoonMs + 5, int64_t{-1}, kShipNoonMs + 9})
    rig.recorder.ProduceRaw({"Finhub1", 0}, "{}", ms);
  for (int64_t ms : {kShipNoonMs + 5, kShipNoonMs + 3, kShipNoonMs + 9})
    rig.recorder.ProduceRaw({"Finhub1", 1}, "{}", ms);
  rig.Record();
  rig.StartShipper();
  ASSERT_TRUE(rig.Round().ok());  // an hour is counted from here
  rig.recorder.clock.Advance(std::chrono::hours(1));
  for (int round = 0; round < 12; ++round) ASSERT_TRUE(rig.Round().ok());
  int seen = 0;
  for (const auto& [name, bytes] : rig.fake.Contents()) {
    if (!name.starts_with(kManifestsPrefix)) continue;
    const auto manifest = std::get<TapeManifest>(ParseManifest(bytes).value());
    EXPECT_EQ(manifest.kafka_min_ms, manifest.range.tape.partition == 0 ? -1 : kShipNoonMs + 3);
    EXPECT_EQ(manifest.kafka_max_ms, kShipNoonMs + 9);
    ++seen;
  }
  EXPECT_EQ(seen, 2);
}

}  // namespace
}  // namespace tapedeck::testing
