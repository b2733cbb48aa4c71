// tapedeck mapping test, show and list.

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "program.h"
#include "tests/support/shared_data.h"
#include "tests/support/temp_dir.h"

namespace tapedeck::testing {
namespace {

using nlohmann::json;

std::vector<json> Lines(const std::string& text) {
  std::vector<json> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(json::parse(line));
  return lines;
}

TEST(MappingCommand, EverySampleFileGivesItsExpectedRecords) {
  TD_SKIP_WITHOUT_SHARED_DATA();
  std::istringstream summary(ReadShared("data/expected/SUMMARY.tsv"));
  std::string line;
  std::getline(summary, line);
  int files = 0;
  while (std::getline(summary, line)) {
    std::string file = line.substr(0, line.find('\t'));
    std::string rest = line.substr(file.size() + 1);
    std::string preset = rest.substr(0, rest.find('\t'));
    if (preset == "confluent" || preset == "avro") continue;  // formats, no presets
    std::filesystem::path path = SharedDir() / "data/payloads" / file;
    if (!std::filesystem::exists(path)) path = SharedDir() / "data/feeds" / file;
    Outcome outcome = RunTapedeck({"mapping", "test", "--mapping", preset, path.string()});
    EXPECT_EQ(outcome.exit_code, 0) << file << "\n" << outcome.err;
    EXPECT_EQ(Lines(outcome.out), Lines(ReadShared("data/expected/" + file + ".ndjson")))
        << file << " with " << preset;
    ++files;
  }
  EXPECT_GT(files, 50);
}

TEST(MappingCommand, AZoneOnTheCommandLineIsLaidOverThePreset) {
  TD_SKIP_WITHOUT_SHARED_DATA();
  std::string path = (SharedDir() / "data/payloads/s2_lcw_s3_object_head.json").string();
  Outcome outcome =
      RunTapedeck({"mapping", "test", "--mapping", "livecoinwatch", "--tz", "Europe/Warsaw", path});
  EXPECT_EQ(Lines(outcome.out),
            Lines(ReadShared(
                "data/expected/variants/s2_lcw_s3_object_head.json.tz-Europe-Warsaw.ndjson")));
}

TEST(MappingCommand, LinesOnStandardInputAreMessages) {
  Outcome outcome = RunTapedeck(
      {"mapping", "test", "-m", "generic-json", "-"}, {},
      "{\"symbol\":\"A\",\"ts\":1719914400250,\"price\":1.50,\"size\":2}\n{\"x\":1}\n{\"x\":\n");
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  std::vector<json> lines = Lines(outcome.out);
  ASSERT_EQ(lines.size(), 3u) << outcome.out;
  EXPECT_EQ(lines[0]["msg"], 0);
  EXPECT_EQ(lines[0]["fields"]["price"], "1.50");
  EXPECT_EQ(lines[1]["refuse"], "no-rule");
  EXPECT_EQ(lines[2]["refuse"], "not-json");
  EXPECT_NE(outcome.err.find("3 messages, 1 records, 0 skipped, 2 refused"), std::string::npos)
      << outcome.err;
}

TEST(MappingCommand, KeyHeadersAndTimestampReachTheMapping) {
  Outcome outcome = RunTapedeck({"mapping", "test", "-m", "livecoinwatch", "--key", "BTC",
                                 "--timestamp-ms", "1700000000123", "-"},
                                {}, "{\"rate\":1.5,\"volume\":2,\"cap\":3}\n");
  std::vector<json> lines = Lines(outcome.out);
  ASSERT_EQ(lines.size(), 1u) << outcome.out << outcome.err;
  EXPECT_EQ(lines[0]["symbol"], "BTC");
  EXPECT_EQ(lines[0]["ts_ns"], "1700000000123000000");
}

TEST(MappingCommand, NothingDecodedIsThreeWhereAsked) {
  EXPECT_EQ(RunTapedeck({"mapping", "test", "-m", "finnhub", "--fail-empty", "-"}, {},
                        "{\"type\":\"ping\"}\n")
                .exit_code,
            3);
  EXPECT_EQ(
      RunTapedeck({"mapping", "test", "-m", "finnhub", "-"}, {}, "{\"type\":\"ping\"}\n").exit_code,
      0);
}

TEST(MappingCommand, FilesThatCannotBeReadAreNamed) {
  TempDir dir;
  std::ofstream(dir.File("odd.hex")) << "0x12";
  std::ofstream(dir.File("odd.json.zst")) << "this is no zstd";
  for (const std::string name : {"absent.json", "odd.hex", "odd.json.zst"}) {
    Outcome outcome = RunTapedeck({"mapping", "test", "-m", "finnhub", dir.File(name)});
    EXPECT_EQ(outcome.exit_code, 2) << name;
    EXPECT_NE(outcome.err.find(name), std::string::npos) << outcome.err;
  }
}

TEST(MappingCommand, WhatShowPrintsCanBeUsedAsAMappingOfOnesOwn) {
  TempDir dir;
  Outcome shown = RunTapedeck({"mapping", "show", "finnhub"});
  ASSERT_EQ(shown.exit_code, 0) << shown.err;
  std::ofstream(dir.File("mine.toml")) << shown.out << "\n[mappings.mine]\nbase = \"finnhub\"\n";
  Outcome outcome = RunTapedeck({"mapping", "show", "mine", "--config", dir.File("mine.toml")});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_TRUE(json::parse(outcome.out).contains("mapping")) << outcome.out;
  Outcome list = RunTapedeck({"mapping", "list", "--config", dir.File("mine.toml")});
  EXPECT_NE(list.out.find("mine  (configuration)"), std::string::npos) << list.out;
  EXPECT_EQ(RunTapedeck({"mapping", "show", "nosuch"}).exit_code, 2);
}

}  // namespace
}  // namespace tapedeck::testing
