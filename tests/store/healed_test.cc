#include "store/healed.h"

#include <gtest/gtest.h>

#include "base/encoding.h"
#include "store/store_id.h"
#include "store_fixture.h"
#include "support/temp_dir.h"

namespace tapedeck {
namespace {

using Ranges = std::vector<HealedRange>;

TEST(Healed, RangesAreJoinedAndCut) {
  Ranges ranges = AddHealed({}, {10, 20});
  ranges = AddHealed(ranges, {40, 50});
  EXPECT_EQ(ranges, (Ranges{{10, 20}, {40, 50}}));
  EXPECT_EQ(AddHealed(ranges, {20, 30}), (Ranges{{10, 30}, {40, 50}})) << "neighbours are one";
  EXPECT_EQ(AddHealed(ranges, {0, 60}), (Ranges{{0, 60}}));
  EXPECT_EQ(AddHealed(ranges, {30, 30}), ranges);
  EXPECT_EQ(RemoveHealed(ranges, {15, 45}), (Ranges{{10, 15}, {45, 50}}));
  EXPECT_EQ(RemoveHealed(ranges, {12, 14}), (Ranges{{10, 12}, {14, 20}, {40, 50}}));
  EXPECT_EQ(RemoveHealed(ranges, {0, 60}), Ranges{});
  EXPECT_TRUE((HealedRange{10, 20}.Meets(19, 30)));
  EXPECT_FALSE((HealedRange{10, 20}.Meets(20, 30)));
}

// docs/formats.md, "Values": the bytes.
TEST(Healed, AreStoredAsWritten) {
  testing::TempDir dir;
  auto store = *Store::Open(testing::SmallStore(dir.path() / "store"));
  const Ranges ranges = {{-1, 5}, {300, 1000}};
  {
    StoreBatch batch;
    PutHealed(TpId{7}, ranges, &batch);
    ASSERT_TRUE(store->Write(batch).ok());
  }
  const std::string key = "mhealed-7";
  EXPECT_EQ(ToHex(*store->View()->Get(key)), "0102010ad804d00f");
  EXPECT_EQ(*HealedOf(*store->View(), TpId{7}), ranges);
  EXPECT_TRUE(HealedOf(*store->View(), TpId{8})->empty());
  {
    StoreBatch batch;
    PutHealed(TpId{7}, {}, &batch);
    ASSERT_TRUE(store->Write(batch).ok());
  }
  EXPECT_EQ(store->View()->Get(key).status().code(), StatusCode::kNotFound);
}

TEST(StoreId, ANewOneIsKnownAtOnceAndAfterOpeningAgain) {
  testing::TempDir dir;
  const auto options = testing::SmallStore(dir.path() / "store");
  auto store = *Store::Open(options);
  const std::string first = store->meta().store_id;
  const std::string second = MakeStoreId();
  EXPECT_EQ(second.size(), 16u);
  EXPECT_NE(second, MakeStoreId());
  StoreBatch batch;
  PutStoreId(second, &batch);
  ASSERT_TRUE(store->Write(batch).ok());
  EXPECT_EQ(store->meta().store_id, second);
  EXPECT_NE(first, second);
  ASSERT_TRUE(store->Close().ok());
  store.reset();
  store = *Store::Open(options);
  EXPECT_EQ(store->meta().store_id, second);
}

}  // namespace
}  // namespace tapedeck
