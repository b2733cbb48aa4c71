// [archive], limits of answers, forms of decimals: what arrives, what is refused and how.

#include <gtest/gtest.h>

#include "base/file.h"
#include "config/config.h"
#include "support/temp_dir.h"

namespace tapedeck::testing {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

Result<Config> Load(const std::string& text, ConfigSources sources = {}) {
  const TempDir dir;
  const std::filesystem::path path = dir.path() / "node.toml";
  EXPECT_TRUE(WriteFileAtomically(path, text, 0600).ok());
  sources.file = path;
  return Config::Load(sources);
}

std::string Mistake(const std::string& text, ConfigSources sources = {}) {
  Result<Config> config = Load(text, std::move(sources));
  EXPECT_EQ(config.status().code(), StatusCode::kInvalidArgument) << text;
  return config.ok() ? "" : std::string(config.status().message());
}

TEST(ArchiveConfig, EveryKeyArrives) {
  const Result<Config> loaded = Load(R"(
[archive]
url = "s3://market-data/tapedeck"
formats = ["ndjson", "parquet"]
close_after = "30m"
keep_local = "2d"
tape_ship = "10m"
per_message = ["alerts", "orders"]
[archive.s3]
endpoint = "https://minio.example:9000"
region = "eu-central-1"
path_style = false
bucket_owner = "123456789012"
ca_file = "/etc/ca.pem"
[archive.azure]
account = "acc"
endpoint = "http://127.0.0.1:10000/acc"
)");
  ASSERT_TRUE(loaded.ok()) << loaded.status().ToString();
  const ArchiveConfig& archive = loaded->archive;
  using Format = ArchiveConfig::Format;
  EXPECT_EQ(archive.url, "s3://market-data/tapedeck");
  EXPECT_EQ(archive.formats, (std::vector<Format>{Format::kNdjson, Format::kParquet}));
  EXPECT_EQ(archive.close_after, minutes(30));
  EXPECT_EQ(archive.keep_local, hours(48));
  EXPECT_EQ(archive.tape_ship, minutes(10));
  EXPECT_EQ(archive.scrub, std::chrono::hours(24 * 30));
  EXPECT_EQ(archive.scrub_rate, uint64_t{4} << 20);
  EXPECT_EQ(archive.per_message, (std::vector<std::string>{"alerts", "orders"}));
  EXPECT_EQ(archive.s3.endpoint, "https://minio.example:9000");
  EXPECT_EQ(archive.s3.region, "eu-central-1");
  EXPECT_EQ(archive.s3.path_style, false);
  EXPECT_EQ(archive.s3.bucket_owner, "123456789012");
  EXPECT_EQ(archive.s3.ca_file, "/etc/ca.pem");
  EXPECT_FALSE(archive.s3.allow_http);
  EXPECT_EQ(archive.azure.account, "acc");
  EXPECT_EQ(archive.azure.endpoint, "http://127.0.0.1:10000/acc");
}

TEST(ArchiveConfig, WithoutAUrlThereIsNone) {
  const Result<Config> none = Load("");
  ASSERT_TRUE(none.ok());
  EXPECT_FALSE(none->archive.on());
  EXPECT_FALSE(none->archive.s3.path_style.has_value());
  const Result<Config> useless = Load("[archive]\nclose_after = \"1h\"\n");
  ASSERT_TRUE(useless.ok());
  ASSERT_EQ(useless->warnings.size(), 1u);
  EXPECT_NE(useless->warnings[0].find("has no url"), std::string::npos) << useless->warnings[0];
}

TEST(ArchiveConfig, TheEnvironmentNamesTheArchive) {
  const Result<Config> config =
      Load("[archive]\nurl = \"file:///a\"\n",
           {.environment = {{"TAPEDECK_ARCHIVE__URL", "az://container"},
                            {"TAPEDECK_ARCHIVE__S3__REGION", "eu-west-1"}}});
  ASSERT_TRUE(config.ok()) << config.status().ToString();
  EXPECT_EQ(config->archive.url, "az://container");
  EXPECT_EQ(config->archive.s3.region, "eu-west-1");
}

TEST(ArchiveConfig, MistakesAreToldWithWhatToWrite) {
  const std::pair<const char*, const char*> mistakes[] = {
      {"url = \"/var/archive\"", "write file:///folder"},
      {"url = \"ftp://x/y\"", "write file:///folder"},
      {"formats = [\"csv\"]", "none of parquet, ndjson"},
      {"formats = []", "name parquet, ndjson or both"},
      {"formats = \"parquet\"", "is a list"},
      {"close_after = 2", "close_after"},
      {"keep_local = \"7\"", "keep_local"},
      {"tape_ship = \"0s\"", "out of bounds"},
      {"backup = \"often\"", "backup"},
      {"backup = \"1s\"", "from 1m to 365d"},
      {"per_message = [\"a b\"]", "no name of a topic"},
      {"close_afte = \"1h\"", "did you mean 'close_after'"},
      {"[archive.s3]\nregoin = \"x\"", "did you mean 'region'"},
      {"[archive.s3]\nsecret_access_key = \"hush-hush\"", "AWS_SECRET_ACCESS_KEY"},
      {"[archive.azure]\naccount_key = \"hush-hush\"", "AZURE_STORAGE_KEY"},
      {"[archive.gcs]\nkey = \"x\"", "has no key 'gcs'"},
  };
  for (const auto& [text, hint] : mistakes) {
    const std::string said = Mistake(std::string("[archive]\n") + text + "\n");
    EXPECT_NE(said.find(hint), std::string::npos) << text << "\n" << said;
    EXPECT_NE(said.find("node.toml:"), std::string::npos) << said;
    EXPECT_EQ(said.find("hush-hush"), std::string::npos) << "a secret is repeated: " << said;
  }
}

TEST(LimitsConfig, TimeAndRateOfAnswersAreBounded) {
  const Result<Config> config = Load("[http]\nanswer_limit = \"5s\"\nread_rate_min = \"64KiB\"\n");
  ASSERT_TRUE(config.ok()) << config.status().ToString();
  EXPECT_EQ(config->http.answer_limit, seconds(5));
  EXPECT_EQ(config->http.read_rate_min, 64u << 10);
  EXPECT_NE(Mistake("[http]\nanswer_limit = \"100ms\"\n").find("out of bounds"), std::string::npos);
  EXPECT_NE(Mistake("[http]\nread_rate_min = \"0B\"\n").find("out of bounds"), std::string::npos);
}

TEST(TableConfig, DecimalsAreForAllColumnsOrByColumn) {
  const Result<Config> config = Load(
      "[tables.trades]\ndecimals = \"12,4\"\n"
      "[tables.quotes]\ndecimals = {bid_price = \"10,2\", last = \"38,0\"}\n");
  ASSERT_TRUE(config.ok()) << config.status().ToString();
  EXPECT_EQ(config->tables.at("trades").decimals.at(""), (DecimalPlaces{12, 4}));
  EXPECT_EQ(config->tables.at("quotes").decimals.size(), 2u);
  EXPECT_EQ(config->tables.at("quotes").decimals.at("bid_price"), (DecimalPlaces{10, 2}));
  EXPECT_EQ(config->tables.at("quotes").decimals.at("last"), (DecimalPlaces{38, 0}));
  for (const char* bad : {"\"18\"", "\"18.8\"", "\"39,1\"", "\"8,9\"", "\"0,0\"", "\"-1,0\"",
                          "\"18,8 \"", "18", "{price = \"x\"}", "{price = [1]}"}) {
    const std::string said = Mistake("[tables.trades]\ndecimals = " + std::string(bad) + "\n");
    EXPECT_NE(said.find("decimals"), std::string::npos) << bad << "\n" << said;
  }
}

}  // namespace
}  // namespace tapedeck::testing
