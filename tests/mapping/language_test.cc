// The mapping language: each path form, condition, type, time and reason, on small messages.

#include <gtest/gtest.h>

#include "mapping_support.h"
#include "support/source_dir.h"

namespace tapedeck::testing {
namespace {

using nlohmann::json;

/// A decoder of one rule into `trades`, whose symbol, ts and fields are given as TOML.
TestDecoder Rule(const std::string& lines, const std::string& top = "") {
  Result<TestDecoder> decoder =
      TestDecoder::FromToml("[mappings.venue]\nformat = \"json\"\n" + top +
                            "\n[[mappings.venue.records]]\ntable = \"trades\"\n" + lines);
  EXPECT_TRUE(decoder.ok()) << decoder.status().ToString();
  return std::move(decoder).value();
}

const char* const kPlain = "symbol = { value = \"X\" }\nts = \"kafka\"\n";

KafkaSide AtKafkaTime() {
  KafkaSide kafka;
  kafka.timestamp_ms = kKafkaMs;
  return kafka;
}

/// The value of `fields.x` = `value`, or the one mark's reason.
std::string Field(const std::string& value, const std::string& message,
                  const KafkaSide& kafka = AtKafkaTime(), const std::string& top = "") {
  TestDecoder decoder = Rule(std::string(kPlain) + "fields.x = " + value + "\n", top);
  json out = decoder.RunJson(message, kafka);
  if (out.size() != 1) return out.dump();
  if (out[0].contains("refuse")) return out[0]["refuse"];
  if (out[0].contains("skip")) return out[0]["skip"];
  json x = out[0]["fields"]["x"];
  return x.is_null() ? "null" : x.get<std::string>();
}

std::string Text(const std::string& path, const std::string& message,
                 const KafkaSide& kafka = AtKafkaTime()) {
  return Field("{ path = '" + path + "', type = \"text\" }", message, kafka);
}

/// ts of `ts` = `value`, or the reason.
std::string Time(const std::string& value, const std::string& message, const std::string& top = "",
                 Timestamp received = kReceived) {
  TestDecoder decoder = Rule("symbol = { value = \"X\" }\nts = " + value + "\n", top);
  json out = decoder.RunJson(message, {}, received)[0];
  return out.contains("refuse") ? out["refuse"] : out["ts_ns"];
}

bool Holds(const std::string& condition, const std::string& message,
           const KafkaSide& kafka = AtKafkaTime()) {
  TestDecoder decoder = Rule(kPlain + std::string("when = '") + condition + "'\n");
  json out = decoder.RunJson(message, kafka);
  EXPECT_EQ(out.size(), 1u) << out;
  return out[0].contains("table");
}

TEST(Paths, ReachMembersElementsAndOddNames) {
  const std::string message =
      R"({"a":{"b":[10,{"c":"deep"}]},"Adj Close":"odd","q\"\u0041":"esc","é":"utf8","T":"upper","t":"lower"})";
  EXPECT_EQ(Text("a.b[0]", message), "10");
  EXPECT_EQ(Text("a.b[1].c", message), "deep");
  EXPECT_EQ(Text("a[\"b\"][1][\"c\"]", message), "deep");
  EXPECT_EQ(Text("[\"Adj Close\"]", message), "odd");
  EXPECT_EQ(Text("[\"q\\\"A\"]", message), "esc");
  EXPECT_EQ(Text("é", message), "utf8");
  EXPECT_EQ(Text("T", message), "upper");
  EXPECT_EQ(Text("t", message), "lower");
  EXPECT_EQ(Text("a.b[2]", message), "null");
  EXPECT_EQ(Text("a.b.c", message), "null");
  EXPECT_EQ(Text("a[0]", message), "null");
  EXPECT_EQ(Text("$.a.b[0]", message), "10");
  EXPECT_EQ(Text("$[\"a\"].b[0]", message), "10");
}

TEST(Paths, OfTwoEqualNamesTheFirstCounts) { EXPECT_EQ(Text("a", R"({"a":1,"a":2})"), "1"); }

TEST(Paths, ReadTheKafkaMessage) {
  KafkaSide kafka = AtKafkaTime();
  kafka.key = "BTC";
  kafka.headers = {
      {"interval", "5min"}, {"interval", "later"}, {"none", std::nullopt}, {"x-y", "dash"}};
  EXPECT_EQ(Text("@key", "{}", kafka), "BTC");
  EXPECT_EQ(Text("@topic", "{}", kafka), "ticks");
  EXPECT_EQ(Text("@partition", "{}", kafka), "3");
  EXPECT_EQ(Text("@headers.interval", "{}", kafka), "5min");
  EXPECT_EQ(Text("@headers.x-y", "{}", kafka), "dash");
  EXPECT_EQ(Text("@headers[\"x-y\"]", "{}", kafka), "dash");
  EXPECT_EQ(Text("@headers.none", "{}", kafka), "null");
  EXPECT_EQ(Text("@headers.other", "{}", kafka), "null");
  EXPECT_EQ(Text("@name", "{}", kafka), "null");
  kafka.key = "\xff";
  EXPECT_EQ(Text("@key", "{}", kafka), "bad-text: x (@key)");
}

TEST(Each, OfMappingAndRuleAddLevels) {
  TestDecoder decoder = Rule(R"(
each = "q.*"
symbol = "^.s"
ts = "kafka"
fields.name  = { path = "@name", type = "text" }
fields.value = { path = ".", type = "text" }
fields.group = { path = "^^.g", type = "text" }
fields.whole = { path = "^^^.w", type = "text" }
fields.beyond = { path = "^^^^.w", type = "text" }
)",
                             "each = \"groups[*].units[*]\"\n");
  json out = decoder.RunJson(
      R"({"w":"W","groups":[{"g":"G0","units":[{"s":"A","q":{"x":1,"y":[2, 3]}}]},{"g":"G1","units":[{"s":"B","q":["z"]}]},{"g":"G2"}]})",
      AtKafkaTime());
  ASSERT_EQ(out.size(), 3u) << out;
  EXPECT_EQ(out[0]["symbol"], "A");
  EXPECT_EQ(out[0]["fields"]["name"], "x");
  EXPECT_EQ(out[0]["fields"]["value"], "1");
  EXPECT_EQ(out[0]["fields"]["group"], "G0");
  EXPECT_EQ(out[0]["fields"]["whole"], "W");
  EXPECT_TRUE(out[0]["fields"]["beyond"].is_null());
  EXPECT_EQ(out[1]["fields"]["value"], "[2,3]");
  EXPECT_EQ(out[2]["symbol"], "B");
  EXPECT_EQ(out[2]["fields"]["name"], "0");
  EXPECT_EQ(out[2]["fields"]["group"], "G1");
}

TEST(Each, APathWithoutStarAddsOneLevelAndFitsIfNotNull) {
  const std::string rule =
      "symbol = \"s\"\nts = \"kafka\"\nfields.up = { path = \"^.o\", type = \"text\" }\n";
  TestDecoder decoder = Rule(rule, "each = [\"payload\", \"list[*].x\"]\n");
  EXPECT_EQ(decoder.RunJson(R"({"o":"O","payload":{"s":"A"}})", AtKafkaTime())[0]["fields"]["up"],
            "O");
  EXPECT_EQ(decoder.RunJson(R"({"s":"M","payload":null})", AtKafkaTime())[0]["symbol"], "M");
  json list = decoder.RunJson(
      R"({"payload":null,"list":[{"o":1,"x":{"s":"A"}},{"o":2},{"o":3,"x":{"s":"B"}}]})",
      AtKafkaTime());
  ASSERT_EQ(list.size(), 2u) << list;
  EXPECT_EQ(list[1]["symbol"], "B");
  EXPECT_EQ(list[1]["fields"]["up"], "3");
  EXPECT_EQ(decoder.RunJson(R"({"list":[]})", AtKafkaTime()), json::parse(R"([{"skip":"empty"}])"));
}

TEST(Each, OfARuleThatDoesNotFitLeavesTheRuleOut) {
  TestDecoder decoder = Rule("each = \"rows[*]\"\nsymbol = \"s\"\nts = \"kafka\"\n");
  EXPECT_EQ(decoder.RunJson(R"({"a":1})"), json::parse(R"([{"refuse":"no-rule"}])"));
  EXPECT_EQ(decoder.RunJson(R"({"rows":{"s":"A"}})"), json::parse(R"([{"refuse":"no-rule"}])"));
  EXPECT_EQ(decoder.RunJson(R"({"rows":[]})"), json::array());
}

TEST(Conditions, CompareTextNumbersFlagsAndNull) {
  EXPECT_TRUE(Holds(R"(a == "x")", R"({"a":"x"})"));
  EXPECT_FALSE(Holds(R"(a == "1")", R"({"a":1})"));
  EXPECT_TRUE(Holds(R"(a != "1")", R"({"a":1})"));
  EXPECT_TRUE(Holds("a == 0", R"({"a":"0"})"));
  EXPECT_TRUE(Holds("a == 0", R"({"a":0.0})"));
  EXPECT_TRUE(Holds("a == 0", R"({"a":-0})"));
  EXPECT_TRUE(Holds("a == 1e2", R"({"a":"100.0"})"));
  EXPECT_TRUE(Holds("a == 1", R"({"a":1.0000000000000000000000000})"));
  EXPECT_TRUE(Holds("a != 1", R"({"a":"one"})"));
  EXPECT_TRUE(Holds("a == true", R"({"a":true})"));
  EXPECT_FALSE(Holds("a == true", R"({"a":"true"})"));
  EXPECT_TRUE(Holds("a != false", R"({"a":[]})"));
  EXPECT_TRUE(Holds("@partition == 3", "{}"));
  EXPECT_TRUE(Holds(R"(@topic == "ticks" && exists(a))", R"({"a":null})"));
}

TEST(Conditions, WhatIsAbsentOrNullEqualsNothingAndDiffersFromNothing) {
  for (const char* message : {R"({"a":null})", "{}"}) {
    EXPECT_FALSE(Holds("a == 1", message));
    EXPECT_FALSE(Holds("a != 1", message));
    EXPECT_FALSE(Holds(R"(a != "x")", message));
    EXPECT_TRUE(Holds("a == null", message));
    EXPECT_FALSE(Holds("a != null", message));
  }
  EXPECT_TRUE(Holds("exists(a)", R"({"a":null})"));
  EXPECT_TRUE(Holds("!exists(a)", "{}"));
  EXPECT_TRUE(Holds("a != null", R"({"a":0})"));
}

TEST(Types, NumbersKeepTheirText) {
  const std::pair<const char*, const char*> cases[] = {
      {"0.99980", "0.99980"},
      {"6.255e-5", "0.00006255"},
      {"1E2", "100"},
      {"-0.0", "-0.0"},
      {"\"+.50\"", "0.50"},
      {"\"007\"", "7"},
      {"\"5.\"", "5"},
      {"12345678901234567890.5", "12345678901234567890.5"},
      {"\"\"", "null"},
      {"null", "null"},
      {"1e61", "bad-number: x (v)"},
      {"\"1e-61\"", "bad-number: x (v)"},
      {"\"x\"", "bad-number: x (v)"},
      {"true", "bad-number: x (v)"},
      {"[1]", "bad-number: x (v)"},
      {"\" 1\"", "bad-number: x (v)"},
      {"\"NaN\"", "bad-number: x (v)"},
      {"01", "not-json"},
      {"+1", "not-json"},
      {".5", "not-json"},
      {"5.", "not-json"},
      {"NaN", "not-json"},
      {"nul", "not-json"},
      {"1 2", "not-json"},
      {"0x10", "not-json"},
      {"\"\\x\"", "not-json"},
      {"\"\\ud800\"", "not-json"}};
  for (const auto& [token, expected] : cases) {
    EXPECT_EQ(Field("\"v\"", std::string("{\"v\":") + token + " }"), expected) << token;
  }
}

TEST(Types, IntegerFlagTextAndTimestamp) {
  auto typed = [](const std::string& type, const std::string& token) {
    return Field("{ path = \"v\", type = \"" + type + "\" }", "{\"v\":" + token + "}");
  };
  EXPECT_EQ(typed("integer", "15347.0"), "15347");
  EXPECT_EQ(typed("integer", "\"1e3\""), "1000");
  EXPECT_EQ(typed("integer", "-9223372036854775808"), "-9223372036854775808");
  EXPECT_EQ(typed("integer", "1.5"), "bad-number: x (v)");
  EXPECT_EQ(typed("integer", "9223372036854775808"), "bad-number: x (v)");
  EXPECT_EQ(typed("flag", "1"), "true");
  EXPECT_EQ(typed("flag", "\"0\""), "false");
  EXPECT_EQ(typed("flag", "false"), "false");
  EXPECT_EQ(typed("flag", "2"), "bad-flag: x (v)");
  EXPECT_EQ(typed("flag", "\"yes\""), "bad-flag: x (v)");
  EXPECT_EQ(typed("text", "1.50"), "1.50");
  EXPECT_EQ(typed("text", "true"), "true");
  EXPECT_EQ(typed("text", "\"\\u20bf \\ud83d\\ude00\\n\""), "₿ 😀\n");
  EXPECT_EQ(typed("text", "{ \"a\" : [ 1 , \"b c\" ] }"), R"({"a":[1,"b c"]})");
  EXPECT_EQ(typed("text", "[NaN]"), "not-json");
  EXPECT_EQ(typed("timestamp", "1719914400.25"), "1719914400250000000");
  EXPECT_EQ(typed("timestamp", "\"soon\""), "bad-time: x (v)");
}

TEST(Types, AnOddScalarThatNobodyReadsDoesNoHarm) {
  EXPECT_EQ(Field("\"v\"", R"({"v":1,"other":NaN,"more":1x2})"), "1");
  EXPECT_EQ(Field("\"v\"", R"({"v":1,"other":"\x"})"), "1");
  EXPECT_EQ(Field("\"v\"", "{\"v\":1,\"other\":\"\xff\"}"), "not-json");
  EXPECT_EQ(Field("\"v\"", R"({"v":1,"other":"a})"), "not-json");
  EXPECT_EQ(Field("\"v\"", R"({"v":1}})"), "not-json");
  EXPECT_EQ(Field("\"v\"", R"({"v":1,})"), "not-json");
}

TEST(Types, NestingHasALimit) {
  auto nested = [](size_t depth) {
    return "{\"v\":1,\"d\":" + std::string(depth, '[') + std::string(depth, ']') + "}";
  };
  EXPECT_EQ(Field("\"v\"", nested(63)), "1");
  EXPECT_EQ(Field("\"v\"", nested(64)), "not-json");
  EXPECT_EQ(Field("\"v\"", nested(100'000)), "not-json");
}

TEST(Values, FallbacksConstantsMapsJoinsAndExtracts) {
  EXPECT_EQ(Field(R"(["a", "b", "c"])", R"({"a":null,"b":"","c":3})"), "3");
  EXPECT_EQ(Field(R"({ value = "1d" })", "{}"), "1d");
  EXPECT_EQ(Field(R"({ value = "1.50", type = "decimal" })", "{}"), "1.50");
  const std::string map =
      R"({ path = "m", type = "text", map = { true = "sell", false = "buy", 1 = "one" } })";
  EXPECT_EQ(Field(map, R"({"m":true})"), "sell");
  EXPECT_EQ(Field(map, R"({"m":1})"), "one");
  EXPECT_EQ(Field(map, R"({"m":"other"})"), "null");
  EXPECT_EQ(Field(R"([{ path = ["m", "n"], type = "text", map = { a = "A" } }, "o"])",
                  R"({"m":"x","n":"a","o":"O"})"),
            "O");
  EXPECT_EQ(
      Field(R"({ join = ["a", { value = "-" }, ["none", "b"]], sep = "/" })", R"({"a":1,"b":"B"})"),
      "1/-/B");
  EXPECT_EQ(Field(R"({ join = ["a", "none"] })", R"({"a":1})"), "null");
  EXPECT_EQ(Field(R"({ path = "p", type = "text", extract = '-(.+)$' })", R"({"p":"BTC-USD"})"),
            "USD");
  EXPECT_EQ(Field(R"({ path = "p", type = "text", extract = '-(.+)$' })", R"({"p":"BTC"})"),
            "null");
  EXPECT_EQ(Field(R"({ path = "p", extract = '(\d+)ms' })", R"({"p":"took 250ms"})"), "250");
}

TEST(Values, UnscaledIntegersAndTheirBytes) {
  auto base64 = [](const std::string& text) {
    return Field(R"({ path = "n", encoding = "base64", scale = 5 })", R"({"n":")" + text + "\"}");
  };
  EXPECT_EQ(base64("/4U="), "-0.00123");
  EXPECT_EQ(base64("AA=="), "0.00000");
  EXPECT_EQ(base64("f/////////8="), "92233720368547.75807");
  EXPECT_EQ(base64("gAAAAAAAAAA="), "-92233720368547.75808");
  EXPECT_EQ(base64("AQAAAAAAAAAA"), "184467440737095.51616");  // 2^64
  EXPECT_EQ(base64("/4U"), "bad-number: x (n)");
  EXPECT_EQ(base64("?4U="), "bad-number: x (n)");
  EXPECT_EQ(Field(R"({ path = "n", scale = 3 })", R"({"n":1234567})"), "1234.567");
  EXPECT_EQ(Field(R"({ path = "n", scale = 3 })", R"({"n":"-5"})"), "-0.005");
  EXPECT_EQ(Field(R"({ path = "n", scale = 3 })", R"({"n":1.5})"), "bad-number: x (n)");
}

TEST(Times, ByUnitAndByShape) {
  EXPECT_EQ(Time(R"({ path = "t", unit = "s" })", R"({"t":1634865952.2180001})"),
            "1634865952218000100");
  EXPECT_EQ(Time(R"({ path = "t", unit = "ms" })", R"({"t":"1.5"})"), "1500000");
  EXPECT_EQ(Time(R"({ path = "t", unit = "us" })", R"({"t":-1})"), "-1000");
  EXPECT_EQ(Time(R"({ path = "t", unit = "ns" })", R"({"t":1.9})"), "1");
  EXPECT_EQ(Time(R"({ path = "t", unit = "ns" })", R"({"t":-1.1})"), "-2");
  EXPECT_EQ(Time(R"({ path = "t", unit = "s" })", R"({"t":1e30})"), "bad-time: ts (t)");
  EXPECT_EQ(Time(R"({ path = "t", unit = "iso" })", R"({"t":"2024-07-02 00:00:00.5+0200"})"),
            "1719871200500000000");
  EXPECT_EQ(Time(R"({ path = "t", unit = "iso" })", R"({"t":"2024-07-02"})"), "bad-time: ts (t)");
  EXPECT_EQ(Time(R"({ path = "t", unit = "iso" })", R"({"t":1719871200})"), "bad-time: ts (t)");
  EXPECT_EQ(Time(R"({ path = "t", unit = "date" })", R"({"t":"1965-01-05"})"),
            "-157420800000000000");
  EXPECT_EQ(Time("\"t\"", R"({"t":99999999})"), "bad-time: ts (t)");
  EXPECT_EQ(Time("\"t\"", R"({"t":100000000})"), "100000000000000000");
  EXPECT_EQ(Time("\"t\"", R"({"t":99999999999})"),
            "bad-time: ts (t)");  // seconds, but beyond the year 2262
  EXPECT_EQ(Time("\"t\"", R"({"t":100000000000})"), "100000000000000000");
  EXPECT_EQ(Time("\"t\"", R"({"t":100000000000000})"), "100000000000000000");
  EXPECT_EQ(Time("\"t\"", R"({"t":100000000000000000})"), "100000000000000000");
  EXPECT_EQ(Time("\"t\"", R"({"t":"2024-07-02"})"), "1719878400000000000");
  EXPECT_EQ(Time("\"t\"", R"({"t":true})"), "bad-time: ts (t)");
  EXPECT_EQ(Time("[\"a\", \"t\"]", R"({"a":"soon","t":1719878400})"), "bad-time: ts (a)");
  EXPECT_EQ(Time("[\"a\", \"kafka\"]", "{}"), "no-time: a | kafka");
}

TEST(Times, ZonesApplyWhereThereIsNoOffset) {
  const std::string naive = R"({"t":"2024-07-02T10:00:00"})";
  EXPECT_EQ(Time("\"t\"", naive), "time-without-zone: ts (t)");
  EXPECT_EQ(Time("\"t\"", naive, "tz = \"Europe/Warsaw\"\n"), "1719907200000000000");
  EXPECT_EQ(Time(R"({ path = "t", tz = "UTC" })", naive, "tz = \"Europe/Warsaw\"\n"),
            "1719914400000000000");
  EXPECT_EQ(Time(R"({ path = "t", unit = "date", tz = "Europe/Warsaw" })", R"({"t":"2024-07-02"})"),
            "1719871200000000000");
  EXPECT_EQ(Time("\"t\"", R"({"t":"2024-07-02T10:00:00Z"})", "tz = \"Europe/Warsaw\"\n"),
            "1719914400000000000");
}

TEST(Times, TooFarAheadOfKafkaAndReceiptIsImplausible) {
  const Timestamp received(int64_t{1'700'000'000} * 1'000'000'000);
  EXPECT_EQ(Time(R"({ path = "t", unit = "s" })", R"({"t":1700086400})", "", received),
            "1700086400000000000");
  EXPECT_EQ(Time(R"({ path = "t", unit = "s" })", R"({"t":1700086401})", "", received),
            "implausible-time: ts (t)");
}

TEST(Symbols, ArePrefixedBoundedAndNeverEmpty) {
  TopicSettings settings;
  settings.symbol_prefix = "spot:";
  TestDecoder decoder = TestDecoder::FromToml(
                            "[mappings.venue]\nformat = \"json\"\n[[mappings.venue.records]]\n"
                            "table = \"trades\"\nsymbol = \"s\"\nts = \"kafka\"\n",
                            settings)
                            .value();
  for (int i = 0; i < 4; ++i)
    EXPECT_EQ(decoder.RunJson(R"({"s":"A"})", AtKafkaTime())[0]["symbol"], "spot:A");
  EXPECT_EQ(decoder.RunJson(R"({"s":""})", AtKafkaTime())[0]["refuse"], "no-symbol: s");
  EXPECT_EQ(
      decoder.RunJson("{\"s\":\"" + std::string(1020, 'x') + "\"}", AtKafkaTime())[0]["refuse"],
      "bad-text: symbol (s)");
  EXPECT_EQ(decoder.RunJson("{\"s\":\"" + std::string(1019, 'x') + "\"}", AtKafkaTime())[0].count(
                "table"),
            1u);
}

TEST(Csv, AHeaderInTheValueOrColumnsInTheMapping) {
  const std::string rule =
      "[[mappings.venue.records]]\ntable = \"trades\"\nsymbol = \"s\"\nts = "
      "\"kafka\"\nfields.price = \"p\"\n";
  TestDecoder header = TestDecoder::FromToml("[mappings.venue]\nformat = \"csv\"\n" + rule).value();
  json out = header.RunJson("s,p\r\n\"A,\"\"1\",1.50\r\nB,\r\n", AtKafkaTime());
  ASSERT_EQ(out.size(), 2u) << out;
  EXPECT_EQ(out[0]["symbol"], "A,\"1");
  EXPECT_EQ(out[0]["fields"]["price"], "1.50");
  EXPECT_TRUE(out[1]["fields"]["price"].is_null());
  EXPECT_EQ(header.RunJson("s,p\n", AtKafkaTime()), json::parse(R"([{"skip":"empty"}])"));
  EXPECT_EQ(header.RunJson("s,p\nA\n", AtKafkaTime()), json::parse(R"([{"refuse":"not-csv"}])"));
  EXPECT_EQ(header.RunJson("s,p\n\"A,1\n", AtKafkaTime()),
            json::parse(R"([{"refuse":"not-csv"}])"));
  TestDecoder columns =
      TestDecoder::FromToml("[mappings.venue]\nformat = \"csv\"\ncolumns = [\"p\", \"s\"]\n" + rule)
          .value();
  EXPECT_EQ(columns.RunJson("2.0,C", AtKafkaTime())[0]["symbol"], "C");
}

TEST(Documentation, TheFirstExampleOfTheManualDoesWhatItSays) {
  std::string manual = ReadFile(SourceDir() + "/docs/mapping.md");
  auto block = [&manual](const std::string& language) {
    size_t from = manual.find("```" + language + "\n") + language.size() + 4;
    return manual.substr(from, manual.find("```", from) - from);
  };
  TestDecoder decoder = TestDecoder::FromToml(block("toml")).value();
  std::istringstream messages(block("json"));
  std::string trade, hello;
  std::getline(messages, trade);
  std::getline(messages, hello);
  json record = decoder.RunJson(trade)[0];
  EXPECT_EQ(record["symbol"], "BTC-USD");
  EXPECT_EQ(record["fields"]["price"], "61800.20");
  EXPECT_EQ(record["fields"]["size"], "0.006");
  EXPECT_EQ(record["fields"]["side"], "buy");
  EXPECT_EQ(decoder.RunJson(hello), json::parse(R"([{"skip":"type == \"hello\""}])"));
}

}  // namespace
}  // namespace tapedeck::testing
