#include "base/metrics.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "base/text.h"

namespace tapedeck {
namespace {

bool HasLine(const std::string& text, const std::string& line) {
  return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

TEST(Metrics, AreExposedAsPrometheusText) {
  Metrics metrics;
  Counter messages = metrics.AddCounter("tapedeck_record_messages_total", "Messages recorded.",
                                        {{"topic", "Finhub1"}});
  Gauge rows = metrics.AddGauge("tapedeck_series_open_rows", "Rows in memory.");
  const double bounds[] = {0.1, 1};
  Histogram commit =
      metrics.AddHistogram("tapedeck_record_commit_seconds", "Time of a commit.", bounds);
  messages.Increment();
  messages.Increment(41);
  rows.Set(10);
  rows.Add(-3);
  commit.Observe(0.05);
  commit.Observe(1);
  commit.Observe(30);
  std::string text = metrics.Expose();
  EXPECT_TRUE(HasLine(text, "# HELP tapedeck_record_messages_total Messages recorded.")) << text;
  EXPECT_TRUE(HasLine(text, "# TYPE tapedeck_record_messages_total counter")) << text;
  EXPECT_TRUE(HasLine(text, "tapedeck_record_messages_total{topic=\"Finhub1\"} 42")) << text;
  EXPECT_TRUE(HasLine(text, "tapedeck_series_open_rows 7")) << text;
  EXPECT_TRUE(HasLine(text, "# TYPE tapedeck_record_commit_seconds histogram")) << text;
  EXPECT_TRUE(HasLine(text, "tapedeck_record_commit_seconds_count 3")) << text;
  EXPECT_TRUE(HasLine(text, "tapedeck_record_commit_seconds_bucket{le=\"1\"} 2")) << text;
  EXPECT_TRUE(HasLine(text, "tapedeck_record_commit_seconds_bucket{le=\"+Inf\"} 3")) << text;
  EXPECT_EQ(commit.count(), 3u);
  EXPECT_DOUBLE_EQ(commit.sum(), 31.05);
  EXPECT_DOUBLE_EQ(rows.value(), 7);
}

TEST(Metrics, AGaugeOfSomethingThatWentIsExposedNoMore) {
  Metrics metrics;
  metrics.AddGauge("lag", "L.", {{"topic", "a"}}).Set(1);
  metrics.AddGauge("lag", "L.", {{"topic", "b"}}).Set(2);
  metrics.RemoveGauge("lag", {{"topic", "a"}});
  metrics.RemoveGauge("lag", {{"topic", "never there"}});
  metrics.RemoveGauge("no_such_gauge", {});
  const std::string text = metrics.Expose();
  EXPECT_FALSE(HasLine(text, "lag{topic=\"a\"} 1")) << text;
  EXPECT_TRUE(HasLine(text, "lag{topic=\"b\"} 2")) << text;
  EXPECT_EQ(metrics.AddGauge("lag", "L.", {{"topic", "a"}}).value(), 0) << "it begins anew";
}

TEST(Metrics, TheSameNameAndLabelsAreTheSameSeries) {
  Metrics metrics;
  Counter a = metrics.AddCounter("a_total", "A.", {{"x", "1"}, {"y", "2"}});
  Counter b = metrics.AddCounter("a_total", "A.", {{"y", "2"}, {"x", "1"}});
  Counter other = metrics.AddCounter("a_total", "A.", {{"x", "1"}, {"y", "3"}});
  a.Increment();
  b.Increment();
  EXPECT_EQ(a.value(), 2);
  EXPECT_EQ(other.value(), 0);
  EXPECT_EQ(metrics.AddGauge("g", "G.").value(), 0);
}

TEST(Metrics, TwoRegistriesAreApart) {
  Metrics a;
  Metrics b;
  a.AddCounter("a_total", "A.").Increment();
  EXPECT_EQ(b.AddCounter("a_total", "A.").value(), 0);
  EXPECT_EQ(Metrics().Expose(), "");
}

TEST(Metrics, ALabelValueCanHoldAnything) {
  Metrics metrics;
  metrics.AddCounter("a_total", "A.", {{"topic", "a\"b\\c\nd\xff"}}).Increment();
  std::string text = metrics.Expose();
  EXPECT_TRUE(HasLine(text, "a_total{topic=\"a\\\"b\\\\c\\nd\uFFFD\"} 1")) << text;
  EXPECT_TRUE(IsValidUtf8(text));
}

TEST(Metrics, AFloodOfLabelValuesEndsInOneSeries) {
  Metrics metrics;
  for (size_t i = 0; i < Metrics::kSeriesMax + 500; ++i) {
    metrics.AddCounter("a_total", "A.", {{"topic", std::to_string(i)}}).Increment();
  }
  std::string text = metrics.Expose();
  EXPECT_TRUE(HasLine(text, "a_total{topic=\"_other\"} 500"));
  EXPECT_LE(static_cast<size_t>(std::ranges::count(text, '\n')), Metrics::kSeriesMax + 3);
  metrics.AddCounter("a_total", "A.", {{"topic", "7"}}).Increment();  // known ones go on
  EXPECT_EQ(metrics.AddCounter("a_total", "A.", {{"topic", "7"}}).value(), 2);
}

TEST(Metrics, NoCountIsLostBetweenThreads) {
  Metrics metrics;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      Counter counter = metrics.AddCounter("a_total", "A.");
      Histogram histogram = metrics.AddHistogram("h_seconds", "H.", LatencyBounds());
      for (int i = 0; i < 5000; ++i) {
        counter.Increment();
        histogram.Observe(0.5);
      }
      (void)metrics.Expose();
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(metrics.AddCounter("a_total", "A.").value(), 20'000);
  EXPECT_EQ(metrics.AddHistogram("h_seconds", "H.", LatencyBounds()).count(), 20'000u);
}

TEST(Metrics, WhatIsNoNumberCountsNothing) {
  Metrics metrics;
  Counter counter = metrics.AddCounter("a_seconds_total", "A.");
  counter.IncrementBy(1.5);
  counter.IncrementBy(-1);
  counter.IncrementBy(std::numeric_limits<double>::quiet_NaN());
  EXPECT_DOUBLE_EQ(counter.value(), 1.5);
  Histogram histogram = metrics.AddHistogram("h", "H.", LatencyBounds());
  histogram.Observe(std::numeric_limits<double>::quiet_NaN());
  EXPECT_EQ(histogram.count(), 0u);
}

TEST(MetricsDeathTest, AWrongNameIsAProgrammerError) {
  Metrics metrics;
  metrics.AddCounter("a_total", "A.", {{"x", "1"}});
  const double falling[] = {2, 1};
  const double one[] = {1};
  const double two[] = {1, 2};
  EXPECT_DEATH(metrics.AddCounter("messages", "A."), "_total");
  EXPECT_DEATH(metrics.AddGauge("0a", "A."), "name Prometheus allows");
  EXPECT_DEATH(metrics.AddGauge("a b", "A."), "name Prometheus allows");
  EXPECT_DEATH(metrics.AddGauge("", "A."), "name Prometheus allows");
  EXPECT_DEATH(metrics.AddGauge("g", "A.", {{"a-b", "1"}}), "name Prometheus allows");
  EXPECT_DEATH(metrics.AddGauge("g", "A.", {{"le", "1"}}), "name Prometheus allows");
  EXPECT_DEATH(metrics.AddGauge("g", "A.", {{"a", "1"}, {"a", "2"}}), "there once");
  EXPECT_DEATH(metrics.AddCounter("a_total", "A.", {{"y", "1"}}), "same labels");
  EXPECT_DEATH(metrics.AddGauge("a_total", "A.", {{"x", "1"}}), "one kind");
  EXPECT_DEATH(metrics.AddHistogram("h", "A.", falling), "ascend");
  metrics.AddHistogram("h2", "A.", one);
  EXPECT_DEATH(metrics.AddHistogram("h2", "A.", two), "same bounds");
}

}  // namespace
}  // namespace tapedeck
