// The routes behind the real server, over real sockets: rows F3, F4, F5 and F7 of docs/faults.md.

#include <chrono>
#include <thread>

#include "api/node_metrics.h"
#include "api/read_slots.h"
#include "api_rig.h"
#include "http/raw_client.h"
#include "http/server.h"
#include "model/keys.h"

namespace tapedeck::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kMemoryIsOurs = false;  // the sanitizer takes several times as much
#else
constexpr bool kMemoryIsOurs = true;
#endif

// A store with many rows, and the API of it on a port.
class ServedTest : public ::testing::Test {
 protected:
  // `days` of 2,000 rows over `symbols` symbols each, ten to a message.
  void Fill(int days, int symbols) {
    const TpId tp = rig_.filler.AddTape({"c1", "ticks", 0, 0});
    for (int day = 0; day < days; ++day) {
      for (int i = 0; i < 200; ++i) {
        std::string value = "[";
        for (int k = 0; k < 10; ++k) {
          const int64_t s = int64_t{1'700'000'000} + day * 86'400 + i * 10 + k;
          value += std::string(k == 0 ? "" : ",") + R"({"k":"t","s":"S)" +
                   std::to_string((i * 10 + k) % symbols) + R"(","t":)" + std::to_string(s) +
                   R"(000000000,"p":"63229.69","v":"0.00139","i":")" + std::to_string(s) + R"("})";
        }
        rig_.filler.Append(tp, {.value = value + "]", .timestamp_ms = 1'700'000'000'000});
      }
      rig_.filler.Commit();
      if (day % 4 == 3) rig_.filler.Flush();
    }
  }
  void Start(size_t read_bytes = size_t{256} << 20) {
    auto made = Api::Make(
        {.node = &rig_.node, .clock = &SystemClock(), .version = "1", .read_bytes = read_bytes});
    ASSERT_TRUE(made.ok());
    api_ = std::move(made).value();
    HttpServerOptions options;
    options.listen = "127.0.0.1:0";
    options.workers = 4;
    auto server = HttpServer::Start(options, api_.get());
    ASSERT_TRUE(server.ok()) << server.status().ToString();
    server_ = std::move(server).value();
    options.workers = 1;
    auto metrics = HttpServer::Start(options, api_->operations());
    ASSERT_TRUE(metrics.ok());
    metrics_ = std::move(metrics).value();
  }
  RawResponse Ask(const std::string& path) {
    auto responses = Exchange(server_->address(), GetAndClose(path));
    EXPECT_EQ(responses.size(), 1u) << path;
    return responses.empty() ? RawResponse() : responses[0];
  }

  ApiRig rig_;
  std::unique_ptr<Api> api_;
  std::unique_ptr<HttpServer> server_;
  std::unique_ptr<HttpServer> metrics_;
};

TEST_F(ServedTest, AStreamArrivesWithItsTrailers) {
  Fill(2, 10);
  Start();
  const RawResponse response = Ask("/v1/trades?symbols=*&format=ndjson");
  EXPECT_EQ(response.status, 200);
  EXPECT_TRUE(response.is_complete);
  EXPECT_EQ(std::count(response.body.begin(), response.body.end(), '\n'), 4'000);
  EXPECT_EQ(response.trailers.at("tapedeck-rows"), "4000");
  EXPECT_EQ(response.trailers.at("tapedeck-status"), "complete");
}

TEST_F(ServedTest, HeadOfAStreamHasNoBody) {
  Fill(1, 10);
  Start();
  RawClient client(server_->address());
  client.Send(
      "HEAD /v1/trades?symbols=*&format=ndjson HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  const auto responses = ParseResponses(client.ReadToEnd(), {"HEAD"});
  ASSERT_EQ(responses.size(), 1u);
  EXPECT_EQ(responses[0].status, 200);
  EXPECT_EQ(responses[0].body, "");
  EXPECT_TRUE(Eventually([&] { return api_->reads_open() == 0; }));
}

TEST_F(ServedTest, AnOldClientGetsAPageWithItsLength) {
  Fill(1, 10);
  Start();
  RawClient client(server_->address());
  client.Send("GET /v1/trades?symbols=*&limit=7&format=csv HTTP/1.0\r\n\r\n");
  const auto responses = ParseResponses(client.ReadToEnd());
  ASSERT_EQ(responses.size(), 1u);
  EXPECT_EQ(responses[0].status, 200);
  EXPECT_EQ(responses[0].headers.at("content-length"), std::to_string(responses[0].body.size()));
}

// F3: everything there is, over all symbols, to a client that reads slowly: the process grows by no
// more than a stream may hold.
TEST_F(ServedTest, F3_ALongStreamTakesNoMoreMemoryThanItsShare) {
  Fill(60, 500);
  Start();
  Ask("/v1/trades?symbols=*&format=ndjson&end=2023-11-15");  // whatever is made once
  const uint64_t before = ProcessUse::Now().resident_bytes;
  RawClient client(server_->address(), 64 << 10);
  client.Send(Get("/v1/trades?symbols=*&format=ndjson"));
  uint64_t most = 0;
  size_t bytes = 0;
  while (client.received().find("tapedeck-status: complete") == std::string::npos &&
         client.received().find("Tapedeck-Status: complete") == std::string::npos) {
    ASSERT_TRUE(client.ReadMore()) << "after " << bytes << " bytes";
    most = std::max(most, ProcessUse::Now().resident_bytes);
    if (client.received().size() < 4'000'000) continue;
    bytes += client.received().size();
    client.Forget();
  }
  EXPECT_GT(bytes, size_t{10'000'000});
  if (kMemoryIsOurs) {
    EXPECT_LT(most, before + (size_t{48} << 20));
  }
  const RawResponse page = Ask("/v1/trades?symbols=*&limit=9223372036854775808");
  EXPECT_EQ(page.status, 400);
}

// F4: a client that leaves gives back what its stream held, within a second (fourfold slack).
TEST_F(ServedTest, F4_AClientThatLeavesGivesEverythingBack) {
  Fill(40, 100);
  Start();
  for (int round = 0; round < 5; ++round) {
    RawClient client(server_->address(), 16 << 10);
    client.Send(Get("/v1/trades?symbols=*&format=ndjson"));
    ASSERT_TRUE(client.ReadUntil("\"ts\""));
    EXPECT_EQ(api_->reads_open(), 1u);
    if (round % 2 == 0) {
      client.Close();
    } else {
      client.Reset();
    }
    EXPECT_TRUE(Eventually([&] { return api_->reads_open() == 0; }, seconds(4)));
  }
}

// F4 for everything that reads for long, with fourfold slack: messages, the newest of each value,
// records that no row passes.
TEST_F(ServedTest, F4_WhateverIsReadIsGivenBackWithinASecond) {
  Fill(60, 100);
  rig_.filler.Flush();
  Start();
  for (const char* path :
       {"/v1/messages?topic=ticks&format=ndjson", "/v1/messages?topic=ticks&format=csv",
        "/v1/messages?topic=ticks&limit=50000", "/v1/trades/latest?symbols=*&by=trade_id",
        "/v1/trades/latest?symbols=*&where=trade_id:nope",
        "/v1/trades/count?symbols=*&where=trade_id:x",
        "/v1/trades?symbols=*&where=trade_id:nope&format=ndjson", "/v1/symbols?limit=50000",
        "/v1/refused"}) {
    for (const int delay_ms : {0, 3, 30}) {
      RawClient client(server_->address(), 16 << 10);
      client.Send(Get(path));
      SystemClock().SleepFor(milliseconds(delay_ms));
      client.Reset();
      EXPECT_TRUE(Eventually([&] { return api_->reads_open() == 0; }, seconds(4))) << path;
    }
  }
  EXPECT_EQ(Ask("/v1/trades/count?symbols=*").status, 200);
}

// F5, as far as there is no archive: a block that cannot be read after rows were sent. The body
// breaks off: no last chunk, no trailers, no end line.
TEST_F(ServedTest, F5_AFailureInTheMiddleNeverLooksComplete) {
  Fill(40, 1);
  rig_.filler.Flush();
  auto view = rig_.filler.store().View();
  const std::string prefix = keys::SeriesPrefix(TableId{1});
  auto cursor = view->Scan(prefix, keys::After(prefix), ScanKind::kPoint);
  cursor->SeekToLast();
  ASSERT_TRUE(cursor->Valid());
  auto key = keys::ParseSeries(cursor->key());
  ASSERT_TRUE(key.ok());
  StoreBatch batch;
  batch.PutSeriesBlock(*key, "not a block");
  ASSERT_TRUE(rig_.filler.store().Write(batch).ok());
  Start();
  const RawResponse response = Ask("/v1/trades?symbols=*&format=ndjson&end_marker=true");
  EXPECT_EQ(response.status, 200) << "rows came before it";
  EXPECT_GT(response.body.size(), size_t{100'000});
  EXPECT_FALSE(response.is_complete);
  EXPECT_TRUE(response.trailers.empty());
  EXPECT_EQ(response.body.find("_end"), std::string::npos);
  EXPECT_TRUE(Eventually([&] { return api_->reads_open() == 0; }));
  EXPECT_EQ(Ask("/v1/trades?symbols=*&order=desc").status, 500) << "before the first row";
}

// Clients of one address that read slowly, or not at all, shut nobody out.
TEST_F(ServedTest, F7_SlowReadersOfOneAddressLeaveRoomForOthers) {
  Fill(40, 100);
  Start(ReadSlots::kLeastBytes);  // four reads, three of them streams, two of one address
  std::vector<RawClient> idle;
  for (int i = 0; i < 2; ++i) {
    idle.emplace_back(server_->address(), 16 << 10);
    idle.back().Send(Get("/v1/trades?symbols=*&format=ndjson"));
    ASSERT_TRUE(idle.back().ReadUntil("\"ts\""));
  }
  for (int i = 0; i < 10; ++i) {
    const RawResponse refused = Ask("/v1/trades?symbols=*&format=ndjson");
    EXPECT_EQ(refused.status, 429);
    EXPECT_EQ(refused.headers.at("retry-after"), "1");
    EXPECT_NE(refused.body.find("rate-limited"), std::string::npos);
  }
  for (const char* path : {"/v1/trades?symbols=S1&limit=10", "/v1/trades/count?symbols=*",
                           "/v1/trades/latest?symbols=S1", "/"}) {
    EXPECT_EQ(Ask(path).status, 200) << path;
  }
  HttpRequest other = ApiRig::RequestOf("/v1/trades?symbols=*&format=ndjson");
  other.peer = "192.0.2.1";
  EXPECT_EQ(api_->Handle(other).status, 200);
}

// F7: every slot is taken by clients that do not read. Others are told to come back; probes and
// metrics answer, on both listeners; when the clients leave, reads go on.
TEST_F(ServedTest, F7_OverloadIsSaidAndProbesAndMetricsStillAnswer) {
  Fill(40, 100);
  Start(ReadSlots::kLeastBytes);  // four reads
  std::vector<RawClient> idle;
  for (int i = 0; i < 2; ++i) {
    idle.emplace_back(server_->address(), 16 << 10);
    idle.back().Send(Get("/v1/trades?symbols=*&format=ndjson"));
    ASSERT_TRUE(idle.back().ReadUntil("\"ts\""));
  }
  // One more of another address, and a list that nobody takes away.
  HttpRequest other = ApiRig::RequestOf("/v1/trades?symbols=*&format=ndjson");
  other.peer = "192.0.2.1";
  HttpResponse stream = api_->Handle(other);
  ASSERT_EQ(stream.status, 200);
  HttpResponse page = api_->Handle(ApiRig::RequestOf("/v1/trades?symbols=*&limit=5000"));
  ASSERT_EQ(page.status, 200);
  for (const char* path :
       {"/v1/trades?symbols=S1", "/v1/trades/count?symbols=*", "/v1/trades/latest?symbols=S1"}) {
    const RawResponse refused = Ask(path);
    EXPECT_EQ(refused.status, 503) << path;
    EXPECT_EQ(refused.headers.at("retry-after"), "1");
    EXPECT_NE(refused.body.find("overloaded"), std::string::npos);
  }
  for (const char* path : {"/livez", "/readyz", "/healthz", "/metrics", "/v1/status"}) {
    EXPECT_EQ(Ask(path).status, 200) << path;
  }
  const auto metrics = Exchange(metrics_->address(), GetAndClose("/metrics"));
  ASSERT_EQ(metrics.size(), 1u);
  EXPECT_NE(metrics[0].body.find("tapedeck_http_reads_open 4"), std::string::npos);
  idle.clear();
  stream = HttpResponse();
  page = HttpResponse();
  EXPECT_TRUE(Eventually([&] { return api_->reads_open() == 0; }, seconds(4)));
  EXPECT_EQ(Ask("/v1/trades/latest?symbols=S1").status, 200);
}

// Readers and the recorder at once: what was served once is served again, each answer is whole.
TEST_F(ServedTest, ReadsGoOnWhileRowsAreCommittedAndFlushed) {
  Fill(2, 10);
  Start();
  std::atomic<bool> stop{false};
  std::atomic<int> answers{0};
  std::vector<std::thread> readers;
  for (int r = 0; r < 2; ++r) {
    readers.emplace_back([&] {
      int64_t least = 0;
      while (!stop) {
        const RawResponse response = Ask("/v1/trades?symbols=*&format=ndjson");
        EXPECT_TRUE(response.is_complete);
        const int64_t rows = std::count(response.body.begin(), response.body.end(), '\n');
        EXPECT_EQ(response.trailers.at("tapedeck-rows"), std::to_string(rows));
        EXPECT_GE(rows, least);
        least = rows;
        const RawResponse latest = Ask("/v1/trades/latest?symbols=*");
        EXPECT_EQ(latest.status, 200);
        ++answers;
      }
    });
  }
  const TpId tp = rig_.filler.AddTape({"c1", "more", 0, 0});
  for (int i = 0; i < 60 || answers < 10; ++i) {
    rig_.filler.Append(tp, {.value = R"([{"k":"t","s":"S1","t":17000)" +
                                     std::to_string(10'000 + i) + R"(0000000000,"p":"1","v":"1"}])",
                            .timestamp_ms = 1'700'000'000'000});
    rig_.filler.Commit();
    if (i % 7 == 0) rig_.filler.Flush();
    ASSERT_LT(i, 100'000);
  }
  stop = true;
  for (std::thread& reader : readers) reader.join();
}

// F4, S10: reads without a row, of clients that have left, and of those that stay while the server
// stops.
TEST_F(ServedTest, ReadsThatNobodyWaitsForHoldUpNeitherTheNextNorTheEnd) {
  Fill(100, 10);
  Start();
  constexpr const char* kNowhere = "/v1/trades?symbols=*&limit=1&where=trade_id:nope";
  for (int i = 0; i < 40; ++i) {
    RawClient client(server_->address());
    client.Send(GetAndClose(kNowhere));
    client.Close();
  }
  MonotonicTime begin = SystemClock().Monotonic();
  EXPECT_EQ(Ask("/v1/trades/count?symbols=S1").status, 200);
  EXPECT_LT(SystemClock().Monotonic() - begin, seconds(20));
  std::vector<std::unique_ptr<RawClient>> waiting;
  for (int i = 0; i < 40; ++i) {
    waiting.push_back(std::make_unique<RawClient>(server_->address()));
    waiting.back()->Send(GetAndClose(kNowhere));
  }
  begin = SystemClock().Monotonic();
  server_->Stop(milliseconds(100));
  EXPECT_LT(SystemClock().Monotonic() - begin, seconds(20));
  EXPECT_EQ(api_->reads_open(), 0u);
}

}  // namespace
}  // namespace tapedeck::testing
