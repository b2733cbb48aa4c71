// The commands that read a recording: query, messages, tables, symbols, topics, coverage, refused
// and verify; of a store that nobody has open, beside a process that writes it, and mistakes.

#include <gtest/gtest.h>
#include <rocksdb/db.h>

#include <fstream>
#include <sstream>

#include "base/bytes.h"
#include "cli/program.h"
#include "query/store_filler.h"
#include "support/temp_dir.h"

namespace tapedeck::testing {
namespace {

using nlohmann::json;

/// What is typed behind "tapedeck", without the folder, and what comes of it.
struct Asked {
  std::string command;
  int exit_code = 0;
  /// All of stdout.
  std::string out;
  /// A part of stderr, which is empty where this is.
  std::string err;
};

Arguments Words(const std::string& command) {
  std::istringstream in(command);
  Arguments words;
  for (std::string word; in >> word;) words.push_back(word);
  return words;
}

class ReadCommands : public ::testing::Test {
 protected:
  ReadCommands() : filler_(std::make_unique<StoreFiller>(dir_.File("store"))) {
    const TpId first = filler_->AddTape({"c1", "ticks", 0, 0});
    const TpId second = filler_->AddTape({"c1", "ticks", 0, 1}, 100);
    Say(first, 1,
        R"([{"k":"t","s":"BTC","t":1719900000000000000,"p":"63229.690","v":0.5,)"
        R"("d":"buy","i":7}])");
    Say(first, 1000,
        R"([{"k":"q","s":"BTC","t":1719900000000000001,"b":63229.6,"n":"a \"b\", c"},)"
        R"({"k":"t","s":"ETH","t":1719900001000000000,"p":3400,"v":2}])");
    Say(first, 2000, R"([{"k":"bad"}])");
    Say(second, 3000, R"([{"k":"b","s":"BTC","t":1719900000000000000,"w":"1m","c":63230}])");
    Say(second, 4000, R"([{"k":"b","s":"BTC","t":1719900000000000000,"w":"1m","c":63231}])");
    filler_->Flush();
    filler_->AddGap(second, 110, GapReason::kRetention);
    Say(second, 5000, R"([{"k":"t","s":"BTC","t":1719900005000000000,"p":63200.10,"v":1}])");
    filler_->Commit();  // above the series watermark: on the tape only
  }
  void Say(TpId tp, int64_t ms, const std::string& value) {
    filler_->Append(tp, {.key = ms == 1 ? std::optional<std::string>("k1") : std::nullopt,
                         .value = value,
                         .timestamp_ms = 1'719'900'000'000 + ms,
                         .headers = {}});
  }
  Outcome Ask(const std::string& command) {
    Arguments arguments = Words(command);
    arguments.push_back("--data-dir");
    arguments.push_back(dir_.File("store"));
    return RunTapedeck(arguments);
  }
  void Expect(const Asked& asked) {
    SCOPED_TRACE("tapedeck " + asked.command);
    const Outcome outcome = Ask(asked.command);
    EXPECT_EQ(outcome.exit_code, asked.exit_code) << outcome.err;
    EXPECT_EQ(outcome.out, asked.out);
    if (asked.err.empty()) {
      EXPECT_EQ(outcome.err, "");
    } else {
      EXPECT_NE(outcome.err.find(asked.err), std::string::npos) << outcome.err;
    }
  }
  json LastLine(const std::string& text) {
    const size_t end = text.find_last_not_of('\n');
    if (end == std::string::npos) return {};
    const size_t begin = text.rfind('\n', end);
    return json::parse(text.substr(begin == std::string::npos ? 0 : begin + 1), nullptr, false);
  }

  TempDir dir_;
  std::unique_ptr<StoreFiller> filler_;
};

const char kFirstTrade[] =
    R"({"ts":"2024-07-02T06:00:00.000000000Z","symbol":"BTC","price":63229.690,"size":0.5,)"
    R"("side":"buy","trade_id":"7"})"
    "\n";
const char kSecondTrade[] =
    R"({"ts":"2024-07-02T06:00:01.000000000Z","symbol":"ETH","price":3400,"size":2,"side":null,)"
    R"("trade_id":null})"
    "\n";
const char kThirdTrade[] =
    R"({"ts":"2024-07-02T06:00:05.000000000Z","symbol":"BTC","price":63200.10,"size":1,)"
    R"("side":null,"trade_id":null})"
    "\n";
const char kBtc[] =
    R"({"symbol":"BTC","tables":["bars","quotes","trades"],)"
    R"("first_ts":"2024-07-02T06:00:00.000000000Z","last_ts":"2024-07-02T06:00:05.000000000Z",)"
    R"("rows":5})"
    "\n";
const char kEth[] =
    R"({"symbol":"ETH","tables":["trades"],"first_ts":"2024-07-02T06:00:01.000000000Z",)"
    R"("last_ts":"2024-07-02T06:00:01.000000000Z","rows":1})"
    "\n";
const char kRefused[] =
    R"({"topic":"ticks","partition":0,"lineage":0,"offset":2,"ts":"2024-07-02T06:00:02.000000000Z",)"
    R"("reason":"k == \"bad\"","field":null,"path":null,"refused":1,"kept":0,"key":null,)"
    R"("value":"[{\"k\":\"bad\"}]"})"
    "\n";
const char kLastMessage[] =
    R"({"topic":"ticks","partition":1,"offset":110,"ts":"2024-07-02T06:00:05.000000000Z",)"
    R"("ts_type":"create","key":null,"value":"[{\"k\":\"t\",\"s\":\"BTC\",)"
    R"(\"t\":1719900005000000000,\"p\":63200.10,\"v\":1}]","headers":[]})"
    "\n";

std::vector<Asked> Records() {
  const std::string all = std::string(kFirstTrade) + kSecondTrade + kThirdTrade;
  return {
      {"query trades", 0, all, ""},
      {"query trades -s BTC,ETH", 0, all, ""},
      {"query trades -s *", 0, all, ""},
      {"query trades -s ETH", 0, kSecondTrade, ""},
      {"query trades --order desc --limit 2", 0, std::string(kThirdTrade) + kSecondTrade, ""},
      {"query trades --start 2024-07-02T06:00:01Z --end +4s", 0, kSecondTrade, ""},
      {"query trades --start 1719900005000ms", 0, kThirdTrade, ""},
      {"query trades --where side:buy", 0, kFirstTrade, ""},
      {"query trades --topics ticks --limit 1 --fail-empty", 0, kFirstTrade, ""},
      {"query trades -o json --limit 1 -s ETH", 0,
       "{\"data\":[" + std::string(kSecondTrade, sizeof(kSecondTrade) - 2) +
           "],\"next_page_token\":null}\n",
       ""},
      {"query trades -o csv --fields ts:time,price --ts ms", 0,
       "time,price\r\n1719900000000,63229.690\r\n1719900001000,3400\r\n1719900005000,63200.10\r\n",
       ""},
      {"query trades --limit 1 --origin --fields price --numbers string", 0,
       R"({"price":"63229.690","ts_kafka":"2024-07-02T06:00:00.001000000Z","topic":"ticks",)"
       R"("partition":0,"lineage":0,"offset":0,"index":0})"
       "\n",
       ""},
      {"query trades -o table -s ETH --fields symbol,price", 0, "symbol  price\nETH      3400\n",
       ""},
      {"query quotes --fields ts,bid_price,note --ts ns", 0,
       R"({"ts":"1719900000000000001","bid_price":63229.6,"note":"a \"b\", c"})"
       "\n",
       ""},
      {"query bars --fields interval,close", 0, "{\"interval\":\"1m\",\"close\":63231}\n", ""},
      {"query odd", 0, "", ""},
      {"query trades -s NOPE", 0, "", ""},
      {"query trades -s NOPE -o json", 0, "{\"data\":[],\"next_page_token\":null}\n", ""},
      {"query trades -s NOPE -o csv --fields price", 0, "price\r\n", ""},
      {"query trades -s NOPE --fail-empty", 3, "", ""},
      {"query trades --latest", 0, std::string(kThirdTrade) + kSecondTrade, ""},
      {"query bars --latest --by interval --fields symbol,interval,close", 0,
       "{\"symbol\":\"BTC\",\"interval\":\"1m\",\"close\":63231}\n", ""},
      {"query trades --latest -s NOPE --fail-empty", 3, "", ""},
      {"query trades --count", 0, "{\"table\":\"trades\",\"count\":3}\n", ""},
      {"query trades --count --start 2024-07-02T06:00:01Z -o csv", 0, "table,count\r\ntrades,2\r\n",
       ""},
      {"query trades --count -s NOPE --fail-empty", 3, "{\"table\":\"trades\",\"count\":0}\n", ""},
  };
}

std::vector<Asked> MessagesAndListings() {
  return {
      {"messages --offsets 110:", 0, kLastMessage, ""},
      {"messages -t ticks -p 1 --start 2024-07-02T06:00:05Z", 0, kLastMessage, ""},
      {"messages -p 0 --offsets :1 --encoding base64 --ts s", 0,
       R"({"topic":"ticks","partition":0,"offset":0,"ts":1719900000,"ts_type":"create",)"
       R"("key":"azE=","value":"W3siayI6InQiLCJzIjoiQlRDIiwidCI6MTcxOTkwMDAwMDAwMDAwMDAwMCwicCI6)"
       R"(IjYzMjI5LjY5MCIsInYiOjAuNSwiZCI6ImJ1eSIsImkiOjd9XQ==","headers":[]})"
       "\n",
       ""},
      {"messages --offsets 2:3 -o csv", 0,
       "topic,partition,lineage,offset,ts,ts_type,key,value,headers\r\n"
       "ticks,0,0,2,2024-07-02T06:00:02.000000000Z,create,,\"[{\"\"k\"\":\"\"bad\"\"}]\",[]\r\n",
       ""},
      {"messages --lineage 7", 0, "", ""},
      {"messages --offsets 5:9 --fail-empty", 3, "", ""},
      {"symbols", 0, std::string(kBtc) + kEth, ""},
      {"symbols --prefix E", 0, kEth, ""},
      {"symbols --symbol BTC --table bars", 0,
       R"({"symbol":"BTC","tables":["bars"],"first_ts":"2024-07-02T06:00:00.000000000Z",)"
       R"("last_ts":"2024-07-02T06:00:00.000000000Z","rows":2})"
       "\n",
       ""},
      {"symbols --limit 1 -o csv", 0,
       "symbol,tables,first_ts,last_ts,rows\r\nBTC,\"bars,quotes,trades\","
       "2024-07-02T06:00:00.000000000Z,2024-07-02T06:00:05.000000000Z,5\r\n",
       ""},
      {"topics", 0,
       R"({"topic":"ticks","mapping":"filler","partitions":[{"partition":0,"lineage":0,)"
       R"("received":3,"stored":3,"durable":3,"shipped":0,"lag":null},{"partition":1,"lineage":0,)"
       R"("received":111,"stored":111,"durable":111,"shipped":100,"lag":null}]})"
       "\n",
       ""},
      {"coverage -o csv", 0,
       "topic,partition,lineage,from_offset,stored,messages,records,refused,gaps\r\n"
       "ticks,0,0,0,3,3,3,1,\r\nticks,1,0,100,111,3,3,0,102..110 retention\r\n",
       ""},
      {"refused", 0, kRefused, ""},
      {"refused -t ticks --start 2024-07-02T06:00:02Z --limit 1", 0, kRefused, ""},
      {"refused --reason bad-number --fail-empty", 3, "", ""},
      {"tables -o csv --fail-empty", 0,
       "table,kind,identity,day,topics,columns\r\n"
       "bars,upsert,\"symbol,ts,interval\",day,ticks,"
       "\"ts,symbol,interval,open,high,low,close,volume\"\r\n"
       "odd,append,,day,ticks,\"ts,symbol,amount,count,good,seen,words\"\r\n"
       "quotes,append,,day,ticks,"
       "\"ts,symbol,bid_price,bid_size,ask_price,ask_size,last,note\"\r\n"
       "snapshots,append,,day,,\"ts,symbol,price,volume_24h,market_cap\"\r\n"
       "trades,append,,day,ticks,\"ts,symbol,price,size,side,trade_id\"\r\n",
       ""},
  };
}

TEST_F(ReadCommands, AnswerBesideTheWriterAsAfterIt) {
  for (const std::vector<Asked>& list : {Records(), MessagesAndListings()}) {
    for (const Asked& asked : list) Expect(asked);
  }
  filler_->Close();
  for (const std::vector<Asked>& list : {Records(), MessagesAndListings()}) {
    for (const Asked& asked : list) Expect(asked);
  }
}

TEST_F(ReadCommands, MistakesExitWithTwoAndSayWhatThereIs) {
  const std::vector<Asked> mistakes = {
      {"query nosuch", 2, "", "no table 'nosuch'; there are: trades, quotes, bars, snapshots, odd"},
      {"query trades --start yesterday", 2, "",
       "--start: \"yesterday\" is no time: write RFC 3339"},
      {"query trades --end 2024-13-01", 2, "", "--end: \"2024-13-01\" is no time"},
      {"query trades --end +4s", 2, "", "--end"},
      {"query trades --fields nosuch", 2, "", "has no field \"nosuch\"; it has: ts, symbol, price"},
      {"query trades --fields price,size:price", 2, "", "price"},
      {"query trades --where side", 2, "", "--where side: write column:value"},
      {"query trades --where nosuch:1", 2, "", "no column 'nosuch'; it has: price, size, side"},
      {"query trades --topics nosuch", 2, "", "no topic \"nosuch\" was recorded here"},
      {"query trades --limit x", 2, "", "--limit"},
      {"query trades --limit -1", 2, "",
       "--limit: \"-1\" is no whole number from 1 on; tapedeck query --help"},
      {"query trades --symbls X", 2, "", "--symbls; did you mean --symbols?"},
      {"query trades --limit", 2, "", "--limit: \"--data-dir\" is no whole number from 1 on"},
      {"query trades --limit 0", 2, "", "--limit"},
      {"query trades --page-token x", 2, "", "--page-token requires --limit"},
      {"query trades --limit 1 --page-token x", 2, "", "--page-token: it is no page token"},
      {"query trades --latest --start now", 2, "", "--start excludes --latest"},
      {"query trades --by side", 2, "", "--by requires --latest"},
      {"query trades --count --limit 1", 2, "", "--limit excludes --count"},
      {"query trades --count -o arrow", 2, "", "-o arrow: there are ndjson, json, csv and table"},
      {"query trades --url http://127.0.0.1:1", 2, "", "--url excludes --data-dir"},
      {"query trades --token-file x", 2, "", "--data-dir excludes --token-file"},
      {"messages -o parquet", 2, "", "parquet not in {ndjson,json,csv,table}"},
      {"status -o csv", 2, "", "-o csv: the status is one document"},
      {"query trades -o xml", 2, "", "xml not in {ndjson,json,csv,table,arrow,parquet}"},
      {"query trades --order up", 2, "", "--order: up not in {asc,desc}"},
      {"query trades --ts minutes", 2, "", "--ts"},
      {"query trades --numbers hex", 2, "", "--numbers"},
      {"query", 2, "", "table"},
      {"messages --offsets 5", 2, "", "--offsets 5: write FROM:TO"},
      {"messages --offsets 9:3", 2, "", "--offsets 9:3: FROM must lie before TO"},
      {"messages -p 99999999999", 2, "", "from 0 to 2147483647"},
      {"messages --offsets a:b", 2, "", "--offsets a:b: write FROM:TO"},
      {"messages -t nosuch", 2, "", "no topic \"nosuch\" was recorded here"},
      {"messages -p 9", 2, "", "no partition 9 of these topics was recorded here"},
      {"messages -p -1", 2, "", "--partition"},
      {"messages --encoding hex", 2, "", "--encoding"},
      {"symbols --table nosuch", 2, "", "no table 'nosuch'; there are: trades"},
      {"topics -t nosuch", 2, "", "no topic \"nosuch\" was recorded here"},
      {"coverage -t nosuch", 2, "", "no topic \"nosuch\" was recorded here"},
      {"refused --start 25:00", 2, "", "--start: \"25:00\" is no time"},
      {"tables -o yaml", 2, "", "yaml not in {ndjson,json,csv,table}"},
      {"verify -o xml", 2, "", "--output"},
      {"verify --max many", 2, "", "--max"},
  };
  for (const Asked& mistake : mistakes) Expect(mistake);
  const Outcome cut = RunTapedeck({"query", "trades", "--limit"});
  EXPECT_EQ(cut.exit_code, 2);
  EXPECT_NE(cut.err.find("--limit needs a value; tapedeck query --help"), std::string::npos)
      << cut.err;
}

TEST_F(ReadCommands, PagesOfADocumentGoOnWhereTheLastOneEnded) {
  for (const char* command : {"query trades", "query trades --order desc", "query bars",
                              "query trades --latest", "messages"}) {
    const json whole = json::parse(Ask(std::string(command) + " -o json").out, nullptr, false);
    ASSERT_TRUE(whole.is_object()) << command;
    json joined = json::array();
    std::string token;
    do {
      const Outcome page = Ask(std::string(command) + " -o json --limit 1" +
                               (token.empty() ? "" : " --page-token " + token));
      ASSERT_EQ(page.exit_code, 0) << page.err;
      const json document = json::parse(page.out, nullptr, false);
      ASSERT_TRUE(document.is_object()) << page.out;
      joined.insert(joined.end(), document["data"].begin(), document["data"].end());
      token = document["next_page_token"].is_null()
                  ? ""
                  : document["next_page_token"].get<std::string>();
    } while (!token.empty() && joined.size() < 10);
    EXPECT_EQ(joined, whole["data"]) << command;
  }
  const std::string token =
      json::parse(Ask("query trades -o json --limit 1").out)["next_page_token"].get<std::string>();
  Expect({"query trades -s BTC --limit 1 --page-token " + token, 2, "",
          "--page-token: it belongs to another query"});
}

TEST_F(ReadCommands, ColumnarFormsAreWhole) {
  const Outcome arrow = Ask("query trades -o arrow");
  EXPECT_EQ(arrow.exit_code, 0) << arrow.err;
  EXPECT_EQ(arrow.out.substr(0, 4), "\xff\xff\xff\xff") << "an IPC stream begins so";
  const Outcome parquet = Ask("query trades -o parquet");
  EXPECT_EQ(parquet.exit_code, 0) << parquet.err;
  ASSERT_GT(parquet.out.size(), 8u);
  EXPECT_EQ(parquet.out.substr(0, 4), "PAR1");
  EXPECT_EQ(parquet.out.substr(parquet.out.size() - 4), "PAR1");
}

TEST_F(ReadCommands, StatusOfADirectorySaysWhatIsStored) {
  const Outcome outcome = Ask("status");
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  const json status = json::parse(outcome.out, nullptr, false);
  ASSERT_TRUE(status.is_object()) << outcome.out;
  EXPECT_EQ(status["recording"]["messages"], 6);
  EXPECT_EQ(status["recording"]["refused"], 1);
  ASSERT_EQ(status["partitions"].size(), 2u);
  EXPECT_EQ(status["partitions"][1]["stored"], 111);
  EXPECT_EQ(status["partitions"][1]["gaps"], 1);
  const Outcome table = Ask("status -o table");
  EXPECT_EQ(table.exit_code, 0) << table.err;
  EXPECT_NE(table.out.find("recording.messages  6"), std::string::npos) << table.out;
  EXPECT_NE(table.out.find("\npartitions\n"), std::string::npos) << table.out;
}

TEST_F(ReadCommands, WhereThereIsNoStoreTheySaySo) {
  std::filesystem::create_directory(dir_.File("empty"));
  std::filesystem::create_directory(dir_.File("letters"));
  std::ofstream(dir_.File("letters") + "/letter.txt") << "hello";
  std::ofstream(dir_.File("file")) << "hello";
  for (const char* command : {"query trades", "messages", "tables", "symbols", "topics", "coverage",
                              "refused", "verify", "skip --topic ticks --partition 0 --to 5"}) {
    for (const char* name : {"nowhere", "empty", "letters", "file"}) {
      Arguments arguments = Words(command);
      arguments.push_back("--data-dir");
      arguments.push_back(dir_.File(name));
      SCOPED_TRACE(std::string(command) + " of " + name);
      const Outcome outcome = RunTapedeck(arguments);
      EXPECT_EQ(outcome.exit_code, 1) << outcome.out << outcome.err;
      EXPECT_EQ(outcome.out, "");
      EXPECT_NE(outcome.err.find("there is no store in " + dir_.File(name)), std::string::npos)
          << outcome.err;
    }
  }
  EXPECT_FALSE(std::filesystem::exists(dir_.File("nowhere"))) << "reading makes nothing";
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(dir_.File("letters")),
                          std::filesystem::directory_iterator()),
            1)
      << "reading leaves nothing behind";
}

TEST_F(ReadCommands, AStoreOfAnotherFormatIsRefused) {
  filler_->Close();
  {
    rocksdb::DB* raw = nullptr;
    ASSERT_TRUE(rocksdb::DB::Open(rocksdb::Options(), dir_.File("store"), &raw).ok());
    std::unique_ptr<rocksdb::DB> db(raw);
    std::string format;
    PutVarint(&format, 2);
    ASSERT_TRUE(db->Put(rocksdb::WriteOptions(), keys::Meta("format"), format).ok());
  }
  for (const char* command : {"query trades", "messages", "tables", "symbols", "topics", "coverage",
                              "refused", "verify", "skip --topic ticks --partition 0 --to 5"}) {
    Expect({command, 1, "", "has format 2; this program reads and writes format 1"});
  }
}

TEST_F(ReadCommands, SkipTellsThenDoesAndCoverageShowsTheGap) {
  Expect({"skip -t ticks -p 0 --to 5 --yes", 1, "", "stop that first"});
  filler_->Close();
  const std::vector<Asked> steps = {
      {"skip -t nosuch -p 0 --to 5 --yes", 1, "", "nothing was ever recorded of nosuch[0]"},
      {"skip -t ticks -p 7 --to 5 --yes", 1, "", "nothing was ever recorded of ticks[7]"},
      {"skip -t ticks -p 0 --to 3 --yes", 2, "", "ticks[0] stands at offset 3: --to 3 is not"},
      {"skip -t ticks -p 0 --to five --yes", 2, "", "--to"},
      {"skip -t ticks -p 0", 2, "", "--to is required"},
      {"skip -t ticks -p 0 --to 5", 2, "", "would skip 2 offsets of ticks[0], from 3 to before 5"},
      {"skip -t ticks -p 0 --to 5 --yes", 0,
       "skipped 2 offsets of ticks[0], from 3 to before 5; recorded as a gap\n", ""},
      {"coverage -o csv", 0,
       "topic,partition,lineage,from_offset,stored,messages,records,refused,gaps\r\n"
       "ticks,0,0,0,5,3,3,1,3..5 skipped\r\nticks,1,0,100,111,3,3,0,102..110 retention\r\n",
       ""},
      {"messages -p 0 --offsets 3:", 0, "", ""},
  };
  for (const Asked& step : steps) Expect(step);
  EXPECT_EQ(Ask("verify").exit_code, 0);
}

TEST_F(ReadCommands, VerifyExitsWithZeroAndItsCounts) {
  const json counts = {{"event", "verified"}, {"ok", true},    {"differences", 0}, {"tapes", 2},
                       {"tape_blocks", 3},    {"messages", 6}, {"records", 6},     {"refused", 1},
                       {"series_blocks", 4},  {"rows", 5},     {"symbols", 4},     {"days", 3}};
  const Outcome beside = Ask("verify");
  EXPECT_EQ(beside.exit_code, 0) << beside.out << beside.err;
  EXPECT_EQ(beside.err, "");
  EXPECT_EQ(LastLine(beside.out), counts);
  EXPECT_NE(beside.out.find("a node is running"), std::string::npos) << beside.out;
  filler_->Close();
  const Outcome alone = Ask("verify");
  EXPECT_EQ(alone.exit_code, 0) << alone.out << alone.err;
  EXPECT_EQ(alone.err, "");
  EXPECT_EQ(json::parse(alone.out, nullptr, false), counts) << "and no notes";
  const Outcome text = Ask("verify -o text");
  EXPECT_EQ(text.out,
            "all equal: 6 messages in 3 blocks of 2 tapes, 6 records, 1 refused; 5 rows in 4 "
            "blocks of 4 series\n");
}

TEST_F(ReadCommands, VerifyExitsWithFourAndListsEachDifference) {
  StoreBatch batch;
  Checkpoint checkpoint = *filler_->store().View()->GetCheckpoint(TpId{1});
  checkpoint.digest += HashBytes("x");
  batch.PutCheckpoint(TpId{1}, checkpoint);
  CatalogEntry entry;
  entry.rows = 9;
  batch.PutCatalog(filler_->tables().Find("trades")->id, "ETH", entry);
  ASSERT_TRUE(filler_->store().Write(batch).ok());
  for (const bool beside : {true, false}) {
    if (!beside) filler_->Close();
    const Outcome found = Ask("verify");
    EXPECT_EQ(found.exit_code, 4) << found.out << found.err;
    EXPECT_EQ(LastLine(found.out).value("ok", true), false);
    EXPECT_EQ(LastLine(found.out).value("differences", 0), 2) << found.out;
    const json first = json::parse(found.out.substr(0, found.out.find('\n')), nullptr, false);
    EXPECT_EQ(first.value("event", ""), "difference");
    EXPECT_NE(first.value("where", "").find("ticks[0]"), std::string::npos) << first;
    EXPECT_NE(first.value("what", "").find("digest"), std::string::npos) << first;
  }
  const Outcome text = Ask("verify -o text --max 1");
  EXPECT_EQ(text.exit_code, 4);
  EXPECT_NE(text.out.find("\n… and 1 more\nDIFFERENCES FOUND: "), std::string::npos) << text.out;
}

}  // namespace
}  // namespace tapedeck::testing
