// Selections over an archive that several nodes share: what the others recorded belongs to them.

#include <gtest/gtest.h>

#include <numeric>

#include "archive/archive.h"
#include "base/clock.h"
#include "query/archive_filler.h"
#include "query/range_facts.h"
#include "query/store_filler.h"
#include "support/fake_blob_store.h"
#include "support/temp_dir.h"
#include "tape/selection.h"
#include "tape/selection_cursor.h"

namespace tapedeck::testing {
namespace {

const TapeId kTicks{"c1", "ticks", 0, 0};

class SharedSelection : public ::testing::Test {
 protected:
  static void Record(StoreFiller* filler, TpId tp, int64_t to, const std::string& symbol,
                     int64_t first_ms = 1'000) {
    for (int64_t at = filler->NextOffset(tp); at < to; ++at) {
      const std::string time = std::to_string(at * 1'000'000);
      filler->Append(tp,
                     {.value = R"([{"k":"t","s":")" + symbol + R"(","p":1.5,"t":)" + time + "}]",
                      .timestamp_ms = first_ms + at});
    }
    filler->Commit();
  }
  void Ship(StoreFiller* filler) {
    filler->Flush();
    filler->CloseDays();
    ArchiveFiller(filler, &blobs_, {}).ShipTapes(40);
  }
  std::shared_ptr<const ReadPoint> Point(StoreFiller* filler) {
    const Status listed = archive_.manifests().Refresh(&blobs_, nullptr).status();
    EXPECT_TRUE(listed.ok()) << listed.ToString();
    return filler->Point(&archive_);
  }
  std::vector<int64_t> Offsets(StoreFiller* filler, const Selection& selection) {
    std::vector<int64_t> offsets;
    auto cursor = SelectionCursor::Open(
        {.open_point = [&]() -> Result<std::shared_ptr<const ReadPoint>> { return Point(filler); },
         .clock = &SystemClock()},
        selection, std::nullopt);
    EXPECT_TRUE(cursor.ok()) << cursor.status().ToString();
    while (cursor.ok()) {
      const Result<const SelectedMessage*> next = (*cursor)->Next();
      EXPECT_TRUE(next.ok()) << next.status().ToString();
      if (!next.ok() || *next == nullptr) break;
      offsets.push_back((*next)->stored->message.offset);
    }
    return offsets;
  }
  static std::vector<int64_t> From(int64_t from, int64_t to) {
    std::vector<int64_t> all(static_cast<size_t>(to - from));
    std::iota(all.begin(), all.end(), from);
    return all;
  }

  TempDir dir_;
  FakeBlobStore blobs_{&SystemClock()};
  Archive archive_{&blobs_, ObjectCacheOptions()};
  StoreFiller here_{dir_.File("here"), 64, "node-b"};
  StoreFiller other_{dir_.File("other"), 64, "node-m"};
};

TEST_F(SharedSelection, APartitionThatMovedToAnotherNodeIsSelectedToItsEnd) {
  const TpId mine = here_.AddTape(kTicks);
  Record(&here_, mine, 50, "A");
  const TpId theirs = other_.AddTape(kTicks);
  other_.AddGap(theirs, 50, GapReason::kElsewhere);
  Record(&other_, theirs, 120, "A");
  Ship(&other_);
  auto frozen = FreezeSelection(*Point(&here_), {.topics = {"ticks"}});
  ASSERT_TRUE(frozen.ok()) << frozen.status().ToString();
  EXPECT_EQ(frozen->selection.ranges, (std::vector<TapeRange>{{kTicks, 0, 120}}));
  EXPECT_TRUE(frozen->missing.empty());
  EXPECT_GE(frozen->messages_at_most, 120u);
  EXPECT_EQ(Offsets(&here_, frozen->selection), From(0, 120));

  // The other one lacks the beginning until it is shipped, too: then its gap is filled.
  frozen = FreezeSelection(*Point(&other_), {.topics = {"ticks"}});
  ASSERT_TRUE(frozen.ok()) << frozen.status().ToString();
  ASSERT_EQ(frozen->missing.size(), 1u);
  EXPECT_EQ(frozen->missing[0].gap.to, 50);
  EXPECT_EQ(frozen->missing[0].gap.reason, GapReason::kElsewhere);
  Ship(&here_);
  frozen = FreezeSelection(*Point(&other_), {.topics = {"ticks"}});
  ASSERT_TRUE(frozen.ok()) << frozen.status().ToString();
  EXPECT_TRUE(frozen->missing.empty());
  EXPECT_EQ(Offsets(&other_, frozen->selection), From(0, 120));
}

TEST_F(SharedSelection, ATopicThatOnlyOthersRecordedIsSelected) {
  Record(&other_, other_.AddTape(kTicks, 7), 60, "A");
  Ship(&other_);
  const auto point = Point(&here_);
  auto frozen = FreezeSelection(*point, {.topics = {"ticks"}});
  ASSERT_TRUE(frozen.ok()) << frozen.status().ToString();
  EXPECT_EQ(frozen->selection.ranges, (std::vector<TapeRange>{{kTicks, 7, 60}}));
  EXPECT_GE(frozen->messages_at_most, 53u);
  EXPECT_EQ(frozen->oldest, Timestamp(1'007'000'000));
  EXPECT_EQ(Offsets(&here_, frozen->selection), From(7, 60));
}

// Its messages come first by time: a lane that skipped them one by one would be released among
// them, and skip them again.
TEST_F(SharedSelection, AnotherClustersTopicOfThisNameIsNotReadHoweverShortAViewLives) {
  TapeId elsewhere = kTicks;
  elsewhere.cluster = "c2";
  Record(&other_, other_.AddTape(elsewhere), 500, "A", 10);
  Ship(&other_);
  Record(&here_, here_.AddTape(kTicks), 50, "A");
  auto frozen = FreezeSelection(*Point(&here_), {.topics = {"ticks"}});
  ASSERT_TRUE(frozen.ok()) << frozen.status().ToString();
  ASSERT_EQ(frozen->selection.ranges, (std::vector<TapeRange>{{kTicks, 0, 50}}));
  EXPECT_EQ(Offsets(&here_, frozen->selection), From(0, 50));

  ManualClock clock{Timestamp(0)};
  auto cursor = SelectionCursor::Open(
      {.open_point = [&] { return Result(here_.Point(&archive_)); }, .clock = &clock},
      frozen->selection, std::nullopt);
  ASSERT_TRUE(cursor.ok()) << cursor.status().ToString();
  std::vector<int64_t> offsets;
  for (int turns = 0; turns < 200; ++turns) {
    const auto next = (*cursor)->NextBy(clock.Monotonic());
    ASSERT_TRUE(next.ok()) << next.status().ToString();
    clock.Advance(std::chrono::minutes(1));
    if (*next == nullptr && !(*cursor)->searching()) break;
    if (*next != nullptr) offsets.push_back((*next)->stored->message.offset);
  }
  EXPECT_EQ(offsets, From(0, 50));
}

TEST_F(SharedSelection, OffsetsBeforeTheBeginningOrBehindTheEndAreMissingAndNotPassedBy) {
  Record(&here_, here_.AddTape(kTicks, 100), 200, "A");
  const auto point = Point(&here_);
  auto half = FreezeSelection(*point, {.offsets = {{"ticks", 0, 0, 0, 150}}});
  ASSERT_TRUE(half.ok()) << half.status().ToString();
  EXPECT_EQ(half->selection.ranges, (std::vector<TapeRange>{{kTicks, 100, 150}}));
  ASSERT_EQ(half->missing.size(), 1u);
  EXPECT_EQ(half->missing[0].gap.from, 0);
  EXPECT_EQ(half->missing[0].gap.to, 100);
  auto behind = FreezeSelection(*point, {.offsets = {{"ticks", 0, 0, 150, 300}}});
  ASSERT_TRUE(behind.ok()) << behind.status().ToString();
  ASSERT_EQ(behind->missing.size(), 1u);
  EXPECT_EQ(behind->missing[0].gap.from, 200);
  EXPECT_TRUE(FreezeSelection(*point, {.offsets = {{"ticks", 0, 0, 150}}})->missing.empty());
  for (const auto& [from, to] : {std::pair(0, 100), std::pair(200, 300)}) {
    const auto none = FreezeSelection(*point, {.offsets = {{"ticks", 0, 0, from, to}}});
    EXPECT_EQ(none.status().code(), StatusCode::kInvalidArgument) << from;
  }
}

TEST_F(SharedSelection, AnArchiveThatWasNotListedYetIsSaidToBe) {
  Record(&here_, here_.AddTape(kTicks), 10, "A");
  auto before = FreezeSelection(*here_.Point(&archive_), {.topics = {"ticks"}});
  ASSERT_TRUE(before.ok()) << before.status().ToString();
  EXPECT_TRUE(before->unlisted);
  EXPECT_FALSE(FreezeSelection(*Point(&here_), {.topics = {"ticks"}})->unlisted);
}

TEST_F(SharedSelection, ASymbolThatOnlyOthersRecordedInAGapOfOursIsFoundThere) {
  const TpId mine = here_.AddTape(kTicks);
  Record(&here_, mine, 50, "A");
  here_.AddGap(mine, 80, GapReason::kElsewhere);
  Record(&here_, mine, 120, "A");
  const TpId theirs = other_.AddTape(kTicks, 50);
  Record(&other_, theirs, 80, "X");
  Ship(&other_);
  auto frozen = FreezeSelection(*Point(&here_), {.topics = {"ticks"}, .symbols = {"X"}});
  ASSERT_TRUE(frozen.ok()) << frozen.status().ToString();
  EXPECT_TRUE(frozen->missing.empty()) << "the archive fills the gap";
  EXPECT_EQ(Offsets(&here_, frozen->selection), From(50, 80));
}

}  // namespace
}  // namespace tapedeck::testing
