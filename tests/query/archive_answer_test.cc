// The same bytes whether rows are in memory, in the store, in the archive, or in that of another
// node.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "archive/archive.h"
#include "base/clock.h"
#include "query/answers.h"
#include "query/archive_filler.h"
#include "query/range_facts.h"
#include "support/fake_blob_store.h"
#include "support/seed.h"
#include "support/temp_dir.h"

namespace tapedeck::testing {
namespace {

class ArchiveAnswerTest : public ::testing::Test {
 protected:
  void SetUp() override { NewBucket(); }
  // Small enough limits that things are thrown away, and that large objects are read in ranges.
  void NewBucket() {
    archive_ = nullptr;
    blobs_ = std::make_unique<FakeBlobStore>(&SystemClock());
    archive_ = std::make_unique<Archive>(
        blobs_.get(), ObjectCacheOptions{.bytes_max = size_t{1} << 20, .whole_bytes_max = 8192});
  }
  Archive* archive() {
    const Status refreshed = archive_->manifests().Refresh(blobs_.get(), nullptr).status();
    EXPECT_TRUE(refreshed.ok()) << refreshed.ToString();
    return archive_.get();
  }
  ArchiveFiller::Pick Some() {
    return [this](const keys::DayKey&) { return random_.OneIn(2); };
  }
  ArchiveFillerOptions Options() {
    ArchiveFillerOptions options;
    if (random_.OneIn(3)) options.formats = {ObjectFormat::kNdjsonZstd};
    if (random_.OneIn(3)) {
      options.formats = {ObjectFormat::kNdjsonGzip, ObjectFormat::kParquet};
    }
    if (random_.OneIn(2)) options.file_rows = 1 + random_.Uniform(50);
    if (random_.OneIn(2)) options.manifests = &archive_->manifests();
    return options;
  }
  void Same(const std::shared_ptr<const ReadPoint>& point, const StoreFiller& filler,
            const Question& question, const std::string& when) {
    const std::string expected = TextOracle(&filler, &question).Text();
    bytes_ += expected.size();
    ASSERT_EQ(Difference(Answered(point, question).text, expected), "")
        << when << " on " << question.query.table;
  }

  uint64_t seed_ = TestSeed();
  Random random_{seed_};
  TempDir dir_;
  std::unique_ptr<FakeBlobStore> blobs_;
  std::unique_ptr<Archive> archive_;
  size_t bytes_ = 0;
};

TEST_F(ArchiveAnswerTest, D13BytesStayTheSameWhileDaysAreShippedAndPruned) {
  SCOPED_TRACE(RepeatWith(seed_));
  for (int round = 0; round < 4; ++round) {
    StoreFiller filler(dir_.File("w" + std::to_string(round)), 1 + random_.Uniform(60));
    RandomWorld world(&filler, &random_);
    NewBucket();
    ArchiveFiller shipping(&filler, blobs_.get(), Options());
    world.Run(60);
    for (int step = 0; step < 8; ++step) {
      const auto before = filler.Point(archive());
      std::vector<Question> questions;
      for (int i = 0; i < 20; ++i) questions.push_back(RandomQuestion(&world, filler, &random_));
      const std::string where = "round " + std::to_string(round) + "." + std::to_string(step);
      auto same = [&](const std::shared_ptr<const ReadPoint>& point, const char* when) {
        for (const Question& q : questions) Same(point, filler, q, where + " " + when);
      };
      filler.Flush();
      same(filler.Point(archive()), "flushed");
      if (random_.OneIn(2)) filler.CloseDays();
      shipping.ShipDays(Some());
      same(filler.Point(archive()), "shipped");
      shipping.PruneDays(Some());
      same(filler.Point(archive()), "pruned");
      same(before, "at the point before");
      if (HasFatalFailure()) return;
      world.Run(random_.Uniform(40));
    }
  }
  EXPECT_GT(bytes_, 500'000u) << "the worlds are too empty to prove anything";
}

}  // namespace
}  // namespace tapedeck::testing
