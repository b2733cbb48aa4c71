#include "ship/backup.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>

#include "blob/local_store.h"
#include "blob/open_store.h"
#include "query/store_filler.h"
#include "query/verify.h"
#include "ship/backup_keeper.h"
#include "support/fake_blob_store.h"
#include "support/temp_dir.h"

namespace tapedeck::testing {
namespace {

namespace fs = std::filesystem;

// A recording, a place for its backups and a clock.
class BackupTest : public ::testing::Test {
 protected:
  BackupTest() : filler_((dir_.path() / "store").string()) {
    tp_ = filler_.AddTape({"c1", "ticks", 0, 0});
    Record(40);
  }
  void Record(int messages) {
    for (int n = 0; n < messages; ++n) {
      const std::string price = std::to_string(++prices_) + ".50";
      filler_.Append(tp_, {.value = R"([{"k":"q","s":"BTC","t":)" + std::to_string(prices_) +
                                    R"(,"b":")" + price + R"("}])",
                           .timestamp_ms = 1'720'000'000'000 + prices_});
      if (n % 7 == 0) filler_.Commit();
    }
    filler_.Commit();
    filler_.Flush();
  }
  BackupOptions Options() {
    return {.version = "1.2.3", .work_dir = dir_.path() / "work", .keep = 2};
  }
  Result<BackupReport> Make() {
    clock_.Advance(std::chrono::hours(24));
    return MakeBackup(&filler_.store(), &blobs_, &clock_, Options(), nullptr);
  }
  std::vector<BackupRef> Listed() {
    Result<std::vector<BackupRef>> listed = ListBackups(&blobs_, filler_.store().meta().node_id);
    EXPECT_TRUE(listed.ok()) << listed.status().ToString();
    return listed.ok() ? *listed : std::vector<BackupRef>();
  }
  Result<BackupListing> Restore(const BackupRef& ref) {
    return RestoreBackup(&blobs_, ref, dir_.path() / "restored", nullptr);
  }

  TempDir dir_;
  ManualClock clock_{Timestamp(int64_t{1'720'000'000} * 1'000'000'000)};
  FakeBlobStore blobs_{&clock_};
  StoreFiller filler_;
  TpId tp_{};
  int prices_ = 0;
};

TEST_F(BackupTest, A16IsRestoredAsTheStoreItWasWhileTheStoreWentOn) {
  Result<BackupReport> made = Make();
  ASSERT_TRUE(made.ok()) << made.status().ToString();
  const uint64_t commit = filler_.store().View()->LoadState()->commit;
  EXPECT_EQ(made->commit, commit);
  EXPECT_GT(made->bytes, 0u);
  EXPECT_FALSE(fs::exists(dir_.path() / "work" / "backup"));
  Record(30);

  ASSERT_EQ(Listed().size(), 1u);
  EXPECT_EQ(Listed()[0].store, filler_.store().meta().store_id);
  Result<BackupListing> restored = Restore(Listed()[0]);
  ASSERT_TRUE(restored.ok()) << restored.status().ToString();
  EXPECT_EQ(restored->commit, commit);
  EXPECT_EQ(restored->version, "1.2.3");
  EXPECT_FALSE(fs::exists(dir_.path() / "restored.restoring"));
  Result<VerifyReport> verified = VerifyDataDir(dir_.path() / "restored", {});
  ASSERT_TRUE(verified.ok()) << verified.status().ToString();
  EXPECT_TRUE(verified->ok());
  EXPECT_EQ(verified->messages, 40u);
  auto store = Store::Open({.dir = dir_.path() / "restored", .create = false, .ballast_bytes = 0});
  ASSERT_TRUE(store.ok()) << store.status().ToString();
  EXPECT_EQ((*store)->meta().store_id, filler_.store().meta().store_id);
}

TEST_F(BackupTest, TheNewestTwoStayAndNewestComesFirst) {
  std::vector<std::string> made;
  for (int n = 0; n < 4; ++n) {
    Record(3);
    Result<BackupReport> report = Make();
    ASSERT_TRUE(report.ok()) << report.status().ToString();
    EXPECT_EQ(report->removed, n < 2 ? 0u : 1u);
    made.push_back(report->made.folder);
  }
  ASSERT_EQ(Listed().size(), 2u);
  EXPECT_EQ(Listed()[0].folder, made[3]);
  EXPECT_EQ(Listed()[1].folder, made[2]);
  EXPECT_EQ(blobs_.ListAll("_tapedeck/")->size(),
            blobs_.ListAll(made[2])->size() + blobs_.ListAll(made[3])->size());
}

TEST_F(BackupTest, AnotherStoresBackupsAreLeftAlone) {
  const std::string other = "_tapedeck/" + filler_.store().meta().node_id +
                            "/backup/2020-01-01-00000000000000aa-0123456789abcdef01234567/";
  for (const char* name : {"CURRENT", "SHA256SUMS"}) {
    ASSERT_TRUE(blobs_.Put(other + name, BlobContent::Bytes("x"), PutMode::kCreate).ok());
  }
  for (int n = 0; n < 3; ++n) ASSERT_TRUE(Make().ok());
  EXPECT_EQ(blobs_.ListAll(other)->size(), 2u);
}

TEST_F(BackupTest, OneThatIsInterruptedIsNoneAndGoesWithTheNext) {
  blobs_.Inject({.op = BlobOp::kPut, .kind = BlobFault::kFailBefore, .skip = 2});
  const Result<BackupReport> failed = Make();
  EXPECT_EQ(failed.status().code(), StatusCode::kUnavailable);
  EXPECT_EQ(Listed().size(), 0u);
  EXPECT_EQ(blobs_.ListAll("_tapedeck/")->size(), 2u);
  EXPECT_FALSE(fs::exists(dir_.path() / "work" / "backup"));
  Record(1);
  ASSERT_TRUE(Make().ok());
  ASSERT_EQ(Listed().size(), 1u);
  EXPECT_EQ(blobs_.ListAll("_tapedeck/")->size(), blobs_.ListAll(Listed()[0].folder)->size());
}

TEST_F(BackupTest, AStopEndsItBetweenFiles) {
  const std::atomic<bool> stop{true};
  EXPECT_EQ(MakeBackup(&filler_.store(), &blobs_, &clock_, Options(), &stop).status().code(),
            StatusCode::kCancelled);
  EXPECT_EQ(Listed().size(), 0u);
}

TEST_F(BackupTest, AFileThatIsAlteredOrLostIsNamedAndNothingIsRestored) {
  Result<BackupReport> made = Make();
  ASSERT_TRUE(made.ok()) << made.status().ToString();
  const auto contents = blobs_.Contents();
  const auto victim = std::find_if(contents.begin(), contents.end(), [](const auto& object) {
    return object.first.ends_with(".sst");
  });
  ASSERT_NE(victim, contents.end());
  std::string altered = victim->second;
  altered[altered.size() / 2] ^= 1;
  blobs_.SetContent(victim->first, altered);
  const Status with_altered = Restore(made->made).status();
  EXPECT_EQ(with_altered.code(), StatusCode::kCorruption);
  EXPECT_NE(with_altered.ToString().find(victim->first), std::string::npos);
  ASSERT_TRUE(blobs_.Delete(victim->first).ok());
  const Status with_lost = Restore(made->made).status();
  EXPECT_EQ(with_lost.code(), StatusCode::kCorruption);
  EXPECT_NE(with_lost.ToString().find(victim->first), std::string::npos);
  EXPECT_FALSE(fs::exists(dir_.path() / "restored"));
  EXPECT_FALSE(fs::exists(dir_.path() / "restored.restoring"));
}

TEST_F(BackupTest, ADamagedStoreGivesNone) {
  StoreBatch batch;
  batch.PutTapeBlock(tp_, 3, "no block at all");
  ASSERT_TRUE(filler_.store().Write(batch).ok());
  const Result<BackupReport> made = Make();
  EXPECT_EQ(made.status().code(), StatusCode::kCorruption);
  EXPECT_NE(made.status().ToString().find("ticks"), std::string::npos) << made.status().ToString();
  EXPECT_EQ(blobs_.ListAll("_tapedeck/")->size(), 0u);
}

TEST_F(BackupTest, ADirectoryWithSomethingInItIsNotRestoredInto) {
  ASSERT_TRUE(Make().ok());
  fs::create_directory(dir_.path() / "restored");
  std::ofstream(dir_.path() / "restored" / "mine") << "precious";
  EXPECT_EQ(Restore(Listed()[0]).status().code(), StatusCode::kInvalidArgument);
  EXPECT_TRUE(fs::exists(dir_.path() / "restored" / "mine"));
}

TEST_F(BackupTest, TheListingIsWhatSha256sumChecks) {
  const fs::path folder = dir_.path() / "archive";
  auto blobs = OpenBlobStore("file://" + folder.string(), {.clock = &clock_});
  ASSERT_TRUE(blobs.ok()) << blobs.status().ToString();
  Result<BackupReport> made =
      MakeBackup(&filler_.store(), blobs->get(), &clock_, Options(), nullptr);
  ASSERT_TRUE(made.ok()) << made.status().ToString();
  const std::string command = "cd '" + (folder / made->made.folder).string() +
                              "' && sha256sum --quiet --strict -c SHA256SUMS";
  EXPECT_EQ(std::system(command.c_str()), 0) << command;
}

TEST_F(BackupTest, AKeeperMakesOneWhenTheLastIsOldEnoughAlsoAcrossRestarts) {
  const std::atomic<bool> stop{false};
  const BackupKeeperOptions daily{.interval = std::chrono::hours(24), .backup = Options()};
  BackupKeeper keeper(daily, &filler_.store(), &blobs_, &clock_);
  EXPECT_EQ(keeper.Round(stop), std::chrono::hours(1)) << "there was none";
  clock_.Advance(std::chrono::hours(1));
  EXPECT_EQ(keeper.Round(stop), std::chrono::hours(24));
  EXPECT_EQ(Listed().size(), 1u);
  clock_.Advance(std::chrono::hours(10));
  EXPECT_EQ(keeper.Round(stop), std::chrono::hours(14));
  BackupKeeper restarted(daily, &filler_.store(), &blobs_, &clock_);
  EXPECT_EQ(restarted.Round(stop), std::chrono::hours(14));
  EXPECT_TRUE(restarted.State().last_at.has_value());
  EXPECT_EQ(Listed().size(), 1u);
  Record(2);
  clock_.Advance(std::chrono::hours(14));
  EXPECT_EQ(restarted.Round(stop), std::chrono::hours(24));
  EXPECT_EQ(Listed().size(), 2u);
  EXPECT_EQ(restarted.State().made, 1u);
}

TEST_F(BackupTest, AKeeperTriesAgainAndTellsWhy) {
  const std::atomic<bool> stop{false};
  BackupKeeper keeper({.interval = std::chrono::hours(24), .backup = Options()}, &filler_.store(),
                      &blobs_, &clock_);
  keeper.Round(stop);
  clock_.Advance(std::chrono::hours(1));
  blobs_.Inject({.op = BlobOp::kPut, .kind = BlobFault::kFailBefore});
  EXPECT_EQ(keeper.Round(stop), std::chrono::hours(1));
  EXPECT_NE(keeper.State().last_error, "");
  EXPECT_EQ(keeper.Round(stop), std::chrono::hours(24));
  EXPECT_EQ(keeper.State().last_error, "");
  EXPECT_EQ(Listed().size(), 1u);
}

TEST(BackupListing, ComesBackAsItWasAndNothingElseIsTaken) {
  const std::string hash(64, 'a');
  const BackupListing listing{.node = "a b/c",
                              .store = "5f3a",
                              .commit = 4711,
                              .version = "1.0.0",
                              .files = {{"000017.sst", hash}, {"CURRENT", hash}}};
  const std::string text = ToText(listing);
  Result<BackupListing> read = ParseBackupListing(text);
  ASSERT_TRUE(read.ok()) << read.status().ToString();
  EXPECT_EQ(*read, listing);
  for (size_t size = 0; size < text.size(); ++size) {
    const Result<BackupListing> cut = ParseBackupListing(text.substr(0, size));
    EXPECT_TRUE(!cut.ok() || cut->files.size() < 2) << size;
  }
  for (const std::string& bad :
       {hash + "  ../escape", hash + "  a/b", hash + " one", "g" + hash.substr(1) + "  file",
        hash + "  .hidden", std::string("rubbish")}) {
    EXPECT_EQ(ParseBackupListing("# tapedeck backup 1\n" + bad + "\n").status().code(),
              StatusCode::kCorruption)
        << bad;
  }
  EXPECT_FALSE(ParseBackupListing("# tapedeck backup 2\n" + hash + "  CURRENT\n").ok());
}

}  // namespace
}  // namespace tapedeck::testing
