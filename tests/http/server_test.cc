// What a client and a handler may expect of the server when nobody misbehaves.

#include "http/server.h"

#include <gtest/gtest.h>

#include "http/raw_client.h"
#include "http/test_handler.h"

namespace tapedeck {
namespace {

class HttpServing : public testing::Test {
 protected:
  void SetUp() override {
    options_.listen = "127.0.0.1:0";
    Restart();
  }
  void Restart() {
    server_.reset();
    auto started = HttpServer::Start(options_, &handler_);
    ASSERT_TRUE(started.ok()) << started.status().ToString();
    server_ = std::move(*started);
  }
  const std::string address() const { return server_->address(); }

  TestHandler handler_;
  HttpServerOptions options_;
  std::unique_ptr<HttpServer> server_;
};

std::string StreamBytes(size_t count) {
  std::string bytes;
  AppendStreamBytes(0, count, &bytes);
  return bytes;
}

TEST_F(HttpServing, AQuickAndASlowAnswerHaveDateAndLengthAndNoServer) {
  for (const char* path : {"/quick", "/slow"}) {
    auto answers = Exchange(address(), GetAndClose(path));
    ASSERT_EQ(answers.size(), 1u) << path;
    RawResponse& answer = answers[0];
    EXPECT_EQ(answer.status, 200);
    EXPECT_TRUE(answer.is_complete);
    EXPECT_EQ(answer.body, std::string("ok ") + path + "\n");
    EXPECT_EQ(answer.headers["content-length"], std::to_string(answer.body.size()));
    EXPECT_EQ(answer.headers["connection"], "close");
    EXPECT_EQ(answer.headers["date"].size(), std::string("Sun, 06 Nov 1994 08:49:37 GMT").size());
    EXPECT_FALSE(answer.headers.contains("server"));
  }
}

TEST_F(HttpServing, PathAndQueryArriveAsTheyWereSent) {
  auto answers =
      Exchange(address(),
               "GET /echo?symbols=BINANCE%3ABTC%2CX&start=2024-07-02T04:17:16+02:00 HTTP/1.1\r\n"
               "Host: test\r\nConnection: close\r\n\r\n");
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0].body,
            "GET /echo symbols=BINANCE%3ABTC%2CX&start=2024-07-02T04:17:16+02:00 1 127.0.0.1 "
            "plain\n");
}

TEST_F(HttpServing, AnAbsoluteTargetForThisHostIsItsPath) {
  auto answers = Exchange(address(),
                          "GET http://test/echo?a=b HTTP/1.1\r\nHost: test\r\n"
                          "Connection: close\r\n\r\n");
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0].body, "GET /echo a=b 1 127.0.0.1 plain\n");
}

TEST_F(HttpServing, PipelinedRequestsAreAnsweredInOrderWhoeverMakesThem) {
  RawClient client(address());
  std::string all;
  std::vector<std::string> expected;
  for (int i = 0; i < 200; ++i) {
    const char* path = i % 3 == 0 ? "/slow" : "/quick";
    all += Get(std::string(path) + "?" + std::to_string(i));
    expected.push_back(std::string("ok ") + path + "\n");
  }
  client.Send(all + GetAndClose("/quick"));
  auto answers = ParseResponses(client.ReadToEnd());
  ASSERT_EQ(answers.size(), 201u);
  for (size_t i = 0; i < expected.size(); ++i) EXPECT_EQ(answers[i].body, expected[i]) << i;
  EXPECT_EQ(server_->stats().requests, 201u);
}

TEST_F(HttpServing, ARequestThatArrivesByteByByteIsARequest) {
  RawClient client(address());
  for (char byte : Get("/quick")) ASSERT_TRUE(client.Send(std::string(1, byte)));
  EXPECT_TRUE(client.ReadUntil("ok /quick\n"));
}

TEST_F(HttpServing, BodiesArriveWholeWithALengthAndInChunks) {
  std::string body = StreamBytes(300'000);
  auto answers = Exchange(address(),
                          "POST /echo HTTP/1.1\r\nHost: t\r\nConnection: close\r\n"
                          "Content-Length: 300000\r\n\r\n" +
                              body);
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_TRUE(answers[0].body == "POST /echo  1 127.0.0.1 plain\n" + body) << answers[0].status;
  std::string chunked =
      "POST /echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n"
      "Connection: close\r\n\r\n1\r\na\r\n0a\r\n0123456789\r\n0\r\n\r\n";
  answers = Exchange(address(), chunked);
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0].body, "POST /echo  1 127.0.0.1 plain\na0123456789");
  RawClient slowly(address());
  for (char byte : chunked) ASSERT_TRUE(slowly.Send(std::string(1, byte)));
  answers = ParseResponses(slowly.ReadToEnd());
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0].body, "POST /echo  1 127.0.0.1 plain\na0123456789");
}

TEST_F(HttpServing, ABodyThatIsExpectedIsAskedFor) {
  RawClient client(address());
  client.Send(
      "POST /echo HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nContent-Length: 5\r\n"
      "Connection: close\r\n\r\n");
  ASSERT_TRUE(client.ReadUntil("HTTP/1.1 100 Continue\r\n\r\n"));
  EXPECT_EQ(handler_.calls, 0);
  client.Send("hello");
  auto answers = ParseResponses(client.ReadToEnd());
  ASSERT_EQ(answers.size(), 2u);
  EXPECT_EQ(answers[1].body, "POST /echo  1 127.0.0.1 plain\nhello");
}

TEST_F(HttpServing, ABodyThatNobodyWantsIsNotRead) {
  RawClient client(address());
  client.Send(
      "POST /forbidden HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\n"
      "Content-Length: 1000000\r\n\r\n");
  auto answers = ParseResponses(client.ReadToEnd());
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0].status, 403);
  EXPECT_EQ(answers[0].headers["connection"], "close");
  EXPECT_EQ(handler_.calls, 0);
}

TEST_F(HttpServing, AHeadRequestGetsTheHeadersOfGetAndNoBody) {
  for (const char* path : {"/quick", "/big?100000", "/stream?3", "/endless"}) {
    std::string get = Get(path);
    RawClient client(address());
    client.Send("HEAD" + get.substr(3) + GetAndClose("/quick"));
    auto answers = ParseResponses(client.ReadToEnd(), {"HEAD"});
    ASSERT_EQ(answers.size(), 2u) << path;
    EXPECT_EQ(answers[1].body, "ok /quick\n") << path;
    if (std::string_view(path).starts_with("/stream")) {
      EXPECT_EQ(answers[0].headers["transfer-encoding"], "chunked");
    } else if (std::string_view(path).starts_with("/big")) {
      EXPECT_EQ(answers[0].headers["content-length"], "100000");
    }
  }
  EXPECT_EQ(handler_.bodies_alive, 0);
  EXPECT_EQ(handler_.next_calls, 0);
}

TEST_F(HttpServing, AStreamArrivesWholeWithItsTrailersAndTheConnectionLivesOn) {
  RawClient client(address());
  client.Send(Get("/stream?50") + Get("/stream?0") + GetAndClose("/quick"));
  auto answers = ParseResponses(client.ReadToEnd());
  ASSERT_EQ(answers.size(), 3u);
  EXPECT_TRUE(answers[0].is_complete);
  EXPECT_EQ(answers[0].headers["trailer"], "Tapedeck-Rows, Tapedeck-Status");
  EXPECT_TRUE(answers[0].body == StreamBytes(50 * kPieceBytes));
  EXPECT_EQ(answers[0].trailers["tapedeck-rows"], "50");
  EXPECT_EQ(answers[0].trailers["tapedeck-status"], "complete");
  EXPECT_TRUE(answers[1].is_complete);
  EXPECT_EQ(answers[1].body, "");
  EXPECT_EQ(answers[2].body, "ok /quick\n");
  EXPECT_EQ(handler_.bodies_alive, 0);
  EXPECT_EQ(server_->stats().streams_open, 0u);
  EXPECT_EQ(server_->stats().streams_broken, 0u);
}

TEST_F(HttpServing, AStreamThatHasNothingYetSendsItsHeadAndGoesOnLater) {
  RawClient client(address());
  client.Send(Get("/quiet"));
  EXPECT_TRUE(client.ReadUntil("\r\n\r\n"));
  RawClient late(address());
  late.Send(Get("/late") + GetAndClose("/quick"));
  auto answers = ParseResponses(late.ReadToEnd());
  ASSERT_EQ(answers.size(), 2u);
  EXPECT_EQ(answers[0].body.size(), kPieceBytes);
}

TEST_F(HttpServing, AnOldClientGetsALengthAndAClosedConnection) {
  RawClient client(address());
  client.Send("GET /echo HTTP/1.0\r\n\r\n");
  auto answers = ParseResponses(client.ReadToEnd());
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0].body, "GET /echo  0 127.0.0.1 plain\n");
  EXPECT_EQ(client.ending(), Ending::kClosed);
  RawClient keeps(address());
  keeps.Send("GET /echo HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  ASSERT_TRUE(keeps.ReadUntil("plain\n"));
  EXPECT_NE(keeps.received().find("Connection: keep-alive\r\n"), std::string::npos);
  keeps.Forget();
  keeps.Send("GET /echo HTTP/1.0\r\n\r\n");
  EXPECT_TRUE(keeps.ReadUntil("plain\n"));
}

TEST_F(HttpServing, AnOldClientNeverGetsAStream) {
  auto answers = Exchange(address(), "GET /stream?3 HTTP/1.0\r\n\r\n");
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0].status, 400);
  EXPECT_TRUE(answers[0].is_complete);
  EXPECT_TRUE(Eventually([&] { return handler_.bodies_alive == 0; }));
}

TEST_F(HttpServing, ALargeAnswerGivesItsBudgetBackWhenItHasLeft) {
  RawClient client(address(), 16 << 10);
  client.Send(GetAndClose("/big?8000000"));
  ASSERT_TRUE(client.ReadUntil("\r\n\r\n"));
  EXPECT_EQ(handler_.held_alive, 1);
  auto answers = ParseResponses(client.ReadToEnd());
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_TRUE(answers[0].body == StreamBytes(8'000'000));
  EXPECT_TRUE(Eventually([&] { return handler_.held_alive == 0; }));
}

TEST_F(HttpServing, AnAnswerWithoutContentHasNoBody) {
  auto answers = Exchange(address(), Get("/none") + GetAndClose("/quick"));
  ASSERT_EQ(answers.size(), 2u);
  EXPECT_EQ(answers[0].status, 204);
  EXPECT_FALSE(answers[0].headers.contains("content-length"));
  EXPECT_EQ(answers[1].body, "ok /quick\n");
}

TEST_F(HttpServing, ServesIPv6AndSeveralSocketThreads) {
  options_.listen = "[::1]:0";
  options_.threads = 3;
  Restart();
  ASSERT_TRUE(address().starts_with("[::1]:")) << address();
  std::vector<RawClient> clients;
  for (int i = 0; i < 20; ++i) clients.emplace_back(address());
  for (RawClient& client : clients) client.Send(GetAndClose("/echo"));
  for (RawClient& client : clients) {
    auto answers = ParseResponses(client.ReadToEnd());
    ASSERT_EQ(answers.size(), 1u);
    EXPECT_EQ(answers[0].body, "GET /echo  1 ::1 plain\n");
  }
}

TEST_F(HttpServing, AnAddressThatIsTakenOrNoneIsAnError) {
  HttpServerOptions other;
  other.listen = address();
  auto second = HttpServer::Start(other, &handler_);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.status().code(), StatusCode::kUnavailable) << second.status().ToString();
  for (const char* listen : {"", "8080", "127.0.0.1", "127.0.0.1:", "127.0.0.1:99999", "::1:80",
                             "256.0.0.1:80", "127.0.0.1:8o", ":80"}) {
    other.listen = listen;
    auto wrong = HttpServer::Start(other, &handler_);
    ASSERT_FALSE(wrong.ok()) << listen;
    EXPECT_EQ(wrong.status().code(), StatusCode::kInvalidArgument) << wrong.status().ToString();
  }
}

TEST_F(HttpServing, MoreConnectionsThanFilesAreRefusedAtTheStart) {
  HttpServerOptions other;
  other.listen = "127.0.0.1:0";
  other.connections = size_t{1} << 40;
  auto started = HttpServer::Start(other, &handler_);
  ASSERT_FALSE(started.ok());
  EXPECT_EQ(started.status().code(), StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace tapedeck
