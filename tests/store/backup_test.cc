#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <thread>

#include "store/store.h"
#include "store_fixture.h"
#include "support/fault_fs.h"
#include "support/temp_dir.h"

namespace tapedeck::testing {
namespace {

namespace fs = std::filesystem;

constexpr size_t kBytes = 4000;  // of a block

// The number of whole commits in the store there.
uint64_t CommitsIn(const fs::path& dir) {
  auto store = Store::Open(SmallStore(dir));
  EXPECT_TRUE(store.ok()) << store.status().ToString();
  if (!store.ok()) return 0;
  EXPECT_TRUE((*store)->VerifyFiles().ok());
  const Result<uint64_t> commits = ReadPrefix(**store, kBytes);
  EXPECT_TRUE(commits.ok()) << commits.status().ToString();
  return commits.ok() ? *commits : 0;
}

TEST(Backup, IsAWholeStoreOfItsOwnAndTheStoreGoesOn) {
  TempDir dir;
  const fs::path copy = dir.path() / "backups" / "one";
  auto store = *Store::Open(SmallStore(dir.path() / "store"));
  for (uint64_t commit = 1; commit <= 20; ++commit) {
    ASSERT_TRUE(WriteCommit(store.get(), commit, kBytes).ok());
  }
  const Status made = store->BackUp(copy);
  ASSERT_TRUE(made.ok()) << made.ToString();
  for (uint64_t commit = 21; commit <= 30; ++commit) {
    ASSERT_TRUE(WriteCommit(store.get(), commit, kBytes).ok());
  }
  ASSERT_TRUE(store->CompactAll().ok());
  EXPECT_EQ(CommitsIn(copy), 20u);
  EXPECT_EQ(*ReadPrefix(*store, kBytes), 30u);
}

TEST(Backup, MadeWhileCommitsGoOnHoldsAPrefixOfThem) {
  TempDir dir;
  auto store = *Store::Open(SmallStore(dir.path() / "store"));
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> written{0};
  std::thread writer([&] {
    while (!stop) {
      ASSERT_TRUE(WriteCommit(store.get(), written + 1, kBytes).ok());
      ++written;
    }
  });
  for (int n = 0; n < 5; ++n) {
    const uint64_t before = written;
    const fs::path copy = dir.path() / ("copy" + std::to_string(n));
    const Status made = store->BackUp(copy);
    EXPECT_TRUE(made.ok()) << made.ToString();
    const uint64_t after = written;
    const uint64_t in_copy = CommitsIn(copy);
    EXPECT_GE(in_copy, before);
    EXPECT_LE(in_copy, after + 1);
  }
  stop = true;
  writer.join();
}

TEST(Backup, IsRefusedWhereSomethingIsAlreadyAndForReaders) {
  TempDir dir;
  auto store = *Store::Open(SmallStore(dir.path() / "store"));
  const fs::path there = dir.path() / "there";
  fs::create_directory(there);
  std::ofstream(there / "file") << "mine";
  EXPECT_EQ(store->BackUp(there).code(), StatusCode::kInvalidArgument);
  EXPECT_TRUE(fs::exists(there / "file"));
  EXPECT_EQ(store->BackUp("").code(), StatusCode::kInvalidArgument);
  StoreOptions beside = SmallStore(dir.path() / "store");
  beside.mode = StoreMode::kSecondary;
  auto reader = Store::Open(beside);
  ASSERT_TRUE(reader.ok()) << reader.status().ToString();
  EXPECT_EQ((*reader)->BackUp(dir.path() / "copy").code(), StatusCode::kFailedPrecondition);
}

TEST(Backup, ThatFailsLeavesNothingAndTheNextOneSucceeds) {
  TempDir dir;
  auto faults = std::make_shared<FaultFs>();
  StoreOptions options = SmallStore(dir.path() / "store");
  options.file_system = faults;
  auto store = *Store::Open(options);
  ASSERT_TRUE(WriteCommit(store.get(), 1, kBytes).ok());
  ASSERT_TRUE(store->FlushMemtables().ok());
  faults->Fail({.op = Op::kRename, .name = "copy", .times = 1, .error = FaultFs::Eio()});
  EXPECT_FALSE(store->BackUp(dir.path() / "copy").ok());
  EXPECT_EQ(faults->given(), 1u);
  EXPECT_FALSE(fs::exists(dir.path() / "copy"));
  EXPECT_FALSE(fs::exists(dir.path() / "copy.tmp"));
  ASSERT_TRUE(store->BackUp(dir.path() / "copy").ok());
  EXPECT_EQ(CommitsIn(dir.path() / "copy"), 1u);
}

}  // namespace
}  // namespace tapedeck::testing
