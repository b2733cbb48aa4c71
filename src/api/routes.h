#ifndef TAPEDECK_API_ROUTES_H_
#define TAPEDECK_API_ROUTES_H_

// Routes: which paths there are, what they take, and who may ask. docs/openapi.yaml says the same;
// a test compares them.
//
//   RouteMatch match = MatchRoute("/v1/trades/latest");
//   match.route->id      // RouteId::kLatest
//   match.table          // "trades"
//
// Thread-safe: pure functions.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "api/problem.h"

namespace tapedeck {

enum class RouteId : uint8_t {
  kRecords,
  kLatest,
  kCount,
  kMessages,
  kStream,
  kTables,
  kSymbols,
  kTopics,
  kCoverage,
  kRefused,
  kStatus,
  kLivez,
  kReadyz,
  kHealthz,
  kMetrics,
  kOpenApi,
  kPage,  // the status page
};
inline constexpr size_t kRouteCount = 17;

/// Who may ask where tokens are in force.
enum class RouteScope : uint8_t { kAnybody, kRead };

struct Route {
  RouteId id;
  std::string_view pattern;  // "/v1/{table}/latest"
  RouteScope scope;
  std::span<const std::string_view> parameters;  // of the query
  /// Answered without reading what is stored.
  bool of_node = false;
};

/// In the order of RouteId.
std::span<const Route> Routes();

struct RouteMatch {
  const Route* route = nullptr;
  std::string table;  // where the pattern has {table}
  std::optional<Problem> problem;
};
/// `path` as sent. No route: kNotFound. What cannot be decoded, or holds `..`: kInvalidParameter.
RouteMatch MatchRoute(std::string_view path);

}  // namespace tapedeck

#endif  // TAPEDECK_API_ROUTES_H_
