// tapedeck serve, skip and demo: the process from start to end, against librdkafka's simulated
// broker and a real one.

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "kafka/mock_cluster.h"
#include "kafka/producer.h"
#include "program.h"
#include "tests/support/kafka_service.h"
#include "tests/support/temp_dir.h"

namespace tapedeck::testing {
namespace {

using nlohmann::json;
using std::chrono::seconds;

constexpr char kTopic[] = "ticks";
constexpr int kPartitions = 3;

std::string Trade(int number) {
  return R"({"symbol":"S)" + std::to_string(number % 5) + R"(","ts":)" +
         std::to_string(1'719'914'400'000 + number) + R"(,"price":1.50,"size":)" +
         std::to_string(number + 1) + "}";
}

class ServeTest : public ::testing::Test {
 protected:
  void StartMock() {
    Result<std::unique_ptr<MockCluster>> cluster = MockCluster::Start({.brokers = 1});
    ASSERT_TRUE(cluster.ok()) << cluster.status().ToString();
    mock_ = std::move(cluster).value();
    ASSERT_TRUE(mock_->CreateTopic(kTopic, kPartitions).ok());
    servers_ = mock_->bootstrap_servers();
  }
  void Send(int count) {
    Result<std::unique_ptr<Producer>> producer = Producer::Open({.bootstrap_servers = servers_});
    ASSERT_TRUE(producer.ok());
    for (int i = 0; i < count; ++i) {
      std::string value = Trade(sent_);
      ASSERT_TRUE(
          (*producer)
              ->Send(kTopic, {.value = value, .partition = sent_ % kPartitions}, seconds(10))
              .ok());
      ++sent_;
    }
    ASSERT_TRUE((*producer)->Flush(seconds(20)).ok());
    ASSERT_EQ((*producer)->counters().failed, 0u);
  }
  /// A configuration whose node records the topic from `servers_`.
  std::string Config(const std::string& more = "", const std::string& id = "deck-1") {
    std::string name = dir_.File(id + ".toml");
    std::ofstream(name)
        << "[node]\nid = \"" << id << "\"\ndata_dir = \"" << StoreDir()
        << "\"\n[kafka]\nbootstrap_servers = \"" << servers_
        << "\"\n[kafka.properties]\n\"session.timeout.ms\" = \"6000\"\n[[topics]]\nname = \""
        << kTopic
        << "\"\nmapping = \"generic-json\"\n[limits]\nmemory = \"512MiB\"\n[store]\nballast = "
           "\"1MiB\"\n"
        << more;
    return name;
  }
  std::string StoreDir() const { return dir_.File("store"); }
  Arguments Serve(const std::string& config) {
    return {"serve", "--config", config, "--progress", "100ms"};
  }
  /// Waits for a progress line with at least so many messages since the start.
  static std::optional<json> WaitForMessages(Program* node, int messages) {
    for (int i = 0; i < 600; ++i) {
      std::optional<json> line = node->WaitForEvent("progress");
      if (!line.has_value() || (*line)["messages"] >= messages) return line;
    }
    return std::nullopt;
  }
  static json Last(const Outcome& outcome) {
    std::string text = outcome.out.substr(0, outcome.out.find_last_not_of('\n') + 1);
    return json::parse(text.substr(text.rfind('\n') + 1), nullptr, false);
  }
  static void ExpectCleanEnd(const Outcome& outcome) {
    EXPECT_EQ(outcome.exit_code, 0) << "signal " << outcome.signal << "\n"
                                    << outcome.out << outcome.err;
    EXPECT_EQ(Last(outcome).value("event", ""), "stopped") << outcome.out;
  }

  TempDir dir_;
  std::unique_ptr<MockCluster> mock_;
  std::string servers_ = "127.0.0.1:1";  // nobody listens
  int sent_ = 0;
};

TEST_F(ServeTest, IsReadyThenRecordsThenTellsItsNumbers) {
  StartMock();
  Send(500);
  Program node(Serve(Config()));
  std::optional<json> ready = node.WaitForEvent("ready");
  ASSERT_TRUE(ready.has_value()) << node.Errors();
  EXPECT_EQ((*ready)["node"], "deck-1");
  EXPECT_EQ((*ready)["recovered_rows"], 0);
  std::optional<json> recording = node.WaitForEvent("recording");
  ASSERT_TRUE(recording.has_value()) << node.Errors();
  EXPECT_EQ((*recording)["partitions"], kPartitions);
  std::optional<json> progress = WaitForMessages(&node, 500);
  ASSERT_TRUE(progress.has_value()) << node.Errors();
  EXPECT_EQ((*progress)["records"], 500);
  EXPECT_EQ((*progress)["refused"], 0);
  node.Signal(SIGTERM);
  ExpectCleanEnd(node.Wait());
}

TEST_F(ServeTest, WithoutABrokerItIsReadyAndStopsInTime) {
  Program node(Serve(Config()));
  ASSERT_TRUE(node.WaitForEvent("ready").has_value()) << node.Errors();
  node.Signal(SIGTERM);
  Outcome end = node.Wait();
  ExpectCleanEnd(end);
  EXPECT_LT(end.took, seconds(17));
}

TEST_F(ServeTest, SigtermAtAnyMomentOfTheStartEndsCleanly) {
  StartMock();
  Send(100);
  std::string config = Config();
  for (int wait_ms : {0, 5, 15, 40, 100, 300, 1'000, 2'500, 3'200}) {
    Program node(Serve(config));
    // Earlier than its signal mask a process simply dies of SIGTERM, which is safe as well.
    if (wait_ms >= 5) {
      ASSERT_TRUE(node.WaitForEvent("ready").has_value()) << node.Errors();
    }
    ::usleep(static_cast<useconds_t>(wait_ms) * 1'000);
    node.Signal(SIGTERM);
    Outcome end = node.Wait();
    if (wait_ms >= 5) ExpectCleanEnd(end);
    EXPECT_FALSE(end.timed_out) << wait_ms << " ms";
  }
  Program node(Serve(config));
  EXPECT_TRUE(node.WaitForEvent("ready").has_value()) << node.Errors();
}

TEST_F(ServeTest, WhatWasRecordedIsThereAfterAKill) {
  StartMock();
  Send(300);
  std::string config = Config();
  {
    Program node(Serve(config));
    ASSERT_TRUE(WaitForMessages(&node, 300).has_value()) << node.Errors();
    node.Signal(SIGKILL);
    EXPECT_EQ(node.Wait().signal, SIGKILL);
  }
  Send(200);
  Program node(Serve(config));
  std::optional<json> ready = node.WaitForEvent("ready");
  ASSERT_TRUE(ready.has_value()) << node.Errors();
  EXPECT_EQ((*ready)["recovered_rows"], 300) << "the tail was decoded again";
  std::optional<json> progress = WaitForMessages(&node, 200);
  ASSERT_TRUE(progress.has_value()) << node.Errors();
  EXPECT_EQ((*progress)["messages"], 200) << "only what is new is read";
  node.Signal(SIGINT);
  ExpectCleanEnd(node.Wait());
}

TEST_F(ServeTest, ASecondNodeOnTheStoreIsRefusedAndNamesTheFirst) {
  StartMock();
  std::string config = Config();
  Program first(Serve(config));
  ASSERT_TRUE(first.WaitForEvent("ready").has_value()) << first.Errors();
  Outcome second = RunTapedeck(Serve(config));
  EXPECT_EQ(second.exit_code, 1);
  EXPECT_NE(second.err.find("is open in process " + std::to_string(first.pid())), std::string::npos)
      << second.err;
  Outcome skip = RunTapedeck({"skip", "--topic", kTopic, "--partition", "0", "--to", "5",
                              "--data-dir", StoreDir(), "--yes"});
  EXPECT_EQ(skip.exit_code, 1);
  EXPECT_NE(skip.err.find("stop that first"), std::string::npos) << skip.err;
}

TEST_F(ServeTest, AnotherNodeIdIsRefusedUnlessItAdopts) {
  {
    Program first(Serve(Config()));
    ASSERT_TRUE(first.WaitForEvent("ready").has_value()) << first.Errors();
    first.Signal(SIGTERM);
    ExpectCleanEnd(first.Wait());
  }
  std::string other = Config("", "deck-2");
  Outcome refused = RunTapedeck(Serve(other));
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_NE(refused.err.find("deck-1"), std::string::npos) << refused.err;
  EXPECT_NE(refused.err.find("--adopt"), std::string::npos) << refused.err;
  Arguments adopting = Serve(other);
  adopting.push_back("--adopt");
  Program second(adopting);
  std::optional<json> ready = second.WaitForEvent("ready");
  ASSERT_TRUE(ready.has_value()) << second.Errors();
  EXPECT_EQ((*ready)["node"], "deck-2");
}

TEST_F(ServeTest, ATablesIdentityIsFixedOnceItHasRows) {
  StartMock();
  Send(50);
  {
    Program node(Serve(Config("[tables.trades]\nunique = [\"symbol\", \"ts\"]\n")));
    ASSERT_TRUE(WaitForMessages(&node, 50).has_value()) << node.Errors();
    node.Signal(SIGTERM);
    ExpectCleanEnd(node.Wait());
  }
  Outcome changed =
      RunTapedeck(Serve(Config("[tables.trades]\nunique = [\"symbol\", \"ts\", \"trade_id\"]\n")));
  EXPECT_EQ(changed.exit_code, 1);
  EXPECT_NE(changed.err.find("fixed by the rows that are stored"), std::string::npos)
      << changed.err;
}

TEST_F(ServeTest, SkipNeedsConsentAndLeavesAGap) {
  StartMock();
  Send(30);
  {
    Program node(Serve(Config()));
    ASSERT_TRUE(WaitForMessages(&node, 30).has_value()) << node.Errors();
    node.Signal(SIGTERM);
    ExpectCleanEnd(node.Wait());
  }
  Arguments skip = {"skip", "--topic", kTopic,       "--partition", "1",
                    "--to", "15",      "--data-dir", StoreDir()};
  Outcome asked = RunTapedeck(skip);
  EXPECT_EQ(asked.exit_code, 2);
  EXPECT_NE(asked.err.find("would skip 5 offsets of ticks[1], from 10 to before 15"),
            std::string::npos)
      << asked.err;
  skip.push_back("--yes");
  Outcome done = RunTapedeck(skip);
  EXPECT_EQ(done.exit_code, 0) << done.err;
  Outcome again = RunTapedeck(skip);
  EXPECT_EQ(again.exit_code, 2);
  EXPECT_NE(again.err.find("stands at offset 15"), std::string::npos) << again.err;
  Send(30);
  Program node(Serve(Config()));
  std::optional<json> progress = WaitForMessages(&node, 25);
  ASSERT_TRUE(progress.has_value()) << node.Errors();
  EXPECT_EQ((*progress)["messages"], 25) << "30 were sent, 5 of them lie in the gap";
}

TEST_F(ServeTest, WhatIsStoredIsReadAndVerifiedBesideTheNode) {
  StartMock();
  Send(90);
  Program node(Serve(Config("[series]\nflush_interval = \"1s\"\n")));
  ASSERT_TRUE(WaitForMessages(&node, 90).has_value()) << node.Errors();
  auto lines = [&](Arguments arguments) {
    arguments.insert(arguments.end(), {"--data-dir", StoreDir()});
    Outcome outcome = RunTapedeck(arguments);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.out << outcome.err;
    EXPECT_EQ(outcome.err, "");
    return std::count(outcome.out.begin(), outcome.out.end(), '\n');
  };
  EXPECT_EQ(lines({"messages"}), 90);
  EXPECT_EQ(lines({"query", "trades"}), 90);
  EXPECT_EQ(lines({"query", "trades", "--symbols", "S3"}), 18);
  EXPECT_EQ(lines({"symbols"}), 5);
  EXPECT_EQ(lines({"coverage"}), kPartitions);
  Outcome verified = RunTapedeck({"verify", "--data-dir", StoreDir()});
  EXPECT_EQ(verified.exit_code, 0) << verified.out << verified.err;
  EXPECT_EQ(Last(verified)["records"], 90) << verified.out;
  EXPECT_NE(verified.out.find("a node is running"), std::string::npos) << verified.out;
  node.Signal(SIGTERM);
  ExpectCleanEnd(node.Wait());
  verified = RunTapedeck({"verify", "--data-dir", StoreDir()});
  EXPECT_EQ(verified.exit_code, 0) << verified.out << verified.err;
  EXPECT_EQ(Last(verified)["rows"], 90) << "all of them in series blocks";
}

// A5, the part of the write-ahead log: what a damaged log has lost is read again from Kafka, and
// the operator is told.
TEST_F(ServeTest, ADamagedWriteAheadLogIsReportedAndFilledFromKafka) {
  StartMock();
  std::string config =
      Config("[series]\nflush_interval = \"1h\"\n[record]\ncommit_interval = \"20ms\"\n");
  {
    Program node(Serve(config));
    ASSERT_TRUE(node.WaitForEvent("recording").has_value()) << node.Errors();
    for (int round = 1; round <= 5; ++round) {
      Send(100);
      ASSERT_TRUE(WaitForMessages(&node, round * 100).has_value()) << node.Errors();
    }
    node.Signal(SIGKILL);
    node.Wait();
  }
  std::filesystem::path log;
  for (const auto& entry : std::filesystem::directory_iterator(StoreDir())) {
    bool larger = log.empty() || entry.file_size() > std::filesystem::file_size(log);
    if (entry.path().extension() == ".log" && larger) log = entry.path();
  }
  ASSERT_FALSE(log.empty());
  {
    std::fstream file(log, std::ios::in | std::ios::out | std::ios::binary);
    auto middle = static_cast<std::streamoff>(std::filesystem::file_size(log) / 2);
    file.seekg(middle);
    char byte = static_cast<char>(file.get() ^ 0x40);
    file.seekp(middle);
    file.put(byte);
  }
  Program node(Serve(config));
  std::optional<json> ready = node.WaitForEvent("ready");
  ASSERT_TRUE(ready.has_value()) << node.Errors();
  EXPECT_TRUE(ready->contains("wal_damaged")) << ready->dump();
  EXPECT_NE(node.Errors().find("wal-damaged"), std::string::npos) << node.Errors();
  int survived = (*ready)["recovered_rows"];
  EXPECT_LT(survived, 500);
  std::optional<json> progress = WaitForMessages(&node, 500 - survived);
  ASSERT_TRUE(progress.has_value()) << node.Errors();
  EXPECT_EQ((*progress)["messages"], 500 - survived)
      << "what is missing, and nothing else, is read again";
}

// A5, the part of the files: a node that cannot open one does not start without it, and says what
// can be done. With the file as it was it goes on.
TEST_F(ServeTest, A5ADamagedFileOfTheStoreIsNamedWithTheWaysOut) {
  StartMock();
  Send(300);
  const std::string config = Config();
  for (int start = 0; start < 2; ++start) {  // the second one finds a log, and makes a file of it
    Program node(Serve(config));
    ASSERT_TRUE(node.WaitForEvent("recording").has_value()) << node.Errors();
    if (start == 0) {
      ASSERT_TRUE(WaitForMessages(&node, 300).has_value()) << node.Errors();
    }
    node.Signal(SIGTERM);
    ExpectCleanEnd(node.Wait());
  }
  std::filesystem::path file;
  for (const auto& entry : std::filesystem::directory_iterator(StoreDir())) {
    if (entry.path().extension() == ".sst") file = entry.path();
  }
  ASSERT_FALSE(file.empty());
  auto flip = [&] {  // in the magic number that ends it
    std::fstream bytes(file, std::ios::in | std::ios::out | std::ios::binary);
    bytes.seekg(-5, std::ios::end);
    const auto at = bytes.tellg();
    const char byte = static_cast<char>(bytes.get() ^ 0x40);
    bytes.seekp(at);
    bytes.put(byte);
  };
  flip();
  for (const bool archived : {false, true}) {
    Program node(Serve(
        Config(archived ? "[archive]\nurl = \"file://" + dir_.File("archive") + "\"\n" : "")));
    const Outcome ended = node.Wait();
    EXPECT_EQ(ended.exit_code, 1);
    for (const std::string& part :
         {file.string(), std::string("put the file back"), "move " + StoreDir() + " away",
          std::string(archived ? "tapedeck restore --archive file://" : "what Kafka still has")}) {
      EXPECT_NE(ended.err.find(part), std::string::npos) << part << ": " << ended.err;
    }
  }
  flip();
  Program node(Serve(Config()));
  ASSERT_TRUE(node.WaitForEvent("recording").has_value()) << node.Errors();
  node.Signal(SIGTERM);
  ExpectCleanEnd(node.Wait());
}

// A17, the broker's part: nothing answers, and the connections stay open.
TEST_F(ServeTest, SigtermWhileTheBrokerHangsEndsInTimeWithNothingLost) {
  TD_START_KAFKA(kafka, {});
  kafka->admin().CreateTopic(kTopic, kPartitions);
  servers_ = kafka->bootstrap_servers();
  Send(2'000);
  std::string config = Config();
  {
    Program node(Serve(config));
    ASSERT_TRUE(WaitForMessages(&node, 2'000).has_value()) << node.Errors();
    kafka->Pause();
    auto told = std::chrono::steady_clock::now();
    node.Signal(SIGTERM);
    Outcome end = node.Wait();
    EXPECT_EQ(end.exit_code, 0) << end.out << end.err;
    EXPECT_LT(std::chrono::steady_clock::now() - told, seconds(15));
  }
  kafka->Resume();
  Send(100);
  Program node(Serve(config));
  std::optional<json> progress = WaitForMessages(&node, 100);
  ASSERT_TRUE(progress.has_value()) << node.Errors();
  EXPECT_EQ((*progress)["messages"], 100) << "the 2,000 from before are all stored";
}

TEST_F(ServeTest, ANodeThatLeavesGivesItsPartitionsToAnotherAtOnce) {
  TD_START_KAFKA(kafka, {});
  kafka->admin().CreateTopic(kTopic, kPartitions);
  servers_ = kafka->bootstrap_servers();
  Send(90);
  Arguments leaving = Serve(Config());
  leaving.push_back("--leave");
  Program first(leaving);
  ASSERT_TRUE(WaitForMessages(&first, 90).has_value()) << first.Errors();
  first.Signal(SIGTERM);
  ExpectCleanEnd(first.Wait());
  std::string second_config = Config("", "deck-2");
  Program second({"serve", "--config", second_config, "--progress", "100ms", "--set",
                  "node.data_dir=" + dir_.File("store-2")});
  std::optional<json> recording = second.WaitForEvent("recording", seconds(5));
  ASSERT_TRUE(recording.has_value())
      << "the session of a member that left is over at once; its timeout is 6 s\n"
      << second.Errors();
  EXPECT_EQ((*recording)["partitions"], kPartitions);
}

// Until its progress tells of a thousand messages.
bool WaitForThousands(Program* demo) {
  for (int i = 0; i < 2'400; ++i) {
    const std::string said = demo->Errors();
    for (size_t at = said.find(" messages  "); at != said.npos;
         at = said.find(" messages  ", at + 1)) {
      if (at >= 4 && said[at - 4] == ',') return true;
    }
    ::usleep(50'000);
  }
  return false;
}

TEST(Demo, EndsByItselfWithAnAnsweredQuery) {
  Outcome outcome = RunTapedeck({"demo", "--duration", "3s", "--seed", "7"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_NE(outcome.out.find("$ tapedeck query trades --symbols BTC-USD"), std::string::npos)
      << outcome.out;
  EXPECT_NE(outcome.out.find("8 rows in "), std::string::npos) << outcome.out;
  EXPECT_NE(outcome.out.find("recorded  "), std::string::npos) << outcome.out;
  EXPECT_NE(outcome.err.find("lag "), std::string::npos) << "progress goes to stderr";
  const size_t line = outcome.out.find("$ curl 'http://127.0.0.1:");
  ASSERT_NE(line, std::string::npos) << outcome.out;
  EXPECT_NE(outcome.out.find("\nts,symbol,bid_price,", line), std::string::npos) << outcome.out;
  EXPECT_NE(outcome.out.find(",BTC-USD,", line), std::string::npos) << outcome.out;
  std::string folder = outcome.err.substr(outcome.err.find("data in ") + 8);
  EXPECT_NE(outcome.out.find(" messages of BTC-USD are on demo.market-replay once more"),
            std::string::npos)
      << outcome.out;
  const size_t close = outcome.out.find("/close'\n");
  ASSERT_NE(close, std::string::npos) << outcome.out;
  EXPECT_NE(outcome.out.find("/archive/trades/dt=", close), std::string::npos) << outcome.out;
  EXPECT_NE(outcome.out.find("/archive/tape/demo", close), std::string::npos) << outcome.out;
  EXPECT_NE(outcome.out.find(".parquet\n", close), std::string::npos) << outcome.out;
  EXPECT_FALSE(std::filesystem::exists(folder.substr(0, folder.find(','))))
      << "a temporary folder goes with the demo";
}

TEST(Demo, ItsCurlLinesWorkAsTheyStand) {
  if (std::system("curl --version > /dev/null 2>&1") != 0) GTEST_SKIP() << "there is no curl here";
  Program demo({"demo", "--duration", "10m"});
  ASSERT_TRUE(WaitForThousands(&demo)) << demo.Errors();
  std::istringstream said(demo.Errors());
  int lines = 0;
  for (std::string line; std::getline(said, line);) {
    const size_t curl = line.find("curl '");
    if (curl == std::string::npos) continue;
    ++lines;
    EXPECT_EQ(std::system((line.substr(curl) + " -fsS | grep -qE 'BTC-USD|demo.market'").c_str()),
              0)
        << line;
  }
  EXPECT_EQ(lines, 3) << demo.Errors();
  demo.Signal(SIGINT);
  EXPECT_EQ(demo.Wait().exit_code, 0);
}

TEST(Demo, AnInterruptEndsItEarlierAndCleanly) {
  TempDir dir;
  Program demo({"demo", "--duration", "10m", "--data-dir", dir.File("kept")});
  ASSERT_TRUE(WaitForThousands(&demo)) << demo.Errors();
  demo.Signal(SIGINT);
  Outcome end = demo.Wait();
  EXPECT_EQ(end.exit_code, 0) << end.err;
  EXPECT_NE(end.out.find("Ask again: tapedeck query trades"), std::string::npos) << end.out;
  EXPECT_TRUE(std::filesystem::exists(dir.File("kept") + "/CURRENT"));
  Outcome asked = RunTapedeck(
      {"query", "trades", "--symbols", "BTC-USD", "--limit", "8", "--data-dir", dir.File("kept")});
  EXPECT_EQ(asked.exit_code, 0) << asked.err;
  EXPECT_EQ(std::count(asked.out.begin(), asked.out.end(), '\n'), 8) << asked.out;
  Outcome verified = RunTapedeck({"verify", "--data-dir", dir.File("kept")});
  EXPECT_EQ(verified.exit_code, 0) << verified.out << verified.err;
  Outcome again = RunTapedeck({"demo", "--data-dir", dir.File("kept")});
  EXPECT_EQ(again.exit_code, 2);
  EXPECT_NE(again.err.find("is not empty"), std::string::npos) << again.err;
}

}  // namespace
}  // namespace tapedeck::testing
