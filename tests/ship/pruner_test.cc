// What pruning gives back to the disk, and what it leaves.

#include "ship/pruner.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "ship/ship_rig.h"
#include "support/seed.h"
#include "support/temp_dir.h"

namespace tapedeck::testing {
namespace {

uint64_t BytesIn(const std::filesystem::path& dir) {
  uint64_t bytes = 0;
  for (const auto& file : std::filesystem::directory_iterator(dir)) {
    if (file.path().extension() == ".sst") bytes += file.file_size();
  }
  return bytes;
}

std::unique_ptr<Store> OpenSmallStore(const TempDir& dir) {
  auto opened = Store::Open({.dir = dir.path() / "store",
                             .node_id = "n",
                             .memory_bytes = size_t{16} << 20,
                             .ballast_bytes = 0});
  EXPECT_TRUE(opened.ok()) << opened.status().ToString();
  return opened.ok() ? std::move(*opened) : nullptr;
}

/// A pruner of a store that has no archive behind it.
struct PrunerRig {
  explicit PrunerRig(Store* store) : parts{.store = store, .queue = &queue, .clock = &clock} {}

  ShipOptions options;
  ManualClock clock{Timestamp(1)};
  StoreQueue queue;
  ShipParts parts;
  Journey journey{&options, &parts};  // takes parts of `parts`
  Pruner pruner{&journey};
};

// Nothing else is written meanwhile: so it is where recording waits for a full disk.
TEST(Pruner, D18RoomOfAPrunedDayComesBackWithoutFurtherWrites) {
  TempDir dir;
  const std::unique_ptr<Store> store = OpenSmallStore(dir);
  ASSERT_NE(store, nullptr);
  Random random(TestSeed());
  const keys::DayKey day{TableId{1}, Day(19'906), 0}, kept{TableId{1}, Day(19'907), 0};
  for (int i = 0; i < 60; ++i) {
    for (const keys::DayKey& of : {day, kept}) {
      StoreBatch batch;
      batch.PutSeriesBlock({.table = of.table, .day = of.day, .symbol = "A", .block = uint32_t(i)},
                           random.Bytes(size_t{512} << 10));
      ASSERT_TRUE(store->Write(batch).ok());
    }
  }
  ASSERT_TRUE(store->FlushMemtables().ok());
  const uint64_t before = BytesIn(dir.path() / "store");
  PrunerRig rig(store.get());
  Pruner& pruner = rig.pruner;
  QueueServer server(&rig.queue, store.get());
  DayEntry entry{.phase = DayPhase::kPruned, .manifest = "m"};
  ASSERT_TRUE(pruner.PruneDay(day, &entry).ok());
  EXPECT_EQ(pruner.bytes(), uint64_t{30} << 20);
  EXPECT_LT(BytesIn(dir.path() / "store"), before - (uint64_t{25} << 20));
  const auto view = store->View();
  auto left = view->Scan(keys::SeriesPrefix(kept.table, kept.day), "t", ScanKind::kPoint);
  int blocks = 0;
  for (left->SeekToFirst(); left->Valid(); left->Next()) ++blocks;
  EXPECT_EQ(blocks, 60);
}

// Days of a little each: their room comes back together.
TEST(Pruner, D18RoomOfManySmallDaysComesBackToo) {
  TempDir dir;
  const std::unique_ptr<Store> store = OpenSmallStore(dir);
  ASSERT_NE(store, nullptr);
  Random random(TestSeed());
  constexpr int kDays = 40;
  for (int day = 0; day < kDays; ++day) {
    StoreBatch batch;
    batch.PutSeriesBlock({.table = TableId{1}, .day = Day(day), .symbol = "A"},
                         random.Bytes(size_t{1} << 20));
    ASSERT_TRUE(store->Write(batch).ok());
  }
  ASSERT_TRUE(store->FlushMemtables().ok());
  const uint64_t before = BytesIn(dir.path() / "store");
  PrunerRig rig(store.get());
  Pruner& pruner = rig.pruner;
  {
    QueueServer server(&rig.queue, store.get());
    for (int day = 0; day < kDays; ++day) {
      DayEntry entry{.phase = DayPhase::kPruned, .manifest = "m"};
      ASSERT_TRUE(pruner.PruneDay({TableId{1}, Day(day), 0}, &entry).ok());
    }
  }
  EXPECT_EQ(pruner.bytes(), uint64_t{kDays} << 20);
  // RocksDB removes files that it no longer needs when it comes to it.
  const uint64_t left = before - (uint64_t{30} << 20);
  const MonotonicTime deadline = SystemClock().Monotonic() + std::chrono::seconds(60);
  while (BytesIn(dir.path() / "store") >= left && SystemClock().Monotonic() < deadline) {
    SystemClock().SleepFor(std::chrono::milliseconds(20));
  }
  EXPECT_LT(BytesIn(dir.path() / "store"), left);
  // Nobody serves the queue any more: a day without blocks asks for no write.
  DayEntry entry{.phase = DayPhase::kPruned, .manifest = "m"};
  EXPECT_TRUE(pruner.PruneDay({TableId{1}, Day(kDays), 0}, &entry).ok());
  EXPECT_FALSE(rig.queue.waiting());
}

// The writer joins a block below the bound with one above it, which is in no archive yet, after the
// pruner has looked and before its batch comes: what is not wholly below stays.
TEST(Pruner, AMergeOverTheBoundThatComesBeforeTheBatchTakesNoMessageAway) {
  TempDir dir;
  auto opened = Store::Open({.dir = dir.path() / "store", .node_id = "n", .ballast_bytes = 0});
  ASSERT_TRUE(opened.ok()) << opened.status().ToString();
  Store* store = opened->get();
  const TpId tp{1};
  auto put = [&](StoreBatch* batch, int64_t first, int64_t last) {
    batch->PutTapeBlock(tp, first, "a block");
    batch->PutTapeIndex(tp, first,
                        {.count = static_cast<uint64_t>(last - first + 1),
                         .raw_bytes = 100,
                         .first_offset = first,
                         .last_offset = last});
  };
  {
    StoreBatch batch;
    for (int64_t first : {0, 10, 20}) put(&batch, first, first + 9);
    ASSERT_TRUE(store->Write(batch).ok());
  }
  PrunerRig rig(store);
  rig.options.keep_local = std::chrono::nanoseconds(0);
  Pruner& pruner = rig.pruner;
  std::atomic<bool> ended{false};
  std::thread writer([&] {
    while (!rig.queue.waiting()) {
      if (ended) return;
      std::this_thread::yield();
    }
    StoreBatch merge;
    for (int64_t first : {10, 20}) merge.DeleteTapeBlock(tp, first);
    put(&merge, 10, 29);
    EXPECT_TRUE(store->Write(merge).ok());
    EXPECT_TRUE(rig.queue.Serve(store).ok());
  });
  TapeShip ship{.shipped = 20, .marks = {{20, Timestamp(1)}}};
  Checkpoint checkpoint;
  checkpoint.next = checkpoint.watermark = 30;
  checkpoint.last.offset = 29;
  const Status pruned = pruner.PruneTape(tp, {}, checkpoint, false, &ship);
  ended = true;
  writer.join();
  ASSERT_TRUE(pruned.ok()) << pruned.ToString();
  EXPECT_EQ(ship.pruned, 10);
  EXPECT_EQ(ship.marks.size(), 1u) << "what the bound comes from is still to be reached";
  const auto view = store->View();
  EXPECT_EQ(view->Get(keys::TapeIndex(tp, 0)).status().code(), StatusCode::kNotFound);
  EXPECT_TRUE(view->Get(keys::TapeIndex(tp, 10)).ok());
  EXPECT_TRUE(view->Get(keys::TapeBlock(tp, 10)).ok());
  const auto ships = view->Ships();
  ASSERT_TRUE(ships.ok() && ships->size() == 1);
  EXPECT_EQ(ships->front().second, ship);
}

}  // namespace
}  // namespace tapedeck::testing
