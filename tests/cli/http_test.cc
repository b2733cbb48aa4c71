// A running node asked over HTTP: what `serve` listens on, who may ask, how it ends.

#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "columnar/shell.h"
#include "http/raw_client.h"
#include "kafka/mock_cluster.h"
#include "kafka/producer.h"
#include "program.h"
#include "support/kafka_service.h"
#include "support/source_dir.h"
#include "tests/support/temp_dir.h"

namespace tapedeck::testing {
namespace {

// A Python that has pyarrow; "" where there is none.
std::string PythonWithArrow() {
  auto [made, python] = Shell(SourceDir() + "/tests/services/python examples 2> /dev/null");
  EXPECT_TRUE(made == 0 || !KafkaService::IsRequired()) << python;
  python.resize(python.find_last_not_of('\n') + 1);
  return made == 0 ? python : "";
}

using nlohmann::json;
using std::chrono::seconds;

class HttpNodeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    Result<std::unique_ptr<MockCluster>> cluster = MockCluster::Start({.brokers = 1});
    ASSERT_TRUE(cluster.ok()) << cluster.status().ToString();
    mock_ = std::move(cluster).value();
    ASSERT_TRUE(mock_->CreateTopic("ticks", 2).ok());
  }
  void Send(int count) {
    auto producer = Producer::Open({.bootstrap_servers = mock_->bootstrap_servers()});
    ASSERT_TRUE(producer.ok());
    for (int i = 0; i < count; ++i) {
      const std::string value = R"({"symbol":"BTC","ts":)" + std::to_string(1'719'914'400'000 + i) +
                                R"(,"price":1.50,"size":2})";
      ASSERT_TRUE(
          (*producer)->Send("ticks", {.value = value, .partition = i % 2}, seconds(10)).ok());
    }
    ASSERT_TRUE((*producer)->Flush(seconds(20)).ok());
  }
  std::string Config(const std::string& http, const std::string& id = "deck-1") {
    const std::string name = dir_.File(id + ".toml");
    std::ofstream(name) << "[node]\nid = \"" << id << "\"\ndata_dir = \"" << dir_.File(id)
                        << "\"\n[kafka]\nbootstrap_servers = \"" << mock_->bootstrap_servers()
                        << "\"\ngroup = \"" << id << "\"\n[[topics]]\nname = \"ticks\"\n"
                        << "mapping = \"generic-json\"\n[limits]\nmemory = \"512MiB\"\n"
                        << "[store]\nballast = \"0B\"\n[http]\n"
                        << http;
    return name;
  }
  // The node does not pass on the port of the tests' environment, where a file says another.
  static Variables Listen(const std::string& address) {
    return {{"TAPEDECK_HTTP__LISTEN", address}};
  }
  static RawResponse Ask(const std::string& address, const std::string& path,
                         const std::string& more = "") {
    const auto responses = Exchange(
        address, "GET " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + more + "\r\n");
    EXPECT_EQ(responses.size(), 1u) << path;
    return responses.empty() ? RawResponse() : responses[0];
  }

  TempDir dir_;
  std::unique_ptr<MockCluster> mock_;
};

TEST_F(HttpNodeTest, ANodeServesWhatItRecords) {
  Program node({"serve", "--config", Config("")});
  const auto ready = node.WaitForEvent("ready");
  ASSERT_TRUE(ready.has_value());
  const std::string address = ready->at("http");
  EXPECT_EQ(ready->at("url"), "http://" + address);
  EXPECT_FALSE(ready->contains("metrics"));
  EXPECT_EQ(Ask(address, "/readyz").status, 200);
  Send(100);
  EXPECT_TRUE(Eventually(
      [&] {
        const json count = json::parse(Ask(address, "/v1/trades/count?symbols=BTC").body);
        return count["count"] == 100;
      },
      seconds(30)));
  const RawResponse stream = Ask(address, "/v1/trades?symbols=*&format=ndjson");
  EXPECT_TRUE(stream.is_complete);
  EXPECT_EQ(stream.trailers.at("tapedeck-rows"), "100");
  const json status = json::parse(Ask(address, "/v1/status").body);
  EXPECT_EQ(status["ready"], true);
  EXPECT_EQ(status["node"], "deck-1");
  EXPECT_EQ(status["partitions"].size(), 2u);
  const json topics = json::parse(Ask(address, "/v1/topics").body);
  EXPECT_EQ(topics["data"][0]["mapping"], "generic-json");
  // Rows are seen at once; what the recorder counts is told every tenth of a second.
  EXPECT_TRUE(Eventually(
      [&] {
        return Ask(address, "/metrics")
                   .body.find("tapedeck_record_messages_total{topic=\"ticks\"} 100") !=
               std::string::npos;
      },
      seconds(30)));
  EXPECT_NE(Ask(address, "/").body.find("ticks[1]"), std::string::npos);
  RawClient keeps_reading(address);
  keeps_reading.Send(Get("/v1/trades?symbols=*"));
  ASSERT_TRUE(keeps_reading.ReadUntil("next_page_token"));
  node.Signal(SIGTERM);
  const Outcome end = node.Wait();
  EXPECT_EQ(end.exit_code, 0) << end.err;
  EXPECT_LT(end.took, seconds(60));
}

// From the setting to the bytes of an answer. Text has the digits that came in, whatever the
// setting; Arrow and Parquet have its DECIMAL, and what does not fit beside it as text.
TEST_F(HttpNodeTest, DecimalsOfATableAreThoseOfItsSettingInEveryFormat) {
  Program node({"serve", "--config",
                Config("[tables.trades]\ndecimals = {price = \"12,4\", size = \"5,1\"}\n")});
  const auto ready = node.WaitForEvent("ready");
  ASSERT_TRUE(ready.has_value());
  const std::string address = ready->at("http");
  auto producer = Producer::Open({.bootstrap_servers = mock_->bootstrap_servers()});
  ASSERT_TRUE(producer.ok());
  for (const char* fields : {R"("ts":1719914400000,"price":1.50,"size":2)",
                             R"("ts":1719914400001,"price":0.12345,"size":99999)"}) {
    const std::string value = R"({"symbol":"BTC",)" + std::string(fields) + "}";
    ASSERT_TRUE((*producer)->Send("ticks", {.value = value, .partition = 0}, seconds(10)).ok());
  }
  ASSERT_TRUE((*producer)->Flush(seconds(20)).ok());
  const std::string trades = "/v1/trades?symbols=BTC&fields=price,size&format=";
  EXPECT_TRUE(Eventually(
      [&] {
        return Ask(address, "/v1/trades/count?symbols=BTC").body.find(":2}") != std::string::npos;
      },
      seconds(30)));
  EXPECT_EQ(Ask(address, trades + "ndjson").body,
            "{\"price\":1.50,\"size\":2}\n{\"price\":0.12345,\"size\":99999}\n");
  EXPECT_NE(Ask(address, trades + "json").body.find("{\"price\":0.12345,\"size\":99999}"),
            std::string::npos);
  EXPECT_EQ(Ask(address, trades + "csv").body, "price,size\r\n1.50,2\r\n0.12345,99999\r\n");
  const std::string python = PythonWithArrow();
  if (python.empty()) GTEST_SKIP() << "no pyarrow here: tests/services/python examples says why";
  for (const std::string format : {"arrow", "parquet"}) {
    const std::string file = dir_.File("answer." + format);
    std::ofstream(file, std::ios::binary) << Ask(address, trades + format).body;
    const std::string open = format == "arrow" ? "pyarrow.ipc.open_stream(sys.argv[1]).read_all()"
                                               : "pyarrow.parquet.read_table(sys.argv[1])";
    const auto [code, text] =
        Shell(python + " -c 'import sys, pyarrow.ipc, pyarrow.parquet; t = " + open +
              "; print(t.schema.field(0).type, t.schema.field(3).type," +
              " *[str(v) for c in t.columns for v in c.to_pylist()])' " + file);
    EXPECT_EQ(code, 0) << text;
    EXPECT_EQ(text,
              "decimal128(12, 4) decimal128(5, 1) 1.5000 None 2 None None 0.12345 2.0 None 0 None "
              "None 99999\n")
        << format;
  }
  node.Signal(SIGTERM);
  EXPECT_EQ(node.Wait().exit_code, 0);
}

TEST_F(HttpNodeTest, AnAddressThatIsTakenEndsTheNodeAndIsNamed) {
  Program first({"serve", "--config", Config("", "deck-1")});
  const auto ready = first.WaitForEvent("ready");
  ASSERT_TRUE(ready.has_value());
  const Outcome second =
      RunTapedeck({"serve", "--config", Config("", "deck-2")}, Listen(ready->at("http")));
  EXPECT_EQ(second.exit_code, 1);
  EXPECT_NE(second.out.find("http.listen"), std::string::npos) << second.out;
  first.Signal(SIGTERM);
  EXPECT_EQ(first.Wait().exit_code, 0);
}

TEST_F(HttpNodeTest, MetricsHaveAListenerOfTheirOwn) {
  Program node({"serve", "--config", Config("metrics_listen = \"127.0.0.1:0\"\n")});
  const auto ready = node.WaitForEvent("ready");
  ASSERT_TRUE(ready.has_value());
  const std::string address = ready->at("metrics");
  EXPECT_EQ(Ask(address, "/livez").status, 200);
  EXPECT_EQ(Ask(address, "/metrics").status, 200);
  EXPECT_EQ(Ask(address, "/v1/tables").status, 404);
  EXPECT_EQ(Ask(ready->at("http"), "/v1/tables").status, 200);
  node.Signal(SIGTERM);
  EXPECT_EQ(node.Wait().exit_code, 0);
}

TEST_F(HttpNodeTest, ANodeWithoutAnAddressListensNowhere) {
  Program node({"serve", "--config", Config("")}, Listen("\"\""));
  const auto ready = node.WaitForEvent("ready");
  ASSERT_TRUE(ready.has_value());
  EXPECT_FALSE(ready->contains("http"));
  node.Signal(SIGTERM);
  EXPECT_EQ(node.Wait().exit_code, 0);
}

TEST_F(HttpNodeTest, BeyondLoopbackItTakesTokensAndTlsOrAWordOfOnesOwn) {
  const std::string config = Config("");
  for (const char* address : {"0.0.0.0:0", "[::]:0", "192.0.2.1:80", "node.example:8080"}) {
    const Outcome outcome = RunTapedeck({"serve", "--config", config}, Listen(address));
    EXPECT_EQ(outcome.exit_code, 2) << address;
    EXPECT_NE(outcome.err.find("http.tokens_file"), std::string::npos) << outcome.err;
    EXPECT_NE(outcome.err.find("http.tls_cert"), std::string::npos) << outcome.err;
  }
  Program node({"serve", "--config", Config("allow_insecure = true\n")}, Listen("0.0.0.0:0"));
  ASSERT_TRUE(node.WaitForEvent("ready").has_value());
  node.Signal(SIGTERM);
  EXPECT_EQ(node.Wait().exit_code, 0);
  for (const char* wrong :
       {"listen = \"8080\"\n", "listen = \"127.0.0.1:http\"\n", "listen = \"127.0.0.1:70000\"\n",
        "listen = \"::1:80\"\n", "tls_cert = \"x.pem\"\n", "tokens = \"x\"\n",
        "allow_insecure = \"yes\"\n"}) {
    EXPECT_EQ(RunTapedeck({"config", "check", "--config", Config(wrong)}).exit_code, 2) << wrong;
  }
}

// S2 and S5: a token made by the program opens the node, and nothing shows it.
TEST_F(HttpNodeTest, OnlyTokensOpenANodeThatHasThem) {
  const std::string tokens = dir_.File("tokens");
  const Outcome made = RunTapedeck({"token", "new", "--name", "canary", "--file", tokens});
  ASSERT_EQ(made.exit_code, 0) << made.err;
  const std::string token = made.out.substr(0, made.out.find('\n'));
  EXPECT_EQ(std::filesystem::status(tokens).permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  EXPECT_EQ(RunTapedeck({"token", "list", "--file", tokens}).out, "canary read never\n");
  Program node({"serve", "--config", Config("tokens_file = \"" + tokens + "\"\n")});
  const auto ready = node.WaitForEvent("ready");
  ASSERT_TRUE(ready.has_value());
  const std::string address = ready->at("http");
  EXPECT_EQ(Ask(address, "/v1/tables").status, 401);
  EXPECT_EQ(Ask(address, "/readyz").status, 200);
  EXPECT_EQ(Ask(address, "/v1/tables", "Authorization: Bearer " + token + "\r\n").status, 200);
  EXPECT_EQ(Ask(address, "/v1/tables", "Authorization: Bearer td_" + token + "\r\n").status, 401);
  // Another one is in force without a restart.
  const Outcome later = RunTapedeck({"token", "new", "--name", "later", "--file", tokens});
  const std::string second = later.out.substr(0, later.out.find('\n'));
  EXPECT_TRUE(Eventually([&] {
    return Ask(address, "/v1/tables", "Authorization: Bearer " + second + "\r\n").status == 200;
  }));
  node.Signal(SIGTERM);
  const Outcome end = node.Wait();
  EXPECT_EQ(end.exit_code, 0);
  for (const std::string& secret : {token, second}) {
    EXPECT_EQ(end.out.find(secret.substr(3)), std::string::npos);
    EXPECT_EQ(end.err.find(secret.substr(3)), std::string::npos);
  }
  std::ofstream(tokens) << "nonsense\n";
  const Outcome refused =
      RunTapedeck({"serve", "--config", Config("tokens_file = \"" + tokens + "\"\n")});
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_NE(refused.out.find("line 1"), std::string::npos) << refused.out;
}

}  // namespace
}  // namespace tapedeck::testing
