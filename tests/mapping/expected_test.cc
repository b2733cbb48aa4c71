// Every sample payload and feed file gives exactly the records that the shared data expects of it.

#include <gtest/gtest.h>

#include "mapping/csv.h"
#include "mapping_support.h"
#include "support/source_dir.h"

namespace tapedeck::testing {
namespace {

using nlohmann::json;

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> out;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    if (!line.empty()) out.push_back(line);
  }
  return out;
}

std::vector<std::string> Tabs(const std::string& line) {
  std::vector<std::string> out;
  std::istringstream in(line);
  for (std::string field; std::getline(in, field, '\t');) out.push_back(field);
  return out;
}

std::string FromHex(const std::string& hex) {
  std::string out;
  for (size_t i = 0; i + 1 < hex.size() && std::isxdigit(static_cast<unsigned char>(hex[i])) != 0;
       i += 2) {
    out.push_back(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  }
  return out;
}

std::string PathOf(const std::string& file) {
  std::string payload = SharedDir() + "/data/payloads/" + file;
  return std::filesystem::exists(payload) ? payload : SharedDir() + "/data/feeds/" + file;
}

/// The Kafka values that a sample file stands for.
std::vector<std::string> MessagesOf(const std::string& file) {
  std::string text = ReadFile(PathOf(file));
  EXPECT_FALSE(text.empty()) << file;
  if (file.ends_with(".ndjson")) return Lines(text);
  if (file.ends_with(".hex")) return {FromHex(text)};
  if (!file.ends_with(".csv")) return {text};
  std::vector<std::string> out, header, row;
  CsvReader reader(text);
  EXPECT_TRUE(reader.Next(&header));
  while (reader.Next(&row)) out.push_back(CsvRowToJson(header, row).value());
  EXPECT_TRUE(reader.status().ok());
  return out;
}

MappingLibrary Library() {
  MappingLibrary library = PresetLibrary();
  std::string example = ReadFile(SourceDir() + "/mappings/examples/debezium-crypto-top.toml");
  MappingTexts examples = MappingsFromToml(example, "example").value();
  for (auto& [name, text] : examples) library[name] = text;
  for (const char* format : {"confluent", "avro"}) {
    library[format] = json{{"base", "finnhub"}, {"format", format}}.dump();
  }
  return library;
}

/// Columns of the table that no rule of this file's mapping knows are null in ours and absent
/// there.
void ExpectSame(json actual, json expected, const std::string& what) {
  expected.erase("msg");
  if (expected.contains("ts_ns") && expected["ts_ns"].is_null()) {
    expected["ts_ns"] = std::to_string(kKafkaMs * 1'000'000);
  }
  if (expected.contains("fields") && actual.contains("fields")) {
    for (auto it = actual["fields"].begin(); it != actual["fields"].end();) {
      bool extra = !expected["fields"].contains(it.key()) && it.value().is_null();
      it = extra ? actual["fields"].erase(it) : std::next(it);
    }
  }
  EXPECT_EQ(actual, expected) << what;
}

void CheckFile(const std::string& file, const std::string& preset, const json& over,
               const std::string& expected_file) {
  Result<TestDecoder> decoder = TestDecoder::Make(preset, Library(), over);
  ASSERT_TRUE(decoder.ok()) << decoder.status().ToString();
  std::vector<std::string> expected =
      Lines(ReadFile(SharedDir() + "/data/expected/" + expected_file));
  ASSERT_FALSE(expected.empty()) << expected_file;
  size_t at = 0;
  std::vector<std::string> messages = MessagesOf(file);
  for (size_t m = 0; m < messages.size(); ++m) {
    KafkaSide kafka;
    kafka.timestamp_ms = kKafkaMs;
    if (file == "x_confluent_guid_header.hex") kafka.headers = {{"__value_schema_id", messages[m]}};
    for (const json& actual : decoder->RunJson(messages[m], kafka)) {
      ASSERT_LT(at, expected.size()) << file << " message " << m << " gives more: " << actual;
      json want = json::parse(expected[at++]);
      if (want.contains("msg")) {
        EXPECT_EQ(want["msg"], m) << file;
      }
      ExpectSame(actual, want, file + " message " + std::to_string(m));
    }
  }
  EXPECT_EQ(at, expected.size()) << file << " gives fewer";
}

TEST(ExpectedRecords, EverySampleFileGivesItsRecordsDigitForDigit) {
  TD_NEEDS_SHARED_DATA();
  std::vector<std::string> rows = Lines(ReadFile(SharedDir() + "/data/expected/SUMMARY.tsv"));
  ASSERT_GT(rows.size(), 60u);
  for (size_t i = 1; i < rows.size(); ++i) {
    std::vector<std::string> row = Tabs(rows[i]);
    SCOPED_TRACE(rows[i]);
    CheckFile(row[0], row[1], {}, row[0] + ".ndjson");
  }
}

TEST(ExpectedRecords, OtherSettingsOfTheSameFiles) {
  TD_NEEDS_SHARED_DATA();
  struct Variant {
    std::string file, preset;
    json over;
    std::string suffix;
  };
  const std::vector<Variant> variants = {
      {"s2_lcw_s3_object_2024-04.json", "livecoinwatch", {{"tz", "UTC"}}, "tz-UTC"},
      {"s2_lcw_s3_object_head.json", "livecoinwatch", {{"tz", "UTC"}}, "tz-UTC"},
      {"s2_lcw_s3_object_head.json",
       "livecoinwatch",
       {{"tz", "Europe/Warsaw"}},
       "tz-Europe-Warsaw"},
      {"s4_debezium_tiingo_row.json", "debezium-crypto-top", {}, "debezium-crypto-top"},
      {"s5_index_kafka_nan.json", "stock-index", {{"accept_nan", true}}, "accept_nan"},
      {"x_coinbase_exchange_ticker.json", "coinbase-matches", {}, "coinbase-matches"},
  };
  for (const Variant& v : variants) {
    SCOPED_TRACE(v.file + " " + v.suffix);
    CheckFile(v.file, v.preset, v.over, "variants/" + v.file + "." + v.suffix + ".ndjson");
  }
}

TEST(ExpectedRecords, EdgeCasesThatTheSamplesLack) {
  TD_NEEDS_SHARED_DATA();
  std::vector<std::string> cases =
      Lines(ReadFile(SharedDir() + "/data/expected/edge_cases.ndjson"));
  EXPECT_EQ(cases.size(), 45u);
  for (const std::string& line : cases) {
    json edge = json::parse(line);
    SCOPED_TRACE(edge["preset"].get<std::string>() + ": " + edge["note"].get<std::string>());
    Result<TestDecoder> decoder = TestDecoder::Make(edge["preset"], Library(), edge["over"]);
    ASSERT_TRUE(decoder.ok()) << decoder.status().ToString();
    KafkaSide kafka;
    const json& side = edge["kafka"];
    if (side.contains("key")) kafka.key = side["key"].get<std::string>();
    if (side.contains("timestamp_ns")) {
      kafka.timestamp_ms = std::stoll(side["timestamp_ns"].get<std::string>()) / 1'000'000;
    }
    if (side.contains("headers")) {
      for (const auto& [name, value] : side["headers"].items())
        kafka.headers.emplace_back(name, value.get<std::string>());
    }
    std::optional<std::string> value;
    if (!edge["value"].is_null()) value = edge["value"].get<std::string>();
    json actual = decoder->RunJson(value, kafka);
    ASSERT_EQ(actual.size(), edge["expected"].size()) << actual;
    for (size_t i = 0; i < actual.size(); ++i) ExpectSame(actual[i], edge["expected"][i], line);
  }
}

TEST(ExpectedRecords, AutoTellsFramesFromJsonAndLeavesTheRestOnTheTape) {
  TestDecoder decoder = TestDecoder::Make("finnhub", PresetLibrary(), {{"format", "auto"}}).value();
  const std::string frame("\0\0\0\0\x2a{}", 7);
  EXPECT_EQ(decoder.RunJson(frame), json::parse(R"([{"refuse":"confluent"}])"));
  EXPECT_EQ(decoder.RunJson(" \n{\"type\":\"ping\"}"),
            json::parse(R"([{"skip":"type == \"ping\""}])"));
  EXPECT_EQ(decoder.RunJson("\x04\x02H"), json::array());
  EXPECT_EQ(decoder.RunJson(""), json::array());
  EXPECT_EQ(decoder.RunJson(std::string("\0\0\0\0\1", 5)), json::array());
  KafkaSide kafka;
  kafka.headers = {{"__value_schema_id", std::nullopt}};
  EXPECT_EQ(decoder.RunJson("{\"type\":\"ping\"}", kafka),
            json::parse(R"([{"refuse":"confluent"}])"));
}

}  // namespace
}  // namespace tapedeck::testing
