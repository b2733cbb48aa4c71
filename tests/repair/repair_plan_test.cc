// What a repair takes for lost, and what it may take for nothing, by the damage alone.

#include "repair/repair_plan.h"

#include <gtest/gtest.h>

#include "model/keys.h"
#include "repair/repair.h"
#include "store/store.h"
#include "support/temp_dir.h"

namespace tapedeck::testing {
namespace {

constexpr TpId kTp{3};
const std::string kEnd(1, '\0');

/// Has nothing but damage.
class Damage final : public Salvage {
 public:
  void Lose(const std::string& from, const std::string& to) { lost_.emplace_back(from, to); }
  void LoseBlock(int64_t base) {
    Lose(keys::TapeBlock(kTp, base), keys::TapeBlock(kTp, base) + kEnd);
  }
  void LoseNote(int64_t base) {
    Lose(keys::TapeIndex(kTp, base), keys::TapeIndex(kTp, base) + kEnd);
  }
  Status Read(const Sink&) override { return Status::Ok(); }
  bool MayLack(std::string_view lower, std::string_view upper) const override {
    return std::ranges::any_of(
        lost_, [&](const auto& range) { return range.first < upper && lower < range.second; });
  }
  const std::vector<std::string>& damage() const override { return none_; }
  Result<std::string> Get(std::string_view, uint64_t) override { return Status::NotFound("none"); }

 private:
  std::vector<std::pair<std::string, std::string>> lost_;
  std::vector<std::string> none_;
};

class RepairPlanTest : public ::testing::Test {
 protected:
  RepairPlanTest() {
    tape_.tape = TapeId{.cluster = "c", .topic = "t"};
    tape_.checkpoint = Checkpoint{.start = 0, .next = 100};
    Add(0, 9);
    Add(20, 39);  // 10 to 19: control records, for all that is said
    Add(40, 99);
  }
  void Add(int64_t first, int64_t last) {
    tape_.blocks.push_back({first, first, last, static_cast<uint64_t>(last - first + 1), 1});
    Note(first, last);
  }
  void Note(int64_t first, int64_t last) {
    tape_.notes.push_back({.base = first,
                           .first = first,
                           .last = last,
                           .count = static_cast<uint64_t>(last - first + 1),
                           .mapping = {}});
  }
  /// "10-20 lost" and so on.
  std::string Filled(int64_t from, int64_t to) const {
    const RepairPlan plan(kTp, &tape_, nullptr, nullptr, &damage_, Timestamp(0));
    std::string text;
    for (const RepairStep& step : plan.Fill(from, to)) {
      text += text.empty() ? "" : ", ";
      text += std::to_string(step.from) + "-" + std::to_string(step.to);
      text += step.lost ? (step.note != nullptr ? " noted" : " lost") : " gap";
    }
    return text;
  }

  Damage damage_;
  WreckTape tape_;
};

TEST_F(RepairPlanTest, WhatTheStoreKnewToBeEmptyIsEmpty) {
  EXPECT_EQ(Filled(10, 20), "");
  damage_.LoseNote(40);  // its block is there
  EXPECT_EQ(Filled(10, 20), "");
}

TEST_F(RepairPlanTest, ABlockThatIsLostIsWhereItsEntrySays) {
  tape_.blocks.erase(tape_.blocks.begin() + 1);
  damage_.LoseBlock(20);
  EXPECT_EQ(Filled(10, 40), "20-40 noted");
}

TEST_F(RepairPlanTest, AnEntryOfABlockThatWasMergedAwayIsNoLoss) {
  Note(12, 15);
  EXPECT_EQ(Filled(10, 20), "");
}

// What it reached over nobody knows: it may have begun below what is looked at.
TEST_F(RepairPlanTest, ALostBlockWithoutAnEntryMayReachOverAllBehindIt) {
  damage_.LoseBlock(0);
  damage_.LoseNote(0);
  EXPECT_EQ(Filled(10, 20), "10-20 lost");
}

TEST_F(RepairPlanTest, AnOlderVersionOfALostBlockDoesNotStandForIt) {
  tape_.blocks[0].last = 4;  // a version of before
  tape_.blocks[0].count = 5;
  damage_.LoseBlock(0);
  EXPECT_EQ(Filled(5, 20), "5-10 noted");
}

TEST_F(RepairPlanTest, WhereAGapMayBeLostNothingIsTakenForEmpty) {
  damage_.Lose(keys::Gap(kTp, 0), keys::Gap(kTp, 5));
  EXPECT_EQ(Filled(10, 20), "10-20 lost");
}

TEST_F(RepairPlanTest, GapsStay) {
  tape_.gaps.push_back({.from = 12, .to = 15, .detail = {}});
  EXPECT_EQ(Filled(10, 20), "12-15 gap");
}

TEST_F(RepairPlanTest, WhatHadLeftForAnArchiveIsNotKnownHere) {
  tape_.ship = TapeShip{.shipped = 50, .pruned = 15, .marks = {}, .draft = {}};
  EXPECT_EQ(Filled(10, 20), "10-15 lost");
  damage_.Lose(keys::TapeShip(kTp), keys::TapeShip(kTp) + kEnd);  // it may have been more
  EXPECT_EQ(Filled(10, 20), "10-20 lost");
}

TEST_F(RepairPlanTest, WithoutACheckpointNothingIsKnownAndTheBeginningIsLost) {
  tape_.checkpoint.reset();
  tape_.blocks.erase(tape_.blocks.begin());
  tape_.notes.erase(tape_.notes.begin());
  const RepairPlan plan(kTp, &tape_, nullptr, nullptr, &damage_, Timestamp(0));
  EXPECT_EQ(plan.from(), 0);
  EXPECT_EQ(plan.to(), 100);
  EXPECT_EQ(Filled(0, 20), "0-20 lost");
}

TEST_F(RepairPlanTest, WhatWasDroppedByRetainIsSkipped) {
  tape_.gaps.push_back({.from = 0, .to = 20, .reason = GapReason::kRetain, .detail = {}});
  const RepairPlan plan(kTp, &tape_, nullptr, nullptr, &damage_, Timestamp(0));
  EXPECT_EQ(plan.SkipDropped(5), 20);
  EXPECT_EQ(plan.SkipDropped(20), 20);
  EXPECT_EQ(Filled(0, 20), "0-20 gap");
}

// A partition that was new when the damaged file was written would begin anew, as if it had never
// been.
TEST_F(RepairPlanTest, A5ATapeOfWhichNothingIsLeftIsRefused) {
  const TempDir dir;
  int runs = 0;
  auto repair = [&](const std::vector<uint32_t>& known, bool accept_loss) {
    Wreck wreck;
    for (const uint32_t tp : known) {
      WreckTape& tape = wreck.tapes[TpId{tp}];
      tape.tape = TapeId{.cluster = "c", .topic = "t", .partition = static_cast<int32_t>(tp)};
      tape.checkpoint = Checkpoint{};
    }
    auto fresh =
        Store::Open({.dir = dir.File(std::to_string(++runs)), .node_id = "n", .ballast_bytes = 0})
            .value();
    return RepairStore(&damage_, wreck, fresh.get(), {.accept_loss = accept_loss}).status();
  };
  EXPECT_TRUE(repair({1, 2}, false).ok());
  EXPECT_EQ(repair({1, 3}, true).code(), StatusCode::kCorruption) << "the second one is lost";
  damage_.Lose(keys::Tape(TpId{1}), keys::Tape(TpId{9}));
  EXPECT_TRUE(repair({1, 2}, false).ok()) << "checkpoints would be left of others";
  damage_.Lose(keys::Checkpoint(TpId{1}), keys::Checkpoint(TpId{9}));
  const Status refused = repair({1, 2}, false);
  EXPECT_EQ(refused.code(), StatusCode::kFailedPrecondition) << refused.ToString();
  EXPECT_NE(refused.ToString().find("2 are known"), std::string::npos) << refused.ToString();
  EXPECT_TRUE(repair({1, 2}, true).ok());
  EXPECT_EQ(repair({}, true).code(), StatusCode::kCorruption) << "an empty store is none";
}

}  // namespace
}  // namespace tapedeck::testing
