// Records and messages: pages, streams, forms, codings, what the headers say.

#include <algorithm>

#include "api_rig.h"
#include "base/random.h"
#include "base/zstd.h"
#include "query/random_world.h"
#include "support/seed.h"

namespace tapedeck::testing {
namespace {

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  for (size_t at = 0; at < text.size();) {
    const size_t end = text.find('\n', at);
    lines.push_back(text.substr(at, end - at));
    at = end == std::string::npos ? text.size() : end + 1;
  }
  return lines;
}

TEST(Rows, AStreamEndsWithTrailersThatSayHowManyAndComplete) {
  ApiRig rig;
  rig.FillTrades("BTC", 30);
  const Reply reply = rig.Get("/v1/trades?symbols=BTC&format=ndjson");
  EXPECT_EQ(reply.status, 200);
  EXPECT_TRUE(reply.streamed);
  EXPECT_EQ(Lines(reply.body).size(), 30u);
  EXPECT_EQ(Lines(reply.body)[0],
            R"({"ts":"2024-07-02T04:17:16.000000000Z","symbol":"BTC","price":100.00,"size":1.50,)"
            R"("side":"buy","trade_id":"0"})");
  EXPECT_EQ(reply.Header("Trailer"), "Tapedeck-Rows, Tapedeck-Status");
  EXPECT_EQ(reply.Trailer("Tapedeck-Rows"), "30");
  EXPECT_EQ(reply.Trailer("Tapedeck-Status"), "complete");
  EXPECT_EQ(reply.Header("Content-Type"), "application/x-ndjson");
  EXPECT_EQ(reply.Header("Tapedeck-Coverage"), "whole");
  EXPECT_EQ(rig.api->reads_open(), 0u);
}

TEST(Rows, AnEmptyStreamIsCompleteToo) {
  ApiRig rig;
  rig.FillTrades("BTC", 1);
  const Reply reply = rig.Get("/v1/trades?symbols=ETH,BTC%252C&format=ndjson&end_marker=true");
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.body, "{\"_end\":{\"rows\":0}}\n");
  EXPECT_EQ(reply.Trailer("Tapedeck-Rows"), "0");
  EXPECT_EQ(reply.Header("Tapedeck-Unknown-Symbols"), "ETH,BTC%2C");
  EXPECT_EQ(rig.Get("/v1/trades?symbols=ETH&format=csv").body,
            "ts,symbol,price,size,side,trade_id\r\n");
  EXPECT_EQ(rig.Get("/v1/trades?symbols=ETH").body, "{\"data\":[],\"next_page_token\":null}\n");
}

TEST(Rows, TheFirst20UnknownSymbolsAreNamed) {
  ApiRig rig;
  rig.FillTrades("BTC", 1);
  std::string symbols = "BTC";
  for (int i = 0; i < 30; ++i) symbols += ",X" + std::to_string(i);
  const std::string named =
      rig.Get("/v1/trades?symbols=" + symbols).Header("Tapedeck-Unknown-Symbols");
  EXPECT_EQ(std::count(named.begin(), named.end(), ','), 19);
  EXPECT_EQ(named.find("BTC"), std::string::npos);
}

TEST(Rows, JsonGivesThousandRowsAndSaysThatThereAreMore) {
  ApiRig rig;
  rig.FillTrades("BTC", 1'001);
  const Reply first = rig.Get("/v1/trades?symbols=BTC");
  EXPECT_FALSE(first.streamed);
  EXPECT_EQ(first.json()["data"].size(), 1'000u);
  ASSERT_TRUE(first.json()["next_page_token"].is_string());
  const std::string token = first.json()["next_page_token"];
  EXPECT_EQ(first.Header("Link"),
            "</v1/trades?symbols=BTC&page_token=" + token + ">; rel=\"next\"");
  const Reply second = rig.Get("/v1/trades?symbols=BTC&page_token=" + token);
  EXPECT_EQ(second.json()["data"].size(), 1u);
  EXPECT_TRUE(second.json()["next_page_token"].is_null());
  EXPECT_EQ(second.Header("Link"), "");
  EXPECT_EQ(rig.Get("/v1/trades?symbols=BTC&limit=1001").json()["next_page_token"], nullptr);
}

TEST(Rows, ATokenOfAnotherQueryIsRefused) {
  ApiRig rig;
  rig.FillTrades("BTC", 10);
  rig.FillTrades("ETH", 10);
  const std::string token =
      rig.Get("/v1/trades?symbols=BTC&limit=3&start=2024-07-01").json()["next_page_token"];
  EXPECT_EQ(rig.Get("/v1/trades?limit=5&start=2024-07-01&symbols=BTC&page_token=" + token).status,
            200)
      << "order and limit do not matter";
  for (const char* other :
       {"/v1/trades?symbols=ETH&limit=3&start=2024-07-01", "/v1/trades?symbols=BTC&limit=3",
        "/v1/trades?symbols=BTC&limit=3&start=2024-07-01&order=desc",
        "/v1/trades?symbols=BTC&limit=3&start=2024-07-01&where=side:buy",
        "/v1/quotes?symbols=BTC&limit=3&start=2024-07-01",
        "/v1/trades/latest?symbols=BTC&limit=3"}) {
    const Reply reply = rig.Get(std::string(other) + "&page_token=" + token);
    EXPECT_EQ(reply.status, 400) << other;
    EXPECT_EQ(reply.named(), std::vector<std::string>{"page_token"}) << other;
  }
}

TEST(Rows, ARelativeRangeDoesNotMoveWhileAClientPages) {
  ApiRig rig;
  rig.FillTrades("BTC", 10, 1'719'999'990);  // the last ten seconds before the clock
  const std::string query = "/v1/trades?symbols=BTC&start=now-10s&limit=4";
  Reply page = rig.Get(query);
  size_t rows = page.json()["data"].size();
  while (page.json()["next_page_token"].is_string()) {
    rig.clock.Advance(std::chrono::seconds(3));
    page = rig.Get(query + "&page_token=" + std::string(page.json()["next_page_token"]));
    ASSERT_EQ(page.status, 200) << page.body;
    rows += page.json()["data"].size();
  }
  EXPECT_EQ(rows, 10u);
}

// Pages of any size, joined, are the stream: over an awkward recording, all tables, both orders.
TEST(Rows, PagesOfAnySizeJoinToTheStream) {
  const uint64_t seed = TestSeed();
  Random random(seed);
  ApiRig rig;
  RandomWorld world(&rig.filler, &random);
  world.Run(300);
  const char* tables[] = {"trades", "quotes", "bars", "odd"};
  for (int round = 0; round < 60; ++round) {
    std::string query = std::string("/v1/") + tables[random.Uniform(4)] +
                        "?symbols=" + (random.OneIn(2) ? "*" : "BTC,ETH,BT") +
                        "&format=" + (random.OneIn(2) ? "ndjson" : "csv");
    if (random.OneIn(2)) query += "&order=desc";
    if (random.OneIn(3)) query += "&origin=true";
    if (random.OneIn(3)) query += "&topics=spot";
    const Reply stream = rig.Get(query);
    ASSERT_EQ(stream.status, 200) << RepeatWith(seed) << " " << stream.body;
    const bool csv = query.find("csv") != std::string::npos;
    std::string joined;
    std::string token;
    for (int pages = 0; pages < 5000; ++pages) {
      const Reply page = rig.Get(query + "&limit=" + std::to_string(1 + random.Uniform(40)) +
                                 (token.empty() ? "" : "&page_token=" + token));
      ASSERT_EQ(page.status, 200) << RepeatWith(seed) << " " << page.body;
      const size_t head = csv && pages > 0 ? page.body.find('\n') + 1 : 0;
      joined += page.body.substr(head);
      const std::string link = page.Header("Link");
      if (link.empty()) break;
      const size_t at = link.find("page_token=") + 11;
      token = link.substr(at, link.find('>') - at);
    }
    ASSERT_TRUE(joined == stream.body) << RepeatWith(seed) << " " << query;
  }
}

TEST(Rows, ALinkLeadsToTheNextPageAsItStands) {
  ApiRig rig;
  rig.FillTrades("A,B", 3);
  rig.FillTrades("Ω/€", 3);
  Reply page = rig.Get(
      "/v1/trades?symbols=A%252CB,%CE%A9/%E2%82%AC&limit=2&start=2024-07-01T00:00:00+02:00");
  ASSERT_EQ(page.status, 200) << page.body;
  size_t rows = 0;
  while (true) {
    rows += page.json()["data"].size();
    const std::string link = page.Header("Link");
    if (link.empty()) break;
    page = rig.Get(link.substr(1, link.find('>') - 1));
    ASSERT_EQ(page.status, 200) << link << page.body;
  }
  EXPECT_EQ(rows, 6u);
}

TEST(Rows, FormsByFormatAndByAccept) {
  ApiRig rig;
  rig.FillTrades("BTC", 3);
  struct Case {
    std::string query;
    std::string accept;
    std::string type;
  };
  const std::vector<Case> cases = {
      {"", "", "application/json"},
      {"", "*/*", "application/json"},
      {"", "application/*", "application/json"},
      {"", "text/csv", "text/csv; charset=utf-8; header=present"},
      {"", "text/*", "text/csv; charset=utf-8; header=present"},
      {"", "application/x-ndjson", "application/x-ndjson"},
      {"", "application/jsonl", "application/x-ndjson"},
      {"", "text/csv;q=0.2, application/x-ndjson;q=0.9", "application/x-ndjson"},
      {"", "application/json;q=0, */*", "application/x-ndjson"},
      {"", "text/html, application/xhtml+xml, application/xml;q=0.9, */*;q=0.8",
       "application/json"},
      {"", "application/vnd.apache.arrow.stream", "application/vnd.apache.arrow.stream"},
      {"", "APPLICATION/VND.APACHE.PARQUET", "application/vnd.apache.parquet"},
      {"&format=csv", "application/json", "text/csv; charset=utf-8; header=present"},
      {"&format=arrow", "", "application/vnd.apache.arrow.stream"},
      {"&format=parquet", "image/png", "application/vnd.apache.parquet"},
  };
  for (const Case& c : cases) {
    const Headers headers = c.accept.empty() ? Headers{} : Headers{{"Accept", c.accept}};
    const Reply reply = rig.Get("/v1/trades?symbols=BTC" + c.query, headers);
    EXPECT_EQ(reply.status, 200) << c.query << " " << c.accept << " " << reply.body;
    EXPECT_EQ(reply.Header("Content-Type"), c.type) << c.accept;
    EXPECT_NE(reply.Header("Vary").find("Accept"), std::string::npos);
  }
}

TEST(Rows, ArrowAndParquetBeginAndEndAsTheyMust) {
  ApiRig rig;
  rig.FillTrades("BTC", 300);
  const Reply parquet = rig.Get("/v1/trades?symbols=BTC&format=parquet");
  EXPECT_TRUE(parquet.broken.ok());
  EXPECT_TRUE(parquet.body.starts_with("PAR1"));
  EXPECT_TRUE(parquet.body.ends_with("PAR1"));
  EXPECT_EQ(parquet.Trailer("Tapedeck-Rows"), "300");
  const Reply arrow = rig.Get("/v1/trades?symbols=BTC&format=arrow&limit=10");
  EXPECT_FALSE(arrow.streamed);
  EXPECT_TRUE(arrow.body.starts_with("\xff\xff\xff\xff"));
  EXPECT_TRUE(arrow.body.ends_with(std::string("\xff\xff\xff\xff\0\0\0\0", 8)));
  EXPECT_NE(arrow.Header("Link"), "");
}

TEST(Rows, NothingAcceptableListsTheChoices) {
  ApiRig rig;
  rig.FillTrades("BTC", 3);
  const Reply reply = rig.Get("/v1/trades?symbols=BTC", {{"Accept", "image/png"}});
  EXPECT_EQ(reply.status, 406);
  EXPECT_EQ(reply.problem(), "not-acceptable");
  for (const char* choice : {"json", "ndjson", "csv", "arrow", "parquet"}) {
    EXPECT_NE(reply.body.find(choice), std::string::npos) << choice;
  }
  EXPECT_EQ(rig.Get("/v1/tables", {{"Accept", "text/csv"}}).status, 406);
  EXPECT_EQ(
      rig.Get("/v1/messages?topic=ticks", {{"Accept", "application/vnd.apache.parquet"}}).status,
      406);
}

TEST(Rows, TextIsCompressedWhereTheClientTakesIt) {
  ApiRig rig;
  rig.FillTrades("BTC", 3'000);
  const std::string query = "/v1/trades?symbols=BTC&format=ndjson";
  const std::string plain = rig.Get(query).body;
  const Reply zstd = rig.Get(query, {{"Accept-Encoding", "gzip, zstd"}});
  EXPECT_EQ(zstd.Header("Content-Encoding"), "zstd");
  std::string back;
  ASSERT_TRUE(Decompressor().DecompressFile(zstd.body, size_t{64} << 20, &back).ok());
  EXPECT_TRUE(back == plain);
  const Reply gzip = rig.Get(query, {{"Accept-Encoding", "gzip"}});
  EXPECT_EQ(gzip.Header("Content-Encoding"), "gzip");
  EXPECT_TRUE(gzip.body.starts_with("\x1f\x8b"));
  const Reply page = rig.Get("/v1/trades?symbols=BTC", {{"Accept-Encoding", "zstd"}});
  EXPECT_EQ(page.Header("Content-Encoding"), "zstd");
  ASSERT_TRUE(Decompressor().DecompressFile(page.body, size_t{64} << 20, &back).ok());
  EXPECT_EQ(Json::parse(back)["data"].size(), 1'000u);
  for (const char* none : {"identity", "gzip;q=0", "br", "zstd;q=0, gzip;q=0"}) {
    EXPECT_EQ(rig.Get(query, {{"Accept-Encoding", none}}).Header("Content-Encoding"), "") << none;
  }
  EXPECT_EQ(rig.Get("/v1/trades?symbols=BTC&format=arrow", {{"Accept-Encoding", "zstd"}})
                .Header("Content-Encoding"),
            "")
      << "Arrow and Parquet have their own";
}

TEST(Rows, Http10GetsPagesOnly) {
  ApiRig rig;
  rig.FillTrades("BTC", 5);
  const Headers old = {{":minor", "0"}};
  EXPECT_EQ(rig.Get("/v1/trades?symbols=BTC", old).status, 200);
  EXPECT_EQ(rig.Get("/v1/trades?symbols=BTC&format=csv&limit=3", old).status, 200);
  const Reply reply = rig.Get("/v1/trades?symbols=BTC&format=csv", old);
  EXPECT_EQ(reply.status, 400);
  EXPECT_EQ(reply.named(), std::vector<std::string>{"limit"});
  EXPECT_EQ(rig.Get("/v1/messages?topic=ticks&format=ndjson", old).status, 400);
}

TEST(Rows, StylesOfTimesAndNumbers) {
  ApiRig rig;
  rig.FillTrades("BTC", 1);
  auto row = [&](const std::string& more) {
    return Lines(rig.Get("/v1/trades?symbols=BTC&format=ndjson&fields=ts:t,price" + more).body)[0];
  };
  EXPECT_EQ(row(""), R"({"t":"2024-07-02T04:17:16.000000000Z","price":100.00})");
  EXPECT_EQ(row("&ts=ns"), R"({"t":"1719893836000000000","price":100.00})");
  EXPECT_EQ(row("&ts=ms"), R"({"t":1719893836000,"price":100.00})");
  EXPECT_EQ(row("&ts=s&numbers=string"), R"({"t":1719893836,"price":"100.00"})");
}

TEST(Rows, LatestIsOneRecordForEachSymbolAndEachValueOfBy) {
  ApiRig rig;
  rig.FillTrades("BTC", 5);
  rig.FillTrades("ETH", 3);
  rig.FillBars("BTC", {"1m", "1h"});
  const Json latest = rig.Get("/v1/trades/latest?symbols=*").json()["data"];
  ASSERT_EQ(latest.size(), 2u);
  EXPECT_EQ(latest[0]["symbol"], "BTC");
  EXPECT_EQ(latest[0]["trade_id"], "4");
  EXPECT_EQ(latest[1]["trade_id"], "2");
  EXPECT_EQ(rig.Get("/v1/bars/latest?symbols=BTC&by=interval").json()["data"].size(), 2u);
  EXPECT_EQ(rig.Get("/v1/bars/latest?symbols=BTC").json()["data"].size(), 1u);
  const Reply first = rig.Get("/v1/trades/latest?symbols=*&limit=1");
  ASSERT_TRUE(first.json()["next_page_token"].is_string());
  const Reply second = rig.Get("/v1/trades/latest?symbols=*&limit=1&page_token=" +
                               std::string(first.json()["next_page_token"]));
  EXPECT_EQ(second.json()["data"][0]["symbol"], "ETH");
  EXPECT_TRUE(second.json()["next_page_token"].is_null());
}

TEST(Rows, LatestIsKeptUntilSomethingIsPublished) {
  ApiRig rig;
  rig.FillTrades("BTC", 5);
  const HttpRequest request = ApiRig::RequestOf("/v1/trades/latest?symbols=BTC");
  EXPECT_FALSE(rig.api->IsQuick(request));
  const std::string first = rig.Get("/v1/trades/latest?symbols=BTC").body;
  const int points = rig.node.points();
  EXPECT_TRUE(rig.api->IsQuick(request));
  const Reply again = rig.Get("/v1/trades/latest?symbols=BTC");
  EXPECT_EQ(again.body, first);
  EXPECT_EQ(again.Header("Content-Type"), "application/json");
  EXPECT_EQ(rig.node.points(), points) << "nothing was read";
  EXPECT_NE(again.Header("X-Request-Id"), "");
  rig.FillTrades("BTC", 1, 1'719'900'000);
  EXPECT_FALSE(rig.api->IsQuick(request));
  EXPECT_NE(rig.Get("/v1/trades/latest?symbols=BTC").body, first);
  rig.filler.Flush();
  EXPECT_NE(rig.Get("/v1/trades/latest?symbols=BTC").body, first);
  EXPECT_FALSE(rig.api->IsQuick(ApiRig::RequestOf("/v1/trades/latest?symbols=ETH")));
}

TEST(Rows, CountIsExact) {
  ApiRig rig;
  rig.FillTrades("BTC", 120);
  rig.filler.Flush();
  rig.FillTrades("ETH", 7);
  EXPECT_EQ(rig.Get("/v1/trades/count?symbols=*").json()["count"], 127);
  EXPECT_EQ(rig.Get("/v1/trades/count?symbols=BTC&where=side:buy").json()["count"], 60);
  EXPECT_EQ(
      rig.Get("/v1/trades/count?symbols=BTC&start=1719893836s&end=1719893846s").json()["count"],
      10);
  EXPECT_EQ(rig.Get("/v1/trades/count?symbols=NOPE").json()["count"], 0);
  EXPECT_EQ(rig.Get("/v1/trades/count?symbols=NOPE").Header("Tapedeck-Unknown-Symbols"), "NOPE");
}

TEST(Rows, MessagesByOffsetByTimeAndByPage) {
  ApiRig rig;
  rig.FillTrades("BTC", 20);
  const Json one =
      rig.Get("/v1/messages?topic=ticks&partition=0&from_offset=4&to_offset=5").json()["data"];
  ASSERT_EQ(one.size(), 1u);
  EXPECT_EQ(one[0]["offset"], 4);
  EXPECT_EQ(one[0]["ts_type"], "create");
  const Reply stream = rig.Get("/v1/messages?topic=ticks&format=ndjson&end_marker=true");
  EXPECT_EQ(Lines(stream.body).size(), 21u);
  EXPECT_EQ(Lines(stream.body).back(), R"({"_end":{"rows":20}})");
  EXPECT_EQ(stream.Trailer("Tapedeck-Rows"), "20");
  EXPECT_EQ(stream.Header("Tapedeck-Coverage"), "whole");
  std::string token;
  std::string joined;
  for (int pages = 0; pages < 30; ++pages) {
    const Reply page = rig.Get("/v1/messages?topic=ticks&format=ndjson&limit=3" +
                               (token.empty() ? "" : "&page_token=" + token));
    ASSERT_EQ(page.status, 200) << page.body;
    joined += page.body;
    const std::string link = page.Header("Link");
    if (link.empty()) break;
    const size_t at = link.find("page_token=") + 11;
    token = link.substr(at, link.find('>') - at);
  }
  EXPECT_EQ(joined + "{\"_end\":{\"rows\":20}}\n", stream.body);
  const Reply base64 = rig.Get("/v1/messages?topic=ticks&limit=1&encoding=base64");
  EXPECT_EQ(base64.json()["data"][0]["value"].get<std::string>().substr(0, 4), "W3si");
  const Reply csv = rig.Get("/v1/messages?topic=ticks&format=csv");
  EXPECT_TRUE(
      csv.body.starts_with("topic,partition,lineage,offset,ts,ts_type,key,value,headers\r\n"));
  EXPECT_EQ(rig.Get("/v1/messages?topic=ticks&partition=9").status, 404);
  EXPECT_EQ(rig.Get("/v1/messages?topic=ticks&lineage=9").status, 404);
}

TEST(Rows, AGapInTheRangeIsSaid) {
  ApiRig rig;
  rig.FillTrades("BTC", 10);
  const TpId tp = rig.filler.AddTape({"c1", "other", 0, 0});
  rig.filler.Append(tp, {.value = R"([{"k":"t","s":"X","t":1719893836000000000,"p":"1","v":"1"}])",
                         .timestamp_ms = 1'719'893'836'000});
  rig.filler.Commit();
  rig.filler.AddGap(tp, rig.filler.NextOffset(tp) + 5, GapReason::kRetention);
  rig.filler.Commit();
  EXPECT_EQ(rig.Get("/v1/trades?symbols=BTC").Header("Tapedeck-Coverage"), "gaps");
  EXPECT_EQ(rig.Get("/v1/trades?symbols=BTC&topics=ticks").Header("Tapedeck-Coverage"), "whole");
  EXPECT_EQ(rig.Get("/v1/messages?topic=other").Header("Tapedeck-Coverage"), "gaps");
}

TEST(Rows, WhatCanNoLongerChangeHasATag) {
  ApiRig rig;
  rig.FillTrades("BTC", 10);
  EXPECT_EQ(rig.Get("/v1/trades?symbols=BTC").Header("ETag"), "") << "rows are open";
  rig.filler.Flush();
  rig.filler.CloseDays();
  const std::string query = "/v1/trades?symbols=BTC&end=2024-07-03";
  const Reply reply = rig.Get(query);
  const std::string tag = reply.Header("ETag");
  const std::string state = reply.Header("Tapedeck-As-Of");
  ASSERT_NE(state, "");
  ASSERT_NE(tag, "");
  const Reply same = rig.Get(query, {{"If-None-Match", "\"x\", W/" + tag}});
  EXPECT_EQ(same.status, 304);
  EXPECT_EQ(same.body, "");
  EXPECT_EQ(same.Header("ETag"), tag);
  EXPECT_EQ(rig.Get(query, {{"If-None-Match", "\"x\""}}).status, 200);
  EXPECT_EQ(rig.Get(query + "&as_of=" + state).status, 200);
  EXPECT_NE(rig.Get(query + "&format=csv").Header("ETag"), tag) << "another form is another text";
  EXPECT_NE(rig.Get(query + "&limit=3").Header("ETag"), tag);
}

TEST(Rows, AStateThatNobodyKnowsIsNotFound) {
  ApiRig rig;
  rig.FillTrades("BTC", 10);
  const Reply reply = rig.Get("/v1/trades?symbols=BTC&as_of=1234");
  EXPECT_EQ(reply.status, 404);
  EXPECT_EQ(reply.named(), std::vector<std::string>{"as_of"});
}

TEST(Rows, HeadHasTheHeadersOfGet) {
  ApiRig rig;
  rig.FillTrades("BTC", 10);
  for (const char* target : {"/v1/trades?symbols=BTC", "/v1/trades/latest?symbols=BTC", "/livez",
                             "/v1/tables", "/v1/trades/count?symbols=BTC"}) {
    const Reply get = rig.Get(target);
    const Reply head = rig.Get(target, {}, "HEAD");
    EXPECT_EQ(head.status, get.status);
    EXPECT_EQ(head.headers.size(), get.headers.size()) << target;
  }
  EXPECT_EQ(rig.Get("/v1/trades?symbols=BTC&limit=x", {}, "HEAD").status, 400);
}

}  // namespace
}  // namespace tapedeck::testing
