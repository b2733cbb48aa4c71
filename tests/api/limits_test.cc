// What one answer, and one client, may take.

#include "api/quick_answers.h"
#include "api/read_slots.h"
#include "api_rig.h"

namespace tapedeck::testing {
namespace {

using std::chrono::minutes;

constexpr size_t kMiB = size_t{1} << 20;

TEST(ReadSlotsShares, OneAddressHasHalfOfTheStreamsAndShortReadsAlwaysSome) {
  ReadSlots slots(256 * kMiB);
  EXPECT_EQ(slots.streams_max(), 12u);
  bool over = false;
  std::vector<std::shared_ptr<ReadLease>> open;
  auto take = [&](std::string_view address, std::string_view token = {}) {
    auto lease = slots.TakeStream({address, token}, &over);
    if (lease != nullptr) open.push_back(std::move(lease));
    return open.size();
  };
  for (size_t i = 0; i < 6; ++i) EXPECT_EQ(take("2001:db8::" + std::to_string(i)), i + 1);
  EXPECT_EQ(take("2001:db8::ffff:1"), 6u) << "the same 64 bits";
  EXPECT_TRUE(over);
  for (size_t i = 0; i < 6; ++i) EXPECT_EQ(take("192.0.2.1"), i + 7);
  EXPECT_EQ(take("192.0.2.2"), 12u);
  EXPECT_FALSE(over) << "it has none; there is no more";
  EXPECT_NE(slots.Take(slots.stream_bytes()), nullptr);
  open.clear();
  EXPECT_EQ(slots.used_bytes(), 0u);
  for (size_t i = 0; i < 9; ++i) EXPECT_EQ(take("192.0.2." + std::to_string(i), "a"), i + 1);
  EXPECT_EQ(take("192.0.2.100", "a"), 9u);
  EXPECT_TRUE(over) << "of one token, from many addresses";
  EXPECT_EQ(take("192.0.2.100", "b"), 10u);
}

// Bodies that wait for a slow client: one address cannot fill the memory with them.
TEST(ReadSlotsShares, WhatWaitsForOneAddressIsAQuarterAtMost) {
  ReadSlots slots(64 * kMiB);
  auto first = slots.Take(kMiB);
  ASSERT_TRUE(slots.Hold("192.0.2.1", 40 * kMiB, first.get())) << "the first one always";
  EXPECT_EQ(slots.used_bytes(), 40 * kMiB);
  auto second = slots.Take(kMiB);
  EXPECT_FALSE(slots.Hold("192.0.2.1", kMiB, second.get()));
  EXPECT_TRUE(slots.Hold("192.0.2.2", kMiB, second.get()));
  first = nullptr;
  auto third = slots.Take(kMiB);
  EXPECT_TRUE(slots.Hold("192.0.2.1", 10 * kMiB, third.get()));
  bool over = false;
  auto stream = slots.TakeStream({.address = "192.0.2.1", .token = {}}, &over);
  ASSERT_NE(stream, nullptr);
  auto fourth = slots.Take(kMiB);
  EXPECT_FALSE(slots.Hold("192.0.2.1", 7 * kMiB, fourth.get()));
  EXPECT_TRUE(slots.Hold("192.0.2.1", 6 * kMiB, fourth.get()));
  second = third = fourth = stream = nullptr;
  EXPECT_EQ(slots.used_bytes(), 0u);
  EXPECT_EQ(slots.open(), 0u);
}

// A client that does not take away what it asked for holds memory, whatever it asked for.
TEST(Limits, AListCountsUntilItHasLeft) {
  ApiRig rig(nullptr, ReadSlots::kLeastBytes);
  const TpId tp = rig.filler.AddTape({"c1", "many", 0, 0});
  for (int i = 0; i < 2'000; ++i) {
    rig.filler.Append(tp, {.value = R"([{"k":"t","s":"SYMBOL)" + std::to_string(i) +
                                    R"(","t":1719893836000000000,"p":"1","v":"1"}])",
                           .timestamp_ms = 1'719'893'836'000});
  }
  rig.filler.Commit();
  HttpResponse list = rig.api->Handle(ApiRig::RequestOf("/v1/symbols?limit=50000"));
  ASSERT_EQ(list.status, 200);
  ASSERT_GT(list.body.size(), size_t{64} << 10);
  EXPECT_EQ(rig.api->reads_open(), 1u);
  list = HttpResponse();
  EXPECT_EQ(rig.api->reads_open(), 0u);
  list = rig.api->Handle(ApiRig::RequestOf("/v1/symbols?limit=10"));
  EXPECT_EQ(rig.api->reads_open(), 0u) << "too small to be counted";
}

TEST(Limits, ARefusedMessageThatIsTooLargeAsJsonIsSaidToBe) {
  ApiRig rig;
  const TpId tp = rig.filler.AddTape({"c1", "ticks", 0, 0});
  rig.filler.Append(tp, {.value = R"([{"k":"bad"}])", .timestamp_ms = 1000});
  rig.filler.Append(tp, {.value = std::string(12 * kMiB, '\x01'), .timestamp_ms = 2000});
  rig.filler.Append(tp, {.value = R"([{"k":"bad"}])", .timestamp_ms = 3000});
  rig.filler.Commit();
  const Reply first = rig.Get("/v1/refused");
  ASSERT_EQ(first.status, 200);
  ASSERT_EQ(first.json()["data"].size(), 1u) << "the page ends before it";
  const Reply second =
      rig.Get("/v1/refused?page_token=" + std::string(first.json()["next_page_token"]));
  EXPECT_EQ(second.status, 422);
  EXPECT_EQ(second.problem(), "range-too-large");
  EXPECT_NE(second.body.find("offset 1 of ticks/0"), std::string::npos) << second.body;
  EXPECT_EQ(rig.Get("/v1/refused?start=1970-01-01T00:00:03Z").json()["data"].size(), 1u);
  EXPECT_EQ(rig.api->reads_open(), 0u);
}

// A link is the request as it was written: encoding its values anew would make it too long.
TEST(Limits, TheNextPageCanBeAskedForOrIsRefusedAtOnce) {
  ApiRig rig;
  rig.FillTrades("BTC", 5);
  auto query_of = [](int symbols) {
    std::string query = "/v1/trades?limit=3&symbols=BTC";
    for (int i = 0; i < symbols; ++i) query += ",S" + std::to_string(10'000 + i);
    return query;
  };
  const std::string query = query_of(1'000);
  const Reply first = rig.Get(query);
  ASSERT_EQ(first.status, 200);
  const std::string token = first.json()["next_page_token"];
  EXPECT_EQ(first.Header("Link"), "<" + query + "&page_token=" + token + ">; rel=\"next\"");
  const Reply second = rig.Get(query + "&page_token=" + token);
  EXPECT_EQ(second.json()["data"].size(), 2u);
  const Reply refused = rig.Get(query_of(1'165));  // by itself below 8 KiB
  EXPECT_EQ(refused.status, 422);
  EXPECT_EQ(refused.problem(), "range-too-large");
  EXPECT_EQ(refused.named(), std::vector<std::string>{"symbols"});
}

// The times of a page token are those of the first page: "now" has moved since.
TEST(Limits, APageTokenOutlivesItsRelativeStart) {
  ApiRig rig;
  rig.FillTrades("BTC", 5, 1'719'999'900);  // the last 100 s
  for (const char* query :
       {"/v1/trades?symbols=BTC&limit=3&start=now-15m&end=2024-07-03T09:50:00Z",
        "/v1/messages?topic=ticks&limit=3&start=now-15m&end=2024-07-03T09:50:00Z"}) {
    const Reply first = rig.Get(query);
    ASSERT_EQ(first.status, 200) << first.body;
    ASSERT_EQ(first.json()["data"].size(), 3u) << query;
    rig.clock.Advance(minutes(60));
    const std::string token = first.json()["next_page_token"];
    const Reply second = rig.Get(std::string(query) + "&page_token=" + token);
    EXPECT_EQ(second.status, 200) << second.body;
    EXPECT_EQ(rig.Get(query).status, 400) << "a new question of that form makes no sense by now";
    rig.clock.Advance(-minutes(60));
  }
}

TEST(Limits, TooManyValuesOfByAreNotWorthComingAgain) {
  ApiRig rig(nullptr, ReadSlots::kLeastBytes);
  const TpId tp = rig.filler.AddTape({"c1", "ids", 0, 0});
  for (int i = 0; i < 6'000; ++i) {  // of a kilobyte each: more than half a read's share
    std::string id = std::to_string(i);
    id.append(1'000, 'x');
    rig.filler.Append(tp, {.value = R"([{"k":"t","s":"BTC","t":1719893836000000000,"p":"1",)"
                                    R"("v":"1","i":")" +
                                    id + R"("}])",
                           .timestamp_ms = 1'719'893'836'000});
  }
  rig.filler.Commit();
  const Reply reply = rig.Get("/v1/trades/latest?symbols=*&by=trade_id&limit=10");
  EXPECT_EQ(reply.status, 422) << reply.body.substr(0, 300);
  EXPECT_EQ(reply.problem(), "range-too-large");
  EXPECT_EQ(reply.named(), std::vector<std::string>{"by"});
}

TEST(Limits, KeptAnswersAreBoundedByTheirBytes) {
  QuickAnswers answers;
  for (size_t i = 0; i < 2'000; ++i) {
    const HttpRequest request = ApiRig::RequestOf(
        "/v1/trades/latest?symbols=" + std::string(8'000, 'S') + std::to_string(i));
    HttpResponse response =
        HttpResponse::Text(200, "application/json", std::string(QuickAnswers::kBodyBytesMax, ' '));
    answers.Keep(request, 1, response);
    ASSERT_LE(answers.bytes(), QuickAnswers::kBytesMax);
    ASSERT_NE(answers.Find(request, 1), nullptr);
    answers.Keep(request, 2, response);
    ASSERT_NE(answers.Find(request, 2), nullptr);
  }
}

TEST(Limits, KeptAnswersCountAmongTheBytesThatWereSent) {
  ApiRig rig;
  rig.FillTrades("BTC", 1);
  const size_t bytes = rig.Get("/v1/trades/latest?symbols=BTC").body.size();
  rig.Get("/v1/trades/latest?symbols=BTC");
  EXPECT_NE(
      rig.Get("/metrics")
          .body.find(
              "tapedeck_http_response_bytes_total{format=\"json\",route=\"/v1/{table}/latest\"} " +
              std::to_string(2 * bytes) + "\n"),
      std::string::npos);
}

}  // namespace
}  // namespace tapedeck::testing
