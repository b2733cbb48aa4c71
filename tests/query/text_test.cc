// Times of a query, rows and messages as text, listings.

#include <gtest/gtest.h>

#include "model/time_text.h"
#include "query/json_rows.h"
#include "query/listing.h"
#include "query/listing_text.h"
#include "query/series_cursor.h"
#include "query/store_filler.h"
#include "support/temp_dir.h"

namespace tapedeck::testing {
namespace {

constexpr Timestamp kNow{int64_t{1'720'000'000} * 1'000'000'000};

int64_t Parsed(std::string_view text, std::optional<Timestamp> start = std::nullopt) {
  Result<Timestamp> time = ParseTimeText(text, kNow, start);
  EXPECT_TRUE(time.ok()) << text << ": " << time.status().ToString();
  return time.ok() ? time->ns() : 0;
}

TEST(TimeText, EveryFormIsRead) {
  EXPECT_EQ(Parsed("2024-07-02T04:17:16.373Z"), 1'719'893'836'373'000'000);
  EXPECT_EQ(Parsed("2024-07-02T06:17:16.373+02:00"), 1'719'893'836'373'000'000);
  EXPECT_EQ(Parsed("2024-07-02T06:17:16.373 02:00"),
            1'719'893'836'373'000'000);  // a plus that became a blank
  EXPECT_EQ(Parsed("2024-07-02"), 1'719'878'400'000'000'000);
  EXPECT_EQ(Parsed("1712877306113ms"), 1'712'877'306'113'000'000);
  EXPECT_EQ(Parsed("1712877306s"), 1'712'877'306'000'000'000);
  EXPECT_EQ(Parsed("1712877306113000us"), 1'712'877'306'113'000'000);
  EXPECT_EQ(Parsed("-5ns"), -5);
  EXPECT_EQ(Parsed("1712877306113000000"), 1'712'877'306'113'000'000);
  EXPECT_EQ(Parsed("now"), kNow.ns());
  EXPECT_EQ(Parsed("now-15m"), kNow.ns() - int64_t{900} * 1'000'000'000);
  EXPECT_EQ(Parsed("now+1h"), kNow.ns() + int64_t{3600} * 1'000'000'000);
  EXPECT_EQ(Parsed("+2s", Timestamp(7)), 2'000'000'007);
}

TEST(TimeText, WhatHasNoUnitOrIsNoTimeIsRefused) {
  for (const char* text : {"1712877306113", "1712877306", "1712877306113000", "-5", "0"}) {
    EXPECT_EQ(ParseTimeText(text, kNow).status().code(), StatusCode::kInvalidArgument) << text;
    EXPECT_TRUE(IsAmbiguousTime(text)) << text;
  }
  for (const char* text :
       {"", "x", "2024-13-01", "2024-07-02T04:17:16", "now-", "now-1", "now-5y", "nowish", "+1h",
        "5 ms", "99999999999999999999ns", "9223372036855s", "1e18"}) {
    EXPECT_EQ(ParseTimeText(text, kNow).status().code(), StatusCode::kInvalidArgument) << text;
    EXPECT_FALSE(IsAmbiguousTime(text)) << text;
  }
}

class TextTest : public ::testing::Test {
 protected:
  TextTest() : filler_(dir_.File("store")), tp_(filler_.AddTape({"c1", "Finhub1", 0, 3}, 184)) {}

  // All records of a table, as JSON lines or CSV.
  std::string Rows(const std::string& table, const std::vector<std::string>& wanted,
                   Origins origins, RowStyle style, bool csv) {
    auto point = filler_.Point();
    Result<RowFields> fields = RowFields::Choose(**point->FindTable(table), wanted, origins);
    EXPECT_TRUE(fields.ok()) << fields.status().ToString();
    RecordQuery query;
    query.table = table;
    query.columns = fields->columns();
    auto cursor = RecordCursor::Open(point, query);
    EXPECT_TRUE(cursor.ok()) << cursor.status().ToString();
    const RecordWriter writer(*fields, **cursor, style);
    std::string out;
    if (csv) writer.AppendCsvHeader(&out);
    for (RowRun run;;) {
      EXPECT_TRUE((*cursor)->Next(&run).ok());
      if (run.count == 0) return out;
      for (uint32_t n = 0; n < run.count; ++n) {
        if (csv) {
          writer.AppendCsv(run, n, &out);
        } else {
          writer.AppendJson(run, n, &out);
          out += "\n";
        }
      }
    }
  }
  void Record(const std::string& value, int64_t ms = 1'719'893'836'512) {
    filler_.Append(tp_, {.value = value, .timestamp_ms = ms});
    filler_.Commit();
  }

  TempDir dir_;
  StoreFiller filler_;
  TpId tp_;
};

TEST_F(TextTest, RecordsAreWrittenDigitForDigit) {
  Record(R"([{"k":"t","s":"BINANCE:BTCUSDT","t":1719893836373000000,"p":63229.69,"v":"0.00139"},
             {"k":"t","s":"BINANCE:BTCUSDT","t":1719893836373000001,"p":0.99980,"v":6.255e-5,"d":"buy","i":"a\"b"}])");
  EXPECT_EQ(
      Rows("trades", {}, Origins::kLeftOut, {}, false),
      R"({"ts":"2024-07-02T04:17:16.373000000Z","symbol":"BINANCE:BTCUSDT","price":63229.69,"size":0.00139,"side":null,"trade_id":null})"
      "\n"
      R"({"ts":"2024-07-02T04:17:16.373000001Z","symbol":"BINANCE:BTCUSDT","price":0.99980,"size":0.00006255,"side":"buy","trade_id":"a\"b"})"
      "\n");
  EXPECT_EQ(Rows("trades", {"ts:time", "price"}, Origins::kLeftOut,
                 {TimeStyle::kNanoseconds, NumberStyle::kString}, false),
            "{\"time\":\"1719893836373000000\",\"price\":\"63229.69\"}\n"
            "{\"time\":\"1719893836373000001\",\"price\":\"0.99980\"}\n");
  EXPECT_EQ(Rows("trades", {"ts"}, Origins::kShown, {TimeStyle::kMilliseconds, NumberStyle::kJson},
                 false),
            "{\"ts\":1719893836373,\"ts_kafka\":1719893836512,\"topic\":\"Finhub1\",\"partition\":"
            "3,\"lineage\":0,"
            "\"offset\":184,\"index\":0}\n"
            "{\"ts\":1719893836373,\"ts_kafka\":1719893836512,\"topic\":\"Finhub1\",\"partition\":"
            "3,\"lineage\":0,"
            "\"offset\":184,\"index\":1}\n");
}

TEST_F(TextTest, TimesBefore1970AreRoundedToThePast) {
  Record(R"([{"k":"t","s":"A","t":-1,"p":1}])");
  EXPECT_EQ(
      Rows("trades", {"ts"}, Origins::kLeftOut, {TimeStyle::kSeconds, NumberStyle::kJson}, false),
      "{\"ts\":-1}\n");
  EXPECT_EQ(Rows("trades", {"ts"}, Origins::kLeftOut, {}, false),
            "{\"ts\":\"1969-12-31T23:59:59.999999999Z\"}\n");
}

TEST_F(TextTest, CsvIsAsTheRfcSaysAndNullIsNotEmptyText) {
  Record(R"([{"k":"x","s":"a,b","t":5,"g":true,"i":7,"m":1719893836512,"n":"say \"hi\"\r\nyou"},
             {"k":"x","s":"c","t":6,"g":false,"p":99999999999999999999.5}])");
  EXPECT_EQ(Rows("odd", {"symbol", "good", "count", "seen", "words", "amount"}, Origins::kLeftOut,
                 {}, true),
            "symbol,good,count,seen,words,amount\r\n"
            "\"a,b\",true,7,2024-07-02T04:17:16.512000000Z,\"say \"\"hi\"\"\r\nyou\",\r\n"
            "c,false,,,,99999999999999999999.5\r\n");
  std::string field;
  AppendCsvField("", &field);
  EXPECT_EQ(field, "\"\"");
}

TEST_F(TextTest, FieldsThatAreUnknownOrDoubledAreRefused) {
  auto point = filler_.Point();
  const Table& trades = **point->FindTable("trades");
  for (const std::vector<std::string>& wanted : std::vector<std::vector<std::string>>{
           {"prize"}, {"price", "price"}, {"price:x", "size:x"}, {""}, {"price:"}, {":x"}}) {
    EXPECT_EQ(RowFields::Choose(trades, wanted, Origins::kLeftOut).status().code(),
              StatusCode::kInvalidArgument)
        << wanted[0];
  }
  const std::vector<std::string> twice = {"price", "price:again"};
  EXPECT_TRUE(RowFields::Choose(trades, twice, Origins::kShown).ok());
}

TEST_F(TextTest, MessagesAreWrittenAsTheyWere) {
  FillMessage m{.value = "{\"data\":[]}", .timestamp_ms = 1'719'893'836'512};
  m.headers.emplace_back("source", "ws");
  filler_.Append(tp_, m);
  FillMessage binary{.key = std::string("\xff\x00\x01", 3),
                     .value = std::nullopt,
                     .timestamp_ms = -1,
                     .type = TimestampType::kNone};
  binary.headers.emplace_back("", std::nullopt);
  binary.headers.emplace_back("\xff\xfe", "a");
  filler_.Append(tp_, binary);
  filler_.Commit();
  auto cursor = MessageCursor::Open(filler_.Point(), {.partition = 3});
  ASSERT_TRUE(cursor.ok());
  std::map<int64_t, std::string> json;
  std::map<int64_t, std::string> csv;
  for (;;) {
    const StoredMessage* next = *(*cursor)->Next();
    if (next == nullptr) break;
    AppendMessageJson(*next, {}, &json[next->message.offset]);
    AppendMessageCsv(*next, {TimeStyle::kIso, MessageEncoding::kBase64},
                     &csv[next->message.offset]);
  }
  EXPECT_EQ(
      json[184],
      R"({"topic":"Finhub1","partition":3,"offset":184,"ts":"2024-07-02T04:17:16.512000000Z","ts_type":"create","key":null,)"
      R"("value":"{\"data\":[]}","headers":[{"key":"source","value":"ws"}]})");
  EXPECT_EQ(
      json[185],
      R"({"topic":"Finhub1","partition":3,"offset":185,"ts":null,"ts_type":"none","key":{"base64":"/wAB"},)"
      R"("value":null,"headers":[{"key":"","value":null},{"key":{"base64":"//4="},"value":"a"}]})");
  EXPECT_EQ(csv[185],
            "Finhub1,3,0,185,,none,/wAB,,\"[{\"\"key\"\":\"\"\"\",\"\"value\"\":null},"
            "{\"\"key\"\":{\"\"base64\"\":\"\"//4=\"\"},\"\"value\"\":\"\"YQ==\"\"}]\"\r\n");
}

TEST(Base64, IsThatOfRfc4648) {
  const std::pair<const char*, const char*> kCases[] = {
      {"", ""},        {"f", "Zg=="},        {"fo", "Zm8="},
      {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"foobar", "Zm9vYmFy"}};
  for (const auto& [bytes, text] : kCases) {
    std::string out;
    AppendBase64(bytes, &out);
    EXPECT_EQ(out, text);
  }
}

TEST_F(TextTest, SymbolsAreCountedInBlocksAndOpenRows) {
  Record(R"([{"k":"t","s":"B","t":5,"p":1},{"k":"q","s":"A","t":7,"b":1}])");
  filler_.Flush();
  Record(
      R"([{"k":"q","s":"B","t":9,"b":1},{"k":"t","s":"BB","t":2,"p":1},{"k":"t","s":"B","t":3,"p":1}])");
  auto list = [&](const SymbolQuery& query) {
    std::string text;
    Result<std::vector<SymbolEntry>> entries = ListSymbols(*filler_.Point(), query);
    EXPECT_TRUE(entries.ok()) << entries.status().ToString();
    for (const SymbolEntry& e : *entries) {
      text += e.symbol + ":";
      for (const std::string& table : e.tables) text += table + ",";
      text += std::to_string(e.first_ts.ns()) + "-" + std::to_string(e.last_ts.ns()) + "x" +
              std::to_string(e.rows) + " ";
    }
    return text;
  };
  EXPECT_EQ(list({}), "A:quotes,7-7x1 B:quotes,trades,3-9x3 BB:trades,2-2x1 ");
  EXPECT_EQ(list({.table = "trades"}), "B:trades,3-5x2 BB:trades,2-2x1 ");
  EXPECT_EQ(list({.symbol = "B"}), "B:quotes,trades,3-9x3 ");
  EXPECT_EQ(list({.prefix = "B"}), "B:quotes,trades,3-9x3 BB:trades,2-2x1 ");
  EXPECT_EQ(list({.limit = 1}), "A:quotes,7-7x1 ");
  EXPECT_EQ(list({.after = "A", .has_after = true, .limit = 1}), "B:quotes,trades,3-9x3 ");
  EXPECT_EQ(ListSymbols(*filler_.Point(), {.table = "nope"}).status().code(),
            StatusCode::kNotFound);
}

TEST_F(TextTest, CoverageAndRefusedTellWhatHappened) {
  Record(R"([{"k":"t","s":"B","t":5,"p":"abc"},{"k":"q","s":"A","t":7,"b":1}])");
  filler_.AddGap(tp_, 200, GapReason::kRetention);
  filler_.Commit();
  auto point = filler_.Point();
  const std::vector<PartitionEntry> list = *ListPartitions(*point, {"Finhub1"});
  ASSERT_EQ(list.size(), 1u);
  EXPECT_EQ(list[0].mapping, "filler");
  EXPECT_EQ(CoverageText(list[0]).json,
            "{\"topic\":\"Finhub1\",\"partition\":3,\"lineage\":0,\"from_offset\":184,\"received\":"
            "200,\"stored\":200,"
            "\"durable\":200,\"shipped\":184,\"messages\":1,\"records\":1,\"refused\":1,\"digest\":"
            "\"xxh3-128-sum:" +
                list[0].checkpoint.digest.ToString() +
                "\",\"gaps\":[{\"from\":185,\"to\":200,\"reason\":\"retention\",\"at\":\"2024-07-"
                "03T09:46:40.000000000Z\"}]}");
  EXPECT_EQ(ListPartitions(*point, {"nope"}).status().code(), StatusCode::kInvalidArgument);
  std::vector<std::string> lines;
  auto take = [&](const RefusedMessage& refused) {
    lines.push_back(RefusedText(refused).json);
    return Status::Ok();
  };
  ASSERT_TRUE(VisitRefused(*point, {}, take).ok());
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_NE(
      lines[0].find(
          R"("offset":184,"ts":"2024-07-02T04:17:16.512000000Z","reason":"bad-number","field":"price","path":"p","refused":1,"kept":1)"),
      std::string::npos)
      << lines[0];
  EXPECT_NE(lines[0].find(R"("value":"[{\"k\":\"t\")"), std::string::npos) << lines[0];
  ASSERT_TRUE(VisitRefused(*point, {.reason = "not-json"}, take).ok());
  ASSERT_TRUE(VisitRefused(*point, {.end = Timestamp(0)}, take).ok());
  EXPECT_EQ(lines.size(), 1u);
  ASSERT_TRUE(VisitRefused(*point, {.topic = "Finhub1", .reason = "bad-number"}, take).ok());
  EXPECT_EQ(lines.size(), 2u);
}

TEST_F(TextTest, RefusedMessagesGoOnBehindAnyPlace) {
  const std::vector<TpId> tapes = {tp_, filler_.AddTape({"c1", "audit", 0, 9}),
                                   filler_.AddTape({"c1", "ticks", 1, 2}),
                                   filler_.AddTape({"c1", "ticks", 0, 2})};
  // Several blocks of each, with messages that are not refused, and holes.
  for (int i = 0; i < 120; ++i) {
    for (const TpId tp : tapes) {
      FillMessage message{.timestamp_ms = 1000 + i, .skip = i % 7 == 0 ? 3 : 0};
      message.value = "[{\"k\":\"" + std::string(i % 3 == 0 ? "ping" : "bad") +
                      "\",\"i\":" + std::to_string(i) + "}]";
      filler_.Append(tp, message);
    }
    if (i % 25 == 24) filler_.Commit();
  }
  filler_.Commit();
  filler_.MergeTape();
  auto point = filler_.Point();
  struct Seen {
    std::string json;
    MessagePosition place;
  };
  auto visit = [&](const RefusedQuery& query) {
    std::vector<Seen> seen;
    const Status visited = VisitRefused(*point, query, [&](const RefusedMessage& refused) {
      EXPECT_NE(refused.message, nullptr);
      EXPECT_EQ(refused.message->message.offset, refused.offset);
      const TapeId& tape = *refused.tape;
      seen.push_back({RefusedText(refused).json,
                      {{}, tape.topic, tape.partition, tape.lineage, refused.offset}});
      return Status::Ok();
    });
    EXPECT_TRUE(visited.ok()) << visited.ToString();
    return seen;
  };
  const std::vector<Seen> all = visit({});
  ASSERT_EQ(all.size(), 4u * 80u);
  for (size_t at = 0; at < all.size(); at += 3) {
    const std::vector<Seen> rest = visit({.limit = 7, .after = all[at].place});
    ASSERT_EQ(rest.size(), std::min<size_t>(7, all.size() - at - 1));
    for (size_t i = 0; i < rest.size(); ++i) ASSERT_EQ(rest[i].json, all[at + 1 + i].json);
  }
  EXPECT_EQ(visit({.after = MessagePosition{{}, "audit", 9, 0, INT64_MAX}}).size(), 2u * 80u);
  EXPECT_EQ(visit({.after = MessagePosition{{}, "b", 0, 0, 0}}).size(), 2u * 80u);
  EXPECT_EQ(visit({.after = MessagePosition{{}, "zzz", 0, 0, -1}}).size(), 0u);
}

}  // namespace
}  // namespace tapedeck::testing
