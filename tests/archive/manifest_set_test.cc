#include "archive/manifest_set.h"

#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <thread>

#include "base/clock.h"
#include "support/fake_blob_store.h"
#include "support/seed.h"

namespace tapedeck::testing {
namespace {

constexpr Day kDay(19906);  // 2024-07-02

RecordManifest Records(const std::string& store, uint32_t generation, Day day = kDay) {
  RecordManifest manifest;
  manifest.writer = {.node = "n1", .store = store, .version = "0.1.0", .at = Timestamp(7)};
  manifest.table = "trades";
  manifest.columns = {{"price", ColumnType::kDecimal}, {"size", ColumnType::kDecimal}};
  manifest.day = day;
  manifest.generation = generation;
  manifest.rows = 3;
  manifest.vector = {{{"c1", "spot", 0, 0}, 0, 10}};
  manifest.mappings = {{Hash128{1, 2}.ToString(), "{}"}};
  return manifest;
}

TapeManifest Tape(int64_t from, int64_t to, int32_t partition = 0) {
  TapeManifest manifest;
  manifest.writer = {.node = "n1", .store = "aa", .version = "0.1.0", .at = Timestamp(7)};
  manifest.range = {{"c1", "spot", 0, partition}, from, to};
  manifest.messages = static_cast<uint64_t>(to - from);
  manifest.refusals = {{from, {.reason = "not-json", .refused = 1}}};
  return manifest;
}

class ManifestSetTest : public ::testing::Test {
 protected:
  template <typename M>
  ManifestFile Put(const M& manifest) {
    ManifestFile file;
    if constexpr (std::is_same_v<M, RecordManifest>) {
      file = MakeManifestFile(manifest);
    } else {
      file = MakeManifestFile(manifest, kDay);
    }
    EXPECT_TRUE(blobs_.Put(file.name, BlobContent::Bytes(file.json), PutMode::kCreate).ok());
    return file;
  }
  RefreshReport Refresh() {
    Result<RefreshReport> report = holder_.Refresh(&blobs_, nullptr);
    EXPECT_TRUE(report.ok()) << report.status().ToString();
    return report.ok() ? *report : RefreshReport{};
  }
  size_t RecordsOf(Day first, Day last) {
    auto found = holder_.Take()->RecordsOf("trades", first, last);
    EXPECT_TRUE(found.ok()) << found.status().ToString();
    return found.ok() ? found->size() : 0;
  }

  FakeBlobStore blobs_{&SystemClock()};
  ManifestHolder holder_;
};

TEST_F(ManifestSetTest, IsEmptyAndSaysSoBeforeTheFirstList) {
  EXPECT_FALSE(holder_.Take()->loaded());
  EXPECT_EQ(holder_.Take()->size(), 0u);
  Refresh();
  EXPECT_TRUE(holder_.Take()->loaded());
}

TEST_F(ManifestSetTest, FindsByTableDayAndTape) {
  Put(Records("aa", 0));
  Put(Records("aa", 1));
  Put(Records("bb", 0));
  Put(Records("aa", 0, Day(kDay.days() - 1)));
  Put(Tape(0, 10));
  Put(Tape(10, 30));
  Put(Tape(0, 5, 1));
  blobs_.SetContent("_tapedeck/n1/notes.txt", "hello");
  blobs_.SetContent("_tapedeck/n1/backup/2024-07-02-aa-0123456789abcdef01234567/CURRENT", "x");
  const RefreshReport report = Refresh();
  EXPECT_EQ(report.listed, 7u);
  EXPECT_EQ(report.added, 7u);
  EXPECT_EQ(report.foreign, 1u);
  EXPECT_EQ(Refresh().added, 0u);
  EXPECT_EQ(RecordsOf(kDay, kDay), 3u);
  EXPECT_EQ(RecordsOf(Day(kDay.days() - 9), kDay), 4u);
  EXPECT_EQ(RecordsOf(Day(kDay.days() + 1), Day(kDay.days() + 9)), 0u);
  const auto set = holder_.Take();
  EXPECT_EQ(set->RecordsOf("quotes", kDay, kDay)->size(), 0u);
  const auto tape = set->TapesOf({"c1", "spot", 0, 0});
  ASSERT_EQ(tape.size(), 2u);
  EXPECT_EQ(tape[1]->manifest.range.from, 10);
  EXPECT_EQ(tape[1]->refusals, 1u);
  EXPECT_EQ(set->tape_ids().size(), 2u);
  ASSERT_EQ(set->tables().size(), 1u);
  EXPECT_EQ(set->tables()[0].columns.size(), 2u);
  ASSERT_NE(set->FindMapping({1, 2}), nullptr);
  EXPECT_EQ(set->FindMapping({3, 4}), nullptr);
  const std::string name = set->records()[0].listing->name;
  ASSERT_NE(set->FindRecords(name), nullptr);
  EXPECT_EQ(set->FindRecords(name + "x"), nullptr);
}

// D10: a list that lags takes nothing away, and what it shows too late is found later.
TEST_F(ManifestSetTest, D10AStaleListOnlyEverAdds) {
  Put(Records("aa", 0));
  Refresh();
  Put(Records("bb", 0));
  blobs_.Inject({.op = BlobOp::kList, .kind = BlobFault::kStaleList, .times = 1});
  Refresh();
  EXPECT_EQ(RecordsOf(kDay, kDay), 1u);
  Refresh();
  EXPECT_EQ(RecordsOf(kDay, kDay), 2u);
  // A list that shows nothing at all.
  for (const auto& [name, bytes] : blobs_.Contents()) EXPECT_TRUE(blobs_.Delete(name).ok());
  Refresh();
  EXPECT_EQ(RecordsOf(kDay, kDay), 2u);
}

// D10: listed, and Open says that it is not there: it may come to be, and is not taken as absent.
TEST_F(ManifestSetTest, D10AListedManifestThatCannotBeOpenedIsNotAbsent) {
  const ManifestFile file = Put(Records("aa", 0));
  blobs_.Inject(
      {.op = BlobOp::kOpen, .kind = BlobFault::kFailBefore, .status = Status::NotFound("not yet")});
  EXPECT_EQ(Refresh().broken, 1u);
  const auto set = holder_.Take();
  const auto found = set->RecordsOf("trades", kDay, kDay);
  ASSERT_FALSE(found.ok());
  EXPECT_NE(found.status().ToString().find(file.name), std::string::npos);
  EXPECT_TRUE(set->RecordsOf("trades", Day(0), Day(1)).ok()) << "another day does not need it";
  EXPECT_TRUE(set->RecordsOf("quotes", kDay, kDay).ok());
  EXPECT_EQ(Refresh().added, 1u);
  EXPECT_EQ(RecordsOf(kDay, kDay), 1u);
  EXPECT_TRUE(holder_.Take()->broken().empty());
}

// A collector takes a retired manifest away between our LIST and its opening.
TEST_F(ManifestSetTest, AManifestThatVanishedAfterItWasListedIsForgottenByTheNextList) {
  const ManifestFile file = Put(Records("aa", 0));
  Put(Records("bb", 0));
  blobs_.Inject({.op = BlobOp::kOpen,
                 .kind = BlobFault::kFailBefore,
                 .times = 2,
                 .status = Status::NotFound("collected")});
  EXPECT_EQ(Refresh().broken, 2u);
  EXPECT_FALSE(holder_.Take()->RecordsOf("trades", kDay, kDay).ok());
  ASSERT_TRUE(blobs_.Delete(file.name).ok());
  EXPECT_EQ(Refresh().broken, 0u);
  EXPECT_TRUE(holder_.Take()->broken().empty());
  EXPECT_EQ(RecordsOf(kDay, kDay), 1u);
}

// S29: a manifest with any byte changed is named, whatever it still parses as.
TEST_F(ManifestSetTest, S29AnyAlteredByteIsFoundAndNamed) {
  const ManifestFile file = MakeManifestFile(Tape(0, 3), kDay);
  for (size_t i = 0; i < file.json.size(); ++i) {
    std::string bad = file.json;
    bad[i] = static_cast<char>(bad[i] ^ 1);
    blobs_.SetContent(file.name, bad);
    const Result<Manifest> read = ReadManifest(&blobs_, file.name);
    // A digit of the version may become that of a newer one.
    const bool newer = read.status().code() == StatusCode::kFailedPrecondition;
    ASSERT_TRUE(newer || read.status().code() == StatusCode::kCorruption) << "byte " << i;
    ASSERT_NE(read.status().ToString().find(file.name), std::string::npos);
  }
  blobs_.SetContent(file.name, file.json);
  EXPECT_TRUE(ReadManifest(&blobs_, file.name).ok());
}

TEST_F(ManifestSetTest, AManifestOfANewerVersionIsReportedNotLeftOut) {
  ManifestFile file = Put(Records("aa", 0));
  const size_t at = file.json.find("\"manifest\": 1");
  ASSERT_NE(at, std::string::npos) << file.json;
  blobs_.SetContent(file.name, file.json.replace(at, 13, "\"manifest\": 9"));
  EXPECT_EQ(Refresh().broken, 1u);
  ASSERT_EQ(holder_.Take()->broken().size(), 1u);
  EXPECT_EQ(holder_.Take()->broken()[0].name, file.name);
  EXPECT_FALSE(holder_.Take()->RecordsOf("trades", kDay, kDay).ok());
}

TEST_F(ManifestSetTest, ReplacedGenerationsAreMarkedAndDoubledOnesCountOnce) {
  Put(Records("aa", 0));
  Put(Records("aa", 1));
  RecordManifest replacing = Records("aa", 2);
  replacing.replaces = {0, 1};
  Put(replacing);
  RecordManifest again = Records("aa", 2);  // the same, by another version
  again.replaces = {0, 1};
  again.writer.version = "0.2.0";
  Put(again);
  Put(Records("bb", 0));
  Refresh();
  const auto set = holder_.Take();
  const auto found = *set->RecordsOf("trades", kDay, kDay);
  ASSERT_EQ(found.size(), 4u);
  EXPECT_NE(found[0].replaced_by, nullptr);
  EXPECT_NE(found[1].replaced_by, nullptr);
  EXPECT_EQ(found[2].replaced_by, nullptr);
  EXPECT_EQ(found[3].replaced_by, nullptr);
  EXPECT_EQ(found[3].manifest().writer.store, "bb");
  EXPECT_EQ(set->size(), 5u);
}

TEST_F(ManifestSetTest, OurOwnNewManifestIsInTheNextSet) {
  const auto before = holder_.Take();
  const RecordManifest manifest = Records("aa", 0);
  holder_.Add(MakeManifestFile(manifest), manifest);
  EXPECT_EQ(before->size(), 0u);
  EXPECT_EQ(RecordsOf(kDay, kDay), 1u);
  holder_.Add(MakeManifestFile(manifest), manifest);
  EXPECT_EQ(RecordsOf(kDay, kDay), 1u);
}

TEST_F(ManifestSetTest, SetsAreSwappedWholeWhileOthersTakeThem) {
  const uint64_t seed = TestSeed();
  SCOPED_TRACE(RepeatWith(seed));
  std::atomic<bool> end{false};
  std::thread poller([&] {
    size_t seen = 0;
    while (!end.load()) {
      const auto set = holder_.Take();
      ASSERT_GE(set->size(), seen) << "a set never shrinks";
      seen = set->size();
      ASSERT_EQ(set->records().size() + set->tapes().size(), set->size());
    }
  });
  blobs_.SetChaos(seed, 5);
  for (int i = 0; i < 60; ++i) {
    const ManifestFile file = MakeManifestFile(Tape(i * 10, i * 10 + 10), kDay);
    blobs_.SetContent(file.name, file.json);
    (void)holder_.Refresh(&blobs_, nullptr);  // chaos may fail it; the next goes on
    const RecordManifest own = Records("aa", static_cast<uint32_t>(i));
    holder_.Add(MakeManifestFile(own), own);
  }
  blobs_.SetChaos(seed, 0);
  Refresh();
  end = true;
  poller.join();
  EXPECT_EQ(holder_.Take()->size(), 120u);
}

}  // namespace
}  // namespace tapedeck::testing
