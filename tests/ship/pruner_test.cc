// What pruning gives back to the disk, and what it leaves.

#include "ship/pruner.h"

#include <gtest/gtest.h>

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

// Nothing else is written meanwhile: so it is where recording waits for a full disk.
TEST(Pruner, D18RoomOfAPrunedDayComesBackWithoutFurtherWrites) {
  TempDir dir;
  auto opened = Store::Open({.dir = dir.path() / "store",
                             .node_id = "n",
                             .memory_bytes = size_t{16} << 20,
                             .ballast_bytes = 0});
  ASSERT_TRUE(opened.ok()) << opened.status().ToString();
  Store* store = opened->get();
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
  ShipOptions options;
  ManualClock clock{Timestamp(1)};
  StoreQueue queue;
  ShipParts parts;
  parts.store = store;
  parts.queue = &queue;
  parts.clock = &clock;
  Journey journey(&options, &parts);
  Pruner pruner(&journey);
  QueueServer server(&queue, store);
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

}  // namespace
}  // namespace tapedeck::testing
