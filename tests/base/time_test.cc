#include "base/time.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "base/civil.h"
#include "base/random.h"
#include "support/seed.h"

namespace tapedeck {
namespace {

using testing::RepeatWith;
using testing::TestSeed;

constexpr int64_t kSecond = 1'000'000'000;
constexpr int64_t kDay = 86'400 * kSecond;
constexpr int64_t kMinNs = std::numeric_limits<int64_t>::min();
constexpr int64_t kMaxNs = std::numeric_limits<int64_t>::max();
constexpr int64_t kBase = 1'719'893'836 * kSecond;  // 2024-07-02T04:17:16Z

/// The moment, or -1 with a failure.
int64_t Moment(std::string_view text) {
  Result<Timestamp> t = ParseRfc3339(text);
  EXPECT_TRUE(t.ok()) << t.status().ToString();
  return t.ok() ? t->ns() : -1;
}

bool Refused(std::string_view text) {
  Result<Timestamp> t = ParseRfc3339(text);
  return !t.ok() && t.status().code() == StatusCode::kInvalidArgument;
}

TEST(Rfc3339, EveryNumberOfFractionDigitsFromNoneToNine) {
  EXPECT_EQ(Moment("2024-07-02T04:17:16Z"), kBase);
  const int64_t expected[] = {300'000'000, 370'000'000, 373'000'000, 373'900'000, 373'910'000,
                              373'912'000, 373'912'500, 373'912'560, 373'912'567};
  std::string digits = "373912567";
  for (size_t n = 1; n <= 9; ++n) {
    std::string text = "2024-07-02T04:17:16." + digits.substr(0, n) + "Z";
    EXPECT_EQ(Moment(text), kBase + expected[n - 1]) << text;
  }
  EXPECT_TRUE(Refused("2024-07-02T04:17:16.3739125678Z"));
  EXPECT_TRUE(Refused("2024-07-02T04:17:16.Z"));
  EXPECT_TRUE(Refused("2024-07-02T04:17:16,5Z"));
  EXPECT_EQ(Moment("2024-07-02T04:17:16.000000001Z"), kBase + 1);
}

TEST(Rfc3339, EveryFormOfOffset) {
  for (std::string text :
       {"2024-07-02T04:17:16Z", "2024-07-02t04:17:16z", "2024-07-02 04:17:16Z",
        "2024-07-02T06:17:16+02:00", "2024-07-02T06:17:16+0200", "2024-07-02T06:17:16+02",
        "2024-07-01T21:17:16-07:00", "2024-07-02T09:47:16+05:30", "2024-07-02T04:17:16-00:00",
        "2024-07-03T04:16:16+23:59", "2024-07-01T04:18:16-23:59"}) {
    EXPECT_EQ(Moment(text), kBase) << text;
  }
  for (std::string offset :
       {"", "+", "+2", "+2:00", "+02:0", "+02:000", "+24:00", "+02:60", "+02-00", "02:00",
        " +02:00", "Z ", "ZZ", "UTC", "+0a:00", "+02:", "+020"}) {
    EXPECT_TRUE(Refused("2024-07-02T06:17:16" + offset)) << offset;
    EXPECT_TRUE(Refused("2024-07-02T06:17:16.5" + offset)) << offset;
  }
}

TEST(Rfc3339, ADateAloneIsMidnightUtc) {
  EXPECT_EQ(Moment("2024-07-02"), kBase / kDay * kDay);
  EXPECT_EQ(Moment("1970-01-01"), 0);
  EXPECT_EQ(Moment("1969-12-31"), -kDay);
}

TEST(Rfc3339, TheGreatestAndTheSmallestMomentAreExact) {
  EXPECT_EQ(FormatRfc3339(Timestamp::Min()), "1677-09-21T00:12:43.145224192Z");
  EXPECT_EQ(FormatRfc3339(Timestamp::Max()), "2262-04-11T23:47:16.854775807Z");
  EXPECT_EQ(Moment("1677-09-21T00:12:43.145224192Z"), kMinNs);
  EXPECT_EQ(Moment("1677-09-21T00:12:43.145224193Z"), kMinNs + 1);
  EXPECT_EQ(Moment("2262-04-11T23:47:16.854775807Z"), kMaxNs);
  EXPECT_EQ(Moment("2262-04-12T01:47:16.854775807+02:00"), kMaxNs);
  EXPECT_TRUE(Refused("1677-09-21T00:12:43.145224191Z"));
  EXPECT_TRUE(Refused("1677-09-21T00:12:42.999999999Z"));
  EXPECT_TRUE(Refused("2262-04-11T23:47:16.854775808Z"));
  EXPECT_TRUE(Refused("2262-04-11T23:47:17Z"));
  EXPECT_TRUE(Refused("0000-01-01T00:00:00Z"));
  EXPECT_TRUE(Refused("9999-12-31T23:59:59Z"));
}

TEST(Rfc3339, MomentsBefore1970) {
  EXPECT_EQ(FormatRfc3339(Timestamp(-1)), "1969-12-31T23:59:59.999999999Z");
  EXPECT_EQ(Moment("1969-12-31T23:59:59.999999999Z"), -1);
  EXPECT_EQ(Moment("1969-12-31T23:59:59Z"), -kSecond);
  EXPECT_EQ(Moment("1969-12-31T23:59:58.5Z"), -kSecond - kSecond / 2);
  EXPECT_EQ(FormatRfc3339(Timestamp(0)), "1970-01-01T00:00:00.000000000Z");
}

TEST(Rfc3339, LeapYearsAndDaysThatDoNotExist) {
  EXPECT_EQ(Moment("2024-02-29T00:00:00Z") + kDay, Moment("2024-03-01T00:00:00Z"));
  EXPECT_EQ(Moment("2000-02-29") + kDay, Moment("2000-03-01"));
  EXPECT_EQ(Moment("2023-02-28") + kDay, Moment("2023-03-01"));
  EXPECT_EQ(Moment("1900-02-28") + kDay, Moment("1900-03-01"));
  for (std::string text : {"2023-02-29", "1900-02-29", "2100-02-29", "2024-02-30", "2024-04-31",
                           "2024-00-10", "2024-13-01", "2024-01-00", "2024-01-32"}) {
    EXPECT_TRUE(Refused(text)) << text;
    EXPECT_TRUE(Refused(text + "T00:00:00Z")) << text;
  }
}

TEST(Rfc3339, TimesOfDayThatDoNotExistAndTheLeapSecond) {
  EXPECT_TRUE(Refused("2024-07-02T24:00:00Z"));
  EXPECT_TRUE(Refused("2024-07-02T23:60:00Z"));
  EXPECT_TRUE(Refused("2024-07-02T23:59:61Z"));
  EXPECT_EQ(Moment("2016-12-31T23:59:60Z"), Moment("2017-01-01T00:00:00Z"));
  EXPECT_EQ(Moment("2016-12-31T23:59:60.25Z"), Moment("2017-01-01T00:00:00.25Z"));
}

TEST(Rfc3339, WhatOnlyLooksLikeATimeIsRefused) {
  for (std::string text : {"",
                           "2",
                           "2024",
                           "2024-07",
                           "2024-7-2",
                           "20240702",
                           "2024/07/02",
                           "2024-07-02T",
                           "2024-07-02T04",
                           "2024-07-02T04:17",
                           "2024-07-02T04:17Z",
                           "2024-07-02X04:17:16Z",
                           "2024-07-02T04.17.16Z",
                           " 2024-07-02",
                           "2024-07-02 ",
                           "+2024-07-02",
                           "-024-07-02",
                           "2024-07-0a",
                           "202a-07-02",
                           "2024-07-02T0a:17:16Z",
                           "2024-07-02T04:17:1",
                           "1719893836",
                           "now",
                           "\xff\xff\xff\xff-07-02",
                           "2024-07-02T04:17:16"}) {
    EXPECT_TRUE(Refused(text)) << text;
  }
  EXPECT_TRUE(Refused(std::string("2024-07-02\0", 11)));
}

TEST(Rfc3339, AnErrorSaysWhatWasReadAndWhatIsExpected) {
  Status status = ParseRfc3339("2024-02\n").status();
  EXPECT_EQ(status.message(),
            "not a time: \"2024-02\\n\": expected a form like 2024-07-02T06:17:16.373+02:00 or "
            "2024-07-02");
  status = ParseRfc3339("2024-02-30T06:17:16Z").status();
  EXPECT_NE(status.message().find("there is no such day"), std::string::npos);
  status = ParseRfc3339("2024-07-02T06:17:16").status();
  EXPECT_NE(status.message().find("an offset is missing"), std::string::npos);
  EXPECT_LT(ParseRfc3339(std::string(1'000'000, 'x')).status().message().size(), 250u);
}

TEST(Rfc3339, RandomMomentsRoundTrip) {
  uint64_t seed = TestSeed();
  SCOPED_TRACE(RepeatWith(seed));
  Random random(seed);
  for (int i = 0; i < 200'000; ++i) {
    int64_t ns = static_cast<int64_t>(random.Next()) >> random.Uniform(64);
    std::string text = FormatRfc3339(Timestamp(ns));
    ASSERT_EQ(text.size(), kRfc3339Size);
    Result<Timestamp> back = ParseRfc3339(text);
    ASSERT_TRUE(back.ok()) << text;
    ASSERT_EQ(back->ns(), ns) << text;
  }
}

TEST(Rfc3339, TextOrderIsTimeOrder) {
  uint64_t seed = TestSeed();
  SCOPED_TRACE(RepeatWith(seed));
  Random random(seed);
  for (int i = 0; i < 20'000; ++i) {
    Timestamp a(static_cast<int64_t>(random.Next()));
    Timestamp b = a.SaturatingAdd(random.Between(-5'000'000'000, 5'000'000'000));
    ASSERT_EQ(a < b, FormatRfc3339(a) < FormatRfc3339(b));
  }
}

TEST(ParseCivil, KeepsWhatTheTextSaysAndDropsDigitsBeyondTheNanosecond) {
  Result<CivilTime> civil = ParseCivil("2024-04-11 23:35:06.1139249999999");
  ASSERT_TRUE(civil.ok());
  EXPECT_EQ(civil->year, 2024);
  EXPECT_EQ(civil->month, 4);
  EXPECT_EQ(civil->day, 11);
  EXPECT_EQ(civil->hour, 23);
  EXPECT_EQ(civil->minute, 35);
  EXPECT_EQ(civil->second, 6);
  EXPECT_EQ(civil->nanosecond, 113'924'999u);
  EXPECT_TRUE(civil->has_time);
  EXPECT_FALSE(civil->has_offset);
  civil = ParseCivil("2024-04-11T23:35:06-04:30");
  ASSERT_TRUE(civil.ok());
  EXPECT_TRUE(civil->has_offset);
  EXPECT_EQ(civil->offset_seconds, -(4 * 3600 + 30 * 60));
  civil = ParseCivil("2024-04-11");
  ASSERT_TRUE(civil.ok());
  EXPECT_FALSE(civil->has_time);
  EXPECT_FALSE(ParseCivil("2024-04-11T23:35").ok());
}

TEST(ParseCivil, EveryPrefixAndEveryChangedByteOfATimeIsSafe) {
  const std::string text = "2024-07-02T06:17:16.373912567+02:00";
  for (size_t size = 0; size < text.size(); ++size) (void)ParseCivil(text.substr(0, size));
  for (size_t at = 0; at < text.size(); ++at) {
    for (int byte = 0; byte < 256; ++byte) {
      std::string changed = text;
      changed[at] = static_cast<char>(byte);
      Result<CivilTime> civil = ParseCivil(changed);
      if (!civil.ok()) continue;
      ASSERT_TRUE(civil->month >= 1 && civil->month <= 12 && civil->hour < 24 &&
                  civil->second <= 60);
      ASSERT_LT(civil->nanosecond, 1'000'000'000u);
    }
  }
}

struct UnitsCase {
  std::string text;
  TimeUnit unit;
  int64_t ns;
};

TEST(ParseUnits, NumbersWithAnyFractionInAnyUnit) {
  const UnitsCase cases[] = {
      {"1719893836", TimeUnit::kSeconds, kBase},
      {"1719893836.373", TimeUnit::kSeconds, kBase + 373'000'000},
      {"1719893836373", TimeUnit::kMilliseconds, kBase + 373'000'000},
      {"1719893836373.25", TimeUnit::kMilliseconds, kBase + 373'250'000},
      {"1719893836373912", TimeUnit::kMicroseconds, kBase + 373'912'000},
      {"1719893836373912567", TimeUnit::kNanoseconds, kBase + 373'912'567},
      {"1.719893836e9", TimeUnit::kSeconds, kBase},
      {"17198938360E-1", TimeUnit::kSeconds, kBase},
      {"0", TimeUnit::kSeconds, 0},
      {"-0", TimeUnit::kSeconds, 0},
      {"+1", TimeUnit::kNanoseconds, 1},
      {"1e9", TimeUnit::kNanoseconds, kSecond},
      {"0.0000000019", TimeUnit::kSeconds, 1},
      {"-0.0000000019", TimeUnit::kSeconds, -2},
      {"-1.5", TimeUnit::kSeconds, -kSecond - kSecond / 2},
      {"-1.0000000000", TimeUnit::kSeconds, -kSecond},
      {"1.9", TimeUnit::kNanoseconds, 1},
      {"-1.9", TimeUnit::kNanoseconds, -2},
      {"-1e-60", TimeUnit::kSeconds, -1},
      {"1e-60", TimeUnit::kSeconds, 0},
      {"0e60", TimeUnit::kSeconds, 0},
      {"0000000000000000000000000001", TimeUnit::kSeconds, kSecond},
      {".5", TimeUnit::kMilliseconds, 500'000},
      {"9223372036.854775807", TimeUnit::kSeconds, kMaxNs},
      {"9223372036.8547758079", TimeUnit::kSeconds, kMaxNs},
      {"-9223372036.854775808", TimeUnit::kSeconds, kMinNs},
      {"9223372036854775807", TimeUnit::kNanoseconds, kMaxNs},
      {"-9223372036854775808", TimeUnit::kNanoseconds, kMinNs},
  };
  for (const UnitsCase& c : cases) {
    Result<Timestamp> t = ParseUnits(c.text, c.unit);
    ASSERT_TRUE(t.ok()) << c.text << ": " << t.status().ToString();
    EXPECT_EQ(t->ns(), c.ns) << c.text;
  }
}

TEST(ParseUnits, OutOfRangeAndNotANumber) {
  for (std::string text :
       {"9223372036.854775808", "-9223372036.8547758081", "1e20", "-1e20", "1e60", "9223372037",
        "18446744073709551616", "99999999999999999999999999999999999999"}) {
    Status status = ParseUnits(text, TimeUnit::kSeconds).status();
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
    EXPECT_NE(status.message().find("out of range"), std::string::npos)
        << text << status.ToString();
  }
  for (std::string text :
       {"", "x", "1e", "1e61", "1 ", " 1", "1s", "NaN", "Infinity", "--1", ".", "1.2.3", "0x10"}) {
    Status status = ParseUnits(text, TimeUnit::kSeconds).status();
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
    EXPECT_NE(status.message().find("expected a number"), std::string::npos) << text;
  }
}

TEST(TimestampFromUnits, IsExactUpToTheLimits) {
  EXPECT_EQ(TimestampFromUnits(-2, TimeUnit::kMicroseconds)->ns(), -2'000);
  EXPECT_EQ(TimestampFromUnits(9'223'372'036, TimeUnit::kSeconds)->ns(), 9'223'372'036 * kSecond);
  EXPECT_FALSE(TimestampFromUnits(9'223'372'037, TimeUnit::kSeconds).ok());
  EXPECT_FALSE(TimestampFromUnits(-9'223'372'037, TimeUnit::kSeconds).ok());
  EXPECT_EQ(TimestampFromUnits(kMinNs, TimeUnit::kNanoseconds)->ns(), kMinNs);
}

TEST(Timestamp, AddingStopsAtTheLimits) {
  EXPECT_EQ(Timestamp::Max().SaturatingAdd(1), Timestamp::Max());
  EXPECT_EQ(Timestamp::Min().SaturatingAdd(-1), Timestamp::Min());
  EXPECT_EQ(Timestamp(5).SaturatingAdd(-7).ns(), -2);
}

TEST(Day, HoldsItsMomentsAlsoBefore1970) {
  EXPECT_EQ(Day::Of(Timestamp(0)).days(), 0);
  EXPECT_EQ(Day::Of(Timestamp(kDay - 1)).days(), 0);
  EXPECT_EQ(Day::Of(Timestamp(-1)).days(), -1);
  EXPECT_EQ(Day::Of(Timestamp(-kDay)).days(), -1);
  EXPECT_EQ(Day::Of(Timestamp(-kDay - 1)).days(), -2);
  EXPECT_EQ(Day::Of(Timestamp::Min()).ToString(), "1677-09-21");
  EXPECT_EQ(Day::Of(Timestamp::Min()).start(), Timestamp::Min());  // midnight lies before it
  EXPECT_EQ(Day::Of(Timestamp::Max()).ToString(), "2262-04-11");
  EXPECT_EQ(Day(std::numeric_limits<int32_t>::max()).start(), Timestamp::Max());
  EXPECT_EQ(Day(std::numeric_limits<int32_t>::min()).start(), Timestamp::Min());
}

TEST(Day, StartsOfMonthAndYear) {
  Day day = *ParseDay("2024-03-31");
  EXPECT_EQ(day.MonthStart().ToString(), "2024-03-01");
  EXPECT_EQ(day.YearStart().ToString(), "2024-01-01");
  EXPECT_EQ(ParseDay("1969-02-28")->MonthStart().ToString(), "1969-02-01");
  EXPECT_EQ(day.MonthStart().MonthStart(), day.MonthStart());
}

TEST(Day, ParsesOnlyADate) {
  EXPECT_EQ(ParseDay("1970-01-02")->days(), 1);
  EXPECT_EQ(ParseDay("0000-03-01")->days(), -719'468);
  for (std::string text :
       {"", "2024-07-2", "2024-07-022", "2024-07-02T", "2024-02-30", "2024-7-02x"}) {
    EXPECT_EQ(ParseDay(text).status().code(), StatusCode::kInvalidArgument) << text;
  }
}

TEST(Day, YearsBeyondFourDigitsPrintWithASign) {
  EXPECT_EQ(Day(-719'528 - 1).ToString(), "-0001-12-31");
  EXPECT_EQ(Day(2'932'897).ToString(), "+10000-01-01");
  EXPECT_FALSE(Day(std::numeric_limits<int32_t>::min()).ToString().empty());
}

TEST(Civil, EveryDayOfEightHundredYearsFollowsTheOneBefore) {
  // The obvious calendar, counted day by day, as the oracle for the formulas.
  int32_t year = 1600;
  uint8_t month = 1;
  uint8_t day = 1;
  int64_t days = DaysFromCivil({1600, 1, 1});
  for (; year < 2400; ++days) {
    CivilDate date = CivilFromDays(static_cast<int32_t>(days));
    ASSERT_TRUE(date.year == year && date.month == month && date.day == day) << days;
    ASSERT_EQ(DaysFromCivil(date), days);
    if (++day > DaysInMonth(year, month)) {
      day = 1;
      if (++month > 12) {
        month = 1;
        ++year;
      }
    }
  }
  EXPECT_EQ(DaysFromCivil({1970, 1, 1}), 0);
}

}  // namespace
}  // namespace tapedeck
