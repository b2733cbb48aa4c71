// HTTP through TLS, with a certificate made for the test.

#include <gtest/gtest.h>
#include <openssl/ssl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "http/raw_client.h"
#include "http/server.h"
#include "http/test_handler.h"

namespace tapedeck {
namespace {

namespace fs = std::filesystem;

/// A TLS client that trusts anybody.
class TlsClient {
 public:
  TlsClient(const std::string& address, int version, const char* protocols = nullptr)
      : raw_(address), context_(SSL_CTX_new(TLS_client_method())) {
    SSL_CTX_set_min_proto_version(context_, version);
    SSL_CTX_set_max_proto_version(context_, version);
    SSL_CTX_set_security_level(context_, 0);
    SSL_CTX_set_cipher_list(context_, "ALL:@SECLEVEL=0");
    tls_ = SSL_new(context_);
    if (protocols != nullptr) {
      SSL_set_alpn_protos(tls_, reinterpret_cast<const unsigned char*>(protocols),
                          static_cast<unsigned>(std::string_view(protocols).size()));
    }
    SSL_set_fd(tls_, raw_.socket());
    is_open_ = SSL_connect(tls_) == 1;
  }
  ~TlsClient() {
    SSL_free(tls_);
    SSL_CTX_free(context_);
  }
  TlsClient(const TlsClient&) = delete;

  bool is_open() const { return is_open_; }
  std::string protocol() const {
    const unsigned char* name = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(tls_, &name, &size);
    return {reinterpret_cast<const char*>(name), size};
  }
  RawClient& raw() { return raw_; }
  void Send(std::string_view bytes) {
    SSL_write(tls_, bytes.data(), static_cast<int>(bytes.size()));
  }
  /// Until the end; `is_clean` says whether the server said goodbye.
  std::string ReadToEnd(bool* is_clean = nullptr) {
    std::string received;
    char buffer[16384];
    int bytes = 0;
    while ((bytes = SSL_read(tls_, buffer, sizeof(buffer))) > 0) {
      received.append(buffer, static_cast<size_t>(bytes));
    }
    if (is_clean != nullptr) *is_clean = SSL_get_error(tls_, bytes) == SSL_ERROR_ZERO_RETURN;
    return received;
  }
  std::string ReadSome() {
    char buffer[16384];
    int bytes = SSL_read(tls_, buffer, sizeof(buffer));
    return {buffer, static_cast<size_t>(std::max(bytes, 0))};
  }

 private:
  RawClient raw_;
  SSL_CTX* context_;
  SSL* tls_ = nullptr;
  bool is_open_ = false;
};

class HttpTls : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = fs::path(testing::TempDir()) / ("http_tls." + std::to_string(getpid()));
    fs::create_directories(folder_);
    has_certificate_ = MakePair("server") && MakePair("other");
  }
  static void TearDownTestSuite() { fs::remove_all(folder_); }
  static bool MakePair(const std::string& name) {
    std::string command =
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
        "-subj /CN=localhost -keyout '" +
        (folder_ / (name + ".key")).string() + "' -out '" + (folder_ / (name + ".pem")).string() +
        "' 2> /dev/null";
    return std::system(command.c_str()) == 0;
  }

  void SetUp() override {
    if (!has_certificate_) GTEST_SKIP() << "needs the openssl program";
    options_.listen = "127.0.0.1:0";
    options_.tls_cert = folder_ / "server.pem";
    options_.tls_key = folder_ / "server.key";
    // OpenSSL writes without MSG_NOSIGNAL, for the client as well.
    sigset_t pipe;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
  }
  void Start() {
    auto started = HttpServer::Start(options_, &handler_);
    ASSERT_TRUE(started.ok()) << started.status().ToString();
    server_ = std::move(*started);
  }

  static inline fs::path folder_;
  static inline bool has_certificate_ = false;
  TestHandler handler_;
  HttpServerOptions options_;
  std::unique_ptr<HttpServer> server_;
};

TEST_F(HttpTls, ServesVersionsTwelveAndThirteenAndNoOlder) {
  Start();
  for (int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    TlsClient client(server_->address(), version);
    ASSERT_TRUE(client.is_open()) << version;
    client.Send(Get("/slow") + Get("/stream?5") + GetAndClose("/echo"));
    bool is_clean = false;
    auto answers = ParseResponses(client.ReadToEnd(&is_clean));
    ASSERT_EQ(answers.size(), 3u);
    EXPECT_EQ(answers[0].body, "ok /slow\n");
    EXPECT_TRUE(answers[1].is_complete);
    EXPECT_EQ(answers[1].body.size(), 5 * kPieceBytes);
    EXPECT_EQ(answers[2].body, "GET /echo  1 127.0.0.1 tls\n");
    EXPECT_TRUE(is_clean);
  }
  for (int version : {TLS1_VERSION, TLS1_1_VERSION}) {
    EXPECT_FALSE(TlsClient(server_->address(), version).is_open()) << version;
  }
}

TEST_F(HttpTls, LargeBodiesGoBothWays) {
  Start();
  TlsClient client(server_->address(), TLS1_3_VERSION);
  ASSERT_TRUE(client.is_open());
  std::string body(1 << 20, 'x');
  client.Send("POST /echo HTTP/1.1\r\nHost: t\r\nConnection: close\r\nContent-Length: " +
              std::to_string(body.size()) + "\r\n\r\n" + body);
  auto answers = ParseResponses(client.ReadToEnd());
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_TRUE(answers[0].body.ends_with("tls\n" + body));
}

TEST_F(HttpTls, OnlyHttp11IsAgreedUpon) {
  Start();
  TlsClient both(server_->address(), TLS1_3_VERSION, "\x02h2\x08http/1.1");
  EXPECT_TRUE(both.is_open());
  EXPECT_EQ(both.protocol(), "http/1.1");
  EXPECT_FALSE(TlsClient(server_->address(), TLS1_3_VERSION, "\x02h2").is_open());
}

TEST_F(HttpTls, AClientWithoutTlsIsToldSo) {
  Start();
  RawClient client(server_->address());
  client.Send(Get("/quick"));
  auto answers = ParseResponses(client.ReadToEnd());
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0].status, 400);
  EXPECT_NE(answers[0].body.find("TLS"), std::string::npos);
  EXPECT_EQ(handler_.calls, 0);
}

TEST_F(HttpTls, AHandshakeThatIsNotFinishedIsCutOff) {
  options_.header_deadline = std::chrono::seconds(1);
  Start();
  for (const char* bytes :
       {"", "\x16\x03\x01", "\x16garbage that is no handshake at all, at all"}) {
    RawClient client(server_->address());
    client.Send(bytes);
    client.ReadToEnd();
    EXPECT_NE(client.ending(), Ending::kOpen);
  }
  TlsClient silent(server_->address(), TLS1_3_VERSION);
  ASSERT_TRUE(silent.is_open());
  EXPECT_EQ(silent.ReadToEnd(), "");
}

TEST_F(HttpTls, ABrokenStreamEndsWithoutAGoodbye) {
  Start();
  TlsClient client(server_->address(), TLS1_3_VERSION);
  ASSERT_TRUE(client.is_open());
  client.Send(Get("/broken?4"));
  bool is_clean = true;
  auto answers = ParseResponses(client.ReadToEnd(&is_clean));
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_FALSE(answers[0].is_complete);
  EXPECT_FALSE(is_clean);
}

TEST_F(HttpTls, AClientThatLeavesReleasesItsStream) {
  options_.write_stall_limit = std::chrono::seconds(60);
  Start();
  for (const char* path : {"/endless", "/quiet"}) {
    TlsClient client(server_->address(), TLS1_3_VERSION);
    ASSERT_TRUE(client.is_open());
    client.Send(Get(path));
    EXPECT_NE(client.ReadSome(), "");
    client.raw().Close();
    EXPECT_TRUE(Eventually([&] { return handler_.bodies_alive == 0; }));
  }
}

TEST_F(HttpTls, AReaderThatStopsAndGoesOnGetsEverything) {
  Start();
  TlsClient client(server_->address(), TLS1_3_VERSION);
  ASSERT_TRUE(client.is_open());
  client.Send(GetAndClose("/stream?300"));
  SystemClock().SleepFor(std::chrono::milliseconds(100));
  auto answers = ParseResponses(client.ReadToEnd());
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_TRUE(answers[0].is_complete);
  EXPECT_EQ(answers[0].body.size(), 300 * kPieceBytes);
}

TEST_F(HttpTls, FilesThatCannotBeUsedAreNamed) {
  auto error = [&] {
    auto started = HttpServer::Start(options_, &handler_);
    return started.ok() ? Status::Ok() : started.status();
  };
  options_.tls_key = folder_ / "other.key";
  EXPECT_EQ(error().code(), StatusCode::kInvalidArgument) << error().ToString();
  options_.tls_key = folder_ / "none.key";
  EXPECT_NE(error().message().find("none.key"), std::string_view::npos);
  options_.tls_key = "";
  EXPECT_EQ(error().code(), StatusCode::kInvalidArgument);
  std::ofstream(folder_ / "empty.pem") << "\n";
  options_.tls_cert = folder_ / "empty.pem";
  options_.tls_key = folder_ / "server.key";
  EXPECT_NE(error().message().find("empty.pem"), std::string_view::npos);
}

}  // namespace
}  // namespace tapedeck
