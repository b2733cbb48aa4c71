// The store on a disk that fails: power cuts, failed syncs, failed reads, a disk that turns
// read-only (docs/faults.md, A3, A6, A7, A10).

#include <gtest/gtest.h>

#include "store_fixture.h"
#include "support/fault_fs.h"
#include "support/rounds.h"
#include "support/seed.h"
#include "support/temp_dir.h"

namespace tapedeck::testing {
namespace {

constexpr size_t kBlockBytes = 3000;

StoreOptions Faulty(const std::filesystem::path& dir, const std::shared_ptr<FaultFs>& faults) {
  StoreOptions options = SmallStore(dir);
  options.file_system = faults;
  return options;
}

// Power goes at a random moment of writing, flushing and compacting; what is found afterwards is a
// prefix that holds every acknowledged commit.
TEST(StoreA3, PowerCutKeepsEveryAcknowledgedBatch) {
  const uint64_t seed = TestSeed();
  SCOPED_TRACE(RepeatWith(seed));
  Random random(seed);
  for (int round = 0; round < Rounds(5); ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    TempDir dir;
    uint64_t acknowledged = 0;
    for (int cut = 0; cut < 4; ++cut) {
      auto faults = std::make_shared<FaultFs>(random.Next());
      Result<std::unique_ptr<Store>> opened = Store::Open(Faulty(dir.path() / "s", faults));
      ASSERT_TRUE(opened.ok()) << opened.status().ToString();
      Result<uint64_t> found = ReadPrefix(**opened, kBlockBytes);
      ASSERT_TRUE(found.ok()) << found.status().ToString();
      ASSERT_GE(*found, acknowledged);
      ASSERT_LE(*found, acknowledged + 1) << "more than was tried";
      uint64_t commit = *found;
      const uint64_t writes = random.Uniform(120);
      for (uint64_t i = 0; i < writes; ++i) {
        Status written = WriteCommit(opened->get(), ++commit, kBlockBytes);
        ASSERT_TRUE(written.ok()) << written.ToString();
        if (random.OneIn(25)) {
          ASSERT_TRUE((*opened)->FlushMemtables().ok());
        }
        if (random.OneIn(60)) {
          ASSERT_TRUE((*opened)->CompactAll().ok());
        }
      }
      acknowledged = commit;
      // In the middle of a write: its bytes are in the log, its sync is not.
      if (random.OneIn(2)) {
        faults->Fail({.op = Op::kSync, .name = ".log", .error = FaultFs::Eio()});
        EXPECT_EQ(WriteCommit(opened->get(), commit + 1, kBlockBytes).code(),
                  StatusCode::kInternal);
      }
      faults->PowerOff();
      opened->reset();
      faults->LosePower(random.OneIn(3) ? nullptr : &random);
    }
  }
}

TEST(StoreA3, PowerCutWhileAStoreIsBeingMadeLeavesNoneOrAWholeOne) {
  const uint64_t seed = TestSeed();
  SCOPED_TRACE(RepeatWith(seed));
  Random random(seed);
  for (uint64_t after = 0; after < 30; after += 1 + random.Uniform(4)) {
    for (Op op : {Op::kMake, Op::kAppend, Op::kSync, Op::kRename, Op::kSyncDir}) {
      TempDir dir;
      auto faults = std::make_shared<FaultFs>(random.Next());
      faults->Fail({.op = op, .after = after, .error = FaultFs::Eio()});
      Result<std::unique_ptr<Store>> opened = Store::Open(Faulty(dir.path() / "s", faults));
      if (opened.ok()) continue;  // the fault came too late
      faults->PowerOff();
      faults->LosePower(&random);
      Result<std::unique_ptr<Store>> again = Store::Open(SmallStore(dir.path() / "s"));
      ASSERT_TRUE(again.ok()) << "op " << int(op) << " after " << after << ": "
                              << again.status().ToString();
      EXPECT_TRUE(WriteCommit(again->get(), 1, kBlockBytes).ok());
    }
  }
}

TEST(StoreA6, AFailedSyncIsTheEndAndIsNotTriedAgain) {
  for (const char* file : {".log", ".sst", "MANIFEST"}) {
    SCOPED_TRACE(file);
    TempDir dir;
    auto faults = std::make_shared<FaultFs>();
    uint64_t acknowledged = 0;
    {
      auto store = Store::Open(Faulty(dir.path() / "s", faults)).value();
      for (; acknowledged < 30; ++acknowledged)
        ASSERT_TRUE(WriteCommit(store.get(), acknowledged + 1, kBlockBytes).ok());
      faults->Fail({.op = Op::kSync, .name = file, .times = 1, .error = FaultFs::Eio()});
      Status flushed = store->FlushMemtables();
      Status written;
      for (int i = 0; i < 5 && written.ok(); ++i)
        written = WriteCommit(store.get(), acknowledged + 1, kBlockBytes);
      EXPECT_EQ(faults->given(), 1u) << flushed.ToString();
      EXPECT_EQ(written.code(), StatusCode::kInternal) << written.ToString();
      // It stays so, although the disk is well again.
      EXPECT_EQ(WriteCommit(store.get(), acknowledged + 1, kBlockBytes).code(),
                StatusCode::kInternal);
      EXPECT_EQ(store->TryResume().code(), StatusCode::kInternal);
      Result<uint64_t> read = ReadPrefix(*store, kBlockBytes);  // reads go on
      ASSERT_TRUE(read.ok()) << read.status().ToString();
      EXPECT_EQ(*read, acknowledged);
    }
    EXPECT_EQ(faults->syncs_after_failure(), 0u);
    faults->PowerOff();
    faults->LosePower(nullptr);
    auto again = Store::Open(SmallStore(dir.path() / "s"));
    ASSERT_TRUE(again.ok()) << again.status().ToString();
    Result<uint64_t> read = ReadPrefix(**again, kBlockBytes);
    ASSERT_TRUE(read.ok()) << read.status().ToString();
    EXPECT_EQ(*read, acknowledged);
  }
}

TEST(StoreA10, ADiskThatTurnsReadOnlyIsTheEnd) {
  TempDir dir;
  auto faults = std::make_shared<FaultFs>();
  {
    auto store = Store::Open(Faulty(dir.path() / "s", faults)).value();
    for (uint64_t commit = 1; commit <= 20; ++commit)
      ASSERT_TRUE(WriteCommit(store.get(), commit, kBlockBytes).ok());
    for (Op op : {Op::kAppend, Op::kMake, Op::kRename, Op::kRemove, Op::kSync, Op::kSyncDir}) {
      faults->Fail({.op = op, .name = "", .error = FaultFs::Erofs()});
    }
    EXPECT_EQ(WriteCommit(store.get(), 21, kBlockBytes).code(), StatusCode::kInternal);
    EXPECT_EQ(store->TryResume().code(), StatusCode::kInternal);
    EXPECT_EQ(ReadPrefix(*store, kBlockBytes).value_or(0), 20u);
  }
  faults->Heal();
  auto again = Store::Open(Faulty(dir.path() / "s", faults)).value();
  EXPECT_EQ(ReadPrefix(*again, kBlockBytes).value_or(0), 20u);
}

// Many files below level 0, small enough that each scan and compaction passes several file starts.
uint64_t FillSeveralFiles(Store* store, uint64_t commits) {
  for (uint64_t commit = 1; commit <= commits; ++commit) {
    EXPECT_TRUE(WriteCommit(store, commit, 60'000).ok());
    if (commit % 500 == 0) {
      EXPECT_TRUE(store->FlushMemtables().ok());
    }
  }
  EXPECT_TRUE(store->CompactAll().ok());
  return commits;
}

TEST(StoreA7, AReadErrorEndsAScanAndIsNeverTakenForItsEnd) {
  const uint64_t seed = TestSeed();
  SCOPED_TRACE(RepeatWith(seed));
  TempDir dir;
  constexpr size_t kBig = 60'000;
  uint64_t commits = 0;
  {
    auto store = Store::Open(SmallStore(dir.path() / "s")).value();
    commits = FillSeveralFiles(store.get(), 1200);  // 144 MB: three files of 64 MB
  }
  Random random(seed);
  int failed = 0;
  for (int round = 0; round < Rounds(6); ++round) {
    auto faults = std::make_shared<FaultFs>(random.Next());
    auto store = Store::Open(Faulty(dir.path() / "s", faults)).value();
    FaultFs::Rule rule{.op = Op::kRead, .name = ".sst", .one_in = 32, .error = FaultFs::Eio()};
    if (round % 2 == 0)
      rule = {.op = Op::kRead, .name = ".sst", .error = FaultFs::Eio(), .at_offset = 0};
    faults->Fail(rule);
    Result<uint64_t> read = ReadPrefix(*store, kBig);
    if (read.ok()) {
      EXPECT_EQ(*read, commits);
    } else {
      ++failed;
      EXPECT_EQ(read.status().code(), StatusCode::kUnavailable) << read.status().ToString();
    }
    faults->Heal();
    EXPECT_EQ(ReadPrefix(*store, kBig).value_or(0), commits);
  }
  EXPECT_GT(failed, 0);
}

TEST(StoreA7, ReadErrorsDuringCompactionStopWritingAndLoseNothing) {
  const uint64_t seed = TestSeed();
  SCOPED_TRACE(RepeatWith(seed));
  Random random(seed);
  TempDir dir;
  constexpr size_t kBig = 60'000;
  uint64_t commit = 0;
  {
    auto store = Store::Open(SmallStore(dir.path() / "s")).value();
    commit = FillSeveralFiles(store.get(), 1200);
  }
  int stopped = 0;
  for (int round = 0; round < Rounds(4); ++round) {
    auto faults = std::make_shared<FaultFs>(random.Next());
    Status written;
    {
      auto store = Store::Open(Faulty(dir.path() / "s", faults)).value();
      FaultFs::Rule rule{.op = Op::kRead, .name = ".sst", .one_in = 32, .error = FaultFs::Eio()};
      if (round % 2 == 0)
        rule = {.op = Op::kRead,
                .name = ".sst",
                .after = 1 + random.Uniform(2),
                .error = FaultFs::Eio(),
                .at_offset = 0};
      faults->Fail(rule);
      for (int i = 0; i < 20 && written.ok(); ++i) {
        written = WriteCommit(store.get(), commit + 1, kBig);
        if (written.ok()) ++commit;
      }
      Status compacted = store->CompactAll();
      written = WriteCommit(store.get(), commit + 1, kBig);
      if (written.ok()) ++commit;
      if (!compacted.ok()) ++stopped;
    }
    auto store = Store::Open(SmallStore(dir.path() / "s")).value();
    Result<uint64_t> read = ReadPrefix(*store, kBig);
    ASSERT_TRUE(read.ok()) << read.status().ToString();
    EXPECT_GE(*read, commit);
    EXPECT_LE(*read, commit + 1);
    commit = *read;
    EXPECT_TRUE(store->VerifyFiles().ok());
  }
  EXPECT_GT(stopped, 0);
}

}  // namespace
}  // namespace tapedeck::testing
