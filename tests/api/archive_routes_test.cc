// /v1/days and /v1/objects: what is told of an archive.

#include "api_rig.h"
#include "archive_fill.h"

namespace tapedeck::testing {
namespace {

class ArchiveRoutes : public ::testing::Test {
 protected:
  ArchiveRoutes() {
    auto opened = OpenBlobStore("file://" + std::string(dir_.path() / "archive"), {});
    EXPECT_TRUE(opened.ok()) << opened.status().ToString();
    blobs_ = std::move(opened).value();
  }
  // The pages of a list, one after the other, of `field`.
  std::vector<std::string> Walk(const std::string& path, const std::string& field, int limit) {
    std::vector<std::string> values;
    std::string token;
    for (int pages = 0; pages < 50; ++pages) {
      const char* sep = path.find('?') == std::string::npos ? "?" : "&";
      const Json page = rig_.Get(path + sep + "limit=" + std::to_string(limit) +
                                 (token.empty() ? "" : "&page_token=" + token))
                            .json();
      for (const Json& one : page["data"]) values.push_back(one[field].dump());
      if (page["next_page_token"].is_null()) break;
      token = page["next_page_token"];
    }
    return values;
  }

  TempDir dir_;
  std::unique_ptr<BlobStore> blobs_;
  ApiRig rig_;
};

TEST_F(ArchiveRoutes, WithoutAnArchiveThereAreDaysAndNoObjects) {
  rig_.FillTrades("BTC", 3);
  rig_.filler.Flush();
  const Json days = rig_.Get("/v1/days").json()["data"];
  ASSERT_EQ(days.size(), 1u);
  EXPECT_EQ(days[0]["table"], "trades");
  EXPECT_EQ(days[0]["day"], "2024-07-02");
  EXPECT_EQ(days[0]["state"], "open");
  EXPECT_EQ(days[0]["rows"], 3);
  EXPECT_TRUE(days[0]["manifest"].is_null());
  EXPECT_EQ(rig_.Get("/v1/objects").json()["data"].size(), 0u);
}

TEST_F(ArchiveRoutes, DaysOfThisStoreAndOfOthersAreInOneList) {
  rig_.FillTrades("BTC", 3);
  rig_.filler.Flush();
  FillArchive(blobs_.get());
  rig_.node.OpenArchive(blobs_.get());
  const Json days = rig_.Get("/v1/days").json()["data"];
  ASSERT_EQ(days.size(), 4u) << days.dump(1);
  EXPECT_EQ(days[0]["node"], "filler");
  EXPECT_EQ(days[1]["node"], "other");
  EXPECT_EQ(days[1]["day"], "2024-07-02");
  EXPECT_EQ(days[1]["state"], "shipped");
  EXPECT_EQ(days[1]["objects"], 3);
  EXPECT_EQ(days[1]["bytes"], 3'000);
  EXPECT_EQ(days[2]["replaced"], true) << "generation 1 stands for it";
  EXPECT_EQ(days[3]["generation"], 1);
  EXPECT_EQ(days[3]["replaced"], false);
  EXPECT_EQ(rig_.Get("/v1/days?start=2024-07-03").json()["data"].size(), 2u);
  EXPECT_EQ(rig_.Get("/v1/days?end=2024-07-03").json()["data"].size(), 2u);
  EXPECT_EQ(rig_.Get("/v1/days?table=quotes").json()["data"].size(), 0u);
  EXPECT_EQ(rig_.Get("/v1/days?table=nothing").problem(), "not-found");
}

TEST_F(ArchiveRoutes, PagesOfAnySizeAreTheWholeList) {
  rig_.FillTrades("BTC", 3);
  rig_.filler.Flush();
  FillArchive(blobs_.get());
  rig_.node.OpenArchive(blobs_.get());
  for (const auto& [path, field, count] :
       {std::tuple<const char*, const char*, size_t>{"/v1/days", "manifest", 4},
        {"/v1/objects", "name", 6},
        {"/v1/objects?table=tape", "name", 1}}) {
    const std::vector<std::string> whole = Walk(path, field, 1000);
    EXPECT_EQ(whole.size(), count) << path;
    for (int limit = 1; limit < 5; ++limit) EXPECT_EQ(Walk(path, field, limit), whole) << path;
  }
}

TEST_F(ArchiveRoutes, AnObjectIsToldWithWhereItIsAndWhatIsInIt) {
  FillArchive(blobs_.get());
  rig_.node.OpenArchive(blobs_.get());
  const Json object =
      rig_.Get("/v1/objects?start=2024-07-02T00:30:00Z&end=2024-07-02T00:40:00Z").json()["data"];
  ASSERT_EQ(object.size(), 1u);
  EXPECT_EQ(object[0]["uri"], "s3://market-data/deck/" + object[0]["name"].get<std::string>());
  EXPECT_EQ(object[0]["rows"], 10);
  EXPECT_EQ(object[0]["sha256"], std::string(64, 'a'));
  EXPECT_EQ(object[0]["symbols"]["first"], "AB");
  EXPECT_EQ(object[0]["symbols"]["last"]["base64"], "Wv8=") << "a symbol is bytes";
  EXPECT_EQ(object[0]["ts"]["first"], "2024-07-02T00:00:00.000000000Z");
  EXPECT_EQ(object[0]["offsets"][0]["to"], 10);
  const Json tape = rig_.Get("/v1/objects?table=tape").json()["data"];
  ASSERT_EQ(tape.size(), 1u);
  EXPECT_TRUE(tape[0]["day"].is_null());
  EXPECT_EQ(tape[0]["offsets"][0]["to"], 100);
  EXPECT_EQ(rig_.Get("/v1/objects?table=tape&start=2024-07-03").json()["data"].size(), 0u);
}

TEST_F(ArchiveRoutes, WhatCannotBeReadIsNamedAndNotLeftOutInSilence) {
  FillArchive(blobs_.get());
  const std::string name =
      "_tapedeck/other/2024-07-09/trades-0123456789abcdef-g000-" + std::string(24, 'a') + ".json";
  ASSERT_TRUE(blobs_->Put(name, BlobContent::Bytes("{"), PutMode::kCreate).ok());
  rig_.node.OpenArchive(blobs_.get());
  for (const char* path : {"/v1/days", "/v1/objects"}) {
    const Json page = rig_.Get(path).json();
    ASSERT_TRUE(page.contains("broken_manifests")) << path;
    EXPECT_EQ(page["broken_manifests"], Json::array({name}));
  }
  rig_.node.state()->ship = ShipState();
  const Reply health = rig_.Get("/healthz");
  EXPECT_EQ(health.status, 503);
  EXPECT_NE(health.body.find(name), std::string::npos) << health.body;
}

TEST_F(ArchiveRoutes, AnArchiveThatWasNotListedYetIsNotAnEmptyOne) {
  rig_.node.OpenUnlistedArchive();
  rig_.node.state()->ship = ShipState();
  rig_.node.state()->archive_trouble = "HTTP 403";
  const Reply objects = rig_.Get("/v1/objects");
  EXPECT_EQ(objects.status, 503);
  EXPECT_EQ(objects.problem(), "not-ready");
  EXPECT_NE(objects.body.find("HTTP 403"), std::string::npos) << objects.body;
  EXPECT_EQ(rig_.Get("/readyz").status, 200) << "reads of the store go on";
}

TEST_F(ArchiveRoutes, StatusHealthAndMetricsTellOfShipping) {
  EXPECT_TRUE(rig_.Get("/v1/status").json()["ship"].is_null());
  rig_.node.OpenUnlistedArchive();
  ShipState ship;
  ship.running = true;
  ship.requests_done = 4;
  ship.rows = 1'234;
  ship.last_error = "gave up after 8 tries";
  ship.runs[{"trades", "shipped"}] = 2;
  ship.runs[{"tape", "failed"}] = 1;
  ship.days.push_back({.table = "trades", .day = Day(19'906), .trouble = "its object was altered"});
  ship.oldest_open_day["trades"] = Timestamp(rig_.clock.Now().ns() - 90'000'000'000);
  rig_.node.state()->ship = ship;
  const Json json = rig_.Get("/v1/status").json()["ship"];
  EXPECT_EQ(json["requests_done"], 4);
  EXPECT_EQ(json["last_error"], "gave up after 8 tries");
  EXPECT_EQ(json["days"][0]["trouble"], "its object was altered");
  const std::string health = rig_.Get("/healthz").body;
  EXPECT_NE(health.find("shipping: gave up after 8 tries"), std::string::npos) << health;
  EXPECT_NE(health.find("day trades 2024-07-02: its object was altered"), std::string::npos);
  const std::string metrics = rig_.Get("/metrics").body;
  for (const char* line : {"tapedeck_ship_runs_total{result=\"shipped\",table=\"trades\"} 2",
                           "tapedeck_ship_runs_total{result=\"failed\",table=\"tape\"} 1",
                           "tapedeck_ship_rows_total 1234",
                           "tapedeck_ship_oldest_open_day_seconds{table=\"trades\"} 90"}) {
    EXPECT_NE(metrics.find(std::string("\n") + line + "\n"), std::string::npos) << line;
  }
}

}  // namespace
}  // namespace tapedeck::testing
