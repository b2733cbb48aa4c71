#include "api/routes.h"

#include "api_rig.h"
#include "model/table.h"

namespace tapedeck::testing {
namespace {

TEST(Routes, EachPatternFindsItself) {
  for (const Route& route : Routes()) {
    std::string path(route.pattern);
    const size_t brace = path.find('{');
    if (brace != std::string::npos) path.replace(brace, path.find('}') + 1 - brace, "my_name");
    const RouteMatch match = MatchRoute(path, route.method);
    ASSERT_EQ(match.route, &route) << path;
    EXPECT_FALSE(match.problem.has_value()) << path;
    EXPECT_EQ(match.name, brace == std::string::npos ? "" : "my_name");
    EXPECT_EQ(&Routes()[static_cast<size_t>(route.id)], &route) << "in the order of their ids";
  }
}

TEST(Routes, EscapedLettersAreTheSameLetters) {
  EXPECT_EQ(MatchRoute("/v1/%74ables", "GET").route->id, RouteId::kTables);
  EXPECT_EQ(MatchRoute("/v1/%74rades/lates%74", "HEAD").route->id, RouteId::kLatest);
  EXPECT_EQ(MatchRoute("/v1/%74rades", "GET").name, "trades");
}

TEST(Routes, PathsThatClimbOrCannotBeDecodedAreBadRequests) {
  for (const char* path : {"/v1/../etc", "/v1/%2e%2e/x", "/v1/..%2f", "/v1/a%2fb", "/%00",
                           "/v1/%ff", "/v1/%C0%AE", "/v1/%2", "/v1/./trades", "/.", "/.."}) {
    const RouteMatch match = MatchRoute(path, "GET");
    ASSERT_TRUE(match.problem.has_value()) << path;
    EXPECT_EQ(match.problem->type, ProblemType::kInvalidParameter) << path;
    EXPECT_EQ(match.problem->errors.at(0).parameter, "path") << path;
  }
  EXPECT_TRUE(MatchRoute("/" + std::string(9000, 'a'), "GET").problem.has_value());
}

TEST(Routes, OtherPathsAreNotFound) {
  for (const char* path : {"/v1", "/v1/", "/v2/trades", "/v1/trades/", "/v1/trades/oldest",
                           "/v1/trades/latest/", "//", "/livez/", "/LIVEZ", "/v1//latest"}) {
    const RouteMatch match = MatchRoute(path, "GET");
    ASSERT_TRUE(match.problem.has_value()) << path;
    EXPECT_EQ(match.problem->type, ProblemType::kNotFound) << path;
  }
}

TEST(Routes, APathOfOtherMethodsSaysWhichThereAre) {
  const RouteMatch match = MatchRoute("/v1/days/2024-07-02/close", "GET");
  ASSERT_NE(match.route, nullptr);
  EXPECT_EQ(match.route->id, RouteId::kCloseDay);
  ASSERT_TRUE(match.problem.has_value());
  EXPECT_EQ(match.problem->allow, "POST");
  EXPECT_EQ(MatchRoute("/v1/days/2024-07-02", "GET").route, nullptr);
  EXPECT_EQ(MatchRoute("/v1/days/latest", "GET").route, nullptr) << "days is no table";
}

TEST(Routes, NoTableCanTakeTheNameOfARoute) {
  for (const Route& route : Routes()) {
    if (!route.pattern.starts_with("/v1/") || route.pattern.find('{') != std::string_view::npos) {
      continue;
    }
    EXPECT_FALSE(CheckTableName(route.pattern.substr(4)).ok()) << route.pattern;
  }
  for (const char* later : {"stream", "days", "objects", "replays", "reindex", "flush"}) {
    EXPECT_FALSE(CheckTableName(later).ok()) << later;
  }
}

TEST(Routes, OtherMethodsThanReadingGet405WithAllow) {
  ApiRig rig;
  for (const Route& route : Routes()) {
    if (route.method != "GET") continue;
    std::string path(route.pattern);
    if (size_t at = path.find("{table}"); at != std::string::npos) path.replace(at, 7, "trades");
    for (const char* method : {"POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "get", "X"}) {
      const bool taken = std::ranges::any_of(Routes(), [&](const Route& other) {
        return other.pattern == route.pattern && other.method == method;
      });
      if (taken) continue;
      const Reply reply = rig.Get(path, {}, method);
      EXPECT_EQ(reply.status, 405) << method << " " << path;
      EXPECT_TRUE(reply.Header("Allow").starts_with("GET, HEAD")) << reply.Header("Allow");
      EXPECT_EQ(reply.problem(), "method-not-allowed");
    }
  }
  EXPECT_EQ(rig.Get("/nothing", {}, "POST").status, 404);
}

}  // namespace
}  // namespace tapedeck::testing
