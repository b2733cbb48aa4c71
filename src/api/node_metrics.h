#ifndef TAPEDECK_API_NODE_METRICS_H_
#define TAPEDECK_API_NODE_METRICS_H_

// NodeMetrics: what the parts of a node count, brought into Metrics when somebody asks.
//
//   NodeMetrics metrics(version, clock, nullptr);
//   metrics.Measure(store);                       // every few seconds, by a thread that may wait
//   metrics.Collect(context, node->State());
//   std::string text = metrics.registry()->Expose();
//
// Collect waits for nothing: what costs a look at the disk or at long lists of the system comes
// from the last Measure. Counters that others keep are followed by their growth. Gauges of
// partitions that went away go with them. Labels are topics and partitions, never symbols.
//
// Thread-safe.

#include <cstdint>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/served_node.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "http/server.h"

namespace tapedeck {

struct ApiContext;
class ReplayRunner;

/// What the process takes of its machine; zeros where the system does not say.
struct ProcessUse {
  uint64_t resident_bytes = 0;
  uint64_t virtual_bytes = 0;
  double cpu_seconds = 0;
  uint64_t open_files_max = 0;
  static ProcessUse Now();
};

struct StoreSizes {
  DiskUse disk;
  std::vector<std::pair<std::string, uint64_t>> kinds;
};

class NodeMetrics {
 public:
  /// `shared`: where others count, too; null: nobody does. It outlives this.
  NodeMetrics(std::string_view version, const Clock* clock, Metrics* shared);

  Metrics* registry() { return metrics_; }
  void Collect(const ApiContext& context, const ServedState& state);
  /// Walks over the store's files and the open ones of the process. `store` may be null.
  void Measure(const Store* store);
  /// Of the last Measure.
  StoreSizes sizes() const;

 private:
  using Labels = MetricLabels;
  void Follow(std::string_view name, std::string_view help, const Labels& labels,
              const std::string& part, double value);
  void CollectShipping(const ShipState& ship);
  void CollectReplays(const ReplayRunner& replays);
  void CollectRecorder(const RecorderState& recorder);
  void CollectPartition(const PartitionState& partition);
  void SetPassingGauge(std::string_view name, std::string_view help, const Labels& labels,
                       double value);
  void RemoveWhatWent();
  void CollectProcess();
  void CollectServer(const HttpServerStats& stats);
  void SetGauge(std::string_view name, std::string_view help, const Labels& labels, double value);

  Metrics own_;
  Metrics* const metrics_;
  const Clock* const clock_;
  std::mutex mutex_;  // of what follows
  std::map<std::string, double, std::less<>> followed_;
  using Series = std::pair<std::string, Labels>;
  std::set<Series> passing_gauges_;  // that are exposed
  std::set<Series> seen_gauges_;     // by the Collect that is running
  mutable std::mutex sizes_mutex_;   // of what follows
  StoreSizes sizes_;
  uint64_t open_files_ = 0;
};

}  // namespace tapedeck

#endif  // TAPEDECK_API_NODE_METRICS_H_
