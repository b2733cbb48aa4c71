#include "web/retry.h"

#include <gtest/gtest.h>

#include "web/address.h"
#include "web/url.h"

namespace tapedeck {
namespace {

class Retries : public ::testing::Test {
 protected:
  ManualClock clock_{Timestamp(1'700'000'000'000'000'000)};
};

TEST_F(Retries, PausesGrowAndAreCapped) {
  RetryPolicy policy{.tries_max = 12,
                     .pause_first = std::chrono::milliseconds(100),
                     .pause_max = std::chrono::milliseconds(2000),
                     .time_max = std::chrono::hours(1)};
  Retrier retrier(policy, &clock_, 1);
  Retrier::Round round = retrier.Begin();
  std::chrono::nanoseconds limit = policy.pause_first;
  int pauses = 0;
  for (MonotonicTime at = clock_.Monotonic(); round.WaitForNext(); at = clock_.Monotonic()) {
    const auto pause = clock_.Monotonic() - at;
    EXPECT_GT(pause.count(), 0);
    EXPECT_LE(pause, limit);
    limit = std::min<std::chrono::nanoseconds>(limit * 2, policy.pause_max);
    ++pauses;
  }
  EXPECT_EQ(pauses, 11);
  EXPECT_EQ(round.tries(), 12);
}

TEST_F(Retries, TwoRoundsDoNotPauseAlike) {
  Retrier retrier({}, &clock_, 7);
  const auto first_pause = [&] {
    const MonotonicTime before = clock_.Monotonic();
    Retrier::Round round = retrier.Begin();
    EXPECT_TRUE(round.WaitForNext());
    return clock_.Monotonic() - before;
  };
  EXPECT_NE(first_pause(), first_pause());
}

TEST_F(Retries, WhatTheServiceAsksForIsHeeded) {
  Retrier retrier({.time_max = std::chrono::seconds(60)}, &clock_, 1);
  Retrier::Round round = retrier.Begin();
  const MonotonicTime before = clock_.Monotonic();
  EXPECT_TRUE(round.WaitForNext(std::chrono::seconds(30)));
  EXPECT_GE(clock_.Monotonic() - before, std::chrono::seconds(30));
  // Longer than there is time: no use in waiting.
  EXPECT_FALSE(round.WaitForNext(std::chrono::seconds(31)));
}

TEST_F(Retries, StopIsSeenWhileWaiting) {
  std::atomic<bool> stop{true};
  Retrier retrier({}, &clock_, 1, &stop);
  Retrier::Round round = retrier.Begin();
  EXPECT_FALSE(round.WaitForNext(std::chrono::seconds(100)));
  EXPECT_EQ(clock_.Monotonic().count(), 0);
}

TEST(RetryAfter, SecondsDatesAndNonsense) {
  const Timestamp now = *ParseRfc3339("2026-11-21T16:10:45Z");
  EXPECT_EQ(ParseRetryAfter("120", now), std::chrono::seconds(120));
  EXPECT_EQ(ParseRetryAfter("0", now), std::chrono::seconds(0));
  EXPECT_EQ(ParseRetryAfter("Sat, 21 Nov 2026 16:11:00 GMT", now), std::chrono::seconds(16));
  EXPECT_EQ(ParseRetryAfter("Sat, 21 Nov 2020 16:11:00 GMT", now), std::chrono::seconds(0));
  for (const char* text : {"", "-5", "1e9", "soon", "Sat, 31 Feb 2026 16:11:00 GMT"})
    EXPECT_EQ(ParseRetryAfter(text, now), std::chrono::seconds(0)) << text;
  EXPECT_LE(ParseRetryAfter("2147483647", now), std::chrono::hours(24));
}

TEST(HttpDate, IsWrittenAndReadAlike) {
  for (const char* iso : {"1970-01-01T00:00:00Z", "2026-11-21T16:10:45Z", "2000-02-29T23:59:59Z",
                          "1969-12-31T12:00:00Z"}) {
    const Timestamp t = *ParseRfc3339(iso);
    EXPECT_EQ(ParseHttpDate(FormatHttpDate(t)), t) << iso;
  }
  EXPECT_EQ(FormatHttpDate(*ParseRfc3339("1994-11-06T08:49:37Z")), "Sun, 06 Nov 1994 08:49:37 GMT");
}

TEST(WebUrl, PartsAndRefusals) {
  Result<WebUrl> url = ParseWebUrl("https://minio.example:9000/base?x=1");
  ASSERT_TRUE(url.ok());
  EXPECT_EQ(url->Origin(), "https://minio.example:9000");
  EXPECT_EQ(url->path, "/base");
  EXPECT_EQ(url->query, "x=1");
  EXPECT_EQ(ParseWebUrl("http://[::1]:80/")->Origin(), "http://[::1]:80");
  for (const char* text : {"", "x", "ftp://h/", "https://user@h/", "https://u:p@h/", "https://h/#f",
                           "http://", "http://h:99999/", "http://a b/"}) {
    EXPECT_EQ(ParseWebUrl(text).status().code(), StatusCode::kInvalidArgument) << text;
  }
}

TEST(LoopbackHost, OnlyThisMachine) {
  for (const char* host : {"localhost", "127.0.0.1", "127.9.9.9", "[::1]", "::1"})
    EXPECT_TRUE(IsLoopbackHost(host)) << host;
  for (const char* host : {"localhost.example", "128.0.0.1", "10.0.0.1", "[::2]", "", "0.0.0.0"})
    EXPECT_FALSE(IsLoopbackHost(host)) << host;
}

}  // namespace
}  // namespace tapedeck
