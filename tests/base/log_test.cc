#include "base/log.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/log_line.h"
#include "base/text.h"

namespace tapedeck {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Timestamp kNow(1'795'253'040'123'456'789);  // 2026-11-21T09:24:00.123456789Z

std::string Line(LogFormat format, std::string_view message, std::initializer_list<LogField> fields,
                 uint64_t left_out = 0) {
  return FormatLogLine({kNow, LogLevel::kWarn, "record", "assigned", message, fields, left_out},
                       format);
}

TEST(LogLine, IsAJsonObjectOfTheDocumentedFields) {
  EXPECT_EQ(
      Line(LogFormat::kJson, "partitions assigned", {{"topic", "Finhub1"}, {"count", "12"}}),
      R"({"ts":"2026-11-21T09:24:00.123456789Z","level":"warn","component":"record","event":"assigned",)"
      R"("msg":"partitions assigned","topic":"Finhub1","count":"12"})");
  EXPECT_EQ(
      Line(LogFormat::kJson, "m", {}, 7),
      R"({"ts":"2026-11-21T09:24:00.123456789Z","level":"warn","component":"record","event":"assigned",)"
      R"("msg":"m","left_out":"7"})");
}

TEST(LogLine, IsReadableOnATerminal) {
  EXPECT_EQ(Line(LogFormat::kText, "partitions assigned",
                 {{"topic", "Finhub1"}, {"why", "a b"}, {"empty", ""}}, 3),
            "2026-11-21T09:24:00.123Z warn  record assigned: partitions assigned topic=Finhub1 "
            "why=\"a b\" empty=\"\" left_out=3");
}

TEST(LogLine, NothingInAnEventCanForgeALineOrReachTheTerminal) {
  const std::string evil = "x\r\n{\"level\":\"error\"}\x1b[2J\x7f\u009b1m\u2028\xff\"=\\";
  for (LogFormat format : {LogFormat::kJson, LogFormat::kText}) {
    std::string line =
        FormatLogLine({kNow, LogLevel::kError, evil, evil, evil, {{evil, evil}}, 0}, format);
    EXPECT_TRUE(std::ranges::none_of(line, [](unsigned char c) { return c < 0x20 || c == 0x7f; }))
        << line;
    EXPECT_EQ(line.find("\u009b"), std::string::npos);
    EXPECT_EQ(line.find("\u2028"), std::string::npos);
    EXPECT_TRUE(IsValidUtf8(line));
  }
}

TEST(LogThrottle, WritesTenInTenSecondsAndThenSaysHowManyWereLeftOut) {
  LogThrottle throttle;
  uint64_t left_out = 99;
  MonotonicTime now = seconds(1000);
  for (int i = 0; i < 10; ++i) {
    EXPECT_TRUE(throttle.Admit("kafka", "error", now + milliseconds(i), &left_out));
    EXPECT_EQ(left_out, 0u);
  }
  for (int i = 0; i < 25; ++i)
    EXPECT_FALSE(throttle.Admit("kafka", "error", now + milliseconds(20 + i), &left_out));
  EXPECT_TRUE(throttle.Admit("kafka", "other", now, &left_out));
  EXPECT_TRUE(throttle.Admit("store", "error", now, &left_out));
  EXPECT_FALSE(throttle.Admit("kafka", "error", now + seconds(10) - milliseconds(1), &left_out));
  EXPECT_TRUE(throttle.Admit("kafka", "error", now + seconds(10), &left_out));
  EXPECT_EQ(left_out, 26u);
  // The window slides: the second of the first ten is not ten seconds old yet.
  EXPECT_FALSE(throttle.Admit("kafka", "error", now + seconds(10), &left_out));
  EXPECT_TRUE(throttle.Admit("kafka", "error", now + seconds(10) + milliseconds(1), &left_out));
  EXPECT_EQ(left_out, 1u);
}

TEST(LogThrottle, NamesThatCannotBeToldApartByJoiningAreTwo) {
  LogThrottle throttle;
  uint64_t left_out = 0;
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(throttle.Admit("ab", "c", seconds(1), &left_out));
  EXPECT_FALSE(throttle.Admit("ab", "c", seconds(1), &left_out));
  EXPECT_TRUE(throttle.Admit("a", "bc", seconds(1), &left_out));
}

TEST(LogThrottle, AFloodOfNamesIsBoundedToo) {
  LogThrottle throttle;
  uint64_t left_out = 0;
  size_t written = 0;
  for (int i = 0; i < 100'000; ++i)
    written += throttle.Admit("c", std::to_string(i), seconds(1), &left_out) ? 1 : 0;
  EXPECT_EQ(written, LogThrottle::kKeysMax + LogThrottle::kBurst);
}

/// Lines written to stderr by `body`.
template <typename Body>
std::vector<std::string> Captured(Body body) {
  ::testing::internal::CaptureStderr();
  body();
  std::string text = ::testing::internal::GetCapturedStderr();
  std::vector<std::string> lines;
  for (size_t at = 0; at < text.size();) {
    size_t end = text.find('\n', at);
    lines.push_back(text.substr(at, end - at));
    at = end == std::string::npos ? text.size() : end + 1;
  }
  return lines;
}

TEST(Log, WritesWholeLinesOfTheLevelsAskedFor) {
  std::vector<std::string> lines = Captured([] {
    ConfigureLog(LogLevel::kInfo, LogFormat::kJson);
    TD_LOG(kDebug, "log_test", "hidden", "not written");
    TD_LOG(kInfo, "log_test", "shown", "written {} %s %v", {{"k", "v"}});
    ConfigureLog(LogLevel::kError, LogFormat::kText);
    TD_LOG(kWarn, "log_test", "hidden", "not written");
    TD_LOG(kError, "log_test", "text", "as text");
    ConfigureLog(LogLevel::kInfo, LogFormat::kAuto);
  });
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_NE(lines[0].find(R"("event":"shown","msg":"written {} %s %v","k":"v"})"),
            std::string::npos)
      << lines[0];
  EXPECT_NE(lines[1].find(" error log_test text: as text"), std::string::npos) << lines[1];
}

TEST(Log, AFloodOfErrorsIsCutAndInformationIsNot) {
  std::vector<std::string> lines = Captured([] {
    ConfigureLog(LogLevel::kInfo, LogFormat::kJson);
    for (int i = 0; i < 50; ++i) TD_LOG(kError, "log_test", "flood", "again");
    for (int i = 0; i < 50; ++i) TD_LOG(kInfo, "log_test", "progress", "again");
  });
  auto with = [&](std::string_view word) {
    return std::ranges::count_if(
        lines, [&](const std::string& line) { return line.find(word) != std::string::npos; });
  };
  EXPECT_EQ(with("\"flood\""), 10);
  EXPECT_EQ(with("\"progress\""), 50);
}

TEST(Log, LinesOfSeveralThreadsAreNotMixed) {
  std::vector<std::string> lines = Captured([] {
    ConfigureLog(LogLevel::kInfo, LogFormat::kJson);
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([] {
        for (int i = 0; i < 100; ++i) TD_LOG(kInfo, "log_test", "many", std::string(200, 'm'));
      });
    }
    for (std::thread& thread : threads) thread.join();
  });
  EXPECT_EQ(lines.size(), 400u);
  for (const std::string& line : lines)
    EXPECT_TRUE(line.starts_with("{\"ts\":") && line.ends_with("mmm\"}")) << line;
}

TEST(ManualClock, MovesOnlyWhenTold) {
  ManualClock clock{Timestamp(100)};
  EXPECT_EQ(clock.Now().ns(), 100);
  EXPECT_EQ(clock.Monotonic().count(), 0);
  clock.SleepFor(std::chrono::nanoseconds(50));
  EXPECT_EQ(clock.Now().ns(), 150);
  EXPECT_EQ(clock.Monotonic().count(), 50);
  clock.JumpTo(Timestamp(-7));
  EXPECT_EQ(clock.Now().ns(), -7);
  EXPECT_EQ(clock.Monotonic().count(), 50);
}

TEST(SystemClock, GoesForwardAndSleepsNoLessThanAsked) {
  Clock& clock = SystemClock();
  EXPECT_GT(clock.Now(), *ParseRfc3339("2024-01-01"));
  MonotonicTime before = clock.Monotonic();
  clock.SleepFor(milliseconds(2));
  EXPECT_GE(clock.Monotonic() - before, milliseconds(2));
  clock.SleepFor(milliseconds(-5));
  EXPECT_EQ(&clock, &SystemClock());
}

}  // namespace
}  // namespace tapedeck
