#include "ship/verify_archive.h"

#include <gtest/gtest.h>

#include "ship/ship_rig.h"
#include "support/seed.h"

namespace tapedeck::testing {
namespace {

const TopicPartition kFirst{"Finhub1", 0};

class VerifyArchiveTest : public ::testing::Test {
 protected:
  VerifyArchiveTest() : rig_(TestSeed()) {
    rig_.options.formats = {"parquet", "ndjson.gz"};
    rig_.recorder.log.Create("Finhub1", 1);
    for (int i = 0; i < 30; ++i) rig_.recorder.ProduceTrades(kFirst, 2);
    rig_.Record({kShipDay});
    rig_.StartShipper();
    rig_.ShipAll();
    for (int i = 0; i < 4; ++i) rig_.recorder.ProduceTrades(kFirst, 1);
    rig_.Record({kShipDay});
    rig_.StartShipper();
    rig_.ShipAll();
  }
  ArchiveReport Verify(bool with_store = true, std::optional<Day> day = std::nullopt) {
    ManifestHolder manifests;
    EXPECT_TRUE(manifests.Refresh(&rig_.fake, nullptr).ok());
    ArchiveVerifyOptions options;
    options.day = day;
    options.work_dir = rig_.recorder.dir.path() / "verify";
    if (with_store) options.store = rig_.recorder.store.get();
    Result<ArchiveReport> report = VerifyArchive(*manifests.Take(), &rig_.fake, options);
    EXPECT_TRUE(report.ok()) << report.status().ToString();
    return report.ok() ? *report : ArchiveReport();
  }
  ShipRig rig_;
};

std::string Text(const ArchiveReport& report) {
  std::string text;
  for (const Finding& finding : report.findings) text += finding.where + ": " + finding.what + "\n";
  return text;
}

TEST_F(VerifyArchiveTest, AWholeArchiveIsEqualToItselfAndToItsStore) {
  const ArchiveReport report = Verify();
  EXPECT_EQ(Text(report), "");
  EXPECT_TRUE(report.notes.empty()) << report.notes[0];
  EXPECT_EQ(report.rows, 2 * rig_.InStore().rows.size()) << "in two formats";
  EXPECT_EQ(report.messages, rig_.InStore().messages.size());
  EXPECT_EQ(report.manifests, 4u);
  EXPECT_EQ(report.objects, 6u);
  EXPECT_EQ(Verify(false, kShipDay).manifests, 2u);
  EXPECT_EQ(Verify(false, Day(kShipDay.days() + 1)).manifests, 0u);
}

// "4 after any byte, row or object is changed".
TEST_F(VerifyArchiveTest, AnyByteOfAnyObjectOrManifestThatChangesIsFoundAndNamed) {
  Random random(TestSeed());
  for (const auto& [name, bytes] : rig_.fake.Contents()) {
    for (int n = 0; n < 4; ++n) {
      std::string altered = bytes;
      altered[random.Uniform(altered.size())] ^= static_cast<char>(1 << random.Uniform(8));
      rig_.fake.SetContent(name, altered);
      const ArchiveReport report = Verify();
      EXPECT_FALSE(report.ok()) << name;
      EXPECT_NE(Text(report).find(name), std::string::npos) << Text(report);
    }
    rig_.fake.SetContent(name, bytes);
  }
  EXPECT_EQ(Text(Verify()), "");
}

TEST_F(VerifyArchiveTest, D14AnObjectOrManifestThatIsDeletedIsFound) {
  for (const auto& [name, bytes] : rig_.fake.Contents()) {
    ASSERT_TRUE(rig_.fake.Delete(name).ok());
    const ArchiveReport report = Verify();
    EXPECT_FALSE(report.ok()) << name;
    rig_.fake.SetContent(name, bytes);
  }
}

// The objects of an upsert table hold winners, so they have fewer rows than the store's blocks.
TEST(VerifyUpsert, TheWinnersOfAllGenerationsAreWhatIsCompared) {
  ShipRig rig(TestSeed());
  rig.recorder.log.Create("Finhub1", 2);
  rig.ShapeTrades(DaySize::kDay, {"symbol", "ts"});
  auto verify = [&] {
    ManifestHolder manifests;
    EXPECT_TRUE(manifests.Refresh(&rig.fake, nullptr).ok());
    ArchiveVerifyOptions options;
    options.work_dir = rig.recorder.dir.path() / "verify";
    options.store = rig.recorder.store.get();
    const auto report = VerifyArchive(*manifests.Take(), &rig.fake, options);
    EXPECT_TRUE(report.ok()) << report.status().ToString();
    return Text(*report);
  };
  for (int generation = 0; generation < 3; ++generation) {
    for (int i = 0; i < 20; ++i) {
      const int64_t ts = kShipNoonMs + i % (5 + 2 * generation);
      rig.recorder.ProduceRaw(kFirst, TradeOf("A", ts, std::to_string(100 * generation + i + 1)));
    }
    rig.Record({kShipDay});
    rig.StartShipper();
    rig.ShipAll();
    EXPECT_EQ(verify(), "") << generation;
  }
  const auto day = *rig.Days().rbegin();
  rig.recorder.clock.Advance(rig.options.keep_local);
  ASSERT_TRUE(rig.Round().ok());
  ASSERT_FALSE(rig.StoreHas('s'));
  EXPECT_EQ(verify(), "") << "pruned: nothing is left here to compare with";
  EXPECT_EQ(day.first.generation, 2u);
}

TEST_F(VerifyArchiveTest, ObjectsThatNoManifestListsAreNoted) {
  const auto contents = rig_.fake.Contents();
  const auto object = std::ranges::find_if(
      contents, [](const auto& entry) { return entry.first.starts_with("trades/"); });
  std::string name = object->first;
  name[name.rfind('-') + 1] = name[name.rfind('-') + 1] == '0' ? '1' : '0';
  rig_.fake.SetContent(name, object->second);
  const ArchiveReport report = Verify();
  EXPECT_TRUE(report.ok()) << Text(report);
  ASSERT_EQ(report.notes.size(), 1u);
  EXPECT_NE(report.notes[0].find(name), std::string::npos) << report.notes[0];
}

}  // namespace
}  // namespace tapedeck::testing
