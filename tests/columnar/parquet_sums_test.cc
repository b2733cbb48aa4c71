// The sums of footers and page indexes: exact bytes, and what they find.

#include "columnar/parquet_sums.h"

#include <gtest/gtest.h>

namespace tapedeck::testing {
namespace {

TEST(ParquetSums, BytesAreAsDocumented) {
  EXPECT_EQ(BlankSums(1), "tapedeck-sums-1:00000000000000000000000000000000");
  EXPECT_EQ(IndexSum("columns", "offsets"), 0x256c2c8b60f32fcfu);
  std::string footer = "statistics tapedeck-sums-1:ff behind " + BlankSums(2) + " and the end";
  ASSERT_TRUE(FillSums({1, 0xfedcba9876543210}, footer.data(), footer.size()).ok());
  EXPECT_EQ(footer,
            "statistics tapedeck-sums-1:ff behind tapedeck-sums-1:dc1ae9f105dac176"
            "0000000000000001fedcba9876543210 and the end");
  const auto sums = CheckSums(footer);
  ASSERT_TRUE(sums.ok()) << sums.status().ToString();
  EXPECT_EQ(*sums, (std::vector<uint64_t>{1, 0xfedcba9876543210}));
}

TEST(ParquetSums, EveryFlippedBitOfAFooterIsFound) {
  std::string footer = "some bytes of a footer " + BlankSums(3) + " created by";
  ASSERT_TRUE(FillSums({7, 8, 9}, footer.data(), footer.size()).ok());
  ASSERT_TRUE(CheckSums(footer).ok());
  for (size_t i = 0; i < 8 * footer.size(); ++i) {
    footer[i / 8] = static_cast<char>(footer[i / 8] ^ (1 << i % 8));
    EXPECT_EQ(CheckSums(footer).status().code(), StatusCode::kCorruption) << "bit " << i;
    footer[i / 8] = static_cast<char>(footer[i / 8] ^ (1 << i % 8));
  }
  EXPECT_EQ(CheckSums("a footer of others").status().code(), StatusCode::kCorruption);
  EXPECT_EQ(CheckSums("tapedeck-sums-1:").status().code(), StatusCode::kCorruption);
}

TEST(ParquetSums, FooterWithoutItsPlaceIsADefect) {
  std::string footer = "bytes " + BlankSums(1);
  EXPECT_EQ(FillSums({1, 2}, footer.data(), footer.size()).code(), StatusCode::kInternal);
}

}  // namespace
}  // namespace tapedeck::testing
