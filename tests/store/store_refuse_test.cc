// What is refused at opening, and why (docs/faults.md, A11, A15).

#include <gtest/gtest.h>
#include <rocksdb/db.h>

#include "base/bytes.h"
#include "store_fixture.h"
#include "support/temp_dir.h"
#include "writer_process.h"

namespace tapedeck::testing {
namespace {

TEST(StoreA11, ASecondOpenerInThisProcessIsRefused) {
  TempDir dir;
  auto store = Store::Open(SmallStore(dir.path())).value();
  Status second = Store::Open(SmallStore(dir.path())).status();
  EXPECT_EQ(second.code(), StatusCode::kFailedPrecondition);
  EXPECT_NE(second.message().find("process " + std::to_string(::getpid())), std::string::npos)
      << second.ToString();
  // By another name of the same directory too.
  std::filesystem::create_directory_symlink(dir.path(), dir.path().string() + ".link");
  EXPECT_EQ(Store::Open(SmallStore(dir.path().string() + ".link")).status().code(),
            StatusCode::kFailedPrecondition);
  std::filesystem::remove(dir.path().string() + ".link");
  EXPECT_TRUE(WriteCommit(store.get(), 1, 100).ok());  // the first one is not disturbed
  // Nor has the refused one let go of its lock: another process is refused still.
  WriterProcess other({.dir = dir.path()});
  other.Acknowledged(1);
  EXPECT_TRUE(other.ended());
  EXPECT_EQ(other.Kill(), 0u);
}

TEST(StoreA11, ASecondOpenerInAnotherProcessIsRefusedByName) {
  TempDir dir;
  WriterProcess writer({.dir = dir.path() / "s"});
  writer.Acknowledged(1);
  ASSERT_FALSE(writer.ended());
  Status second = Store::Open(SmallStore(dir.path() / "s")).status();
  EXPECT_EQ(second.code(), StatusCode::kFailedPrecondition);
  EXPECT_NE(second.message().find("process " + std::to_string(writer.pid())), std::string::npos)
      << second.ToString();
  writer.Kill();
  EXPECT_TRUE(Store::Open(SmallStore(dir.path() / "s")).ok());
}

TEST(StoreA11, ACopiedStoreOpensAndKeepsItsNames) {
  TempDir dir;
  std::string store_id;
  {
    auto store = Store::Open(SmallStore(dir.path() / "a")).value();
    store_id = store->meta().store_id;
    ASSERT_TRUE(WriteCommit(store.get(), 1, 100).ok());
  }
  std::filesystem::copy(dir.path() / "a", dir.path() / "b",
                        std::filesystem::copy_options::recursive);
  auto first = Store::Open(SmallStore(dir.path() / "a")).value();
  auto second = Store::Open(SmallStore(dir.path() / "b")).value();
  EXPECT_EQ(second->meta().store_id, store_id);  // so that it is noticed as a copy
}

void SetFormat(const std::filesystem::path& dir, uint64_t format) {
  rocksdb::DB* raw = nullptr;
  rocksdb::Options options;
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  ASSERT_TRUE(rocksdb::DB::Open(options, dir.string(), &raw).ok());
  std::unique_ptr<rocksdb::DB> db(raw);
  std::string value;
  PutVarint(&value, format);
  ASSERT_TRUE(db->Put(rocksdb::WriteOptions(), keys::Meta("format"), value).ok());
}

TEST(StoreA15, AnotherFormatVersionIsRefusedAndLeftAsItIs) {
  for (uint64_t format : {uint64_t{0}, uint64_t{2}, uint64_t{300}}) {
    TempDir dir;
    ASSERT_TRUE(WriteCommit(Store::Open(SmallStore(dir.path())).value().get(), 1, 100).ok());
    SetFormat(dir.path(), format);
    for (StoreMode mode : {StoreMode::kWrite, StoreMode::kSecondary}) {
      StoreOptions options = SmallStore(dir.path());
      options.mode = mode;
      options.adopt = true;
      options.node_id = "another";
      Status refused = Store::Open(options).status();
      EXPECT_EQ(refused.code(), StatusCode::kFailedPrecondition) << refused.ToString();
      EXPECT_NE(refused.message().find("format " + std::to_string(format)), std::string::npos)
          << refused.ToString();
    }
    SetFormat(dir.path(), 1);
    auto store = Store::Open(SmallStore(dir.path())).value();
    EXPECT_EQ(store->meta().node_id, "node-1");
    EXPECT_EQ(ReadPrefix(*store, 100).value_or(0), 1u);
  }
}

TEST(StoreA15, AnotherNodeIsRefusedUnlessItAdoptsTheStore) {
  TempDir dir;
  const std::string store_id = Store::Open(SmallStore(dir.path())).value()->meta().store_id;
  StoreOptions other = SmallStore(dir.path());
  other.node_id = "node-2";
  Status refused = Store::Open(other).status();
  EXPECT_EQ(refused.code(), StatusCode::kFailedPrecondition);
  EXPECT_NE(refused.message().find("node-1"), std::string::npos) << refused.ToString();
  other.adopt = true;
  EXPECT_EQ(Store::Open(other).value()->meta().node_id, "node-2");
  other.adopt = false;
  auto store = Store::Open(other).value();
  EXPECT_EQ(store->meta().node_id, "node-2");
  EXPECT_EQ(store->meta().store_id, store_id);
  store.reset();
  other.node_id = "";
  EXPECT_EQ(Store::Open(other).value()->meta().node_id, "node-2");
}

TEST(StoreA15, AForeignRocksDbIsRefused) {
  TempDir dir;
  {
    rocksdb::DB* raw = nullptr;
    rocksdb::Options options;
    options.create_if_missing = true;
    ASSERT_TRUE(rocksdb::DB::Open(options, dir.path().string(), &raw).ok());
    std::unique_ptr<rocksdb::DB> db(raw);
    ASSERT_TRUE(db->Put(rocksdb::WriteOptions(), "hello", "world").ok());
  }
  EXPECT_EQ(Store::Open(SmallStore(dir.path())).status().code(), StatusCode::kCorruption);
}

}  // namespace
}  // namespace tapedeck::testing
