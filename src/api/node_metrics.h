#ifndef TAPEDECK_API_NODE_METRICS_H_
#define TAPEDECK_API_NODE_METRICS_H_

// NodeMetrics: what the parts of a node count, brought into Metrics when somebody asks.
//
//   NodeMetrics metrics(version);
//   metrics.Collect(context, node->State());
//   std::string text = metrics.registry()->Expose();
//
// Counters that others keep are followed by their growth, so that they never go back when a
// partition moves to another node. Labels are topics and partitions, never symbols.
//
// Thread-safe.

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
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

/// What the process takes of its machine; zeros where the system does not say.
struct ProcessUse {
  uint64_t resident_bytes = 0;
  uint64_t virtual_bytes = 0;
  double cpu_seconds = 0;
  uint64_t open_files = 0;
  uint64_t open_files_max = 0;
  static ProcessUse Now();
};

struct StoreSizes {
  DiskUse disk;
  std::vector<std::pair<std::string, uint64_t>> kinds;
};

class NodeMetrics {
 public:
  NodeMetrics(std::string_view version, const Clock* clock);

  Metrics* registry() { return &metrics_; }
  void Collect(const ApiContext& context, const ServedState& state);
  /// At most five seconds old: they cost a walk over the store's files. `store` may be null.
  StoreSizes Sizes(const Store* store);

 private:
  using Labels = MetricLabels;
  void Follow(std::string_view name, std::string_view help, const Labels& labels,
              const std::string& part, double value);
  void CollectPartition(const PartitionState& partition);
  void CollectProcess();
  void CollectServer(const HttpServerStats& stats);
  void SetGauge(std::string_view name, std::string_view help, const Labels& labels, double value);

  Metrics metrics_;
  const Clock* const clock_;
  std::mutex mutex_;  // of what follows
  std::map<std::string, double, std::less<>> followed_;
  std::mutex sizes_mutex_;  // of what follows
  std::optional<MonotonicTime> sized_;
  StoreSizes sizes_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_API_NODE_METRICS_H_
