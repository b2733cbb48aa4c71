#include "base/crc32c.h"

#include <gtest/gtest.h>

#include <string>

#include "base/random.h"
#include "support/seed.h"

namespace tapedeck {
namespace {

TEST(Crc32c, ValuesAreThoseOfRfc3720) {
  EXPECT_EQ(Crc32c(""), 0u);
  EXPECT_EQ(Crc32c("123456789"), 0xe3069283u);
  EXPECT_EQ(Crc32c(std::string(32, '\0')), 0x8a9136aau);
  EXPECT_EQ(Crc32c(std::string(32, '\xff')), 0x62a8ab43u);
}

TEST(Crc32c, InstructionAndTableAgreeOnEveryLengthAndPlace) {
  const uint64_t seed = testing::TestSeed();
  SCOPED_TRACE(testing::RepeatWith(seed));
  Random random(seed);
  std::string bytes(3000, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random.Next());
  for (size_t size = 0; size < 1500; ++size) {
    const std::string_view part = std::string_view(bytes).substr(random.Uniform(1500), size);
    ASSERT_EQ(Crc32c(part), Crc32cByTable(part)) << size << " bytes";
  }
}

}  // namespace
}  // namespace tapedeck
