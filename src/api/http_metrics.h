#ifndef TAPEDECK_API_HTTP_METRICS_H_
#define TAPEDECK_API_HTTP_METRICS_H_

// HttpMetrics: requests by route, method and code; how long answers took to begin; what was sent.
// Labels come from fixed lists: nothing of a request becomes one.
//
//   HttpMetrics http(&metrics);
//   http.Count(RouteId::kLatest, "GET", 200, seconds);
//   http.BytesOf(RouteId::kRecords, "ndjson").Increment(out->size());
//
// Thread-safe.

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string_view>

#include "api/routes.h"
#include "base/metrics.h"

namespace tapedeck {

class HttpMetrics {
 public:
  explicit HttpMetrics(Metrics* metrics);

  /// `route` nullopt: none was found. `seconds`: until the answer was ready to be sent.
  void Count(std::optional<RouteId> route, std::string_view method, int code, double seconds);
  Counter BytesOf(RouteId route, std::string_view format) const;

  /// Requests whose answer is being made, and streams that are open.
  void Begin() { in_flight_.fetch_add(1, std::memory_order_relaxed); }
  void End() { in_flight_.fetch_sub(1, std::memory_order_relaxed); }
  int64_t in_flight() const { return in_flight_.load(std::memory_order_relaxed); }
  uint64_t requests() const { return requests_.load(std::memory_order_relaxed); }

 private:
  Metrics* const metrics_;
  std::array<std::optional<Counter>, kRouteCount> ok_;  // GET, 200: nearly all of them
  std::array<std::optional<Histogram>, kRouteCount + 1> seconds_;
  std::atomic<int64_t> in_flight_{0};
  std::atomic<uint64_t> requests_{0};
};

}  // namespace tapedeck

#endif  // TAPEDECK_API_HTTP_METRICS_H_
