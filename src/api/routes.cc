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
constexpr Names kReplayNames[] = {"limit", "page_token"};
constexpr Names kOffsetNames[] = {"topic", "partition", "from_offset", "limit"};
constexpr Names kTopicNames[] = {"topic"};
constexpr Names kDayNames[] = {"table", "start", "end", "limit", "page_token"};
constexpr Names kRefusedNames[] = {"topic", "reason", "start", "end", "limit", "page_token"};

constexpr std::array<Route, kRouteCount> kRoutes = {{
    {RouteId::kRecords, "GET", "/v1/{table}", RouteScope::kRead, kRecordNames, false},
    {RouteId::kLatest, "GET", "/v1/{table}/latest", RouteScope::kRead, kLatestNames, false},
    {RouteId::kCount, "GET", "/v1/{table}/count", RouteScope::kRead, kCountNames, false},
    {RouteId::kMessages, "GET", "/v1/messages", RouteScope::kRead, kMessageNames, false},
    {RouteId::kStream, "GET", "/v1/stream", RouteScope::kRead, kStreamNames, false},
    {RouteId::kTables, "GET", "/v1/tables", RouteScope::kRead, {}, false},
    {RouteId::kSymbols, "GET", "/v1/symbols", RouteScope::kRead, kSymbolNames, false},
    {RouteId::kTopics, "GET", "/v1/topics", RouteScope::kRead, {}, false},
    {RouteId::kCoverage, "GET", "/v1/coverage", RouteScope::kRead, kTopicNames, false},
    {RouteId::kRefused, "GET", "/v1/refused", RouteScope::kRead, kRefusedNames, false},
    {RouteId::kStatus, "GET", "/v1/status", RouteScope::kRead, {}, true},
    {RouteId::kLivez, "GET", "/livez", RouteScope::kAnybody, {}, true},
    {RouteId::kReadyz, "GET", "/readyz", RouteScope::kAnybody, {}, true},
    {RouteId::kHealthz, "GET", "/healthz", RouteScope::kRead, {}, true},
    {RouteId::kMetrics, "GET", "/metrics", RouteScope::kRead, {}, true},
    {RouteId::kOpenApi, "GET", "/openapi.json", RouteScope::kRead, {}, true},
    {RouteId::kPage, "GET", "/", RouteScope::kRead, {}, false},
    {RouteId::kDays, "GET", "/v1/days", RouteScope::kRead, kDayNames, false},
    {RouteId::kObjects, "GET", "/v1/objects", RouteScope::kRead, kDayNames, false},
    {RouteId::kCloseDay, "POST", "/v1/days/{day}/close", RouteScope::kAdmin, {}, false},
    {RouteId::kFlush, "POST", "/v1/flush", RouteScope::kAdmin, {}, false},
    {RouteId::kReplays, "GET", "/v1/replays", RouteScope::kReplay, kReplayNames, false},
    {RouteId::kCreateReplay, "POST", "/v1/replays", RouteScope::kReplay, {}, false},
    {RouteId::kReplay, "GET", "/v1/replays/{id}", RouteScope::kReplay, {}, false},
    {RouteId::kPatchReplay, "PATCH", "/v1/replays/{id}", RouteScope::kReplay, {}, false},
    {RouteId::kDeleteReplay, "DELETE", "/v1/replays/{id}", RouteScope::kReplay, {}, false},
    {RouteId::kReplayEvents, "GET", "/v1/replays/{id}/events", RouteScope::kReplay, {}, false},
    {RouteId::kReplayOffsets, "GET", "/v1/replays/{id}/offsets", RouteScope::kReplay, kOffsetNames,
     false},
    {RouteId::kReindexes, "GET", "/v1/reindex", RouteScope::kAdmin, kReplayNames, false},
    {RouteId::kCreateReindex, "POST", "/v1/reindex", RouteScope::kAdmin, {}, false},
    {RouteId::kReindex, "GET", "/v1/reindex/{id}", RouteScope::kAdmin, {}, false},
    {RouteId::kDeleteReindex, "DELETE", "/v1/reindex/{id}", RouteScope::kAdmin, {}, false},
}};

// Longer than any path of a route with the longest name of a table: not worth decoding.
constexpr size_t kPathBytesMax = 512;

bool Takes(const Route& route, std::string_view method) {
  return route.method == method || (route.method == "GET" && method == "HEAD");
}

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

// First parts of routes that are written out: what hangs on them is no table either.
constexpr Names kNoTables[] = {"days", "objects", "flush", "stream", "replays", "reindex"};

bool IsOneOf(std::span<const Names> names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

RouteMatch BadPath(std::string detail) {
  RouteMatch match;
  match.problem = Problem{
      ProblemType::kInvalidParameter, "path: " + detail, {{"path", std::move(detail)}}, 0, {}, {}};
  return match;
}

std::string_view TakePart(std::string_view* rest) {
  const size_t slash = rest->find('/');
  const std::string_view part = rest->substr(0, slash);
  rest->remove_prefix(slash == std::string_view::npos ? rest->size() : slash + 1);
  return part;
}

// Whether the parts of a path, each behind its slash, are what the pattern asks for.
bool Fits(std::string_view pattern, std::span<const std::string_view> parts,
          std::string_view* name) {
  std::string_view rest = pattern.substr(1);
  for (size_t i = 0; i < parts.size(); ++i) {
    if (rest.empty() && i > 0) return false;
    const std::string_view wanted = TakePart(&rest);
    if (!wanted.starts_with('{')) {
      if (wanted != parts[i]) return false;
      continue;
    }
    if (parts[i].empty()) return false;
    *name = parts[i];
    if (wanted == "{table}" && IsOneOf(kNoTables, parts[i])) return false;
  }
  return rest.empty();
}

// Of routes on one path the one of this method; else any, with the methods that there are.
bool MatchParts(std::span<const std::string_view> parts, std::string_view method,
                RouteMatch* match) {
  std::string allowed;
  const Route* other = nullptr;
  std::string_view other_pattern;
  for (const bool written_out : {true, false}) {
    for (const Route& route : kRoutes) {
      std::string_view name;
      if ((route.pattern.find('{') == std::string_view::npos) != written_out) continue;
      if (other != nullptr && route.pattern != other_pattern) continue;
      if (!Fits(route.pattern, parts, &name)) continue;
      match->name = name;
      if (Takes(route, method)) {
        match->route = &route;
        return true;
      }
      other = &route;
      other_pattern = route.pattern;
      allowed += (allowed.empty() ? "" : ", ") + std::string(route.method) +
                 (route.method == "GET" ? ", HEAD" : "");
    }
    if (other != nullptr) break;
  }
  if (other == nullptr) return false;
  match->route = other;
  match->problem =
      Problem{ProblemType::kMethodNotAllowed, "this route takes " + allowed, {}, 0, allowed, {}};
  return true;
}

// At most so many parts as the longest pattern has, and one more.
constexpr size_t kPartsMax = 6;

}  // namespace

std::span<const Route> Routes() { return kRoutes; }

RouteMatch MatchRoute(std::string_view path, std::string_view method) {
  if (path.size() > kPathBytesMax) return BadPath("it is longer than any route");
  if (!path.starts_with('/')) return NotFound(path);
  std::array<std::string, kPartsMax> decoded;
  std::array<std::string_view, kPartsMax> parts;
  size_t count = 0;
  bool too_many = false;
  for (std::string_view rest = path.substr(1);;) {
    const size_t slash = rest.find('/');
    std::string_view part = rest.substr(0, slash);
    if (part.find('%') != std::string_view::npos || !IsValidUtf8(part) ||
        part.find('\0') != std::string_view::npos) {
      Result<std::string> text = DecodeText(part, PlusSign::kPlus);
      if (!text.ok()) return BadPath(std::string(text.status().message()));
      decoded[count] = std::move(text).value();
      part = decoded[count];
    }
    if (part == ".." || part == "." || part.find('/') != std::string_view::npos) {
      return BadPath("it holds '.', '..' or a slash within a name");
    }
    parts[count] = part;
    if (count + 1 < kPartsMax) {
      ++count;
    } else {
      too_many = true;
    }
    if (slash == std::string_view::npos) break;
    rest.remove_prefix(slash + 1);
  }
  RouteMatch match;
  const std::span<const std::string_view> all(parts.data(), count);
  if (!too_many && MatchParts(all, method, &match)) return match;
  return NotFound(path);
}

}  // namespace tapedeck
