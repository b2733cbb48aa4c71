#include "base/timezone.h"

#include <gtest/gtest.h>

#include <string>

namespace tapedeck {
namespace {

constexpr int64_t kSecond = 1'000'000'000;

/// Nanoseconds of a local time in a zone; -1 with a failure where there is none.
int64_t Local(const std::string& zone_name, const std::string& text) {
  Result<TimeZone> zone = TimeZone::Find(zone_name);
  EXPECT_TRUE(zone.ok()) << zone.status().ToString();
  Result<CivilTime> civil = ParseCivil(text);
  EXPECT_TRUE(civil.ok()) << civil.status().ToString();
  if (!zone.ok() || !civil.ok()) return -1;
  Result<Timestamp> t = zone->ToTimestamp(*civil);
  EXPECT_TRUE(t.ok()) << t.status().ToString();
  return t.ok() ? t->ns() : -1;
}

TEST(TimeZone, SummerAndWinterHaveTheirOffsets) {
  EXPECT_EQ(Local("Europe/Warsaw", "2024-07-02T06:17:16.373"), 1'719'893'836'373'000'000);
  EXPECT_EQ(Local("Europe/Warsaw", "2024-01-02T00:00:00"), 1'704'150'000 * kSecond);
  EXPECT_EQ(Local("America/New_York", "2024-07-02 00:17:16"), 1'719'893'836 * kSecond);
  EXPECT_EQ(Local("Asia/Kolkata", "2024-07-02 09:47:16"), 1'719'893'836 * kSecond);
  EXPECT_EQ(Local("UTC", "2024-07-02 04:17:16"), 1'719'893'836 * kSecond);
}

TEST(TimeZone, ADateAloneIsLocalMidnight) {
  EXPECT_EQ(Local("Europe/Warsaw", "2024-07-02"), 1'719'871'200 * kSecond);
}

TEST(TimeZone, AnAmbiguousTimeIsTheEarlierMoment) {
  EXPECT_EQ(Local("Europe/Warsaw", "2024-10-27T02:30:00"), 1'729'989'000 * kSecond);
  EXPECT_EQ(Local("Europe/Warsaw", "2024-10-27T02:00:00"), 1'729'987'200 * kSecond);
  EXPECT_EQ(Local("Europe/Warsaw", "2024-10-27T02:59:59.999999999"), 1'729'990'799'999'999'999);
  EXPECT_EQ(Local("Europe/Warsaw", "2024-10-27T03:00:00"), 1'729'994'400 * kSecond);
  EXPECT_EQ(Local("Europe/Warsaw", "2024-10-27T01:59:59"), 1'729'987'199 * kSecond);
}

TEST(TimeZone, ATimeThatIsLeftOutIsTheMomentOfTheChange) {
  constexpr int64_t kChange = 1'711'846'800 * kSecond;  // 2024-03-31T01:00:00Z
  EXPECT_EQ(Local("Europe/Warsaw", "2024-03-31T02:00:00"), kChange);
  EXPECT_EQ(Local("Europe/Warsaw", "2024-03-31T02:30:00.5"), kChange);
  EXPECT_EQ(Local("Europe/Warsaw", "2024-03-31T02:59:59.999999999"), kChange);
  EXPECT_EQ(Local("Europe/Warsaw", "2024-03-31T03:00:00"), kChange);
  EXPECT_EQ(Local("Europe/Warsaw", "2024-03-31T01:59:59"), kChange - kSecond);
  // Samoa left out a whole day.
  EXPECT_EQ(Local("Pacific/Apia", "2011-12-30T12:00:00"),
            Local("Pacific/Apia", "2011-12-31T00:00:00"));
}

TEST(TimeZone, OffsetsOfAnotherCenturyCountSeconds) {
  // Warsaw's own mean time, 1 h 24 min, until August 1915.
  EXPECT_EQ(Local("Europe/Warsaw", "1910-01-01T01:24:00"),
            ParseRfc3339("1910-01-01T00:00:00Z")->ns());
}

TEST(TimeZone, TheLimitsOfTimestampsHoldInEveryZone) {
  TimeZone zone = *TimeZone::Find("Europe/Warsaw");
  EXPECT_FALSE(zone.ToTimestamp(*ParseCivil("9999-12-31T23:59:59")).ok());
  EXPECT_FALSE(zone.ToTimestamp(*ParseCivil("0000-01-01T00:00:00")).ok());
  EXPECT_FALSE(zone.ToTimestamp(*ParseCivil("2262-04-12T02:00:00")).ok());
}

TEST(TimeZone, ItsOwnOffsetIsIgnored) {
  TimeZone zone = *TimeZone::Find("Europe/Warsaw");
  EXPECT_EQ(zone.name(), "Europe/Warsaw");
  EXPECT_EQ(zone.ToTimestamp(*ParseCivil("2024-07-02T06:17:16-07:00"))->ns(),
            1'719'893'836 * kSecond);
}

TEST(TimeZone, AnUnknownNameIsAnErrorThatNamesIt) {
  Status status = TimeZone::Find("Europe/Atlantis").status();
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_NE(status.message().find("Europe/Atlantis"), std::string::npos);
  for (std::string name :
       {"", "Europe", "Europe/", "../../etc/passwd", "/etc/localtime", "Europe/Warsaw\n",
        "zone.tab", "tzdata.zi", "leapseconds", "right/Europe/Warsaw", "CEST"}) {
    EXPECT_EQ(TimeZone::Find(name).status().code(), StatusCode::kInvalidArgument) << name;
  }
  EXPECT_FALSE(TimeZone::Find(std::string(1000, 'A')).ok());
}

}  // namespace
}  // namespace tapedeck
