#include "record/merger.h"

#include <gtest/gtest.h>

#include <thread>

#include "record/recorder_rig.h"
#include "support/seed.h"

namespace tapedeck::testing {
namespace {

using std::chrono::milliseconds;

size_t CountEntries(const Store& store, std::string_view lower, std::string_view upper) {
  auto view = store.View();
  auto cursor = view->Scan(lower, upper, ScanKind::kLong);
  size_t count = 0;
  for (cursor->SeekToFirst(); cursor->Valid(); cursor->Next()) ++count;
  EXPECT_TRUE(cursor->status().ok());
  return count;
}

// Records in commits of a few messages and many small flushes.
void RecordInDribbles(RecorderRig* rig) {
  rig->log.Create("Finhub1", 2);
  rig->options.commit_interval = milliseconds(10);
  rig->options.flush_interval = milliseconds(200);
  int left = 600;
  ASSERT_TRUE(rig->Run([&](FakeSource* source) {
                   if (left > 0) rig->ProduceTrades({"Finhub1", --left % 2}, 2);
                   return left > 0 || !source->AtEnd();
                 })
                  .ok());
}

// Applies what the merger prepares until a look finds nothing.
uint64_t MergeAll(Store* store) {
  uint64_t joined = 0;
  Merger merger(store);
  for (;;) {
    const uint64_t looks = merger.looks();
    merger.Poke();
    std::unique_ptr<PreparedMerge> merge =
        merger.TakePrepared();  // of a look that followed the last batch
    while (merge == nullptr && merger.looks() == looks) {
      std::this_thread::yield();
      merge = merger.TakePrepared();
    }
    if (merge == nullptr) merge = merger.TakePrepared();
    if (merge == nullptr) return joined;
    joined += merge->blocks_before - merge->blocks_after;
    EXPECT_TRUE(store->Write(merge->batch).ok());
    merger.Applied();
  }
}

TEST(Merger, JoinedBlocksHoldTheSameMessagesAndRows) {
  RecorderRig rig(TestSeed());
  RecordInDribbles(&rig);
  const size_t tape_before = CountEntries(*rig.store, "t", "u");
  const size_t series_before = CountEntries(*rig.store, "s", "t");
  const auto days = rig.LoadState().days;
  EXPECT_GT(MergeAll(rig.store.get()), 0u);
  rig.Check();
  EXPECT_LT(CountEntries(*rig.store, "s", "t"), series_before / 2);
  EXPECT_LE(CountEntries(*rig.store, "t", "u"), tape_before);
  EXPECT_EQ(CountEntries(*rig.store, "t", "u"), CountEntries(*rig.store, "x", "y"))
      << "one index entry for each block";
  EXPECT_EQ(rig.LoadState().days, days);
}

/// 400 messages of 3 kB, in many blocks.
void RecordSmallBlocks(RecorderRig* rig) {
  rig->log.Create("Finhub1", 1);
  rig->options.commit_interval = milliseconds(5);
  int left = 400;
  ASSERT_TRUE(
      rig->Run([&](FakeSource* source) {
           if (left > 0)
             rig->ProduceRaw({"Finhub1", 0}, std::string(3000, 'x'), 1'719'893'836'000 + left);
           --left;
           return left > 0 || !source->AtEnd();
         })
          .ok());
}

TEST(Merger, TapeBlocksAreJoinedTowardsTheirSizeAndIndexedAsOne) {
  RecorderRig rig(TestSeed());
  ASSERT_NO_FATAL_FAILURE(RecordSmallBlocks(&rig));
  const size_t before = CountEntries(*rig.store, "t", "u");
  EXPECT_GT(MergeAll(rig.store.get()), 0u);
  EXPECT_LT(CountEntries(*rig.store, "t", "u"), before / 4)
      << "whole blocks, and a rest that is still growing";
  rig.Check();
}

TEST(Merger, ADamagedTapeBlockKeepsNothingButItsNeighboursSmall) {
  RecorderRig rig(TestSeed());
  ASSERT_NO_FATAL_FAILURE(RecordSmallBlocks(&rig));
  const size_t before = CountEntries(*rig.store, "t", "u");
  {
    auto view = rig.store->View();
    auto cursor = view->Scan("t", "u", ScanKind::kPoint);
    cursor->SeekToFirst();
    ASSERT_TRUE(cursor->Valid());
    const auto key = keys::ParseTpOffset(cursor->key());
    ASSERT_TRUE(key.ok()) << key.status().ToString();
    StoreBatch batch;
    batch.PutTapeBlock(key->tp, key->offset, "what a bad disk left");
    ASSERT_TRUE(rig.store->Write(batch).ok());
  }
  EXPECT_GT(MergeAll(rig.store.get()), 0u);
  EXPECT_LT(CountEntries(*rig.store, "t", "u"), before / 2);
  EXPECT_GT(CountEntries(*rig.store, "t", "u"), before / 10) << "the run with the damage stays";
}

TEST(Merger, GoesOnBesideRecordingAndAcrossRestarts) {
  RecorderRig rig(TestSeed());
  rig.log.Create("Finhub1", 2);
  rig.options.merge = true;
  rig.options.commit_interval = milliseconds(10);
  rig.options.flush_interval = milliseconds(100);
  for (int run = 0; run < 3; ++run) {
    int left = 500;
    ASSERT_TRUE(rig.Run([&](FakeSource* source) {
                     if (left-- > 0) rig.ProduceTrades({"Finhub1", left % 2 ? 1 : 0}, 3);
                     if (left % 50 == 0)
                       rig.clock.Advance(
                           std::chrono::seconds(5));  // time for the merger to be poked
                     return left > 0 || !source->AtEnd();
                   })
                    .ok());
    rig.CloseStore();
  }
  rig.Check();
}

}  // namespace
}  // namespace tapedeck::testing
