#include "record/start_plan.h"

#include <gtest/gtest.h>

namespace tapedeck {
namespace {

StartFacts Facts() {
  StartFacts facts;
  facts.node_id = "a";
  facts.store_id = "store-a";
  facts.bounds = {100, 1000};
  facts.topic_start = 100;
  return facts;
}

OtherCommit ByB(int64_t next, int64_t run_start) { return {"b", "store-b", next, run_start}; }

struct Expected {
  int64_t from, to;
  GapReason reason;
};

void ExpectGaps(const StartPlan& plan, std::vector<Expected> expected) {
  ASSERT_EQ(plan.gaps.size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(plan.gaps[i].from, expected[i].from);
    EXPECT_EQ(plan.gaps[i].to, expected[i].to);
    EXPECT_EQ(plan.gaps[i].reason, expected[i].reason);
  }
}

TEST(StartPlan, OwnCheckpointDecidesWhereNobodyElseRecorded) {
  StartFacts facts = Facts();
  facts.own_next = 500;
  facts.foreign_offset = 900;
  StartPlan plan = PlanStart(facts);
  EXPECT_EQ(plan.next, 500);
  EXPECT_FALSE(plan.new_run);
  ExpectGaps(plan, {});
}

TEST(StartPlan, ACommitOfAnotherStoreBelowOursChangesNothing) {
  StartFacts facts = Facts();
  facts.own_next = 500;
  facts.commit = ByB(450, 300);
  EXPECT_EQ(PlanStart(facts).next, 500);
  ExpectGaps(PlanStart(facts), {});
}

TEST(StartPlan, C6PartitionThatWentAwayAndCameBackLeavesAGapElsewhere) {
  StartFacts facts = Facts();
  facts.own_next = 500;
  facts.commit = ByB(800, 500);
  StartPlan plan = PlanStart(facts);
  EXPECT_EQ(plan.next, 800);
  EXPECT_TRUE(plan.new_run);
  ExpectGaps(plan, {{500, 800, GapReason::kElsewhere}});
  EXPECT_EQ(plan.gaps[0].detail, "b/store-b");
}

TEST(StartPlan, WhatNobodySaysItRecordedIsOnlyBelievedToBeElsewhere) {
  StartFacts facts = Facts();
  facts.own_next = 500;
  facts.commit = ByB(800, 600);
  ExpectGaps(PlanStart(facts),
             {{500, 600, GapReason::kElsewhereMaybe}, {600, 800, GapReason::kElsewhere}});
}

TEST(StartPlan, C10EmptyNodeStartsAtTheCommitOfAnother) {
  StartFacts facts = Facts();
  facts.commit = ByB(800, 300);
  StartPlan plan = PlanStart(facts);
  EXPECT_EQ(plan.next, 800);
  EXPECT_EQ(plan.coverage_start, 100);
  ExpectGaps(plan, {{100, 300, GapReason::kElsewhereMaybe}, {300, 800, GapReason::kElsewhere}});
}

TEST(StartPlan, C10LostDiskStartsAtTheTopicsStartAndWarns) {
  StartFacts facts = Facts();
  facts.commit = OtherCommit{"a", "store-before", 800, 100};
  StartPlan plan = PlanStart(facts);
  EXPECT_EQ(plan.next, 100);
  EXPECT_NE(plan.warning.find("store-before"), std::string::npos);
  ExpectGaps(plan, {});
}

TEST(StartPlan, NewTopicStartsWhereTheConfigurationSays) {
  StartFacts facts = Facts();
  facts.topic_start = 1000;
  EXPECT_EQ(PlanStart(facts).next, 1000);
  EXPECT_EQ(PlanStart(facts).coverage_start, 1000);
}

TEST(StartPlan, B7PartitionAddedLaterStartsAtItsBeginning) {
  StartFacts facts = Facts();
  facts.topic_start = 1000;
  facts.topic_known = true;
  EXPECT_EQ(PlanStart(facts).next, 100);
}

TEST(StartPlan, B4PositionBelowTheLogIsAGapUpToItsStart) {
  StartFacts facts = Facts();
  facts.own_next = 40;
  StartPlan plan = PlanStart(facts);
  EXPECT_EQ(plan.next, 100);
  ExpectGaps(plan, {{40, 100, GapReason::kRetention}});
}

TEST(StartPlan, AnOperatorsCommitIsLeftAsideAndSaid) {
  StartFacts facts = Facts();
  facts.foreign_offset = 700;
  StartPlan plan = PlanStart(facts);
  EXPECT_EQ(plan.next, 100);
  EXPECT_NE(plan.warning.find("700"), std::string::npos);
}

}  // namespace
}  // namespace tapedeck
