#include "base/hash.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include "base/random.h"
#include "support/seed.h"

namespace tapedeck {
namespace {

using testing::RepeatWith;
using testing::TestSeed;

TEST(Hash, ValuesAreThoseOfXxh3AndNeverChange) {
  // From xxHash's own documentation of the empty input, and as `xxhsum -H2` prints them.
  EXPECT_EQ(HashBytes("").ToString(), "99aa06d3014798d86001c324468d497f");
  EXPECT_EQ(HashBytes64(""), 0x2d06800538d394c2u);
}

TEST(Hash, TextFormRoundTripsAndNothingElseParses) {
  Hash128 hash{0x0123456789abcdef, 0xfedcba9876543210};
  EXPECT_EQ(hash.ToString(), "0123456789abcdeffedcba9876543210");
  EXPECT_EQ(*Hash128::Parse(hash.ToString()), hash);
  for (std::string bad : {"", "0123456789abcdeffedcba987654321",
                          "0123456789abcdeffedcba98765432100", "0123456789ABCDEFfedcba9876543210",
                          "0123456789abcdeg0edcba9876543210", " 123456789abcdeffedcba9876543210"}) {
    EXPECT_EQ(Hash128::Parse(bad).status().code(), StatusCode::kInvalidArgument) << bad;
  }
}

TEST(Hash, AHasherOfPartsEqualsTheHashOfTheWhole) {
  uint64_t seed = TestSeed();
  SCOPED_TRACE(RepeatWith(seed));
  Random random(seed);
  Hasher hasher;
  for (int round = 0; round < 500; ++round) {
    std::string whole = random.Bytes(random.Uniform(round % 50 == 0 ? 5000 : 400));
    hasher.Reset();
    for (size_t at = 0; at < whole.size();) {
      size_t size = std::min<size_t>(random.Uniform(100), whole.size() - at);
      hasher.Update(std::string_view(whole).substr(at, size));
      at += size;
    }
    EXPECT_EQ(hasher.Finish(), HashBytes(whole)) << whole.size();
    EXPECT_EQ(hasher.Finish(), hasher.Finish());
  }
}

// Long inputs are hashed by other code where the processor has wider registers.
TEST(Hash, LongInputsHaveTheValuesOfXxh3OnEveryProcessor) {
  struct Known {
    size_t size;
    std::string_view of_128;
    uint64_t of_64;
    uint64_t of_64_seeded;
  };
  const Known all[] = {
      {240, "89e3a0a2ee355d25d10beb4e0599e4b3", 0x4917a75c0ef8eed7, 0x1a71cf2c4bb35242},
      {241, "75f4da43f23cce5a541b19226f0052e8", 0x541b19226f0052e8, 0x30aa8f89cc1dfbfc},
      {256, "2f433606b2ebce2dff5a1cefade75bb9", 0xff5a1cefade75bb9, 0xd3822cd40bc291a0},
      {1024, "a3da96fbd688736171bee625238addb4", 0x71bee625238addb4, 0x2ad97bde93f9d618},
      {1025, "a53cd4fd16206676d9b414f4e1bbf7ad", 0xd9b414f4e1bbf7ad, 0x0861dd02e5c2748e},
      {4999, "92f3c6487a7bea3891baed057f6ceb56", 0x91baed057f6ceb56, 0xf5eec704df5c13c5}};
  std::string bytes;
  for (size_t i = 0; i < 5000; ++i) bytes.push_back(static_cast<char>(i * 7 + i / 256));
  for (const Known& known : all) {
    const std::string_view input = std::string_view(bytes).substr(0, known.size);
    EXPECT_EQ(HashBytes(input).ToString(), known.of_128) << known.size;
    EXPECT_EQ(HashBytes64(input), known.of_64) << known.size;
    EXPECT_EQ(HashBytes64(input, 42), known.of_64_seeded) << known.size;
  }
}

TEST(Hash, TheSeedOfTheShortHashMatters) {
  EXPECT_NE(HashBytes64("tape", 0), HashBytes64("tape", 1));
  EXPECT_EQ(HashBytes64("tape"), HashBytes64("tape", 0));
}

TEST(Digest, CarriesAndBorrowsAcrossTheHalves) {
  constexpr uint64_t kMax = std::numeric_limits<uint64_t>::max();
  Digest sum{0, kMax};
  sum += {0, 1};
  EXPECT_EQ(sum, (Digest{1, 0}));
  sum -= {0, 1};
  EXPECT_EQ(sum, (Digest{0, kMax}));
  Digest wrapped{kMax, kMax};
  wrapped += {0, 1};
  EXPECT_EQ(wrapped, Digest{});
  wrapped -= {0, 1};
  EXPECT_EQ(wrapped, (Digest{kMax, kMax}));
  Digest twice{kMax, kMax};
  twice += twice;
  EXPECT_EQ(twice, (Digest{kMax, kMax - 1}));
}

TEST(Digest, DoesNotDependOnOrderAndCountsRepeats) {
  uint64_t seed = TestSeed();
  SCOPED_TRACE(RepeatWith(seed));
  Random random(seed);
  std::vector<Hash128> hashes;
  for (int i = 0; i < 200; ++i) hashes.push_back(HashBytes(random.Bytes(20)));
  Digest forward;
  for (const Hash128& hash : hashes) forward += hash;
  std::shuffle(hashes.begin(), hashes.end(), random);
  Digest shuffled;
  for (const Hash128& hash : hashes) shuffled += hash;
  EXPECT_EQ(forward, shuffled);
  shuffled += hashes[0];
  EXPECT_NE(forward, shuffled);
  for (const Hash128& hash : hashes) shuffled -= hash;
  EXPECT_EQ(shuffled, hashes[0]);
}

TEST(Random, TheSameSeedGivesTheSameNumbersOnEveryMachine) {
  Random random(42);
  EXPECT_EQ(random.Next(), 1546998764402558742u);  // as the authors' C code gives for this filling
  Random again(42);
  EXPECT_EQ(again.Next(), 1546998764402558742u);
  EXPECT_NE(again.Next(), Random(43).Next());
}

TEST(Random, NumbersInARangeReachBothEndsAndStayInside) {
  Random random(7);
  std::vector<int> seen(6);
  for (int i = 0; i < 6000; ++i) ++seen[random.Uniform(6)];
  for (int count : seen) EXPECT_GT(count, 800);
  EXPECT_EQ(random.Uniform(1), 0u);
  for (int i = 0; i < 1000; ++i) {
    int64_t value = random.Between(-2, 2);
    EXPECT_TRUE(value >= -2 && value <= 2);
  }
  (void)random.Between(std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max());
  EXPECT_EQ(random.Between(5, 5), 5);
}

}  // namespace
}  // namespace tapedeck
