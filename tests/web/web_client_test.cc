#include "web/web_client.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "base/clock.h"
#include "base/file.h"
#include "base/random.h"
#include "support/stub_server.h"
#include "support/temp_dir.h"

namespace tapedeck {
namespace {

using testing::StubAnswer;
using testing::StubRequest;
using testing::StubServer;
using testing::TempDir;

constexpr const char* kSecret = "canary-7f3a";

std::unique_ptr<WebClient> Client(WebClientOptions options = {}) {
  Result<std::unique_ptr<WebClient>> client = WebClient::Open(std::move(options));
  EXPECT_TRUE(client.ok()) << client.status().ToString();
  return client.ok() ? std::move(*client) : nullptr;
}

WebRequest Get(const std::string& url) {
  WebRequest request;
  request.url = url;
  request.connect_timeout = std::chrono::seconds(2);
  request.timeout = std::chrono::seconds(10);
  return request;
}

TEST(WebClient, WhatIsSentArrivesAndTheAnswerComesBack) {
  StubServer server([](const StubRequest& request) {
    return StubAnswer::Of(201, request.method + " " + request.body,
                          {{"ETag", "\"x\""}, {"X-Two", " a  b "}});
  });
  auto client = Client();
  for (const char* method : {"PUT", "POST", "DELETE", "GET"}) {
    WebRequest request = Get(server.url() + "/a%20b?q=1%2F2");
    request.method = method;
    request.headers = {{"X-Own", "1"}, {"X-Empty", ""}};
    const bool has_body = request.method == "PUT" || request.method == "POST";
    if (has_body) request.body = WebBody::Bytes("bytes");
    Result<WebAnswer> answer = client->Send(request);
    ASSERT_TRUE(answer.ok()) << answer.status().ToString();
    EXPECT_EQ(answer->status, 201);
    EXPECT_EQ(answer->body, std::string(method) + (has_body ? " bytes" : " "));
    EXPECT_EQ(answer->Header("etag"), "\"x\"");
    EXPECT_EQ(answer->Header("x-two"), "a  b");
    EXPECT_EQ(answer->Header("none"), "");
    const StubRequest seen = server.requests().back();
    EXPECT_EQ(seen.target, "/a%20b?q=1%2F2");
    EXPECT_EQ(seen.Header("x-own"), "1");
    EXPECT_EQ(seen.headers.count("x-empty"), 1u);
    EXPECT_EQ(seen.Header("user-agent"), "tapedeck");
  }
}

TEST(WebClient, ABodyWithoutBytesHasItsLength) {
  StubServer server([](const StubRequest&) { return StubAnswer::Of(200); });
  auto client = Client();
  for (const char* method : {"PUT", "POST"}) {
    WebRequest request = Get(server.url() + "/empty");
    request.method = method;
    ASSERT_TRUE(client->Send(request).ok());
    EXPECT_EQ(server.requests().back().method, method);
    EXPECT_EQ(server.requests().back().Header("content-length"), "0");
  }
}

TEST(WebClient, AFilesPartIsStreamedAndTheAnswerIsToo) {
  TempDir dir;
  const std::string bytes = Random(1).Bytes(5 << 20);
  ASSERT_TRUE(WriteFileAtomically(dir.File("f"), bytes).ok());
  const int fd = ::open(dir.File("f").c_str(), O_RDONLY | O_CLOEXEC);
  StubServer server([](const StubRequest& request) { return StubAnswer::Of(200, request.body); });
  auto client = Client();
  WebRequest request = Get(server.url() + "/part");
  request.method = "PUT";
  request.body = WebBody::File(fd, 1000, 4 << 20);
  std::string got;
  request.sink = [&](std::string_view piece) {
    got += piece;
    return Status::Ok();
  };
  Result<WebAnswer> answer = client->Send(request);
  ASSERT_TRUE(answer.ok()) << answer.status().ToString();
  EXPECT_TRUE(got == bytes.substr(1000, 4 << 20));
  EXPECT_EQ(answer->body, "");
  // Past the end of the file: an error, not a short body.
  request.body = WebBody::File(fd, bytes.size() - 10, 100);
  EXPECT_EQ(client->Send(request).status().code(), StatusCode::kFailedPrecondition);
  ::close(fd);
}

TEST(WebClient, RedirectsAreAnswersAndNotFollowed) {
  StubServer elsewhere([](const StubRequest&) { return StubAnswer::Of(200, "secret"); });
  StubServer server([&](const StubRequest&) {
    return StubAnswer::Of(307, "", {{"Location", elsewhere.url() + "/latest/meta-data/"}});
  });
  Result<WebAnswer> answer = Client()->Send(Get(server.url() + "/x"));
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->status, 307);
  EXPECT_EQ(elsewhere.requests().size(), 0u);
}

TEST(WebClient, MetadataAddressesAreRefusedUnlessAskedFor) {
  auto client = Client();
  for (const char* url :
       {"http://169.254.169.254/latest/meta-data/", "http://[fd00:ec2::254]/", "http://0.0.0.0/",
        "http://[::ffff:169.254.169.254]/", "http://168.63.129.16/", "http://[fe80::1]/",
        "http://2852039166/", "http://0xA9FEA9FE/", "http://169.254.43518/"}) {
    Result<WebAnswer> answer = client->Send(Get(url));
    ASSERT_FALSE(answer.ok());
    EXPECT_EQ(answer.status().code(), StatusCode::kFailedPrecondition)
        << url << ": " << answer.status().ToString();
    EXPECT_NE(answer.status().message().find("refused"), std::string::npos);
  }
  // The "any" address leads to this machine: nobody's metadata.
  StubServer server([](const StubRequest&) { return StubAnswer::Of(200); });
  WebRequest asked = Get("http://0.0.0.0:" + std::to_string(server.port()) + "/");
  EXPECT_FALSE(client->Send(asked).ok());
  asked.may_ask_metadata = true;
  EXPECT_TRUE(client->Send(asked).ok());
}

TEST(WebClient, OnlyHttpIsSpoken) {
  auto client = Client();
  for (const char* url :
       {"file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://127.0.0.1/", "x", ""})
    EXPECT_EQ(client->Send(Get(url)).status().code(), StatusCode::kInvalidArgument) << url;
}

TEST(WebClient, ServersThatMisbehaveAreTroubleThatPasses) {
  const std::string body(1000, 'x');
  const std::vector<StubAnswer> answers = {
      StubAnswer::Reset(),
      StubAnswer::CutShort(StubAnswer::Of(200, body), 500),
      {.bytes = "", .is_closed = true},
      {.bytes = "HTTP/1.1 200 OK\r\nContent-Le", .is_closed = true},
      {.bytes = "not HTTP at all\r\n\r\n", .is_closed = true},
  };
  StubServer server([&](const StubRequest& request) { return answers[request.number]; });
  auto client = Client();
  for (size_t i = 0; i < answers.size(); ++i) {
    Result<WebAnswer> answer = client->Send(Get(server.url() + "/x"));
    EXPECT_EQ(answer.status().code(), StatusCode::kUnavailable)
        << i << ": " << answer.status().ToString();
  }
  // Nobody listens.
  uint16_t port = 0;
  {
    StubServer gone([](const StubRequest&) { return StubAnswer::Of(200); });
    port = gone.port();
  }
  EXPECT_EQ(client->Send(Get("http://127.0.0.1:" + std::to_string(port))).status().code(),
            StatusCode::kUnavailable);
}

TEST(WebClient, ASilentOrDrippingServerIsLeftInTime) {
  StubServer server([&](const StubRequest& request) {
    if (request.target == "/hang") return StubAnswer::Hang();
    StubAnswer answer = StubAnswer::Of(200, std::string(10'000, 'x'));
    answer.drip_ms = 20;
    return answer;
  });
  auto client = Client();
  for (const char* path : {"/hang", "/drip"}) {
    WebRequest request = Get(server.url() + path);
    request.timeout = std::chrono::seconds(60);
    request.low_speed_time = std::chrono::seconds(1);
    const MonotonicTime begun = SystemClock().Monotonic();
    EXPECT_EQ(client->Send(request).status().code(), StatusCode::kUnavailable) << path;
    EXPECT_LT(SystemClock().Monotonic() - begun, std::chrono::seconds(20)) << path;
  }
  WebRequest request = Get(server.url() + "/hang");
  request.timeout = std::chrono::milliseconds(300);
  EXPECT_EQ(client->Send(request).status().code(), StatusCode::kUnavailable);
}

TEST(WebClient, StopEndsARequestUnderWay) {
  std::atomic<bool> stop{false};
  StubServer server([](const StubRequest&) { return StubAnswer::Hang(); });
  auto client = Client({.stop = &stop});
  std::thread stopper([&] {
    while (server.requests().empty()) SystemClock().SleepFor(std::chrono::milliseconds(5));
    stop = true;
  });
  EXPECT_EQ(client->Send(Get(server.url() + "/x")).status().code(), StatusCode::kCancelled);
  stopper.join();
  EXPECT_EQ(client->Send(Get(server.url() + "/x")).status().code(), StatusCode::kCancelled);
  EXPECT_EQ(server.requests().size(), 1u);
}

TEST(WebClient, AnswersAreBoundedInMemory) {
  StubServer server([](const StubRequest& request) {
    if (request.target == "/head") {
      std::string bytes = "HTTP/1.1 200 OK\r\n";
      for (int i = 0; i < 3000; ++i)
        bytes += "X-" + std::to_string(i) + ": " + std::string(50, 'y') + "\r\n";
      return StubAnswer{.bytes = bytes + "Content-Length: 0\r\n\r\n"};
    }
    return StubAnswer::Of(request.target == "/error" ? 500 : 200, std::string(1 << 20, 'x'));
  });
  auto client = Client();
  WebRequest request = Get(server.url() + "/large");
  request.answer_bytes_max = 100'000;
  EXPECT_EQ(client->Send(request).status().code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(client->Send(Get(server.url() + "/head")).status().code(),
            StatusCode::kResourceExhausted);
  Result<WebAnswer> error = client->Send(Get(server.url() + "/error"));
  ASSERT_TRUE(error.ok());
  EXPECT_EQ(error->status, 500);
  EXPECT_LE(error->body.size(), 64u << 10);
}

TEST(WebClient, ASinkSeesOnlyTheStatusThatItIsFor) {
  StubServer server([](const StubRequest& request) {
    return StubAnswer::Of(request.target == "/206" ? 206 : 200, "bytes");
  });
  auto client = Client();
  for (const auto& [path, wanted] : {std::pair("/206", "bytes"), std::pair("/200", "")}) {
    std::string got;
    WebRequest request = Get(server.url() + path);
    request.sink_status = 206;
    request.sink = [&](std::string_view piece) {
      got += piece;
      return Status::Ok();
    };
    ASSERT_TRUE(client->Send(request).ok());
    EXPECT_EQ(got, wanted);
  }
}

TEST(WebClient, NoMessageHoldsASecret) {
  StubServer server([](const StubRequest&) { return StubAnswer::Reset(); });
  auto client = Client();
  const std::string query = std::string("?sig=") + kSecret;
  for (const std::string& url :
       {server.url() + "/x" + query, "http://127.0.0.1:1/x" + query,
        "http://no-such-host.invalid/x" + query, "http://169.254.169.254/" + query,
        "http://[bad/x" + query, "ftp://h/x" + query}) {
    WebRequest request = Get(url);
    request.headers = {{"Authorization", std::string("Bearer ") + kSecret}};
    request.signature = {"us-east-1", "s3", "key", kSecret};
    Status status = client->Send(request).status();
    ASSERT_FALSE(status.ok());
    EXPECT_EQ(status.ToString().find(kSecret), std::string::npos) << status.ToString();
  }
}

TEST(WebClient, AHeaderCannotBeSmuggledIn) {
  StubServer server([](const StubRequest&) { return StubAnswer::Of(200); });
  auto client = Client();
  for (const char* value : {"a\r\nX-Evil: 1", "a\nb", "a\rb"}) {
    WebRequest request = Get(server.url() + "/x");
    request.headers = {{"X", value}};
    EXPECT_EQ(client->Send(request).status().code(), StatusCode::kInvalidArgument);
  }
  WebRequest request = Get(server.url() + "/x\r\nX-Evil: 1");
  EXPECT_FALSE(client->Send(request).ok());
  EXPECT_EQ(server.requests().size(), 0u);
}

TEST(WebClient, ConnectionsAreUsedAgainByManyThreads) {
  StubServer server([](const StubRequest& request) { return StubAnswer::Of(200, request.target); });
  auto client = Client();
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 50; ++i) {
        const std::string path = "/" + std::to_string(t) + "-" + std::to_string(i);
        Result<WebAnswer> answer = client->Send(Get(server.url() + path));
        ASSERT_TRUE(answer.ok()) << answer.status().ToString();
        ASSERT_EQ(answer->body, path);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(WebClient, CertificatesThatCannotBeReadAreToldAtOnce) {
  EXPECT_EQ(WebClient::Open({.ca_file = "/no/such/file.pem"}).status().code(),
            StatusCode::kNotFound);
}

}  // namespace
}  // namespace tapedeck
