// D1: the shipper is killed at every step, as kill -9 does, and what it leaves is the same.
//
// The child is this test program, started again for the disabled test below, with a failpoint in
// its environment. It ships a store into a folder on a clock that stands where the parent says, so
// that everything that a killed and an undisturbed run write can be compared byte by byte.

#include <gtest/gtest.h>
#include <signal.h>

#include <cstdlib>

#include "base/failpoint.h"
#include "blob/open_store.h"
#include "query/verify.h"
#include "ship/ship_rig.h"
#include "support/child_test.h"
#include "support/seed.h"

namespace tapedeck::testing {
namespace {

constexpr char kDirVariable[] = "TAPEDECK_TEST_SHIP_DIR";
constexpr int64_t kStart = 1'720'500'000'000'000'000;
constexpr char kOrphan[] = "trades/dt=2024-01-01/orphan.parquet";

std::unique_ptr<BlobStore> OpenArchive(const std::filesystem::path& dir, Clock* clock) {
  std::filesystem::create_directories(dir / "archive");
  BlobStoreOptions options;
  options.clock = clock;
  auto opened = OpenBlobStore("file://" + (dir / "archive").string(), options);
  EXPECT_TRUE(opened.ok()) << opened.status().ToString();
  return std::move(opened).value();
}

void ShipUntilPruned(Store* store, BlobStore* blobs, ManualClock* clock,
                     const std::filesystem::path& dir) {
  ShipOptions options;
  options.node_id = store->meta().node_id;
  options.version = "1.2.3";
  options.work_folder = (dir / "work").string();
  options.per_message = {"Finhub1"};
  options.formats = {"parquet", "ndjson.zst"};
  options.file_rows = 50;  // several objects
  StoreQueue queue;
  ShipParts parts;
  parts.store = store;
  parts.queue = &queue;
  parts.blobs = blobs;
  parts.clock = clock;
  parts.request_flush = [](const std::vector<ShipDay>&) { return uint64_t{1}; };
  parts.flushes_done = [] { return uint64_t{1}; };
  parts.progress = [] { return std::vector<PartitionProgress>(); };
  ShipperImpl shipper(options, parts);
  QueueServer server(&queue, store);
  ASSERT_TRUE(shipper.Prepare().ok());
  for (int round = 0; round < 3; ++round) ASSERT_TRUE(shipper.Round().ok());
  EXPECT_EQ(shipper.State().last_error, "");
  clock->Advance(options.keep_local);
  for (int round = 0; round < 2; ++round) {
    ASSERT_TRUE(shipper.Round().ok());
    clock->Advance(std::chrono::minutes(1));
  }
  EXPECT_EQ(shipper.State().last_error, "");
}

// The other process. Runs only when it was started for this.
TEST(ShipChild, DISABLED_ShipsUntilPruned) {
  const char* dir = std::getenv(kDirVariable);
  if (dir == nullptr) GTEST_SKIP() << "started by hand";
  const std::filesystem::path path(dir);
  ManualClock clock{Timestamp(kStart)};
  auto store = Store::Open({.dir = path / "store", .create = false, .ballast_bytes = 0});
  ASSERT_TRUE(store.ok()) << store.status().ToString();
  const auto blobs = OpenArchive(path, &clock);
  ShipUntilPruned(store->get(), blobs.get(), &clock, path);
}

// What both processes know: a node that is lost had recorded the first half of the log.
void ProduceHalf(RecorderRig* rig) {
  for (int i = 0; i < 30; ++i) rig->ProduceTrades({"Finhub1", 0}, 1 + i % 3);
}

// The process that reads a gap again. The store is the parent's, the log is made again.
TEST(ShipChild, DISABLED_HealsAGap) {
  const char* dir = std::getenv(kDirVariable);
  if (dir == nullptr) GTEST_SKIP() << "started by hand";
  RecorderRig rig(TestSeed());
  rig.log.Create("Finhub1", 1);
  ProduceHalf(&rig);
  ProduceHalf(&rig);
  std::filesystem::create_directory_symlink(std::filesystem::path(dir) / "store",
                                            rig.dir.path() / "store");
  rig.options.node_id = "second";
  rig.unlisted = [](const TapeId&, int64_t from, int64_t to) {
    return std::optional(std::vector<OffsetSpan>{{from, to}});
  };
  rig.clock.Advance(2 * rig.options.heal_after);
  rig.OpenStore();
  int polls = 0;
  const Status end = rig.Run([&](FakeSource* source) {
    std::this_thread::yield();
    return !source->AtEnd() || ++polls % 20 != 0 || !rig.store->View()->Gaps(TpId{1})->empty();
  });
  ASSERT_TRUE(end.ok()) << end.ToString();
  rig.Check();
}

int RunChild(const std::filesystem::path& dir, const std::string& failpoint,
             const std::string& child = "ShipsUntilPruned", const std::string& seed = "") {
  ChildTestPlan plan{.filter = "ShipChild.*" + child,
                     .variables = {{kDirVariable, dir.string()}},
                     .failpoint = failpoint,
                     .log = dir / "child.log"};
  if (!seed.empty()) plan.variables["TAPEDECK_SEED"] = seed;
  return WaitForChildTest(StartChildTest(plan));
}

// A store with a day that is closed, a late generation that is closed, and a name that was given
// up.
void Fill(ShipRig* rig, bool upsert) {
  rig->recorder.options.commit_bytes = 500;  // small blocks
  rig->recorder.log.Create("Finhub1", 2);
  if (upsert) rig->ShapeTrades(DaySize::kDay, {"symbol", "ts"});
  int64_t kafka = kShipNoonMs;
  auto produce = [&](int count) {
    for (int i = 0; i < count; ++i) {
      const TopicPartition tp{"Finhub1", i % 2};
      if (upsert) {  // each identity comes several times
        rig->recorder.ProduceRaw(tp, TradeOf("A", kShipNoonMs + i % 7, std::to_string(i + 1)),
                                 ++kafka);
      } else {
        rig->recorder.ProduceTrades(tp, 2);
      }
    }
  };
  produce(40);
  rig->Record({kShipDay});
  produce(6);
  rig->Record({kShipDay});
  StoreBatch batch;
  batch.PutObject(kOrphan, {ObjectPurpose::kPut, Timestamp(1)});
  ASSERT_TRUE(rig->recorder.store->Write(batch).ok());
}

void Copy(const std::filesystem::path& from, const std::filesystem::path& to) {
  std::filesystem::create_directories(to);
  std::filesystem::copy(from, to / "store", std::filesystem::copy_options::recursive);
  ManualClock clock{Timestamp(kStart)};
  const auto blobs = OpenArchive(to, &clock);
  ASSERT_TRUE(blobs->Put(kOrphan, BlobContent::Bytes("left"), PutMode::kCreate).ok());
}

// What must be in the archive at the end: of an upsert table, the winners.
Holdings Wanted(ShipRig* rig, bool upsert) {
  Holdings wanted = rig->InStore();
  if (!upsert) return wanted;
  std::map<std::pair<std::string, int64_t>, RecorderRig::RowKey> winners;
  for (const auto& [key, text] : wanted.rows) {
    auto [held, made] = winners.try_emplace({std::get<0>(key), std::get<1>(key)}, key);
    // Messages went to the partitions in turn.
    auto turn = [](const RecorderRig::RowKey& k) {
      return std::pair(std::get<3>(k), std::get<2>(k));
    };
    if (!made && turn(held->second) < turn(key)) held->second = key;
  }
  std::map<RecorderRig::RowKey, std::string> rows;
  for (const auto& [identity, key] : winners) rows[key] = wanted.rows[key];
  wanted.rows = std::move(rows);
  return wanted;
}

class ShipCrash : public ::testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(Tables, ShipCrash, ::testing::Values(false, true),
                         [](const auto& kind) { return kind.param ? "Upsert" : "Append"; });

TEST_P(ShipCrash, D1KilledAtEveryStepItWritesTheSameBytesAndPrunesTheSame) {
  const uint64_t seed = TestSeed();
  SCOPED_TRACE(RepeatWith(seed));
  ShipRig rig(seed);
  Fill(&rig, GetParam());
  const Holdings before = Wanted(&rig, GetParam());
  const StoreState state = rig.recorder.LoadState();
  rig.recorder.CloseStore();
  ManualClock clock{Timestamp(kStart)};
  const auto root = rig.recorder.dir.path();

  Copy(rig.StoreDir(), root / "whole");
  ASSERT_EQ(RunChild(root / "whole", ""), 0) << "see " << (root / "whole" / "child.log");
  const auto wanted = ContentsOf(OpenArchive(root / "whole", &clock).get());
  EXPECT_EQ(ShipRig::InArchive(wanted, state), before);
  EXPECT_FALSE(wanted.contains(kOrphan));

  std::set<std::string> missed;
  for (const std::string_view name : AllFailpoints()) {
    if (!name.starts_with("ship.") || name.ends_with("new_id")) continue;  // G7 below
    bool reached = false;
    for (const char* hit : {":1:abort", ":2:abort"}) {
      const std::string failpoint = std::string(name) + hit;
      SCOPED_TRACE(failpoint);
      const auto dir = root / failpoint;
      Copy(rig.StoreDir(), dir);
      const int first = RunChild(dir, failpoint);
      if (first == -SIGKILL) {
        reached = true;
        ASSERT_EQ(RunChild(dir, ""), 0);
      } else {
        ASSERT_EQ(first, 0);
      }
      const auto found = ContentsOf(OpenArchive(dir, &clock).get());
      ASSERT_EQ(found.size(), wanted.size());
      for (const auto& [object, bytes] : wanted) {
        ASSERT_TRUE(found.contains(object)) << object;
        EXPECT_TRUE(found.at(object) == bytes) << object;
      }
      auto store = Store::Open({.dir = dir / "store", .create = false, .ballast_bytes = 0});
      ASSERT_TRUE(store.ok());
      const StoreState after = (*store)->View()->LoadState().value();
      for (const auto& [key, entry] : after.days) EXPECT_EQ(entry.phase, DayPhase::kPruned);
      const auto view = (*store)->View();
      EXPECT_TRUE(view->Objects()->empty());
      auto series = view->Scan("s", "t", ScanKind::kPoint);
      series->SeekToFirst();
      EXPECT_FALSE(series->Valid()) << "blocks of pruned days are left";
      store->reset();
      std::filesystem::remove_all(dir);
    }
    if (!reached) missed.insert(std::string(name));
  }
  EXPECT_EQ(missed, std::set<std::string>{}) << "never reached";
}

// Either the old id and nothing under another, or the new one for everything that follows.
TEST(ShipKilled, G7KilledWhileItTakesANewIdItOverwritesNothing) {
  const uint64_t seed = TestSeed();
  SCOPED_TRACE(RepeatWith(seed));
  ShipRig rig(seed);
  Fill(&rig, /*upsert=*/false);
  const std::string old_id = rig.recorder.store->meta().store_id;
  rig.recorder.CloseStore();
  ManualClock clock{Timestamp(kStart)};
  const auto root = rig.recorder.dir.path();
  // The archive knows what the store, set back, has forgotten.
  Copy(rig.StoreDir(), root / "base");
  ASSERT_EQ(RunChild(root / "base", ""), 0) << "see " << (root / "base" / "child.log");
  std::filesystem::remove_all(root / "base" / "store");
  std::filesystem::copy(rig.StoreDir(), root / "base" / "store",
                        std::filesystem::copy_options::recursive);
  const auto before = ContentsOf(OpenArchive(root / "base", &clock).get());
  for (const std::string failpoint : {"ship.before_new_id:1:abort", "ship.new_id:1:abort"}) {
    SCOPED_TRACE(failpoint);
    const auto dir = root / failpoint;
    std::filesystem::copy(root / "base", dir, std::filesystem::copy_options::recursive);
    auto id = [&] {
      const auto store = Store::Open({.dir = dir / "store", .create = false, .ballast_bytes = 0});
      EXPECT_TRUE(store.ok()) << store.status().ToString();
      return (*store)->meta().store_id;
    };
    ASSERT_EQ(RunChild(dir, failpoint), -SIGKILL) << "see " << (dir / "child.log");
    const std::string left = id();
    EXPECT_EQ(left == old_id, failpoint.starts_with("ship.before"));
    EXPECT_TRUE(ContentsOf(OpenArchive(dir, &clock).get()) == before) << "nothing was put yet";
    ASSERT_EQ(RunChild(dir, ""), 0) << "see " << (dir / "child.log");
    const std::string taken = id();
    EXPECT_NE(taken, old_id);
    EXPECT_TRUE(left == old_id || left == taken) << "one new id, not two";
    const auto after = ContentsOf(OpenArchive(dir, &clock).get());
    for (const auto& [name, bytes] : before) {
      ASSERT_TRUE(after.contains(name)) << name << " is gone";
      EXPECT_TRUE(after.at(name) == bytes) << name;
    }
    for (const auto& [name, bytes] : after) {
      if (!name.starts_with(kManifestsPrefix) || before.contains(name)) continue;
      EXPECT_NE(name.find(taken), std::string::npos) << name;
    }
  }
}

TEST(ShipKilled, G5KilledBeforeAHealIsWrittenItIsReadAgainWhole) {
  const uint64_t seed = TestSeed();
  SCOPED_TRACE(RepeatWith(seed));
  RecorderRig rig(seed);
  rig.log.Create("Finhub1", 1);
  ProduceHalf(&rig);
  ASSERT_TRUE(rig.Run().ok());
  rig.CloseStore();
  std::filesystem::remove_all(rig.dir.path() / "store");
  rig.options.node_id = "second";
  ProduceHalf(&rig);
  ASSERT_TRUE(rig.Run().ok());
  const std::vector<Gap> gaps = rig.store->View()->Gaps(TpId{1}).value();
  ASSERT_EQ(gaps.size(), 1u);
  rig.CloseStore();
  const std::string same = std::to_string(seed);
  ASSERT_EQ(RunChild(rig.dir.path(), "record.before_heal:1:abort", "HealsAGap", same), -SIGKILL)
      << "see " << rig.dir.File("child.log");
  rig.OpenStore();
  EXPECT_EQ(rig.store->View()->Gaps(TpId{1}).value(), gaps) << "all of it or nothing";
  rig.CloseStore();
  ASSERT_EQ(RunChild(rig.dir.path(), "", "HealsAGap", same), 0)
      << "see " << rig.dir.File("child.log");
  rig.OpenStore();
  EXPECT_TRUE(rig.store->View()->Gaps(TpId{1})->empty());
  const Result<VerifyReport> report = VerifyStore(rig.store.get(), {});
  ASSERT_TRUE(report.ok()) << report.status().ToString();
  for (const Finding& finding : report->findings)
    ADD_FAILURE() << finding.where << ": " << finding.what;
}

}  // namespace
}  // namespace tapedeck::testing
