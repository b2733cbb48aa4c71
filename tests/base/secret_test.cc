#include "base/secret.h"

#include <gtest/gtest.h>

namespace tapedeck {
namespace {

TEST(Secret, BytesDifferEachTime) {
  auto a = SecretBytes(32);
  auto b = SecretBytes(32);
  ASSERT_TRUE(a.ok() && b.ok());
  EXPECT_EQ(a->size(), 32u);
  EXPECT_NE(*a, *b);
}

TEST(Secret, SameOnlyWhereAllBytesAre) {
  EXPECT_TRUE(SameSecret("abc", "abc"));
  EXPECT_FALSE(SameSecret("abc", "abd"));
  EXPECT_FALSE(SameSecret("abc", "ab"));
  EXPECT_TRUE(SameSecret("", ""));
}

}  // namespace
}  // namespace tapedeck
