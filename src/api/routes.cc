#include "api/routes.h"

#include <algorithm>
#include <array>
#include <vector>

#include "api/parameters.h"
#include "base/text.h"

namespace tapedeck {
namespace {

using Names = std::string_view;

constexpr Names kRecordNames[] = {"symbols", "start",  "end",     "where",      "topics",
                                  "as_of",   "fields", "limit",   "page_token", "order",
                                  "format",  "ts",     "numbers", "origin",     "end_marker"};
constexpr Names kLatestNames[] = {"symbols", "by",      "where",      "topics",
                                  "fields",  "limit",   "page_token", "format",
                                  "ts",      "numbers", "origin",     "end_marker"};
constexpr Names kCountNames[] = {"symbols", "start", "end", "where", "topics", "as_of"};
constexpr Names kMessageNames[] = {
    "topic",    "partition", "lineage", "from_offset", "to_offset", "start",     "end",
    "encoding", "ts",        "limit",   "page_token",  "format",    "end_marker"};
constexpr Names kStreamNames[] = {"topics", "symbols",  "tables",   "start",
                                  "end",    "clock",    "order",    "follow",
                                  "pace",   "speed",    "max_idle", "messages_per_second",
                                  "value",  "encoding", "ts",       "numbers",
                                  "origin", "format",   "cursor"};
constexpr Names kSymbolNames[] = {"table", "symbol", "prefix", "limit", "page_token"};
constexpr Names kTopicNames[] = {"topic"};
constexpr Names kRefusedNames[] = {"topic", "reason", "start", "end", "limit", "page_token"};

constexpr std::array<Route, kRouteCount> kRoutes = {{
    {RouteId::kRecords, "/v1/{table}", RouteScope::kRead, kRecordNames, false},
    {RouteId::kLatest, "/v1/{table}/latest", RouteScope::kRead, kLatestNames, false},
    {RouteId::kCount, "/v1/{table}/count", RouteScope::kRead, kCountNames, false},
    {RouteId::kMessages, "/v1/messages", RouteScope::kRead, kMessageNames, false},
    {RouteId::kStream, "/v1/stream", RouteScope::kRead, kStreamNames, false},
    {RouteId::kTables, "/v1/tables", RouteScope::kRead, {}, false},
    {RouteId::kSymbols, "/v1/symbols", RouteScope::kRead, kSymbolNames, false},
    {RouteId::kTopics, "/v1/topics", RouteScope::kRead, {}, false},
    {RouteId::kCoverage, "/v1/coverage", RouteScope::kRead, kTopicNames, false},
    {RouteId::kRefused, "/v1/refused", RouteScope::kRead, kRefusedNames, false},
    {RouteId::kStatus, "/v1/status", RouteScope::kRead, {}, true},
    {RouteId::kLivez, "/livez", RouteScope::kAnybody, {}, true},
    {RouteId::kReadyz, "/readyz", RouteScope::kAnybody, {}, true},
    {RouteId::kHealthz, "/healthz", RouteScope::kRead, {}, true},
    {RouteId::kMetrics, "/metrics", RouteScope::kRead, {}, true},
    {RouteId::kOpenApi, "/openapi.json", RouteScope::kRead, {}, true},
    {RouteId::kPage, "/", RouteScope::kRead, {}, false},
}};

// Longer than any path of a route with the longest name of a table: not worth decoding.
constexpr size_t kPathBytesMax = 512;

const Route* Find(RouteId id) { return &kRoutes[static_cast<size_t>(id)]; }

RouteMatch NotFound(std::string_view path) {
  RouteMatch match;
  match.problem = Problem{ProblemType::kNotFound,
                          "there is no route " + Quoted(path) + "; /openapi.json lists them",
                          {},
                          0,
                          {},
                          {}};
  return match;
}

// Routes that come with a later version: no table is meant.
constexpr Names kReserved[] = {"days", "objects"};

bool IsReserved(std::string_view name) {
  return std::find(std::begin(kReserved), std::end(kReserved), name) != std::end(kReserved);
}

RouteMatch NotYet(std::string_view name) {
  RouteMatch match;
  match.problem = Problem{ProblemType::kNotFound,
                          "/v1/" + std::string(name) +
                              " is not in this version; /openapi.json "
                              "lists what there is",
                          {},
                          0,
                          {},
                          {}};
  return match;
}

RouteMatch BadPath(std::string detail) {
  RouteMatch match;
  match.problem = Problem{
      ProblemType::kInvalidParameter, "path: " + detail, {{"path", std::move(detail)}}, 0, {}, {}};
  return match;
}

// /v1/{table} and what hangs on it.
const Route* TableRoute(std::string_view behind) {
  if (behind.empty()) return Find(RouteId::kRecords);
  if (behind == "latest") return Find(RouteId::kLatest);
  return behind == "count" ? Find(RouteId::kCount) : nullptr;
}

// Paths as nearly everybody writes them: nothing escaped, nothing odd.
bool MatchPlain(std::string_view path, RouteMatch* match) {
  for (const Route& route : kRoutes) {
    if (route.pattern != path) continue;
    match->route = &route;
    return true;
  }
  constexpr std::string_view kV1 = "/v1/";
  if (!path.starts_with(kV1)) return false;
  path.remove_prefix(kV1.size());
  const size_t end = std::min(path.find('/'), path.size());
  const std::string_view table = path.substr(0, end);
  const bool plain = !table.empty() && std::all_of(table.begin(), table.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
  if (!plain || end + 1 == path.size() || IsReserved(table)) return false;
  match->route = TableRoute(path.substr(std::min(end + 1, path.size())));
  match->table = table;
  return match->route != nullptr;
}

}  // namespace

std::span<const Route> Routes() { return kRoutes; }

RouteMatch MatchRoute(std::string_view path) {
  if (path.size() > kPathBytesMax) return BadPath("it is longer than any route");
  if (RouteMatch match; MatchPlain(path, &match)) return match;
  std::vector<std::string> segments;
  if (!path.starts_with('/')) return NotFound(path);
  for (std::string_view rest = path.substr(1);;) {
    const size_t slash = rest.find('/');
    Result<std::string> segment = DecodeText(rest.substr(0, slash), PlusSign::kPlus);
    if (!segment.ok()) return BadPath(std::string(segment.status().message()));
    if (*segment == ".." || *segment == "." || segment->find('/') != std::string::npos) {
      return BadPath("it holds '.', '..' or a slash within a name");
    }
    segments.push_back(std::move(segment).value());
    if (slash == std::string_view::npos) break;
    rest.remove_prefix(slash + 1);
  }
  std::string plain;
  for (const std::string& segment : segments) plain += "/" + segment;
  for (const Route& route : kRoutes) {
    if (route.pattern == plain) return {&route, {}, {}};
  }
  if (segments[0] == "v1" && segments.size() > 1 && IsReserved(segments[1])) {
    return NotYet(segments[1]);
  }
  if (segments[0] != "v1" || segments.size() < 2 || segments.size() > 3 || segments[1].empty()) {
    return NotFound(path);
  }
  if (segments.size() == 3 && segments[2].empty()) return NotFound(path);
  const Route* route = TableRoute(segments.size() == 3 ? segments[2] : std::string_view());
  if (route == nullptr) return NotFound(path);
  return {route, segments[1], {}};
}

}  // namespace tapedeck
