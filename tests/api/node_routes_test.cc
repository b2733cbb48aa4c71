// Probes, status, metrics, the page: what a node says of itself.

#include <fstream>
#include <regex>
#include <sstream>

#include "api_rig.h"
#include "support/source_dir.h"

namespace tapedeck::testing {
namespace {

PartitionState Partition(const std::string& topic, int32_t partition, uint64_t messages) {
  PartitionState state;
  state.tp = {topic, partition};
  state.received = static_cast<int64_t>(messages) + 5;
  state.stored = static_cast<int64_t>(messages);
  state.log_end = static_cast<int64_t>(messages) + 7;
  state.messages = messages;
  state.records = 2 * messages;
  return state;
}

// The value of a line of Prometheus' text, or -1.
double Metric(const std::string& text, const std::string& series) {
  const size_t at = text.find("\n" + series + " ");
  return at == std::string::npos ? -1 : std::strtod(text.c_str() + at + series.size() + 2, nullptr);
}

TEST(NodeRoutes, LivezIsAboutTheLoopsOnly) {
  ApiRig rig;
  EXPECT_EQ(rig.Get("/livez").body, "ok\n");
  rig.node.state()->recorder.partitions.push_back(Partition("a", 0, 1));
  rig.node.state()->recorder.partitions[0].health = "corrupt batch";
  EXPECT_EQ(rig.Get("/livez").status, 200);
  rig.node.state()->silence = std::chrono::minutes(6);
  EXPECT_EQ(rig.Get("/livez").status, 503);
  rig.node.state()->recorder.stall = "the disk is full";
  EXPECT_EQ(rig.Get("/livez").status, 200) << "it waits, and says why";
}

TEST(NodeRoutes, HealthzNamesWhatIsUnwell) {
  ApiRig rig;
  EXPECT_EQ(rig.Get("/healthz").json()["status"], "ok");
  rig.node.state()->recorder.partitions = {Partition("a", 0, 1), Partition("a", 1, 1)};
  rig.node.state()->recorder.partitions[1].health = "its log was cut";
  const Reply reply = rig.Get("/healthz");
  EXPECT_EQ(reply.status, 503);
  EXPECT_EQ(reply.problem(), "unwell");
  int well = 0;
  const Json json = reply.json();
  for (const Json& check : json["checks"]) {
    if (check["ok"]) {
      ++well;
    } else {
      EXPECT_EQ(check["check"], "partition a[1]");
      EXPECT_EQ(check["reason"], "its log was cut");
    }
  }
  EXPECT_GT(well, 3);
  EXPECT_EQ(rig.Get("/readyz").status, 200) << "reads go on";
}

TEST(NodeRoutes, MetricsOfPartitionsComeAndGoWithThem) {
  ApiRig rig;
  auto& partitions = rig.node.state()->recorder.partitions;
  partitions = {Partition("a", 0, 100), Partition("a", 1, 50)};
  const std::string first = rig.Get("/metrics").body;
  EXPECT_EQ(Metric(first, "tapedeck_offset{kind=\"received\",partition=\"1\",topic=\"a\"}"), 55);
  EXPECT_EQ(Metric(first, "tapedeck_lag_messages{partition=\"0\",topic=\"a\"}"), 7);
  EXPECT_EQ(Metric(first, "tapedeck_build_info{version=\"9.8.7\"}"), 1);
  EXPECT_GT(Metric(first, "process_resident_memory_bytes"), 1e6);
  EXPECT_GT(Metric(first, "process_open_fds"), 3);
  partitions = {Partition("a", 1, 60)};  // the other one has moved away
  const std::string second = rig.Get("/metrics").body;
  EXPECT_EQ(second.find("partition=\"0\""), std::string::npos);
  EXPECT_EQ(Metric(second, "tapedeck_offset{kind=\"stored\",partition=\"1\",topic=\"a\"}"), 60);
  partitions = {Partition("a", 0, 130), Partition("a", 1, 60)};  // and comes back
  EXPECT_EQ(Metric(rig.Get("/metrics").body,
                   "tapedeck_offset{kind=\"durable\",partition=\"0\",topic=\"a\"}"),
            130);
  EXPECT_EQ(rig.Get("/metrics").Header("Content-Type"), "text/plain; version=0.0.4; charset=utf-8");
}

// docs/metrics.md has every name that the sources hold (tests/tidy); here: what a node shows is of
// the kind that the page gives, and has the labels that it names.
TEST(NodeRoutes, MetricsAreOfTheKindAndHaveTheLabelsThatTheirPageSays) {
  ApiRig rig;
  rig.node.state()->recorder.partitions = {Partition("a", 0, 100)};
  std::ifstream in(SourceDir() + "/docs/metrics.md");
  const std::string page((std::istreambuf_iterator<char>(in)), {});
  rig.Get("/v1/topics");
  std::istringstream lines(rig.Get("/metrics").body);
  size_t checked = 0;
  std::string row;  // of the page, for the metric whose lines follow
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string hash, type, name, kind;
    words >> hash >> type >> name >> kind;
    if (type == "TYPE") {
      const size_t at = page.find("| `" + name + "` | " + kind + " | ");
      ASSERT_NE(at, std::string::npos) << "docs/metrics.md: " << name << ", " << kind;
      row = page.substr(at, page.find('\n', at) - at);
      ++checked;
    } else if (const size_t open = line.find('{'); hash != "#" && open != std::string::npos) {
      static const std::regex label("[{,]([a-z_]+)=\"");
      const std::string labels = line.substr(open, line.rfind('}') - open);
      for (std::sregex_iterator it(labels.begin(), labels.end(), label), end; it != end; ++it) {
        if ((*it)[1] == "le") continue;
        EXPECT_NE(row.find((*it)[1].str()), std::string::npos) << line << "\n" << row;
      }
    }
  }
  EXPECT_GT(checked, 20u);
}

// B4: an alarm can go off before retention takes what was not read.
TEST(NodeRoutes, LagAndRetentionHeadroomAreInSecondsOfKafkaTime) {
  ApiRig rig;
  const int64_t now_ms = rig.clock.Now().ns() / 1'000'000;
  PartitionState p = Partition("a", 0, 100);
  rig.node.state()->recorder.partitions = {p};
  EXPECT_EQ(Metric(rig.Get("/metrics").body, "tapedeck_lag_seconds{partition=\"0\",topic=\"a\"}"),
            -1)
      << "nothing has a time yet";
  p.kafka_ms = now_ms - 90'000;
  p.log_first_ms = now_ms - 690'000;
  rig.node.state()->recorder.partitions = {p};
  const std::string behind = rig.Get("/metrics").body;
  EXPECT_EQ(Metric(behind, "tapedeck_lag_seconds{partition=\"0\",topic=\"a\"}"), 90);
  EXPECT_EQ(Metric(behind, "tapedeck_retention_headroom_seconds{partition=\"0\",topic=\"a\"}"),
            600);
  rig.node.state()->recorder.partitions[0].log_end = p.stored;
  EXPECT_EQ(Metric(rig.Get("/metrics").body, "tapedeck_lag_seconds{partition=\"0\",topic=\"a\"}"),
            0)
      << "Kafka has no more";
}

TEST(NodeRoutes, RequestsAreCountedByRouteMethodAndCode) {
  ApiRig rig;
  rig.FillTrades("BTC", 1);
  rig.Get("/v1/trades?symbols=BTC");
  rig.Get("/v1/trades?symbols=BTC", {}, "HEAD");
  rig.Get("/v1/trades?symbols=BTC", {}, "BREW");
  rig.Get("/v1/quotes");
  rig.Get("/no/such/route");
  const std::string text = rig.Get("/metrics").body;
  auto requests = [&](const char* code, const char* method, const char* route) {
    return Metric(text, std::string("tapedeck_http_requests_total{code=\"") + code +
                            "\",method=\"" + method + "\",route=\"" + route + "\"}");
  };
  EXPECT_EQ(requests("200", "GET", "/v1/{table}"), 1);
  EXPECT_EQ(requests("200", "HEAD", "/v1/{table}"), 1);
  EXPECT_EQ(requests("405", "other", "/v1/{table}"), 1);
  EXPECT_EQ(requests("400", "GET", "/v1/{table}"), 1);
  EXPECT_EQ(requests("404", "GET", "other"), 1);
}

// S23: labels come from fixed lists.
TEST(NodeRoutes, NothingOfARequestBecomesALabel) {
  ApiRig rig;
  rig.FillTrades("BTC", 1);
  auto series = [&] {
    const std::string text = rig.Get("/metrics").body;
    return std::count(text.begin(), text.end(), '\n');
  };
  rig.Get("/v1/table0/latest?symbols=S");
  rig.Get("/v1/table0?symbols=S");
  rig.Get("/path0");
  rig.Get("/livez", {}, "M0");
  series();  // counts itself the next time
  const auto before = series();
  for (int i = 1; i < 2'000; ++i) {
    const std::string n = std::to_string(i);
    rig.Get("/v1/table" + n + "/latest?symbols=S" + n);
    rig.Get("/v1/table" + n + "?symbols=S" + n);
    rig.Get("/path" + n);
    rig.Get("/livez", {}, "M" + n);
  }
  EXPECT_EQ(series(), before);
}

TEST(NodeRoutes, StatusHasWhatAnOperatorAsksFirst) {
  ApiRig rig;
  rig.FillTrades("BTC", 3);
  rig.node.state()->recorder.partitions = {Partition("a\x1b[31m\xff", 0, 100)};
  const Json json = rig.Get("/v1/status").json();
  EXPECT_EQ(json["version"], "9.8.7");
  EXPECT_EQ(json["node"], "filler");
  EXPECT_EQ(json["cluster"], "c1");
  EXPECT_EQ(json["ready"], true);
  EXPECT_EQ(json["partitions"][0]["lag"], 7);
  EXPECT_EQ(json["recording"]["open_rows"], 3);
  EXPECT_GT(json["store"]["disk_total_bytes"], 0);
  EXPECT_GT(json["memory"]["resident_bytes"], 0);
  EXPECT_EQ(json["http"]["authentication"], "off");
}

TEST(NodeRoutes, TopicsTellTheLagOfWhatIsBeingRecorded) {
  ApiRig rig;
  rig.FillTrades("BTC", 3);
  rig.FillTrades("BTC", 3, 1'719'893'836, "other");
  PartitionState live = Partition("ticks", 0, 3);
  live.received = 9;
  live.log_end = 12;
  rig.node.state()->recorder.partitions = {live};
  const Json data = rig.Get("/v1/topics").json()["data"];
  ASSERT_EQ(data.size(), 2u);
  EXPECT_EQ(data[0]["topic"], "other");
  EXPECT_TRUE(data[0]["partitions"][0]["lag"].is_null());
  EXPECT_EQ(data[1]["partitions"][0]["received"], 9);
  EXPECT_EQ(data[1]["partitions"][0]["stored"], 3);
  EXPECT_EQ(data[1]["partitions"][0]["lag"], 9);
  EXPECT_EQ(data[1]["mapping"], "filler");
}

TEST(NodeRoutes, ThePageShowsTopicsSymbolsAndLatestRecordsWithoutScripts) {
  ApiRig rig;
  rig.FillTrades("BTC", 3);
  rig.node.state()->recorder.partitions = {Partition("ticks", 0, 3)};
  const Reply page = rig.Get("/");
  EXPECT_EQ(page.Header("Content-Type"), "text/html; charset=utf-8");
  for (const char* shown : {"ticks[0]", "Latest trades", "BTC", "100.02", "Symbols"}) {
    EXPECT_NE(page.body.find(shown), std::string::npos) << shown;
  }
  EXPECT_EQ(page.body.find("<script"), std::string::npos);
}

TEST(NodeRoutes, TheListenerOfMetricsHasProbesAndMetricsOnly) {
  ApiRig rig;
  rig.FillTrades("BTC", 3);
  auto get = [&](const char* target) {
    return Drain(rig.api->operations()->Handle(ApiRig::RequestOf(target))).status;
  };
  for (const char* there : {"/livez", "/readyz", "/healthz", "/metrics"}) {
    EXPECT_EQ(get(there), 200) << there;
  }
  for (const char* not_there :
       {"/", "/v1/status", "/v1/tables", "/v1/trades?symbols=BTC", "/openapi.json"}) {
    EXPECT_EQ(get(not_there), 404) << not_there;
  }
  auto before_body = [&](const char* target) {
    auto answer = rig.api->operations()->BeforeBody(ApiRig::RequestOf(target, {}, "POST"));
    return answer.has_value() ? answer->status : 0;
  };
  EXPECT_EQ(before_body("/metrics"), 405) << "before the body is received";
  EXPECT_EQ(before_body("/v1/tables"), 404);
}

TEST(NodeRoutes, RefusedMessagesComeInPages) {
  ApiRig rig;
  const TpId tp = rig.filler.AddTape({"c1", "ticks", 0, 0});
  for (int i = 0; i < 10; ++i) {
    rig.filler.Append(tp, {.value = R"([{"k":"bad"}])", .timestamp_ms = 1000 + i});
    rig.filler.Append(tp, {.value = R"([{"k":"ping"}])", .timestamp_ms = 1000 + i});
  }
  rig.filler.Commit();
  std::vector<int64_t> offsets;
  std::string token;
  for (int pages = 0; pages < 20; ++pages) {
    const Json page =
        rig.Get("/v1/refused?limit=3" + (token.empty() ? "" : "&page_token=" + token)).json();
    for (const Json& one : page["data"]) offsets.push_back(one["offset"]);
    if (page["next_page_token"].is_null()) break;
    token = page["next_page_token"];
  }
  EXPECT_EQ(offsets, (std::vector<int64_t>{0, 2, 4, 6, 8, 10, 12, 14, 16, 18}));
  EXPECT_EQ(rig.Get("/v1/refused?start=1005ms&end=1007ms").json()["data"].size(), 2u);
  EXPECT_EQ(rig.Get("/v1/refused?reason=nothing-of-the-kind").json()["data"].size(), 0u);
}

TEST(NodeRoutes, SymbolsComeInPagesAndMistypedOnesHaveNeighbours) {
  ApiRig rig;
  for (int i = 0; i < 25; ++i) rig.FillTrades("SYM" + std::to_string(100 + i), 1);
  std::vector<std::string> names;
  std::string token;
  for (int pages = 0; pages < 20; ++pages) {
    const Json page =
        rig.Get("/v1/symbols?limit=7" + (token.empty() ? "" : "&page_token=" + token)).json();
    for (const Json& one : page["data"]) names.push_back(one["symbol"]);
    if (page["next_page_token"].is_null()) break;
    token = page["next_page_token"];
  }
  EXPECT_EQ(names.size(), 25u);
  EXPECT_TRUE(std::is_sorted(names.begin(), names.end()));
  const Json near = rig.Get("/v1/symbols?symbol=sym-103").json();
  EXPECT_EQ(near["data"].size(), 0u);
  ASSERT_TRUE(near.contains("near"));
  EXPECT_EQ(near["near"][0], "SYM103");
  EXPECT_EQ(rig.Get("/v1/symbols?prefix=SYM11").json()["data"].size(), 10u);
  EXPECT_EQ(rig.Get("/v1/symbols?table=quotes").json()["data"].size(), 0u);
}

}  // namespace
}  // namespace tapedeck::testing
