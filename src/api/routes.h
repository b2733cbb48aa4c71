#ifndef TAPEDECK_API_ROUTES_H_
#define TAPEDECK_API_ROUTES_H_

// Routes: which paths there are, what they take, and who may ask. docs/openapi.yaml says the same;
// a test compares them.
//
//   RouteMatch match = MatchRoute("/v1/trades/latest", "GET");
//   match.route->id      // RouteId::kLatest
//   match.name           // "trades": what stands for {table}
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
  kDays,
  kObjects,
  kCloseDay,
  kFlush,
  kReplays,
  kCreateReplay,
  kReplay,
  kPatchReplay,
  kDeleteReplay,
  kReplayEvents,
  kReplayOffsets,
  kReindexes,
  kCreateReindex,
  kReindex,
  kDeleteReindex,
};
inline constexpr size_t kRouteCount = 32;

/// Who may ask where tokens are in force: the scope that a token needs.
enum class RouteScope : uint8_t { kAnybody, kRead, kReplay, kAdmin };

struct Route {
  RouteId id;
  std::string_view method;  // "GET" takes HEAD, too
  /// "/v1/{table}/latest"; at most one part is a name in braces. A part that is written out goes
  /// before a name.
  std::string_view pattern;
  RouteScope scope;
  std::span<const std::string_view> parameters;  // of the query
  /// Answered without reading what is stored.
  bool of_node = false;
};

/// In the order of RouteId.
std::span<const Route> Routes();

struct RouteMatch {
  const Route* route = nullptr;
  std::string name;  // decoded; what stands where the pattern has braces
  std::optional<Problem> problem;
};
/// `path` as sent. No route: kNotFound. What cannot be decoded, or holds `..`: kInvalidParameter. A
/// path that takes other methods: kMethodNotAllowed, and one of its routes.
RouteMatch MatchRoute(std::string_view path, std::string_view method);

}  // namespace tapedeck

#endif  // TAPEDECK_API_ROUTES_H_
