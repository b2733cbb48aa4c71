// Mappings as texts: what is refused and how it is said, bases, identity, presets.

#include <gtest/gtest.h>

#include "mapping_support.h"

namespace tapedeck::testing {
namespace {

using nlohmann::json;

std::string ErrorOf(const std::string& toml) {
  Result<TestDecoder> decoder = TestDecoder::FromToml(toml);
  return decoder.ok() ? "accepted" : std::string(decoder.status().message());
}

/// The error of one rule whose lines are given.
std::string RuleError(const std::string& lines) {
  return ErrorOf("[mappings.venue]\nformat = \"json\"\n[[mappings.venue.records]]\n" + lines);
}

const std::string kGood = "table = \"trades\"\nsymbol = \"s\"\nts = \"t\"\n";

TEST(MappingErrors, NameTheRuleTheKeyAndTheNearestKnownOne) {
  EXPECT_EQ(RuleError(kGood), "accepted");
  EXPECT_EQ(ErrorOf("[mappings.venue]\nformt = \"json\"\n"),
            "mapping 'venue': key 'formt' is not known; did you mean 'format'?");
  EXPECT_EQ(RuleError(kGood + "feilds.price = \"p\"\n"),
            "mapping 'venue': records[1]: key 'feilds' is not known; did you mean 'fields'?");
  EXPECT_EQ(
      RuleError(kGood + "fields.price = { paht = \"p\" }\n"),
      "mapping 'venue': records[1].fields.price: key 'paht' is not known; did you mean 'path'?");
  EXPECT_EQ(
      RuleError(kGood + "fields.x = { path = \"p\", type = \"decmal\" }\n"),
      "mapping 'venue': records[1].fields.x: type: 'decmal' is not known; did you mean 'decimal'?");
  EXPECT_EQ(RuleError("table = \"trades\"\nsymbol = \"s\"\n"),
            "mapping 'venue': records[1]: 'ts' is missing");
  EXPECT_EQ(ErrorOf("[mappings.venue]\nformat = \"jsn\"\n"),
            "mapping 'venue': format: 'jsn' is not known; did you mean 'json'?");
  EXPECT_EQ(ErrorOf("[mappings.venue]\nformat = \"json\"\n"),
            "mapping 'venue': records: a mapping needs at least one rule, or format = \"none\"");
}

TEST(MappingErrors, SayWhereInAPathOrCondition) {
  EXPECT_EQ(RuleError(kGood + "fields.price = \"a..b\"\n"),
            "mapping 'venue': records[1].fields.price: path 'a..b', position 3: a name is "
            "expected; names with other "
            "signs are written [\"like this\"]");
  const std::pair<const char*, const char*> paths[] = {
      {"a[", "position 3"},
      {"a[1", "position 4"},
      {"a[\"x]", "position 6"},
      {"a[*]", "position 5: '*'"},
      {"a b", "position 2: '.', '[' or the end"},
      {"@nme", "position 1: known are"},
      {"@key.x", "position 5: nothing can follow"},
      {"", "a path is expected"},
      {".a", "position 2: a path starts with a name"},
      {"a[-1]", "position 3"},
      {"@headers", "the name of a header"}};
  for (const auto& [path, where] : paths) {
    std::string error = RuleError(kGood + "fields.price = '" + path + "'\n");
    EXPECT_NE(error.find(where), std::string::npos) << path << " gives: " << error;
  }
  const std::pair<const char*, const char*> conditions[] = {
      {"a = 1", "position 3: == or !="},       {"a == x", "position 6: \"text\" in double quotes"},
      {"a == \"x", "the quote is not closed"}, {"exists(a", "')' is expected"},
      {"!a == 1", "position 2: exists"},       {"a == 1 || b == 2", "or is a list"},
      {"a == 1 &&", "a path is expected"}};
  for (const auto& [condition, where] : conditions) {
    std::string error = RuleError(kGood + "when = '" + condition + "'\n");
    EXPECT_NE(error.find(where), std::string::npos) << condition << " gives: " << error;
  }
}

TEST(MappingErrors, RefuseWhatCannotWork) {
  const std::pair<std::string, const char*> cases[] = {
      {"fields.price = { path = \"p\", value = \"1\" }\n", "exactly one of path, value and join"},
      {"fields.price = { unit = \"ms\" }\n", "exactly one of path, value and join"},
      {"fields.price = { path = \"p\", unit = \"ms\" }\n",
       "'price' is decimal, it cannot also be timestamp"},
      {"fields.x = [{ path = \"p\", type = \"text\" }, { path = \"q\", type = \"flag\" }]\n",
       "cannot also be flag"},
      {"fields.x = { path = \"p\", encoding = \"base64\" }\n", "needs scale"},
      {"fields.x = { path = \"p\", type = \"text\", scale = 2 }\n", "for decimals"},
      {"fields.x = { path = \"p\", scale = 99 }\n", "scale is 0 to 60"},
      {"fields.price = { value = \"abc\" }\n", "the constant 'abc' is no decimal"},
      {"fields.x = []\n", "the list is empty"},
      {"fields.x = 5\n", "a path, a list or a table is expected"},
      {"fields.ts = \"p\"\n", "reserved"},
      {"fields.x = { path = \"p\", extract = \"(a\" }\n", "'(' is not closed"},
      {"fields.x = { path = \"p\", extract = \"a\" }\n", "a group ( ) is needed"},
      {"fields.x = { path = \"p\", tz = \"Mars/Phobos\" }\n", "tz"},
      {"each = \"^.a[*]\"\n", "each starts at the message or unit"},
      {"when = []\n", "the list is empty"},
  };
  for (const auto& [lines, problem] : cases) {
    std::string error = RuleError(kGood + lines);
    EXPECT_NE(error.find(problem), std::string::npos) << lines << " gives: " << error;
  }
  EXPECT_NE(
      RuleError("table = \"Trades\"\nsymbol = \"s\"\nts = \"t\"\n").find("table name 'Trades'"),
      std::string::npos);
  EXPECT_NE(ErrorOf("[mappings.venue]\nformat = \"json\"\nschema = \"x\"\n").find("avro"),
            std::string::npos);
  EXPECT_NE(ErrorOf("[mappings.venue]\nunmatched = \"drop\"\n").find("refuse or skip"),
            std::string::npos);
}

TEST(MappingErrors, TwoRulesCannotGiveAColumnTwoTypes) {
  std::string error = RuleError(kGood + "fields.x = \"p\"\n[[mappings.venue.records]]\n" + kGood +
                                "fields.x = { path = \"p\", type = \"text\" }\n");
  EXPECT_NE(error.find("records[2]: table 'trades': column 'x' is decimal and cannot also be text"),
            std::string::npos)
      << error;
}

TEST(MappingBase, EachKeyGivenReplacesThatKey) {
  MappingLibrary library = PresetLibrary();
  library["mine"] = R"({"base":"finnhub","skip":[],"unmatched":"skip"})";
  library["yours"] = R"~({"base":"mine","refuse":"exists(x)"})~";
  TestDecoder decoder = TestDecoder::Make("yours", library).value();
  EXPECT_EQ(decoder.RunJson(R"({"type":"ping"})"), json::parse(R"([{"skip":"unmatched"}])"));
  EXPECT_EQ(decoder.RunJson(R"({"type":"error"})"), json::parse(R"([{"skip":"unmatched"}])"));
  EXPECT_EQ(decoder.RunJson(R"({"x":1})"), json::parse(R"~([{"refuse":"exists(x)"}])~"));
}

TEST(MappingBase, CyclesAndUnknownNamesAreRefused) {
  MappingLibrary library = PresetLibrary();
  library["a"] = R"({"base":"b"})";
  library["b"] = R"({"base":"a"})";
  library["c"] = R"({"base":"finhub"})";
  auto error = [&](const char* name) {
    return std::string(MappingSpec::Resolve(name, library, {}).status().message());
  };
  EXPECT_EQ(error("a"), "mapping 'a': base = \"a\" leads back to itself");
  EXPECT_EQ(error("c"),
            "mapping 'c': base: mapping 'finhub' is not known; did you mean 'finnhub'?");
  EXPECT_NE(error("nothing-like-it-at-all").find("known are"), std::string::npos);
}

TEST(MappingIdentity, CanonicalTextIsOneForEqualMappingsAndReadsBack) {
  MappingLibrary library;
  library["m"] = R"({ "records": [{"ts":"t", "symbol":"s", "table":"trades"}], "format": "json" })";
  library["n"] = R"({"base":"m"})";
  MappingSpec spec = MappingSpec::Resolve("m", library, {}).value();
  EXPECT_EQ(
      spec.canonical(),
      R"({"decoder":1,"mapping":{"format":"json","records":[{"symbol":"s","table":"trades","ts":"t"}]},)"
      R"("max_ahead_ns":86400000000000,"name":"m","symbol_prefix":""})");
  EXPECT_EQ(spec.hash(), HashBytes(spec.canonical()));
  EXPECT_NE(MappingSpec::Resolve("n", library, {}).value().hash(), spec.hash());  // another name
  TopicSettings prefixed;
  prefixed.symbol_prefix = "x";
  EXPECT_NE(MappingSpec::Resolve("m", library, prefixed).value().hash(), spec.hash());
  MappingSpec again = MappingSpec::FromCanonical(spec.canonical()).value();
  EXPECT_EQ(again.hash(), spec.hash());
  EXPECT_EQ(again.name(), "m");
}

TEST(MappingIdentity, ADamagedOrNewerStoredTextIsRefused) {
  const std::string good = MappingSpec::None().canonical();
  EXPECT_TRUE(MappingSpec::FromCanonical(good).ok());
  EXPECT_EQ(MappingSpec::FromCanonical(good + " ").status().code(), StatusCode::kCorruption);
  EXPECT_EQ(MappingSpec::FromCanonical("").status().code(), StatusCode::kCorruption);
  EXPECT_EQ(MappingSpec::FromCanonical("[]").status().code(), StatusCode::kCorruption);
  for (size_t i = 0; i < good.size(); ++i) {
    std::string cut = good.substr(0, i);
    EXPECT_EQ(MappingSpec::FromCanonical(cut).status().code(), StatusCode::kCorruption) << cut;
  }
  std::string newer = good;
  newer.replace(newer.find(":1,"), 3, ":2,");
  EXPECT_EQ(MappingSpec::FromCanonical(newer).status().code(), StatusCode::kFailedPrecondition);
}

TEST(MappingPresets, AllResolveCompileAndReadBack) {
  MappingLibrary library = PresetLibrary();
  EXPECT_EQ(PresetNames().size(), 19u);
  TableRegistry together;  // one store records any of them
  for (std::string_view name : PresetNames()) {
    EXPECT_TRUE(library.contains(name)) << name;
    Result<MappingSpec> spec = MappingSpec::Resolve(name, library, {});
    ASSERT_TRUE(spec.ok()) << spec.status().ToString();
    EXPECT_TRUE(Decoder::Make(*spec, &together).ok()) << name;
    EXPECT_TRUE(MappingSpec::FromCanonical(spec->canonical()).ok()) << name;
    EXPECT_NE(PresetToml(name).value().find("[mappings." + std::string(name) + "]"),
              std::string_view::npos);
  }
  EXPECT_EQ(PresetToml("nope").status().code(), StatusCode::kNotFound);
}

TEST(MappingNone, KeepsMessagesOnTheTapeOnly) {
  TableRegistry tables;
  std::unique_ptr<Decoder> decoder = Decoder::Make(MappingSpec::None(), &tables).value();
  Decoded decoded;
  MessageView message;
  message.value = "anything";
  decoder->Decode({"t", 0}, message, kReceived, &decoded);
  EXPECT_TRUE(decoded.records.empty() && decoded.marks.empty());
  EXPECT_EQ(decoded.first_refusal(), "");
}

TEST(TomlToJson, KeepsValuesAndSaysWhereATextIsBroken) {
  EXPECT_EQ(TomlToJson("b = 1\na = [true, 'x\"y']\n[t]\nn = { z = 1.5 }\n", "x.toml").value(),
            R"({"a":[true,"x\"y"],"b":1,"t":{"n":{"z":1.5}}})");
  Result<std::string> broken = TomlToJson("a = 1\nb = = 2\n", "x.toml");
  ASSERT_FALSE(broken.ok());
  EXPECT_NE(broken.status().message().find("x.toml:2:5"), std::string_view::npos)
      << broken.status().ToString();
  EXPECT_FALSE(MappingsFromToml("mappings = 1\n", "x.toml").ok());
  EXPECT_FALSE(MappingsFromToml("mappings.a = 1\n", "x.toml").ok());
}

}  // namespace
}  // namespace tapedeck::testing
