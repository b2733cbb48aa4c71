// Every parameter of every route with values that are wrong, missing, doubled, empty, huge and not
// UTF-8: 4xx with a problem that names the parameter, and nothing else.

#include "api/parameters.h"

#include <algorithm>

#include "api/routes.h"
#include "api_rig.h"

namespace tapedeck::testing {
namespace {

class ParameterTable : public ::testing::Test {
 protected:
  ParameterTable() {
    rig_.FillTrades("BTC", 20);
    rig_.FillBars("BTC", {"1m"});
  }

  // A request that is right, as the route's parameters without the one under test.
  static std::string Base(const Route& route, std::string_view without) {
    std::string path(route.pattern);
    if (size_t at = path.find("{table}"); at != std::string::npos) path.replace(at, 7, "trades");
    std::string query;
    auto add = [&](std::string_view name, std::string_view value) {
      if (name == without) return;
      const bool takes = std::find(route.parameters.begin(), route.parameters.end(), name) !=
                         route.parameters.end();
      if (takes)
        query +=
            std::string(query.empty() ? "" : "&") + std::string(name) + "=" + std::string(value);
    };
    add("symbols", "BTC");
    if (route.id == RouteId::kMessages) {
      add("topic", "ticks");
      add("partition", "0");
    }
    if (route.id == RouteId::kStream) {
      add("topics", "ticks");
      if (without == "speed" || without == "max_idle") add("pace", "original");
      if (without == "messages_per_second") add("pace", "rate");
    }
    return path + "?" + query;
  }

  void ExpectRefused(const Route& route, std::string_view name, const std::string& argument,
                     const char* situation) {
    std::string target = Base(route, name);
    target += (target.ends_with('?') ? "" : "&") + argument;
    const Reply reply = rig_.Get(target);
    EXPECT_GE(reply.status, 400) << situation << ": " << target;
    EXPECT_LT(reply.status, 500) << situation << ": " << target;
    if (reply.status < 400) return;
    EXPECT_FALSE(reply.problem().empty());
    const std::vector<std::string> named = reply.named();
    EXPECT_NE(std::find(named.begin(), named.end(), name), named.end())
        << situation << ": " << target << " -> " << reply.body;
    EXPECT_FALSE(reply.streamed);
  }

  ApiRig rig_;
};

// Values that a parameter does not take.
std::vector<std::string> WrongValues(const Route& route, std::string_view name) {
  // A table of offsets is no page; which topics it has only the job knows (replay_routes_test.cc).
  const bool whole = route.id == RouteId::kReplayOffsets;
  if (name == "limit" && whole) return {"0", "-1", "9223372036854775808", "1.5", "ten", "1e3"};
  if (name == "topic" && whole) return {std::string(250, 'x')};
  if (name == "limit")
    return {"0", "-1", "50001", "9223372036854775808", "1.5", "ten", "1e3", "+1"};
  if (name == "start" || name == "end") {
    return {
        "yesterday",          "1712877306113", "2024-13-01", "2024-02-30", "2024-07-02T25:00:00Z",
        "1712877306",         "now-",          "now-15",     "12h",        "99999999999999999999ns",
        "2024-07-02T04:17:16"};
  }
  if (name == "order") return {"up", "ASC", "asc,desc"};
  if (name == "format") return {"xml", "JSON", "json,csv"};
  if (name == "ts") return {"seconds", "ISO", "0"};
  if (name == "numbers") return {"double", "float"};
  if (name == "origin" || name == "end_marker") return {"yes", "1", "TRUE"};
  if (name == "encoding") return {"hex", "utf-8"};
  if (name == "partition" || name == "lineage" || name == "from_offset" || name == "to_offset") {
    return {"-1", "one", "99999999999999999999", "0x1", "1.0"};
  }
  if (name == "page_token") return {"abc", "AAAA", "!!!!", "AQEBAQEBAQEBAQEBAQEBAQEB"};
  if (name == "where") return {"side", ":buy", "side:", "nothing:1", "side:buy,,x:1"};
  if (name == "fields") return {"nothing", "ts,ts", "ts:", "price:ts,ts", "ts,,price"};
  if (name == "topics") return {"nobody", "ticks,ticks", "ticks,,x"};
  if (name == "symbols") return {"A,A", "A,,B", "%25zz", "%25", ",A"};
  if (name == "as_of") return {"no-such-state"};
  if (name == "by") return {"nothing", "ts"};
  if (name == "table") return {"nothing", "../etc"};
  if (name == "topic") return {"nobody"};
  if (name == "tables") return {"nothing", "trades,trades", "trades,,x"};
  if (name == "clock") return {"wall", "KAFKA", "kafka,event"};
  if (name == "follow") return {"yes", "1", "TRUE"};
  if (name == "pace") return {"fast", "MAX", "max,rate", "rate"};
  if (name == "speed")
    return {"0", "-1", "fast", "1e999", "nan", "inf", "0.00001", "2000000", "1x"};
  if (name == "max_idle") return {"5", "-5s", "0s", "long", "5 s"};
  if (name == "messages_per_second") return {"0", "-1", "1.5", "many", "9223372036854775808"};
  if (name == "value") return {"flatbuffer", "raw", "JSON"};
  if (name == "cursor") return {"abc", "AAAA", "!!!!", "AQEBAQEBAQEBAQEBAQEBAQEB"};
  return {};  // any text may be a symbol, a prefix, a reason
}

// Routes that come later, too: a parameter without a line above is found here.
TEST_F(ParameterTable, WrongValuesAreNamed) {
  for (const Route& route : Routes()) {
    for (std::string_view name : route.parameters) {
      const bool any_text = name == "symbol" || name == "prefix" || name == "reason";
      EXPECT_NE(WrongValues(route, name).empty(), !any_text) << route.pattern << " " << name;
      for (const std::string& value : WrongValues(route, name)) {
        ExpectRefused(route, name, std::string(name) + "=" + value, "wrong");
      }
    }
  }
}

TEST_F(ParameterTable, DoubledEmptyHugeAndNonUtf8ValuesAreNamed) {
  for (const Route& route : Routes()) {
    for (std::string_view parameter : route.parameters) {
      const std::string name(parameter);
      std::string good = name == "symbols" ? "BTC" : name == "topic" ? "ticks" : "0";
      ExpectRefused(route, name, name + "=" + good + "&" + name + "=" + good, "doubled");
      ExpectRefused(route, name, name + "=", "empty");
      ExpectRefused(route, name, name, "without a value");
      ExpectRefused(route, name, name + "=%ff%fe", "not UTF-8");
      ExpectRefused(route, name, name + "=%C0%AF", "overlong");
      ExpectRefused(route, name, name + "=%ED%A0%80", "a surrogate");
      ExpectRefused(route, name, name + "=a%00b", "NUL");
      ExpectRefused(route, name, name + "=%4", "half an escape");
      ExpectRefused(route, name, name + "=%zz", "no escape");
      ExpectRefused(route, name, name + "=" + std::string(7000, 'x'), "huge");
    }
  }
}

// What stands in the path itself, whatever the method.
TEST_F(ParameterTable, PartsOfThePathThatCannotBeAreRefused) {
  const std::vector<std::string> wrong = {"",
                                          "%ff%fe",
                                          "%C0%AF",
                                          "%ED%A0%80",
                                          "a%00b",
                                          "%4",
                                          "%zz",
                                          "..",
                                          "%2e%2e",
                                          "a/b",
                                          "%2f",
                                          "%20",
                                          std::string(3000, 'x'),
                                          "-",
                                          "*",
                                          "A"};
  for (const Route& route : Routes()) {
    const size_t open = route.pattern.find('{');
    if (open == std::string_view::npos) continue;
    const size_t close = route.pattern.find('}');
    for (const std::string& value : wrong) {
      std::string path(route.pattern);
      path.replace(open, close + 1 - open, value);
      HttpRequest request = ApiRig::RequestOf(path + "?symbols=*", {}, route.method);
      if (route.method != "GET") request = ApiRig::RequestOf(path, {}, route.method);
      const Reply reply = Drain(rig_.api->Handle(request));
      EXPECT_GE(reply.status, 400) << route.method << " " << path;
      // A name that may be a job's is looked for where there are jobs.
      const bool no_jobs = reply.status == 503 &&
                           (path.starts_with("/v1/replays/") || path.starts_with("/v1/reindex/"));
      EXPECT_TRUE(reply.status < 500 || no_jobs) << route.method << " " << path << reply.body;
      if (reply.status >= 400) {
        EXPECT_FALSE(reply.problem().empty()) << path;
      }
    }
  }
}

TEST_F(ParameterTable, UnknownNamesAreNamedOnEveryRoute) {
  for (const Route& route : Routes()) {
    if (route.method != "GET") continue;  // doing_test.cc
    ExpectRefused(route, "symbol_list", "symbol_list=BTC", "unknown");
    ExpectRefused(route, "Limit", "Limit=3", "case matters");
    ExpectRefused(route, "", "=3", "no name");
    const Reply reply = rig_.Get(Base(route, "") + "&%ff=3");
    EXPECT_EQ(reply.status, 400);
    const Reply near = rig_.Get(Base(route, "") + "&symbls=3");
    EXPECT_EQ(near.status, 400);
  }
}

TEST_F(ParameterTable, MissingOnesThatAreNeededAreNamed) {
  for (const char* path : {"/v1/trades", "/v1/trades/latest", "/v1/trades/count"}) {
    const Reply reply = rig_.Get(path);
    EXPECT_EQ(reply.status, 400);
    EXPECT_EQ(reply.named(), std::vector<std::string>{"symbols"}) << path;
  }
  EXPECT_EQ(rig_.Get("/v1/messages").named(), std::vector<std::string>{"topic"});
  EXPECT_EQ(rig_.Get("/v1/messages?topic=ticks&from_offset=1").named(),
            std::vector<std::string>{"from_offset"});
}

TEST_F(ParameterTable, MoreThan64ArgumentsAreRefused) {
  std::string target = "/v1/trades?symbols=BTC";
  for (int i = 0; i < 64; ++i) target += "&x=1";
  const Reply reply = rig_.Get(target);
  EXPECT_EQ(reply.status, 400);
  EXPECT_NE(reply.body.find("at most 64"), std::string::npos) << reply.body;
}

TEST_F(ParameterTable, EverythingThatIsWrongIsToldAtOnce) {
  const Reply reply = rig_.Get("/v1/trades?limit=x&order=up&start=never");
  EXPECT_EQ(reply.status, 400);
  const std::vector<std::string> named = reply.named();
  for (const char* name : {"limit", "order", "start", "symbols"}) {
    EXPECT_NE(std::find(named.begin(), named.end(), name), named.end()) << name;
  }
}

TEST_F(ParameterTable, ABareIntegerIsAmbiguousAndSaysWhatToWrite) {
  for (const char* value : {"1712877306113", "1712877306", "1712877306113000", "-5"}) {
    const Reply reply = rig_.Get(std::string("/v1/trades?symbols=BTC&start=") + value);
    EXPECT_EQ(reply.status, 400);
    EXPECT_EQ(reply.problem(), "ambiguous-time") << reply.body;
    EXPECT_EQ(reply.json()["detail"],
              std::string("start=") + value + " has no unit; write " + value + "ms");
    EXPECT_EQ(reply.json()["instance"], "/v1/trades");
  }
  EXPECT_EQ(rig_.Get("/v1/trades?symbols=BTC&start=1712877306113000000").status, 200);
}

TEST_F(ParameterTable, TimesInAllTheirForms) {
  // The trades lie at 04:17:16 to 04:17:35 on 2024-07-02.
  auto rows = [&](const std::string& range) {
    const Reply reply = rig_.Get("/v1/trades?symbols=BTC&" + range);
    EXPECT_EQ(reply.status, 200) << range << " " << reply.body;
    return reply.status == 200 ? reply.json()["data"].size() : 0;
  };
  EXPECT_EQ(rows("start=2024-07-02T04:17:30Z"), 6u);
  EXPECT_EQ(rows("start=2024-07-02T06:17:30%2B02:00"), 6u);
  EXPECT_EQ(rows("start=2024-07-02T06:17:30+02:00"), 6u) << "a plus that arrives as a blank";
  EXPECT_EQ(rows("start=2024-07-02%2004:17:30Z"), 6u);
  EXPECT_EQ(rows("start=2024-07-02"), 20u);
  EXPECT_EQ(rows("start=1719893850s"), 6u);
  EXPECT_EQ(rows("start=1719893850000ms"), 6u);
  EXPECT_EQ(rows("start=1719893850000000000"), 6u);
  EXPECT_EQ(rows("start=1719893850s&end=%2B2s"), 2u);
  EXPECT_EQ(rows("start=1719893850s&end=+2s"), 2u) << "a plus that arrives as a blank";
  EXPECT_EQ(rows("end=1719893837s"), 1u) << "the end is not included";
  EXPECT_EQ(rows("start=now-30d"), 20u) << "the clock stands at 2024-07-03";
  EXPECT_EQ(rows("start=now-1h"), 0u);
}

TEST_F(ParameterTable, AnEndBeforeItsStartIsNamed) {
  const Reply reply = rig_.Get("/v1/trades?symbols=BTC&start=2024-07-03&end=2024-07-02");
  EXPECT_EQ(reply.status, 400);
  EXPECT_EQ(reply.named(), std::vector<std::string>{"end"});
}

TEST_F(ParameterTable, SymbolsWithCommasAndPercentSigns) {
  rig_.FillTrades("A,B", 1);
  rig_.FillTrades("50%", 2);
  EXPECT_EQ(rig_.Get("/v1/trades?symbols=A%252CB").json()["data"].size(), 1u);
  EXPECT_EQ(rig_.Get("/v1/trades?symbols=50%2525").json()["data"].size(), 2u);
  EXPECT_EQ(rig_.Get("/v1/trades?symbols=A%252CB,50%2525,BTC").json()["data"].size(), 23u);
  EXPECT_EQ(rig_.Get("/v1/trades?symbols=*").json()["data"].size(), 23u);
}

}  // namespace
}  // namespace tapedeck::testing
