#include "base/quantity.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "base/random.h"
#include "support/seed.h"

namespace tapedeck {
namespace {

using std::chrono::nanoseconds;
using testing::RepeatWith;
using testing::TestSeed;

int64_t Duration(std::string_view text) {
  Result<nanoseconds> duration = ParseDuration(text);
  EXPECT_TRUE(duration.ok()) << duration.status().ToString();
  return duration.ok() ? duration->count() : -1;
}

uint64_t Size(std::string_view text) {
  Result<uint64_t> bytes = ParseBytes(text);
  EXPECT_TRUE(bytes.ok()) << bytes.status().ToString();
  return bytes.ok() ? *bytes : 0;
}

TEST(Duration, EveryUnitOfTheConfiguration) {
  EXPECT_EQ(Duration("200ms"), 200'000'000);
  EXPECT_EQ(Duration("60s"), 60'000'000'000);
  EXPECT_EQ(Duration("2h"), 7'200'000'000'000);
  EXPECT_EQ(Duration("7d"), 604'800'000'000'000);
  EXPECT_EQ(Duration("15m"), 900'000'000'000);
  EXPECT_EQ(Duration("1us"), 1'000);
  EXPECT_EQ(Duration("1ns"), 1);
  EXPECT_EQ(Duration("0s"), 0);
  EXPECT_EQ(Duration("1.5h"), 5'400'000'000'000);
  EXPECT_EQ(Duration("0.000000001s"), 1);
  EXPECT_EQ(Duration("9223372036854775807ns"), std::numeric_limits<int64_t>::max());
}

TEST(Bytes, EveryUnitOfTheConfiguration) {
  EXPECT_EQ(Size("8MiB"), 8u << 20);
  EXPECT_EQ(Size("256MiB"), 256u << 20);
  EXPECT_EQ(Size("2GiB"), uint64_t{2} << 30);
  EXPECT_EQ(Size("1TiB"), uint64_t{1} << 40);
  EXPECT_EQ(Size("4KiB"), 4096u);
  EXPECT_EQ(Size("10kB"), 10'000u);
  EXPECT_EQ(Size("1MB"), 1'000'000u);
  EXPECT_EQ(Size("1GB"), 1'000'000'000u);
  EXPECT_EQ(Size("1TB"), 1'000'000'000'000u);
  EXPECT_EQ(Size("0B"), 0u);
  EXPECT_EQ(Size("1.5KiB"), 1536u);
}

TEST(Quantity, WhatIsNotANumberWithAUnitIsRefusedAndTheUnitsAreNamed) {
  for (std::string text : {"",       "200",           "ms",      "200 ms",
                           " 200ms", "200ms ",        "-200ms",  "+1s",
                           "1e3s",   "1..5s",         ".s",      "200msec",
                           "200MS",  "1h30m",         "1w",      "s200",
                           "0.1ns",  "1.0000000001s", "107000d", "99999999999999999999s",
                           "1\0s"}) {
    Status status = ParseDuration(text).status();
    ASSERT_EQ(status.code(), StatusCode::kInvalidArgument) << text;
    EXPECT_NE(status.message().find("ns, us, ms, s, m, h, d"), std::string::npos)
        << status.message();
  }
  for (std::string text :
       {"8", "8mib", "8 MiB", "8Mib", "8K", "8kb", "0.5B", "9000000000000TiB", "-1B"}) {
    Status status = ParseBytes(text).status();
    ASSERT_EQ(status.code(), StatusCode::kInvalidArgument) << text;
    EXPECT_NE(status.message().find("kB, MB, GB, TB, KiB, MiB, GiB, TiB"), std::string::npos)
        << status.message();
  }
  EXPECT_EQ(
      ParseDuration("200").status().message(),
      "not a duration: \"200\": the unit is missing; write a number and a unit, like \"200ms\"; "
      "units are ns, us, ms, s, m, h, d");
}

TEST(Quantity, PrintsInTheGreatestUnitThatHoldsItWhole) {
  EXPECT_EQ(FormatDuration(nanoseconds(200'000'000)), "200ms");
  EXPECT_EQ(FormatDuration(std::chrono::hours(48)), "2d");
  EXPECT_EQ(FormatDuration(std::chrono::seconds(90)), "90s");
  EXPECT_EQ(FormatDuration(nanoseconds(0)), "0s");
  EXPECT_EQ(FormatDuration(nanoseconds(-1'500'000)), "-1500us");
  EXPECT_EQ(FormatDuration(nanoseconds::min()), "-9223372036854775808ns");
  EXPECT_EQ(FormatBytes(8 << 20), "8MiB");
  EXPECT_EQ(FormatBytes(10'000), "10kB");
  EXPECT_EQ(FormatBytes(1234), "1234B");
  EXPECT_EQ(FormatBytes(0), "0B");
}

TEST(Quantity, RandomQuantitiesRoundTrip) {
  uint64_t seed = TestSeed();
  SCOPED_TRACE(RepeatWith(seed));
  Random random(seed);
  const int64_t steps[] = {1, 1000, 1024, 1 << 20, 1'000'000'000, 86'400'000'000'000};
  for (int i = 0; i < 20'000; ++i) {
    int64_t step = steps[random.Uniform(std::size(steps))];
    int64_t value = random.Between(0, std::numeric_limits<int64_t>::max() / step) * step;
    ASSERT_EQ(Duration(FormatDuration(nanoseconds(value))), value);
    ASSERT_EQ(Size(FormatBytes(static_cast<uint64_t>(value))), static_cast<uint64_t>(value));
  }
}

}  // namespace
}  // namespace tapedeck
