// The reading commands give the same bytes from a running node (--url) and from its data directory
// (--data-dir).

#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "cli/program.h"
#include "http/raw_client.h"
#include "kafka/mock_cluster.h"
#include "kafka/producer.h"
#include "support/kafka_service.h"
#include "support/source_dir.h"
#include "support/temp_dir.h"
#include "tests/columnar/shell.h"

namespace tapedeck::testing {
namespace {

using nlohmann::json;
using std::chrono::seconds;

constexpr int kMessages = 500;
constexpr int64_t kFirstMs = 1'719'914'400'000;

class Sources : public ::testing::Test {
 protected:
  void SetUp() override {
    Result<std::unique_ptr<MockCluster>> cluster = MockCluster::Start({.brokers = 1});
    ASSERT_TRUE(cluster.ok()) << cluster.status().ToString();
    mock_ = std::move(cluster).value();
    ASSERT_TRUE(mock_->CreateTopic("ticks", 2).ok());
    ASSERT_TRUE(mock_->CreateTopic("more", 1).ok());
    Send();
    const std::string config = dir_.File("node.toml");
    std::ofstream(config) << "[node]\nid = \"deck\"\ndata_dir = \"" << dir_.File("store")
                          << "\"\n[kafka]\nbootstrap_servers = \"" << mock_->bootstrap_servers()
                          << "\"\n[[topics]]\nname = \"ticks\"\nmapping = \"generic-json\"\n"
                          << "[[topics]]\nname = \"more\"\nmapping = \"generic-json\"\n"
                          << "[limits]\nmemory = \"512MiB\"\n[store]\nballast = \"0B\"\n";
    node_ = std::make_unique<Program>(Arguments{"serve", "--config", config},
                                      Variables{{"TAPEDECK_HTTP__LISTEN", "127.0.0.1:0"}});
    const auto ready = node_->WaitForEvent("ready");
    ASSERT_TRUE(ready.has_value()) << node_->Errors();
    url_ = ready->at("url");
    const std::string all = "{\"table\":\"trades\",\"count\":" + std::to_string(kMessages) + "}\n";
    ASSERT_TRUE(Eventually([&] { return Node("query trades --count").out == all; }, seconds(60)));
  }
  void Send() {
    auto producer = Producer::Open({.bootstrap_servers = mock_->bootstrap_servers()});
    ASSERT_TRUE(producer.ok());
    const char* symbols[] = {"BTC", "ETH", "A,B/C d", "Zürich"};
    for (int i = 0; i < kMessages; ++i) {
      const std::string value = R"({"symbol":")" + std::string(symbols[i % 4]) + R"(","ts":)" +
                                std::to_string(kFirstMs + i / 3) + R"(,"price":)" +
                                std::to_string(i) + R"(.50,"size":0.0)" + std::to_string(i % 7) +
                                "}";
      Put(producer->get(), i % 5 == 0 ? "more" : "ticks", value, i % 5 == 0 ? 0 : i % 2);
    }
    Put(producer->get(), "ticks", "\"quotes\", and\nno record", 1);
    ASSERT_TRUE((*producer)->Flush(seconds(20)).ok());
  }
  static void Put(Producer* producer, const std::string& topic, const std::string& value,
                  int partition) {
    ASSERT_TRUE(producer->Send(topic, {.value = value, .partition = partition}, seconds(10)).ok());
  }
  static Arguments Words(const std::string& command) {
    std::istringstream in(command);
    Arguments words;
    for (std::string word; in >> word;) words.push_back(word);
    return words;
  }
  Outcome Node(const std::string& command) {
    Arguments words = Words(command);
    words.insert(words.end(), {"--url", url_});
    return RunTapedeck(words);
  }
  Outcome Store(const std::string& command) {
    Arguments words = Words(command);
    words.insert(words.end(), {"--data-dir", dir_.File("store")});
    return RunTapedeck(words);
  }

  TempDir dir_;
  std::unique_ptr<MockCluster> mock_;
  std::unique_ptr<Program> node_;
  std::string url_;
};

TEST_F(Sources, GiveTheSameBytes) {
  const std::vector<std::string> commands = {
      "query trades",
      "query trades -s BTC,ETH --order desc",
      "query trades -s A\\,B/C -s Zürich --fields ts,symbol,price:p --ts ns",
      "query trades --start 2024-07-02T10:00:00.050Z --end +20ms --origin",
      "query trades --where size:0.03 --numbers string --limit 9",
      "query trades --topics more --limit 60000",
      "query trades -s NOPE",
      "query trades --latest",
      "query trades --latest --by size -s BTC",
      "query trades --count --topics more",
      "messages -t ticks",
      "messages -t more --encoding base64 --ts us --limit 7",
      "messages -t ticks -p 1 --offsets 3:9",
      "tables",
      "symbols",
      "symbols --prefix Z --limit 1",
      "coverage",
      "coverage -t ticks -t more",
      "refused",
      "refused -t ticks --limit 1",
  };
  for (const std::string& command : commands) {
    for (const char* form : {"ndjson", "csv", "json", "table"}) {
      // A page of JSON names the next page in its source's own way.
      if (std::string(form) == "json" && command.find("--limit") != std::string::npos) continue;
      const std::string whole = command + " -o " + form;
      const Outcome node = Node(whole);
      const Outcome store = Store(whole);
      EXPECT_EQ(node.exit_code, 0) << whole << "\n" << node.err;
      EXPECT_EQ(node.exit_code, store.exit_code) << whole << "\n" << store.err;
      EXPECT_EQ(node.out, store.out) << whole;
      EXPECT_EQ(node.err, "") << whole;
      EXPECT_EQ(store.err, "") << whole;
    }
  }
  for (const std::string form : {"arrow", "parquet"}) {
    const Outcome node = Node("query trades -o " + form);
    EXPECT_EQ(node.exit_code, 0) << node.err;
    EXPECT_TRUE(node.out == Store("query trades -o " + form).out) << form;
  }
}

TEST_F(Sources, RefuseTheSameMistakes) {
  for (const std::string command :
       {"query nosuch", "query trades --start yesterday", "query trades --fields nosuch",
        "query trades --where nosuch:1", "query trades --topics nosuch", "messages -t nosuch",
        "topics -t nosuch", "coverage -t nosuch", "symbols --table nosuch",
        "query trades --limit 2 --page-token x"}) {
    EXPECT_EQ(Node(command).exit_code, 2) << command;
    EXPECT_EQ(Store(command).exit_code, 2) << command;
  }
  EXPECT_EQ(Node("query trades -s NOPE --fail-empty").exit_code, 3);
  EXPECT_EQ(Node("query trades --latest -s NOPE --fail-empty").exit_code, 3);
  EXPECT_EQ(Node("messages -t ticks -p 0 --offsets 100000: --fail-empty").exit_code, 3);
}

TEST_F(Sources, PagesOfANodeGoOn) {
  json joined = json::array();
  std::string token;
  do {
    const Outcome page =
        Node("query trades -o json --limit 99" + (token.empty() ? "" : " --page-token " + token));
    ASSERT_EQ(page.exit_code, 0) << page.err;
    const json document = json::parse(page.out, nullptr, false);
    ASSERT_TRUE(document.is_object()) << page.out;
    joined.insert(joined.end(), document["data"].begin(), document["data"].end());
    token =
        document["next_page_token"].is_null() ? "" : document["next_page_token"].get<std::string>();
  } while (!token.empty() && joined.size() < 2 * kMessages);
  EXPECT_EQ(joined, json::parse(Node("query trades -o json").out)["data"]);
}

TEST_F(Sources, StatusAndTopicsAreOfTheNode) {
  const json status = json::parse(Node("status").out, nullptr, false);
  EXPECT_EQ(status["ready"], true) << status;
  EXPECT_NE(Node("status -o table").out.find("\npartitions\n"), std::string::npos);
  EXPECT_EQ(Node("topics -o csv").out, Store("topics -o csv").out);
  EXPECT_EQ(Node("topics -t more -o csv").out, Store("topics -t more -o csv").out);
  node_->Signal(SIGTERM);
  EXPECT_EQ(node_->Wait().exit_code, 0);
  const Outcome gone = Node("status");
  EXPECT_EQ(gone.exit_code, 1) << gone.out;
}

TEST_F(Sources, ExamplesOfPagingGiveEveryRow) {
  for (const char* rows : {"1", "7", "500", "1000"}) {
    const auto [code, text] = Shell(SourceDir() + "/examples/paging.sh " + url_ + " " + rows);
    EXPECT_EQ(code, 0) << text;
    EXPECT_EQ(text, Node("query trades").out) << "pages of " << rows;
  }
}

TEST_F(Sources, ExamplesReadWithPandasAndDuckDb) {
  const std::string source = SourceDir();
  auto [made, python] = Shell(source + "/tests/services/python examples 2> /dev/null");
  if (made != 0) {
    ASSERT_FALSE(KafkaService::IsRequired()) << python;
    GTEST_SKIP() << "no pandas, pyarrow and DuckDB here: tests/services/python examples says why";
  }
  python.resize(python.find_last_not_of('\n') + 1);
  const auto [pandas, frames] = Shell(python + " " + source + "/examples/pandas_reader.py " + url_);
  EXPECT_EQ(pandas, 0) << frames;
  EXPECT_NE(frames.find("500 trades, the same by Arrow and by CSV: True"), std::string::npos)
      << frames;
  const auto [duckdb, candles] =
      Shell("PYTHON=" + python + " " + source + "/examples/duckdb_parquet.sh " + url_);
  EXPECT_EQ(duckdb, 0) << candles;
  // Of BTC every fourth message: 0.50, 4.50, … 496.50.
  for (const char* part : {"BTC", "0.50000000", "496.50000000", "125"})
    EXPECT_NE(candles.find(part), std::string::npos) << candles;
}

TEST_F(Sources, MetricsPassPromtool) {
  const std::string promtool = SourceDir() + "/tests/services/promtool";
  if (Shell(promtool + " install").first != 0) {
    ASSERT_EQ(std::getenv("CI"), nullptr) << "promtool cannot be had";
    GTEST_SKIP() << "promtool cannot be had here";
  }
  const auto [code, text] =
      Shell("curl -fsS '" + url_ + "/metrics' | " + promtool + " check metrics");
  EXPECT_EQ(code, 0) << text;
  EXPECT_EQ(text, "");
}

TEST_F(Sources, GrafanasUrlGivesRowsForItsSelector) {
  // As docs/http.md has it, with the times that ${__from} and ${__to} stand for.
  const auto [code, text] = Shell("curl -fsS '" + url_ +
                                  "/v1/trades?symbols=BTC&start=1719914400000ms&end=1719914460000ms"
                                  "&fields=ts,price,size&limit=50000&format=json'");
  EXPECT_EQ(code, 0) << text;
  const json document = json::parse(text, nullptr, false);
  ASSERT_TRUE(document.is_object()) << text;
  ASSERT_EQ(document["data"].size(), kMessages / 4);
  EXPECT_EQ(document["data"][0],
            json::parse(R"({"ts":"2024-07-02T10:00:00.000000000Z","price":0.50,"size":0.00})"));
}

}  // namespace
}  // namespace tapedeck::testing
