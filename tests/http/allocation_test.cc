// Every allocation that serving a request makes fails once. The process lives, nothing leaks, and
// the next request is served.

#include <gtest/gtest.h>

#include "http/failing_allocator.h"
#include "http/raw_client.h"
#include "http/server.h"
#include "http/test_handler.h"

namespace tapedeck {
namespace {

class HttpWithoutMemory : public testing::Test {
 protected:
  void SetUp() override {
    ExemptThisThread();
    HttpServerOptions options;
    options.listen = "127.0.0.1:0";
    options.header_deadline = std::chrono::milliseconds(200);
    auto started = HttpServer::Start(options, &handler_);
    ASSERT_TRUE(started.ok()) << started.status().ToString();
    server_ = std::move(*started);
  }
  void TearDown() override {
    StopFailing();
    if (server_ != nullptr) server_->Stop(std::chrono::nanoseconds(0));
    EXPECT_EQ(server_->stats().streams_open, 0u);
    EXPECT_EQ(handler_.bodies_alive, 0);
    EXPECT_EQ(handler_.held_alive, 0);
  }

  // Lets the first, second, third … allocation fail, until one exchange needs no more of them.
  void FailEachAllocationOf(const std::string& bytes) {
    int failures = 0;
    for (int64_t place = 0; place < 500; ++place) {
      FailAllocationAfter(place);
      RawClient client(server_->address());
      client.Send(bytes);
      client.ReadToEnd();
      EXPECT_NE(client.ending(), Ending::kOpen) << "allocation " << place;
      bool is_over = !StopFailing();
      for (RawResponse& answer : ParseResponses(client.received())) {
        bool is_known = answer.status == 200 || answer.status == 500 || !answer.is_complete;
        EXPECT_TRUE(is_known) << "allocation " << place << ": " << client.received();
        if (answer.status == 500) ++failures;
      }
      auto after = Exchange(server_->address(), GetAndClose("/quick"));
      ASSERT_EQ(after.size(), 1u) << "allocation " << place;
      EXPECT_EQ(after[0].status, 200);
      if (is_over) {
        EXPECT_GT(place, 3);
        EXPECT_GT(failures, 0);
        return;
      }
    }
    FAIL() << "one exchange needs more than 500 allocations";
  }

  TestHandler handler_;
  std::unique_ptr<HttpServer> server_;
};

TEST_F(HttpWithoutMemory, AQuickAnswer) { FailEachAllocationOf(GetAndClose("/quick")); }
TEST_F(HttpWithoutMemory, AnAnswerOfAWorker) { FailEachAllocationOf(GetAndClose("/slow")); }
TEST_F(HttpWithoutMemory, ALargeAnswer) { FailEachAllocationOf(GetAndClose("/big?100000")); }
TEST_F(HttpWithoutMemory, AStream) { FailEachAllocationOf(GetAndClose("/stream?3")); }
TEST_F(HttpWithoutMemory, ABody) {
  FailEachAllocationOf(
      "POST /echo HTTP/1.1\r\nHost: t\r\nConnection: close\r\nContent-Length: 40000\r\n\r\n" +
      std::string(40'000, 'x'));
}
TEST_F(HttpWithoutMemory, ABadRequest) {
  for (int64_t place = 0; place < 30; ++place) {
    FailAllocationAfter(place);
    RawClient client(server_->address());
    client.Send("GET /echo HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n");
    client.ReadToEnd();
    EXPECT_NE(client.ending(), Ending::kOpen) << place;
    StopFailing();
  }
  EXPECT_EQ(handler_.calls, 0);
}

}  // namespace
}  // namespace tapedeck
