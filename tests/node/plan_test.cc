// What a configuration means on top of what a store has.

#include "node/plan.h"

#include <gtest/gtest.h>

#include "store/store.h"
#include "support/temp_dir.h"

namespace tapedeck::testing {
namespace {

class PlanTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto opened = Store::Open({.dir = dir_.path() / "store", .node_id = "n", .ballast_bytes = 0});
    ASSERT_TRUE(opened.ok()) << opened.status().ToString();
    store_ = std::move(*opened);
    config_.topics = {{.name = "Finhub1", .mapping = "finnhub", .where = "t:1"}};
    const Result<RecordingPlan> first = Plan();
    ASSERT_TRUE(first.ok()) << first.status().ToString();
    tables_ = first->tables;
  }
  Result<RecordingPlan> Plan() {
    const std::unique_ptr<StoreView> view = store_->View();
    return PlanRecording(config_, tables_, [&](TableId table) { return HasRowsIn(*view, table); });
  }
  void Put(const std::function<void(StoreBatch*)>& put) {
    StoreBatch batch;
    put(&batch);
    ASSERT_TRUE(store_->Write(batch).ok());
  }
  TableId Id(std::string_view name) const { return tables_.Find(name)->id; }

  TempDir dir_;
  std::unique_ptr<Store> store_;
  TableRegistry tables_;
  Config config_;
};

TEST_F(PlanTest, TheDaysOfATableChangeAsLongAsItHasNone) {
  Put([&](StoreBatch* batch) {  // others have
    batch->PutDay({TableId{static_cast<uint16_t>(Raw(Id("trades")) + 1)}, Day(19'906), 0},
                  {.rows = 1});
  });
  config_.tables["trades"].day = DaySize::kMonth;
  const Result<RecordingPlan> plan = Plan();
  ASSERT_TRUE(plan.ok()) << plan.status().ToString();
  EXPECT_EQ(plan->tables.Find("trades")->day_size, DaySize::kMonth);
}

TEST_F(PlanTest, TheDaysOfATableAreFixedWhenAllItsRowsAreInTheArchiveToo) {
  Put([&](StoreBatch* batch) {
    batch->PutDay({Id("trades"), Day(19'906), 0}, {.phase = DayPhase::kPruned, .rows = 1});
  });
  config_.tables["trades"].day = DaySize::kMonth;
  EXPECT_EQ(Plan().status().code(), StatusCode::kFailedPrecondition);
  config_.tables["trades"] = {.unique = std::vector<std::string>{"symbol", "ts"}};
  EXPECT_EQ(Plan().status().code(), StatusCode::kFailedPrecondition);
  config_.tables["trades"] = {.day = DaySize::kDay};
  EXPECT_TRUE(Plan().ok()) << "as it is";
}

}  // namespace
}  // namespace tapedeck::testing
