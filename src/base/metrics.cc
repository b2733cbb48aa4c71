#include "base/metrics.h"

#include <prometheus/check_names.h>
#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <mutex>

#include "base/check.h"
#include "base/text.h"

namespace tapedeck {
namespace {

constexpr char kOther[] = "_other";

/// A name that was added: what every later use of it must agree with, and the library's family of
/// one kind.
struct Named {
  std::vector<std::string> label_names;  // sorted
  std::vector<double> bounds;
  size_t series = 0;
  prometheus::Family<prometheus::Counter>* counters = nullptr;
  prometheus::Family<prometheus::Gauge>* gauges = nullptr;
  prometheus::Family<prometheus::Histogram>* histograms = nullptr;
};

prometheus::Labels ToLabels(const MetricLabels& labels) {
  prometheus::Labels result;
  for (const auto& [name, value] : labels) {
    TD_CHECK(prometheus::CheckLabelName(name) && name != "le",
             "a label has a name Prometheus allows");
    bool added = result.emplace(name, ToValidUtf8(value)).second;
    TD_CHECK(added, "a label is there once");
  }
  return result;
}

std::vector<std::string> NamesOf(const prometheus::Labels& labels) {
  std::vector<std::string> names;
  for (const auto& [name, value] : labels) names.push_back(name);
  return names;
}

/// The series of these labels in `family`, or the one for all others once there are too many.
template <typename T, typename... Args>
T* SeriesOf(prometheus::Family<T>* family, Named* named, prometheus::Labels labels,
            const Args&... args) {
  if (!family->Has(labels)) {
    if (named->series >= Metrics::kSeriesMax) {
      for (auto& [name, value] : labels) value = kOther;
    } else {
      ++named->series;
    }
  }
  return &family->Add(labels, args...);
}

}  // namespace

struct Metrics::State {
  /// What is known of `name`; made at its first use. The lock is held.
  Named* Find(std::string_view name, const prometheus::Labels& labels) {
    auto found = names.find(name);
    if (found == names.end()) {
      TD_CHECK(prometheus::CheckMetricName(std::string(name)),
               "a metric has a name Prometheus allows");
      found = names.try_emplace(std::string(name)).first;
      found->second.label_names = NamesOf(labels);
    }
    TD_CHECK(found->second.label_names == NamesOf(labels),
             "a metric has the same labels everywhere");
    return &found->second;
  }

  std::mutex mutex;  // protects names; the registry has its own
  std::map<std::string, Named, std::less<>> names;
  prometheus::Registry registry;
};

Metrics::Metrics() : state_(std::make_unique<State>()) {}
Metrics::~Metrics() = default;

Counter Metrics::AddCounter(std::string_view name, std::string_view help,
                            const MetricLabels& labels) {
  TD_CHECK(name.ends_with("_total"), "a counter's name ends with _total");
  prometheus::Labels set = ToLabels(labels);
  std::lock_guard lock(state_->mutex);
  Named* named = state_->Find(name, set);
  TD_CHECK(named->gauges == nullptr && named->histograms == nullptr, "a name is of one kind");
  if (named->counters == nullptr) {
    named->counters = &prometheus::BuildCounter()
                           .Name(std::string(name))
                           .Help(std::string(help))
                           .Register(state_->registry);
  }
  return Counter(SeriesOf(named->counters, named, std::move(set)));
}

Gauge Metrics::AddGauge(std::string_view name, std::string_view help, const MetricLabels& labels) {
  prometheus::Labels set = ToLabels(labels);
  std::lock_guard lock(state_->mutex);
  Named* named = state_->Find(name, set);
  TD_CHECK(named->counters == nullptr && named->histograms == nullptr, "a name is of one kind");
  if (named->gauges == nullptr) {
    named->gauges = &prometheus::BuildGauge()
                         .Name(std::string(name))
                         .Help(std::string(help))
                         .Register(state_->registry);
  }
  return Gauge(SeriesOf(named->gauges, named, std::move(set)));
}

void Metrics::RemoveGauge(std::string_view name, const MetricLabels& labels) {
  const prometheus::Labels set = ToLabels(labels);
  std::lock_guard lock(state_->mutex);
  const auto found = state_->names.find(name);
  if (found == state_->names.end()) return;
  Named& named = found->second;
  TD_CHECK(named.gauges != nullptr, "only a gauge is removed");
  if (!named.gauges->Has(set)) return;
  named.gauges->Remove(&named.gauges->Add(set));
  --named.series;
}

Histogram Metrics::AddHistogram(std::string_view name, std::string_view help,
                                std::span<const double> bounds, const MetricLabels& labels) {
  prometheus::Labels set = ToLabels(labels);
  std::lock_guard lock(state_->mutex);
  Named* named = state_->Find(name, set);
  TD_CHECK(named->counters == nullptr && named->gauges == nullptr, "a name is of one kind");
  if (named->histograms == nullptr) {
    bool ascending = std::ranges::adjacent_find(bounds, std::greater_equal<>()) == bounds.end();
    TD_CHECK(!bounds.empty() && ascending, "a histogram's bounds ascend");
    named->bounds.assign(bounds.begin(), bounds.end());
    named->histograms = &prometheus::BuildHistogram()
                             .Name(std::string(name))
                             .Help(std::string(help))
                             .Register(state_->registry);
  }
  TD_CHECK(std::ranges::equal(named->bounds, bounds), "a histogram has the same bounds everywhere");
  return Histogram(SeriesOf(named->histograms, named, std::move(set), named->bounds));
}

std::string Metrics::Expose() const {
  return prometheus::TextSerializer().Serialize(state_->registry.Collect());
}

void Counter::Increment(uint64_t by) { series_->Increment(static_cast<double>(by)); }
void Counter::IncrementBy(double by) {
  if (by > 0) series_->Increment(by);
}
double Counter::value() const { return series_->Value(); }

void Gauge::Set(double value) { series_->Set(value); }
void Gauge::Add(double by) { series_->Increment(by); }
double Gauge::value() const { return series_->Value(); }

void Histogram::Observe(double value) {
  if (!std::isnan(value)) series_->Observe(value);
}
uint64_t Histogram::count() const { return series_->Collect().histogram.sample_count; }
double Histogram::sum() const { return series_->Collect().histogram.sample_sum; }

std::span<const double> LatencyBounds() {
  static constexpr double kBounds[] = {0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005,
                                       0.01,   0.02,   0.05,   0.1,   0.2,   0.5,
                                       1,      2,      5,      10,    20,    60};
  return kBounds;
}

}  // namespace tapedeck
