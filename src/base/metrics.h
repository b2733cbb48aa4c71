#ifndef TAPEDECK_BASE_METRICS_H_
#define TAPEDECK_BASE_METRICS_H_

// Metrics: counters, gauges and histograms of one node, and their Prometheus text. Wraps
// prometheus-cpp.
//
//   Metrics metrics;
//   Counter messages = metrics.AddCounter("tapedeck_record_messages_total", "Messages recorded.",
//                                         {{"topic", topic}});
//   messages.Increment(batch.size());
//   std::string text = metrics.Expose();   // for GET /metrics
//
// Handles are small values that point into the Metrics, which must live longer; copies count in the
// same place. The same name and labels give the same series again.
//
// Names and label names are literals of the program: one that Prometheus does not allow, a counter
// without "_total", or one name for two kinds, label sets or buckets is a programmer error and
// aborts. Label *values* can be anything (a topic, never a symbol): what is not UTF-8 is replaced.
// A name holds at most kSeriesMax series; label sets beyond share one series whose values are
// "_other".
//
// Thread-safe. An update costs some nanoseconds; a lookup by name takes locks: keep the handle.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace prometheus {
class Counter;
class Gauge;
class Histogram;
}  // namespace prometheus

namespace tapedeck {

using MetricLabels = std::vector<std::pair<std::string, std::string>>;

/// Goes up only.
class Counter {
 public:
  void Increment(uint64_t by = 1);
  /// Time and other fractions, such as seconds; negative and NaN count nothing.
  void IncrementBy(double by);
  double value() const;

 private:
  friend class Metrics;
  explicit Counter(prometheus::Counter* series) : series_(series) {}
  prometheus::Counter* series_;
};

/// Goes up and down.
class Gauge {
 public:
  void Set(double value);
  void Add(double by);
  double value() const;

 private:
  friend class Metrics;
  explicit Gauge(prometheus::Gauge* series) : series_(series) {}
  prometheus::Gauge* series_;
};

/// Counts observations by size; the unit is in the name (base units: seconds, bytes).
class Histogram {
 public:
  void Observe(double value);
  uint64_t count() const;
  double sum() const;

 private:
  friend class Metrics;
  explicit Histogram(prometheus::Histogram* series) : series_(series) {}
  prometheus::Histogram* series_;
};

class Metrics {
 public:
  /// Topics times partitions of a large node; beyond it a scrape costs more than it tells.
  static constexpr size_t kSeriesMax = 10'000;

  Metrics();
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  Counter AddCounter(std::string_view name, std::string_view help, const MetricLabels& labels = {});
  Gauge AddGauge(std::string_view name, std::string_view help, const MetricLabels& labels = {});
  /// What it measured is gone (a partition that moved away): the series is exposed no more, and its
  /// handles must not be used. One that is not there is left alone.
  void RemoveGauge(std::string_view name, const MetricLabels& labels);
  /// `bounds`: inclusive upper bounds in ascending order; +Inf is added.
  Histogram AddHistogram(std::string_view name, std::string_view help,
                         std::span<const double> bounds, const MetricLabels& labels = {});

  /// Everything in Prometheus' text format 0.0.4 ("text/plain; version=0.0.4").
  std::string Expose() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Bounds for seconds: 100 us to 60 s, three steps per power of ten.
std::span<const double> LatencyBounds();

}  // namespace tapedeck

#endif  // TAPEDECK_BASE_METRICS_H_
