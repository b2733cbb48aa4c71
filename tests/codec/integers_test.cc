#include "codec/integers.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "base/random.h"
#include "codec/bit_packing.h"
#include "codec/residual_classes.h"
#include "support/seed.h"

namespace tapedeck {
namespace {

using testing::RepeatWith;
using testing::TestSeed;

std::string RoundTrip(const std::vector<int64_t>& values, Effort effort) {
  IntegerEncoder encoder;
  IntegerDecoder decoder;
  std::string stream = "before";
  encoder.Encode(values, effort, &stream);
  stream.erase(0, 6);
  std::vector<int64_t> back(values.size(), -1);
  Status status = decoder.Decode(stream, back);
  EXPECT_TRUE(status.ok()) << status.ToString();
  EXPECT_EQ(back, values);
  for (size_t cut = 0; cut < stream.size(); cut += 1 + stream.size() / 40) {
    EXPECT_FALSE(decoder.Decode(std::string_view(stream).substr(0, cut), back).ok())
        << "cut to " << cut;
  }
  EXPECT_FALSE(decoder.Decode(stream + '\0', back).ok());
  return stream;
}

TEST(BitPacking, EveryWidthComesBackInFullAndPartGroups) {
  uint64_t seed = TestSeed();
  SCOPED_TRACE(RepeatWith(seed));
  Random random(seed);
  for (unsigned width = 0; width <= 64; ++width) {
    if (!IsPackWidth(width)) continue;
    for (size_t count : {size_t{1}, size_t{7}, size_t{127}, kPackGroup}) {
      std::vector<uint64_t> values(count);
      for (uint64_t& v : values) v = width == 0 ? 0 : random.Next() >> (64 - width);
      std::string packed;
      PackGroup(values, width, &packed);
      ASSERT_EQ(packed.size(), PackedBytes(count, width));
      packed.append(kPackGroup * 8 + kPackSlack, '\x55');
      std::vector<uint64_t> back(kPackGroup);
      UnpackGroup(reinterpret_cast<const uint8_t*>(packed.data()), width, back.data());
      back.resize(count);
      ASSERT_EQ(back, values) << "width " << width << " count " << count;
    }
  }
}

TEST(ResidualClasses, EveryClassHoldsItsNumbersAndNoOthers) {
  Random random(TestSeed());
  for (unsigned bits = 0; bits < 64; ++bits) {
    for (int i = 0; i < 50; ++i) {
      uint64_t residual = (uint64_t{1} << bits) | (random.Next() & ((uint64_t{1} << bits) - 1));
      const ResidualClass& c = kClasses[ClassOf(residual)];
      ASSERT_LE(c.low, 61);
      EXPECT_EQ(c.base | (residual & LowMask(c.low)), residual);
    }
  }
  EXPECT_EQ(ClassOf(UINT64_MAX), 251);
}

TEST(ResidualClasses, BitStringsOfAnyLengthFollowOneAnother) {
  const uint64_t seed = TestSeed();
  SCOPED_TRACE(RepeatWith(seed));
  Random random(seed);
  std::vector<std::pair<uint64_t, unsigned>> parts;
  for (int i = 0; i < 1000; ++i) {
    const auto count = static_cast<unsigned>(random.Uniform(64));
    parts.emplace_back(random.Next() & LowMask(count), count);
  }
  std::string bytes(1000 * 8 + 8, '\x55');
  BitWriter writer(bytes.data());
  for (auto [bits, count] : parts) writer.Put(bits, count);
  bytes.resize(static_cast<size_t>(writer.Finish() - bytes.data()));
  size_t at = 0;
  for (auto [bits, count] : parts) {
    for (unsigned i = 0; i < count; ++i, ++at) {
      const auto byte = static_cast<uint8_t>(bytes[at / 8]);
      ASSERT_EQ(byte >> (at % 8) & 1, bits >> i & 1) << "bit " << at;
    }
  }
  EXPECT_EQ(bytes.size(), (at + 7) / 8);
}

TEST(Integers, OneAndNone) {
  EXPECT_EQ(RoundTrip({}, Effort::kLive).size(), 2u);
  EXPECT_EQ(RoundTrip({INT64_MIN}, Effort::kLive).size(), 11u);
}

TEST(Integers, ConsecutiveOffsetsCostNothing) {
  std::vector<int64_t> offsets(4096);
  std::iota(offsets.begin(), offsets.end(), 5'000'000'000);
  EXPECT_LE(RoundTrip(offsets, Effort::kLive).size(), 12u);
}

TEST(Integers, ACommonDivisorIsTakenOut) {
  Random random(TestSeed());
  std::vector<int64_t> fine(4096), coarse(4096);
  int64_t at = 1'720'000'000'000;
  for (size_t i = 0; i < fine.size(); ++i) {
    at += random.Between(0, 255);
    fine[i] = at;
    coarse[i] = at * 1'000'000;
  }
  size_t fine_bytes = RoundTrip(fine, Effort::kLive).size();
  EXPECT_LE(RoundTrip(coarse, Effort::kLive).size(), fine_bytes + 8);
}

TEST(Integers, APriceThatSeldomMovesTakesLessThanABitOfEachRow) {
  Random random(TestSeed());
  std::vector<int64_t> prices(4096);
  int64_t price = 5'123'400;
  for (int64_t& p : prices) p = price += random.OneIn(40) ? random.Between(-2, 2) : 0;
  EXPECT_LE(RoundTrip(prices, Effort::kLive).size(), 4096u / 8);
}

TEST(Integers, AnythingComesBackExactly) {
  uint64_t seed = TestSeed();
  SCOPED_TRACE(RepeatWith(seed));
  Random random(seed);
  for (int round = 0; round < 300; ++round) {
    std::vector<int64_t> values(random.Uniform(random.OneIn(4) ? 3000 : 300));
    uint64_t kind = random.Uniform(8), quiet = 1 + random.Uniform(20);
    unsigned shift = static_cast<unsigned>(random.Uniform(64));
    int64_t at = static_cast<int64_t>(random.Next()), unit = random.Between(1, 1'000'000'000);
    for (int64_t& v : values) {
      if (random.OneIn(quiet)) {
        switch (kind) {
          case 0:
            at = static_cast<int64_t>(random.Next());
            break;
          case 1:
            at = random.OneIn(2) ? INT64_MIN : INT64_MAX;
            break;
          case 2:
            at = random.Between(-10, 10) * unit;
            break;
          case 3:
            at = static_cast<int64_t>(static_cast<uint64_t>(at) + (random.Next() >> shift));
            break;
          case 4:
            at = static_cast<int64_t>(random.Next() >> random.Uniform(64));
            break;
          case 5:
            at = random.OneIn(100) ? static_cast<int64_t>(random.Next()) : 3;
            break;
          case 6:
            at = static_cast<int64_t>(static_cast<uint64_t>(at) - static_cast<uint64_t>(unit));
            break;
          default:
            at = random.Between(0, 1);
            break;
        }
      }
      v = at;
    }
    RoundTrip(values, random.OneIn(2) ? Effort::kLive : Effort::kMerge);
    ASSERT_FALSE(HasFailure()) << "round " << round << " kind " << kind << " shift " << shift;
  }
}

// Differences of such values wrap, and what divides them need not divide the offsets.
TEST(Integers, LevelsFurtherApartThanHalfTheNumbersComeBack) {
  const uint64_t seed = TestSeed();
  SCOPED_TRACE(RepeatWith(seed));
  Random random(seed);
  for (int round = 0; round < 200; ++round) {
    std::vector<int64_t> levels(2 + random.Uniform(3));
    for (int64_t& level : levels) level = static_cast<int64_t>(random.Next());
    const uint64_t quiet = 1 + random.Uniform(6);
    std::vector<int64_t> values;
    for (size_t i = 0, count = 2 + random.Uniform(600); i < count; ++i) {
      const bool stays = i > 0 && !random.OneIn(quiet);
      values.push_back(stays ? values.back() : levels[random.Uniform(levels.size())]);
    }
    for (Effort effort : {Effort::kLive, Effort::kMerge}) RoundTrip(values, effort);
  }
}

TEST(IntegerLoops, SignedMultiplesAreToldFromOthers) {
  const uint64_t seed = TestSeed();
  SCOPED_TRACE(RepeatWith(seed));
  Random random(seed);
  for (int round = 0; round < 20'000; ++round) {
    const auto divisor = static_cast<int64_t>(1 + (random.Next() >> (1 + random.Uniform(63))));
    const int64_t least = INT64_MIN / divisor, greatest = INT64_MAX / divisor;
    const int64_t quotients[] = {
        least, least + 1,    -1,       0,
        1,     greatest - 1, greatest, static_cast<int64_t>(random.Next()) % divisor};
    const ExactDivision by(static_cast<uint64_t>(divisor));
    for (int64_t quotient : quotients) {
      if (quotient < least || quotient > greatest) continue;
      const int64_t multiple = quotient * divisor;
      ASSERT_TRUE(AllDivide(by, {&multiple, 1})) << quotient << " times " << divisor;
      ASSERT_EQ(static_cast<int64_t>(by.Quotient(static_cast<uint64_t>(multiple))), quotient);
    }
    const auto any = static_cast<int64_t>(random.Next() >> random.Uniform(64));
    ASSERT_EQ(AllDivide(by, {&any, 1}), any % divisor == 0) << any << " by " << divisor;
  }
  const ExactDivision by_one(1), by_two(2);
  const int64_t extremes[] = {INT64_MIN, INT64_MAX};
  EXPECT_TRUE(AllDivide(by_one, extremes));
  EXPECT_FALSE(AllDivide(by_two, extremes));
  EXPECT_TRUE(AllDivide(by_two, {extremes, 1}));
}

TEST(IntegerLoops, ExtremesOfAGroupAreThoseOfItsNumbers) {
  const uint64_t seed = TestSeed();
  SCOPED_TRACE(RepeatWith(seed));
  Random random(seed);
  for (int round = 0; round < 500; ++round) {
    std::vector<int64_t> values(2 + random.Uniform(128));
    for (int64_t& v : values)
      v = static_cast<int64_t>(random.Next()) >> (random.OneIn(3) ? 0 : random.Uniform(64));
    const size_t count = values.size() - 1;
    std::vector<int64_t> deltas(count), expected(count);
    size_t changes = 0;
    for (size_t i = 0; i < count; ++i) {
      expected[i] = static_cast<int64_t>(static_cast<uint64_t>(values[i + 1]) -
                                         static_cast<uint64_t>(values[i]));
      changes += expected[i] != 0 ? 1 : 0;
    }
    const IntegerGroup group = MeasureGroup(values.data(), count, deltas.data());
    values.pop_back();
    ASSERT_EQ(deltas, expected);
    EXPECT_EQ(group.least, std::ranges::min(values));
    EXPECT_EQ(group.greatest, std::ranges::max(values));
    EXPECT_EQ(group.least_delta, std::ranges::min(deltas));
    EXPECT_EQ(group.greatest_delta, std::ranges::max(deltas));
    EXPECT_EQ(group.changes, changes);
    EXPECT_EQ(AllEqual(values),
              std::ranges::all_of(values, [&](int64_t v) { return v == values[0]; }));
  }
}

TEST(Integers, UnknownFormsAndLayoutsAreNamed) {
  IntegerDecoder decoder;
  std::vector<int64_t> out(4);
  Status status = decoder.Decode("\x7f", out);
  EXPECT_EQ(status.code(), StatusCode::kCorruption);
  EXPECT_NE(status.message().find("form 127"), std::string_view::npos) << status.ToString();
  status = decoder.Decode(std::string_view("\x02\x00\x01\x63", 4), out);
  EXPECT_NE(status.message().find("layout 99"), std::string_view::npos) << status.ToString();
}

}  // namespace
}  // namespace tapedeck
