// tapedeck config check and show: what a file is checked for before anything is started.

#include <gtest/gtest.h>

#include <fstream>

#include "program.h"
#include "support/source_dir.h"
#include "tests/support/temp_dir.h"

namespace tapedeck::testing {
namespace {

class ConfigCommand : public ::testing::Test {
 protected:
  std::string File(const std::string& text) {
    std::string name = dir_.File("deck.toml");
    std::ofstream(name) << text;
    return name;
  }
  Outcome Check(const std::string& text, const Arguments& more = {}) {
    Arguments arguments = {"config", "check", "--config", File(text)};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return RunTapedeck(arguments);
  }
  void ExpectMistake(const std::string& text, const std::string& part) {
    Outcome outcome = Check(text);
    EXPECT_EQ(outcome.exit_code, 2) << text;
    EXPECT_NE(outcome.err.find(part), std::string::npos)
        << "wanted: " << part << "\ngot: " << outcome.err;
  }

  TempDir dir_;
};

constexpr char kGood[] = "[[topics]]\nname = \"a\"\nmapping = \"finnhub\"\n";

TEST_F(ConfigCommand, AGoodFileIsToldWithItsTopics) {
  Outcome outcome = Check(kGood);
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_NE(outcome.out.find("ok: node "), std::string::npos) << outcome.out;
  EXPECT_NE(outcome.out.find("mapping finnhub"), std::string::npos) << outcome.out;
}

TEST_F(ConfigCommand, AFileThatIsNotThere) {
  Outcome outcome = RunTapedeck({"config", "check", "--config", dir_.File("absent.toml")});
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_NE(outcome.err.find("absent.toml"), std::string::npos) << outcome.err;
}

TEST_F(ConfigCommand, WithoutATopicThereIsNothingToRecord) {
  ExpectMistake("", "no topic to record: add [[topics]]");
}

TEST_F(ConfigCommand, AnUnknownMappingNamesPlaceAndTopic) {
  ExpectMistake("[[topics]]\nname = \"a\"\nmapping = \"finhub\"\n", "deck.toml:1: topic 'a'");
  ExpectMistake("[[topics]]\nname = \"a\"\nmapping = \"finhub\"\n", "finnhub");
}

TEST_F(ConfigCommand, AMappingsMistakesAreFound) {
  std::string text =
      std::string(
          "[[topics]]\nname = \"a\"\nmapping = \"mine\"\n[mappings.mine]\nformat = \"json\"\nech = "
          "\"x\"\n") +
      "[[mappings.mine.records]]\ntable = \"trades\"\nsymbol = \"s\"\nts = \"kafka\"\n";
  ExpectMistake(text, "ech");
}

TEST_F(ConfigCommand, TwoMappingsThatDisagreeOnAColumnAreBothNamed) {
  std::string mapping =
      "format = \"json\"\n[[mappings.NAME.records]]\ntable = \"odd\"\nsymbol = \"s\"\nts = "
      "\"kafka\"\n";
  std::string text =
      "[[topics]]\nname = \"a\"\nmapping = \"one\"\n[[topics]]\nname = \"b\"\nmapping = \"two\"\n";
  text +=
      "[mappings.one]\nformat = \"json\"\n[[mappings.one.records]]\ntable = \"odd\"\nsymbol = "
      "\"s\"\nts = \"kafka\"\n";
  text += "fields.level = { path = \"l\", type = \"text\" }\n";
  text +=
      "[mappings.two]\nformat = \"json\"\n[[mappings.two.records]]\ntable = \"odd\"\nsymbol = "
      "\"s\"\nts = \"kafka\"\n";
  text += "fields.level = { path = \"l\", type = \"integer\" }\n";
  ExpectMistake(text, "topic 'b'");
  ExpectMistake(text, "column 'level' is text and cannot also be integer");
}

TEST_F(ConfigCommand, APropertyThatWouldBreakAPromiseIsRefused) {
  ExpectMistake(std::string(kGood) + "[kafka.properties]\n\"auto.offset.reset\" = \"latest\"\n",
                "auto.offset.reset");
  ExpectMistake(std::string(kGood) + "[kafka.properties]\n\"plugin.library.paths\" = \"evil.so\"\n",
                "it loads code");
}

TEST_F(ConfigCommand, APropertyThatTheClientDoesNotKnowIsFoundBeforeAnythingStarts) {
  std::string text = std::string(kGood) + "[kafka.properties]\n\"sesion.timeout.ms\" = \"6000\"\n";
  ExpectMistake(text, "sesion.timeout.ms");
  Outcome serve = RunTapedeck({"serve", "--config", File(text)});
  EXPECT_EQ(serve.exit_code, 2);
  EXPECT_EQ(serve.out, "") << "it never was ready";
}

TEST_F(ConfigCommand, ATablesIdentityMustNameItsColumns) {
  ExpectMistake(std::string(kGood) + "[tables.trades]\nunique = [\"symbol\", \"ts\", \"nosuch\"]\n",
                "nosuch");
  ExpectMistake(std::string(kGood) + "[tables.trades]\nunique = [\"trade_id\"]\n",
                "must contain \"symbol\" and \"ts\"");
  Outcome outcome = Check(std::string(kGood) + "[tables.other]\nday = \"month\"\n");
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_NE(outcome.err.find("[tables.other] has no effect"), std::string::npos) << outcome.err;
}

TEST_F(ConfigCommand, ShowNamesTheLayerOfEachValueAndNoSecret) {
  std::string file = File(
      std::string(kGood) +
      "[record]\ncommit_interval = \"1s\"\n[kafka.properties]\n\"sasl.password\" = \"hunter2\"\n");
  Outcome outcome =
      RunTapedeck({"config", "show", "-c", file, "--set", "log.level=debug", "-X", "client.id=me"},
                  {{"TAPEDECK_SERIES__FLUSH_INTERVAL", "30s"},
                   {"TAPEDECK_KAFKA__PROPERTIES__SSL_KEY_PASSWORD", "hunter3"}});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_NE(outcome.out.find("# environment TAPEDECK_SERIES__FLUSH_INTERVAL"), std::string::npos)
      << outcome.out;
  EXPECT_NE(outcome.out.find("# --set log.level"), std::string::npos) << outcome.out;
  EXPECT_NE(outcome.out.find("deck.toml:5"), std::string::npos) << outcome.out;
  EXPECT_NE(outcome.out.find("# default"), std::string::npos) << outcome.out;
  EXPECT_EQ((outcome.out + outcome.err).find("hunter"), std::string::npos)
      << outcome.out << outcome.err;
}

TEST_F(ConfigCommand, TheExampleInOpsIsGood) {
  Outcome outcome =
      RunTapedeck({"config", "check", "--config", SourceDir() + "/ops/tapedeck.toml"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
}

}  // namespace
}  // namespace tapedeck::testing
