// Durations, sizes and shares.

#include "base/units.h"

#include <gtest/gtest.h>

namespace tapedeck {
namespace {

TEST(Units, DurationsAreExact) {
  EXPECT_EQ(ParseDuration("200ms")->count(), 200'000'000);
  EXPECT_EQ(ParseDuration("1h30m")->count(), 5'400'000'000'000);
  EXPECT_EQ(ParseDuration("0s")->count(), 0);
  EXPECT_EQ(ParseDuration("7d")->count(), 604'800'000'000'000);
  EXPECT_EQ(ParseDuration("1s1ns")->count(), 1'000'000'001);
}

TEST(Units, WhatIsNoDurationIsRefused) {
  for (const char* text : {"", "1", "s", "1 s", "-1s", "1.5h", "1m1h", "1s1s", "1x", "99999999999d",
                           "18446744073709551616ns", "1s "}) {
    EXPECT_EQ(ParseDuration(text).status().code(), StatusCode::kInvalidArgument) << text;
  }
}

TEST(Units, DurationsReadBack) {
  for (int64_t ns : {int64_t{0}, int64_t{1}, int64_t{1'000}, int64_t{90'000'000'000},
                     int64_t{86'400'000'000'000}, int64_t{5'400'000'000'001}}) {
    std::string text = FormatDuration(std::chrono::nanoseconds(ns));
    EXPECT_EQ(ParseDuration(text)->count(), ns) << text;
  }
}

TEST(Units, SizesAreExact) {
  EXPECT_EQ(*ParseSize("8MiB"), 8u << 20);
  EXPECT_EQ(*ParseSize("1kB"), 1000u);
  EXPECT_EQ(*ParseSize("0B"), 0u);
  EXPECT_EQ(FormatSize(8u << 20), "8MiB");
  EXPECT_EQ(FormatSize(1000), "1000B");
  for (const char* text : {"", "8", "MiB", "8mib", "8 MiB", "1.5GiB", "-1B", "99999TiB"}) {
    EXPECT_EQ(ParseSize(text).status().code(), StatusCode::kInvalidArgument) << text;
  }
}

TEST(Units, SharesArePercent) {
  EXPECT_DOUBLE_EQ(*ParseShare("85%"), 0.85);
  EXPECT_DOUBLE_EQ(*ParseShare("92.5%"), 0.925);
  EXPECT_EQ(FormatShare(0.85), "85%");
  EXPECT_EQ(FormatShare(0.925), "92.5%");
  for (const char* text : {"", "85", "0.85", "101%", "-1%", "nan%", "inf%", "85%%", "%"}) {
    EXPECT_EQ(ParseShare(text).status().code(), StatusCode::kInvalidArgument) << text;
  }
}

}  // namespace
}  // namespace tapedeck
