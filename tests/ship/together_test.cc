// Recording and shipping at the same time, late rows, upsert tables, and a writer that errs.

#include <gtest/gtest.h>

#include <thread>

#include "ship/ship_rig.h"
#include "support/seed.h"

namespace tapedeck::testing {
namespace {

using std::chrono::hours;
using std::chrono::minutes;

const TopicPartition kFirst{"Finhub1", 0};
const TopicPartition kSecond{"Finhub1", 1};

// Rows in the store and, of pruned generations, in the archive: each must be there once.
Holdings Everything(ShipRig* rig) {
  const StoreState state = rig->recorder.LoadState();
  Holdings held = rig->InStore();
  std::map<std::string, std::string> wanted = ContentsOf(rig->blobs);
  const Holdings shipped = ShipRig::InArchive(wanted, state);
  for (const auto& [key, text] : shipped.rows) held.rows.emplace(key, text);
  for (const auto& [key, text] : shipped.messages) held.messages.emplace(key, text);
  return held;
}

// What the test wrote into messages, as rows of the newest tapes.
std::map<RecorderRig::RowKey, std::string> Produced(ShipRig* rig) {
  std::map<RecorderRig::RowKey, std::string> rows;
  for (const auto& [place, trades] : rig->recorder.expected) {
    const uint32_t tp = Raw(*rig->recorder.CurrentTape(place.first));
    uint32_t index = 0;
    for (const ExpectedTrade& trade : trades) {
      rows[{trade.symbol, trade.ts_ms * 1'000'000, tp, place.second, index++}] =
          trade.price + " " + trade.size;
    }
  }
  return rows;
}

// What lies in the log, as messages of the newest tapes.
std::map<std::pair<uint32_t, int64_t>, std::string> Sent(ShipRig* rig) {
  std::map<std::pair<uint32_t, int64_t>, std::string> messages;
  for (const TopicPartition& tp : {kFirst, kSecond}) {
    const uint32_t tape = Raw(*rig->recorder.CurrentTape(tp));
    for (const auto& [offset, message] : rig->recorder.log.Copy(tp).messages)
      messages[{tape, offset}] = Describe(FakeView(message).view());
  }
  return messages;
}

// Thirty days go by, with one message in twenty up to four days late; the policy closes days by
// itself, what was shipped is pruned after a week, and the process ends now and then.
TEST(Together, D2FivePercentLateRowsOverThirtyDaysAreEachThereOnce) {
  const uint64_t seed = TestSeed();
  SCOPED_TRACE(RepeatWith(seed));
  ShipRig rig(seed);
  rig.recorder.log.Create("Finhub1", 2);
  rig.recorder.clock.JumpTo(Day(19'906).start());
  rig.recorder.options.commit_bytes = 2000;
  const auto next_hours = [&](int count) {
    rig.recorder.clock.Advance(hours(count));
    rig.progress.clear();
    for (int p = 0; p < 2; ++p) {
      const int64_t end = rig.recorder.log.Copy({"Finhub1", p}).end;
      rig.progress.push_back(
          {.tp = {"Finhub1", p}, .next = end, .log_end = end, .tables = {"trades"}});
    }
    ASSERT_TRUE(rig.Round().ok());
  };
  rig.Record();
  rig.StartShipper();
  for (int quarter = 0; quarter < 30 * 4; ++quarter) {
    for (int i = 0; i < 5; ++i) {
      const int64_t now = rig.recorder.clock.Now().ns() / 1'000'000;
      const bool late = rig.recorder.random.OneIn(20);
      rig.recorder.first_ms =
          now - (late ? static_cast<int64_t>(rig.recorder.random.Uniform(4 * kShipDayMs)) : 0);
      rig.recorder.ProduceTrades(i % 2 == 0 ? kFirst : kSecond, 1);
    }
    rig.Record();
    if (rig.recorder.random.OneIn(10)) rig.StartShipper();
    for (int hour = 0; hour < 6; hour += 3) next_hours(3);
  }
  for (int day = 0; day < 3; ++day) next_hours(24);
  const Holdings all = Everything(&rig);
  EXPECT_EQ(all.rows, Produced(&rig));
  EXPECT_EQ(all.messages, Sent(&rig));
  const auto days = rig.Days();
  EXPECT_GT(std::ranges::count_if(days, [](const auto& d) { return d.first.generation > 0; }), 5);
  EXPECT_GT(std::ranges::count_if(
                days, [](const auto& d) { return d.second.phase == DayPhase::kPruned; }),
            10);
  for (const auto& [key, entry] : days) EXPECT_GE(entry.phase, DayPhase::kShipped);
  EXPECT_EQ(rig.shipper->State().last_error, "");
}

// The record thread and the shipper's thread as in a node: closes, tapes and pruning while messages
// come and blocks are merged.
TEST(Together, TheShipperWritesThroughTheRecordThreadWhileItRecords) {
  const uint64_t seed = TestSeed();
  SCOPED_TRACE(RepeatWith(seed));
  ShipRig rig(seed);
  rig.recorder.log.Create("Finhub1", 2);
  rig.recorder.options.merge = true;
  rig.recorder.options.commit_bytes = 500;
  rig.recorder.options.flush_interval = std::chrono::milliseconds(50);
  rig.recorder.queue = &rig.queue;
  rig.options.tape_ship = std::chrono::milliseconds(500);
  rig.options.keep_local = std::chrono::milliseconds(1);
  rig.recorder.OpenStore();
  std::atomic<Recorder*> recorder{nullptr};
  ShipParts parts;
  parts.store = rig.recorder.store.get();
  parts.queue = &rig.queue;
  parts.blobs = rig.blobs;
  parts.clock = &rig.recorder.clock;
  parts.request_flush = [&](const std::vector<ShipDay>& days) {
    std::vector<TableDay> close;
    for (const ShipDay& day : days) close.push_back({day.table, day.day});
    return recorder.load()->RequestFlush(std::move(close));
  };
  parts.flushes_done = [&] { return recorder.load()->State().flush_requests_done; };
  parts.progress = [&] {
    std::vector<PartitionProgress> progress;
    for (const PartitionState& p : recorder.load()->State().partitions)
      progress.push_back({p.tp, p.lineage, p.stored, p.log_end, p.tables});
    return progress;
  };
  auto made = Shipper::Make(rig.options, parts);
  ASSERT_TRUE(made.ok());
  std::atomic<bool> stop{false};
  std::thread thread;
  int polls = 0;
  const Status end = rig.recorder.Run([&](FakeSource* source) {
    source->batch_max = 5;
    if (recorder.load() == nullptr) {
      recorder = rig.recorder.running;
      thread = std::thread([&] { EXPECT_TRUE((*made)->Run(stop).ok()); });
    }
    if (++polls <= 1500) {
      rig.recorder.ProduceTrades(polls % 2 == 0 ? kFirst : kSecond, 2);
      if (polls % 100 == 0) {
        EXPECT_TRUE((*made)->RequestClose(kShipDay, {"trades"}).ok());
      }
      return true;
    }
    std::this_thread::yield();
    if (!source->AtEnd()) return true;
    stop = (*made)->State().days.empty() && polls > 3000;
    return (*made)->State().running || !stop;
  });
  stop = true;
  ASSERT_TRUE(end.ok()) << end.ToString();
  rig.queue.Close("the test ends");
  thread.join();
  EXPECT_EQ((*made)->State().last_error, "");
  EXPECT_GT((*made)->State().pruned_bytes, 0u);
  const Holdings all = Everything(&rig);
  EXPECT_EQ(all.rows, Produced(&rig));
  EXPECT_EQ(all.messages, Sent(&rig));
  EXPECT_GT(rig.Days().size(), 3u) << "generations";
}

// Corrections of bars that were shipped and pruned: the archive has the newest of each, once, and
// forgets what was replaced after the grace period.
TEST(Together, UpsertGenerationsReplaceThoseBefore) {
  ShipRig rig(TestSeed());
  rig.recorder.log.Create("Finhub1", 2);
  rig.ShapeTrades(DaySize::kDay, {"symbol", "ts"});
  std::map<std::pair<std::string, int64_t>, std::string> newest;
  int64_t kafka = kShipNoonMs;
  auto send = [&](int identity, int price) {
    const std::string symbol = identity % 3 == 0 ? "A" : "B";
    const int64_t ts = kShipNoonMs + identity;
    newest[{symbol, ts * 1'000'000}] = std::to_string(price) + " 1";
    rig.recorder.ProduceRaw(identity % 2 == 0 ? kFirst : kSecond,
                            TradeOf(symbol, ts, std::to_string(price)), ++kafka);
  };
  auto check = [&](size_t generations) {
    ASSERT_EQ(rig.Days().size(), generations);
    std::map<std::pair<std::string, int64_t>, std::string> found;
    const auto held = ShipRig::InArchive(rig.fake.Contents(), rig.recorder.LoadState());
    for (const auto& [key, text] : held.rows) {
      EXPECT_TRUE(found.emplace(std::pair(std::get<0>(key), std::get<1>(key)), text).second);
    }
    EXPECT_EQ(found, newest);
    for (const auto& [key, entry] : rig.Days())
      EXPECT_EQ(entry.manifest, rig.Days().rbegin()->second.manifest);
  };
  for (int i = 0; i < 30; ++i) send(i, 100 + i);
  for (int i = 0; i < 30; i += 2) send(i, 200 + i);  // within the generation
  rig.Record({kShipDay});
  rig.StartShipper();
  rig.ShipAll();
  check(1);
  rig.recorder.clock.Advance(rig.options.keep_local);
  ASSERT_TRUE(rig.Round().ok());
  ASSERT_FALSE(rig.StoreHas('s'));
  for (int i = 0; i < 40; i += 5) send(i, 300 + i);  // some are new
  rig.Record({kShipDay});
  rig.StartShipper();
  rig.ShipAll();
  check(2);
  for (int i = 0; i < 40; i += 7) send(i, 400 + i);  // generation 1 is still here
  rig.Record({kShipDay});
  rig.StartShipper();
  rig.ShipAll();
  check(3);
  const size_t before = rig.fake.Contents().size();
  rig.recorder.clock.Advance(rig.options.grace);
  ASSERT_TRUE(rig.Round().ok());
  EXPECT_EQ(rig.fake.Contents().size(), before - 4) << "two generations: object and manifest";
  EXPECT_TRUE(rig.ObjectEntries().empty());
  check(3);
}

// Stops a journey when its files are written, and nothing is put.
ShippedObject WrittenObjectOf(ShipRig* rig, std::filesystem::path* file) {
  rig->fake.Inject({.op = BlobOp::kPut, .skip = 2, .times = -1});  // the tape passes
  EXPECT_TRUE(rig->Round().ok());
  const auto entry = rig->Days().begin()->second;
  EXPECT_EQ(entry.phase, DayPhase::kWritten);
  for (const auto& found : std::filesystem::directory_iterator(rig->options.work_folder)) {
    if (found.path().filename().string().starts_with("trades-")) *file = found.path();
  }
  return std::get<RecordManifest>(ParseManifest(entry.draft).value()).objects.front();
}

// A writer that errs is one whose file holds other rows than the store: here, those of another one
// that has as many of the same symbols and times.
TEST(Together, D19AFileThatHoldsOtherRowsThanTheStoreIsNotPut) {
  const uint64_t seed = TestSeed();
  ShipRig rig(seed), other(seed);
  for (ShipRig* one : {&rig, &other}) {
    one->recorder.log.Create("Finhub1", 2);
    for (int i = 0; i < 20; ++i) {
      const bool differs = one == &other && i == 13;
      one->recorder.ProduceRaw(kFirst, TradeOf("A", kShipNoonMs + i, differs ? "1.51" : "1.50"),
                               kShipNoonMs + i);
    }
    one->Record({kShipDay});
    one->StartShipper();
  }
  std::filesystem::path right, wrong;
  const ShippedObject ours = WrittenObjectOf(&rig, &right);
  ShippedObject theirs = WrittenObjectOf(&other, &wrong);
  ASSERT_NE(ours.sha256, theirs.sha256);
  theirs.name = ours.name;
  {
    QueueServer server(&rig.queue, rig.recorder.store.get());
    auto [key, entry] = *rig.Days().begin();
    auto manifest = std::get<RecordManifest>(ParseManifest(entry.draft).value());
    manifest.objects = {theirs};
    entry.draft = ToJson(manifest);
    ASSERT_TRUE(rig.queue
                    .Write([&](StoreBatch* batch) {
                      batch->PutDay(key, entry);
                      return Status::Ok();
                    })
                    .ok());
  }
  std::filesystem::copy(wrong, right.parent_path() / wrong.filename());
  rig.fake.ClearFaults();
  rig.recorder.clock.Advance(hours(1));
  ASSERT_TRUE(rig.Round().ok());
  EXPECT_EQ(rig.Days().begin()->second.phase, DayPhase::kWritten);
  ASSERT_EQ(rig.shipper->State().days.size(), 1u);
  EXPECT_NE(rig.shipper->State().days[0].trouble.find("not the store's"), std::string::npos)
      << rig.shipper->State().days[0].trouble;
  for (const auto& [name, bytes] : rig.fake.Contents()) EXPECT_FALSE(name.starts_with("trades/"));
}

}  // namespace
}  // namespace tapedeck::testing
