// Config: layers, units, mistakes and how they are told.

#include "config/config.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "support/source_dir.h"

namespace tapedeck {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

class ConfigTest : public ::testing::Test {
 protected:
  void SetUp() override {
    dir_ = std::filesystem::temp_directory_path() /
           ("tapedeck-config-test-" + std::to_string(getpid()));
    std::filesystem::create_directories(dir_);
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }

  std::filesystem::path File(const std::string& text) {
    std::filesystem::path path = dir_ / "node.toml";
    std::ofstream(path) << text;
    std::filesystem::permissions(
        path, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
    return path;
  }
  Result<Config> Load(const std::string& text, ConfigSources sources = {}) {
    sources.file = File(text);
    return Config::Load(sources);
  }
  /// The message of a configuration that must be refused.
  std::string Mistake(const std::string& text, ConfigSources sources = {}) {
    Result<Config> config = Load(text, std::move(sources));
    EXPECT_FALSE(config.ok()) << text;
    EXPECT_EQ(config.status().code(), StatusCode::kInvalidArgument);
    return std::string(config.status().message());
  }

  std::filesystem::path dir_;
};

constexpr char kWhole[] = R"(
[node]
id = "deck-7"
data_dir = "/srv/deck"
[kafka]
bootstrap_servers = "a:9092,b:9092"
group = "g"
[kafka.properties]
"security.protocol" = "sasl_ssl"
sasl.mechanism = "PLAIN"
"sasl.password" = "hunter2"
[[topics]]
name = "Finhub1"
mapping = "finnhub"
start = "2024-07-02T04:00:00Z"
symbol_prefix = "F:"
[[topics]]
pattern = "^crypto-.*"
mapping = "none"
start = "latest"
[mappings.mine]
base = "finnhub"
tz = "UTC"
[record]
commit_interval = "1s500ms"
commit_bytes = "4MiB"
max_ahead = "1h"
on_divergence = "halt"
[store]
disk_warn = "70%"
disk_stop = "80.5%"
ballast = "64MiB"
[series]
flush_interval = "5m"
flush_bytes = "64MiB"
[tables.bars]
day = "month"
unique = ["symbol", "ts", "interval"]
[limits]
memory = "1GiB"
[log]
level = "warn"
format = "json"
)";

TEST_F(ConfigTest, EveryKeyOfTheFileArrives) {
  Result<Config> loaded = Load(kWhole);
  ASSERT_TRUE(loaded.ok()) << loaded.status().ToString();
  const Config& c = *loaded;
  EXPECT_EQ(c.node.id, "deck-7");
  EXPECT_EQ(c.node.data_dir, "/srv/deck");
  EXPECT_EQ(c.kafka.bootstrap_servers, "a:9092,b:9092");
  EXPECT_EQ(c.kafka.group, "g");
  EXPECT_EQ(c.kafka.properties.at("security.protocol"), "sasl_ssl");
  EXPECT_EQ(c.kafka.properties.at("sasl.mechanism"), "PLAIN")
      << "a dotted key without quotes is one property";
  ASSERT_EQ(c.topics.size(), 2u);
  EXPECT_EQ(c.topics[0].name, "Finhub1");
  EXPECT_EQ(c.topics[0].start, TopicConfig::Start::kTime);
  EXPECT_EQ(c.topics[0].start_time.ns(), 1'719'892'800'000'000'000);
  EXPECT_EQ(c.topics[0].symbol_prefix, "F:");
  EXPECT_TRUE(c.topics[1].is_pattern());
  EXPECT_EQ(c.topics[1].start, TopicConfig::Start::kLatest);
  EXPECT_EQ(c.mappings.at("mine"), R"({"base":"finnhub","tz":"UTC"})");
  EXPECT_EQ(c.record.commit_interval, milliseconds(1500));
  EXPECT_EQ(c.record.commit_bytes, 4u << 20);
  EXPECT_EQ(c.record.max_ahead, hours(1));
  EXPECT_EQ(c.record.on_divergence, RecordConfig::OnDivergence::kHalt);
  EXPECT_DOUBLE_EQ(c.store.disk_warn, 0.70);
  EXPECT_DOUBLE_EQ(c.store.disk_stop, 0.805);
  EXPECT_EQ(c.store.ballast, 64u << 20);
  EXPECT_EQ(c.series.flush_interval, seconds(300));
  EXPECT_EQ(c.budget.flush_bytes, 64u << 20);
  EXPECT_EQ(c.tables.at("bars").day, DaySize::kMonth);
  EXPECT_EQ(c.tables.at("bars").unique, (std::vector<std::string>{"symbol", "ts", "interval"}));
  EXPECT_EQ(c.memory, 1u << 30);
  EXPECT_EQ(c.log.level, LogConfig::Level::kWarn);
  EXPECT_EQ(c.log.format, LogConfig::Format::kJson);
  EXPECT_TRUE(c.warnings.empty()) << c.warnings[0];
}

TEST_F(ConfigTest, WithoutAFileAllIsDefault) {
  Result<Config> config = Config::Load({});
  ASSERT_TRUE(config.ok()) << config.status().ToString();
  EXPECT_FALSE(config->node.id.empty());
  EXPECT_EQ(config->record.commit_interval, milliseconds(200));
  EXPECT_EQ(config->record.commit_bytes, 8u << 20);
  EXPECT_EQ(config->budget.flush_bytes, 256u << 20);
  EXPECT_TRUE(config->topics.empty());
  EXPECT_FALSE(config->store.ballast.has_value());
}

TEST_F(ConfigTest, TheCommandLineBeatsTheEnvironmentWhichBeatsTheFile) {
  ConfigSources sources;
  sources.environment = {{"TAPEDECK_RECORD__COMMIT_INTERVAL", "2s"},
                         {"TAPEDECK_SERIES__FLUSH_INTERVAL", "2s"},
                         {"TAPEDECK_KAFKA__PROPERTIES__SASL_PASSWORD", "from-environment"},
                         {"TAPEDECK_FAILPOINT", "commit:1:abort"}};
  sources.sets = {"record.commit_interval=3s", "kafka.properties.client.id=me"};
  sources.properties = {"security.protocol=plaintext"};
  Result<Config> config = Load(
      "[record]\ncommit_interval = \"1s\"\ncommit_bytes = \"1MiB\"\n[series]\nflush_interval = "
      "\"1s\"\n",
      sources);
  ASSERT_TRUE(config.ok()) << config.status().ToString();
  EXPECT_EQ(config->record.commit_interval, seconds(3));
  EXPECT_EQ(config->series.flush_interval, seconds(2));
  EXPECT_EQ(config->record.commit_bytes, 1u << 20);
  EXPECT_EQ(config->kafka.properties.at("sasl.password"), "from-environment");
  EXPECT_EQ(config->kafka.properties.at("security.protocol"), "plaintext");
  EXPECT_EQ(config->kafka.properties.at("client.id"), "me");
}

TEST_F(ConfigTest, TopicsCanComeFromTheEnvironment) {
  ConfigSources sources;
  sources.environment = {
      {"TAPEDECK_TOPICS",
       "[{name = \"a\", mapping = \"finnhub\"}, {pattern = \"^b\", mapping = \"none\"}]"}};
  Result<Config> config = Config::Load(sources);
  ASSERT_TRUE(config.ok()) << config.status().ToString();
  ASSERT_EQ(config->topics.size(), 2u);
  EXPECT_EQ(config->topics[1].name, "^b");
}

TEST_F(ConfigTest, AnUnknownKeyNamesPlaceAndNearest) {
  std::string mistake = Mistake("[record]\n\ncomit_interval = \"1s\"\n");
  EXPECT_NE(mistake.find(
                "node.toml:3: record has no key 'comit_interval'; did you mean 'commit_interval'?"),
            std::string::npos)
      << mistake;
  mistake = Mistake("[recrod]\n");
  EXPECT_NE(mistake.find("node.toml:1: there is no section [recrod]; did you mean 'record'?"),
            std::string::npos)
      << mistake;
  ConfigSources sources;
  sources.environment = {{"TAPEDECK_RECORD__COMMIT_BITES", "1MiB"}};
  mistake = Mistake("", sources);
  EXPECT_NE(mistake.find("environment TAPEDECK_RECORD__COMMIT_BITES: record has no key "
                         "'commit_bites'; did you mean 'commit_bytes'?"),
            std::string::npos)
      << mistake;
}

TEST_F(ConfigTest, ANumberWithoutUnitShowsHowToWriteIt) {
  std::string mistake = Mistake("[record]\ncommit_interval = 200\n");
  EXPECT_NE(mistake.find("node.toml:2: record.commit_interval = 200 has no unit: write "
                         "commit_interval = \"200ms\""),
            std::string::npos)
      << mistake;
  mistake = Mistake("[record]\ncommit_bytes = \"8\"\n");
  EXPECT_NE(mistake.find("'8' is no size"), std::string::npos) << mistake;
  mistake = Mistake("[store]\ndisk_stop = 0.9\n");
  EXPECT_NE(mistake.find("disk_stop = \"90%\""), std::string::npos) << mistake;
}

TEST_F(ConfigTest, AllMistakesAreToldAtOnce) {
  std::string mistake = Mistake(
      "[record]\ncommit_interval = \"1y\"\n[log]\nlevel = \"loud\"\n[[topics]]\nname = \"a b\"\n");
  EXPECT_NE(mistake.find("record.commit_interval"), std::string::npos) << mistake;
  EXPECT_NE(mistake.find("log.level = \"loud\" is none of debug, info, warn, error"),
            std::string::npos)
      << mistake;
  EXPECT_NE(mistake.find("topics[0].name"), std::string::npos) << mistake;
  EXPECT_NE(mistake.find("topics[0] needs a mapping"), std::string::npos) << mistake;
}

TEST_F(ConfigTest, BoundsAreEnforced) {
  EXPECT_NE(Mistake("[record]\ncommit_interval = \"2m\"\n").find("from 1ms to 1m"),
            std::string::npos);
  EXPECT_NE(Mistake("[record]\ncommit_bytes = \"1KiB\"\n").find("from 64KiB to 256MiB"),
            std::string::npos);
  EXPECT_NE(Mistake("[store]\ndisk_warn = \"95%\"\n").find("above store.disk_stop"),
            std::string::npos);
  EXPECT_NE(Mistake("[node]\nid = \"a/b\"\n").find("node.id"), std::string::npos);
}

TEST_F(ConfigTest, TooLittleMemoryNamesTheLeast) {
  std::string mistake = Mistake("[limits]\nmemory = \"100MiB\"\n");
  EXPECT_NE(mistake.find("limits.memory = 100MiB is too little"), std::string::npos) << mistake;
  size_t at = mistake.find("at least ");
  ASSERT_NE(at, std::string::npos) << mistake;
  std::string least = mistake.substr(at + 9, mistake.find(';', at) - at - 9);
  EXPECT_TRUE(Load("[limits]\nmemory = \"" + least + "\"\n").ok())
      << "the least that is named must do: " << least;
  EXPECT_NE(Mistake("[limits]\nmemory = \"512MiB\"\n[series]\nflush_bytes = \"1GiB\"\n")
                .find("series.flush_bytes"),
            std::string::npos);
}

TEST_F(ConfigTest, TheSplitNeverExceedsTheWhole) {
  for (uint64_t mib : {197u, 200u, 256u, 320u, 512u, 1024u, 2048u, 16384u}) {
    Result<Config> config = Load("[limits]\nmemory = \"" + std::to_string(mib) + "MiB\"\n");
    ASSERT_TRUE(config.ok()) << mib << " MiB: " << config.status().ToString();
    const MemoryBudget& b = config->budget;
    EXPECT_EQ(b.process + b.building + b.rows + b.kafka + b.store + b.spare, config->memory);
    EXPECT_GE(b.kafka, 16u << 20);
    EXPECT_GE(b.store, 32u << 20);
  }
}

TEST_F(ConfigTest, SecretsAreShownNowhere) {
  Result<Config> config = Load(kWhole);
  ASSERT_TRUE(config.ok()) << config.status().ToString();
  std::string shown = config->Show();
  EXPECT_EQ(shown.find("hunter2"), std::string::npos) << shown;
  EXPECT_NE(shown.find("kafka.properties.\"sasl.password\" = \"(redacted)\""), std::string::npos)
      << shown;
  EXPECT_NE(shown.find("sasl_ssl"), std::string::npos) << shown;
  // Nor in the message about a mistake in the same section.
  std::string mistake = Mistake("[kafka.properties]\n\"sasl.password\" = [\"hunter2\"]\n");
  EXPECT_EQ(mistake.find("hunter2"), std::string::npos) << mistake;
}

TEST_F(ConfigTest, SecretsOnTheCommandLineAreRefused) {
  ConfigSources sources;
  sources.properties = {"sasl.password=hunter2"};
  std::string mistake = Mistake("", sources);
  EXPECT_NE(mistake.find("-X sasl.password: a secret on a command line"), std::string::npos)
      << mistake;
  EXPECT_EQ(mistake.find("hunter2"), std::string::npos) << mistake;
  sources = {};
  sources.sets = {"kafka.properties.ssl.key.password=hunter2"};
  mistake = Mistake("", sources);
  EXPECT_EQ(mistake.find("hunter2"), std::string::npos) << mistake;
}

TEST_F(ConfigTest, AFileWithSecretsThatAllMayReadIsWarnedOf) {
  std::filesystem::path path = File("[kafka.properties]\n\"sasl.password\" = \"x\"\n");
  std::filesystem::permissions(path, std::filesystem::perms::others_read,
                               std::filesystem::perm_options::add);
  Result<Config> config = Config::Load({.file = path});
  ASSERT_TRUE(config.ok());
  ASSERT_EQ(config->warnings.size(), 1u);
  EXPECT_NE(config->warnings[0].find("chmod o-r"), std::string::npos);
}

TEST_F(ConfigTest, SectionsOfLaterVersionsAreWarnedOfNotRefused) {
  Result<Config> config = Load("[alerts]\nwebhook = \"x\"\n[record]\nheal_after = \"30h\"\n");
  ASSERT_TRUE(config.ok()) << config.status().ToString();
  EXPECT_EQ(config->record.heal_after, std::chrono::hours(30));
  ASSERT_EQ(config->warnings.size(), 1u);
  EXPECT_NE(config->warnings[0].find("node.toml:1: [alerts] is not available in this version"),
            std::string::npos)
      << config->warnings[0];
}

TEST_F(ConfigTest, RetainIsForNodesWithoutAnArchive) {
  Result<Config> config = Load("[store]\nretain = \"30d\"\n");
  ASSERT_TRUE(config.ok()) << config.status().ToString();
  EXPECT_EQ(config->store.retain, std::chrono::hours(24 * 30));
  EXPECT_TRUE(config->warnings.empty());
  config = Load("[archive]\nurl = \"file:///a\"\n[store]\nretain = \"30d\"\n");
  ASSERT_EQ(config.status().code(), StatusCode::kInvalidArgument);
  EXPECT_NE(config.status().message().find("archive.keep_local"), std::string::npos)
      << config.status().ToString();
}

TEST_F(ConfigTest, TargetsOfReplaysAreReadAndTheirSecretsHidden) {
  Result<Config> config = Load(
      "[replay]\nmax_jobs = 3\nmax_messages_per_second = 5000\ntxn_interval = \"50ms\"\n"
      "[replay.targets.lab]\nbootstrap_servers = \"127.0.0.1:9092\"\n"
      "topics = [\"^.*-replay$\"]\n"
      "[replay.targets.lab.properties]\nsecurity.protocol = \"sasl_ssl\"\n"
      "\"sasl.password\" = \"hush\"\n");
  ASSERT_TRUE(config.ok()) << config.status().ToString();
  EXPECT_EQ(config->replay.max_jobs, 3u);
  EXPECT_EQ(config->replay.max_messages_per_second, 5000u);
  EXPECT_EQ(config->replay.txn_interval, std::chrono::milliseconds(50));
  const ReplayTargetSection& lab = config->replay.targets.at("lab");
  EXPECT_EQ(lab.bootstrap_servers, "127.0.0.1:9092");
  EXPECT_EQ(lab.topics, std::vector<std::string>{"^.*-replay$"});
  EXPECT_EQ(lab.properties.at("security.protocol"), "sasl_ssl");
  EXPECT_EQ(lab.properties.at("sasl.password"), "hush");
  EXPECT_EQ(config->Show().find("hush"), std::string::npos);
}

TEST_F(ConfigTest, TargetsOfReplaysThatLackSomethingAreRefusedByKey) {
  EXPECT_NE(Mistake("[replay.targets.lab]\ntopics = [\"a\"]\n").find("lab.bootstrap_servers"),
            std::string::npos);
  EXPECT_NE(Mistake("[replay.targets.lab]\nbootstrap_servers = \"x:1\"\n").find("lab.topics"),
            std::string::npos);
  EXPECT_NE(Mistake("[replay.targets.lab]\nbootstrap_servers = \"x:1\"\ntopics = [\"(\"]\n")
                .find("no expression"),
            std::string::npos);
  EXPECT_NE(Mistake("[replay]\nmax_jobs = 0\n").find("replay.max_jobs"), std::string::npos);
  EXPECT_NE(Mistake("[replay]\nmax_jobs = \"3\"\n").find("whole number"), std::string::npos);
  EXPECT_NE(Mistake("[replay]\nmax_job = 3\n").find("max_jobs"), std::string::npos);
  EXPECT_NE(Mistake("[replay]\ntxn_interval = \"1ms\"\n").find("txn_interval"), std::string::npos);
}

TEST_F(ConfigTest, TheSameTopicTwiceIsRefused) {
  std::string mistake = Mistake(
      "[[topics]]\nname = \"a\"\nmapping = \"none\"\n[[topics]]\nname = \"a\"\nmapping = "
      "\"finnhub\"\n");
  EXPECT_NE(mistake.find("node.toml:4: topic 'a' is there already, at"), std::string::npos)
      << mistake;
  EXPECT_NE(Mistake("[[topics]]\nname = \"a\"\npattern = \"^a\"\nmapping = \"none\"\n")
                .find("either name or pattern"),
            std::string::npos);
  EXPECT_NE(
      Mistake("[[topics]]\npattern = \"^a(\"\nmapping = \"none\"\n").find("no regular expression"),
      std::string::npos);
  EXPECT_NE(Mistake("[[topics]]\nname = \"^a\"\nmapping = \"none\"\n").find("pattern = \"^…\""),
            std::string::npos);
}

TEST_F(ConfigTest, OnlyAddressesOfThisMachineNeedNoTokens) {
  for (const char* address : {"127.0.0.1:80", "127.8.9.1:80", "[::1]:80", "localhost:80"}) {
    const std::string mistake =
        Mistake(std::string("[http]\nlisten = \"") + address + "\"\nno_such_key = 1\n");
    EXPECT_EQ(mistake.find("name http.tokens_file"), std::string::npos) << mistake;
  }
  for (const char* address : {"127.example.com:80", "127.0.0.1.example.com:80", "127.1:80",
                              "0.0.0.0:80", "[::]:80", "[::ffff:8.8.8.8]:80", "128.0.0.1:80"}) {
    const std::string mistake = Mistake(std::string("[http]\nlisten = \"") + address + "\"\n");
    EXPECT_NE(mistake.find("name http.tokens_file"), std::string::npos)
        << address << ": " << mistake;
  }
}

TEST_F(ConfigTest, WhatIsNoTomlNamesLineAndColumn) {
  std::string mistake = Mistake("[record]\ncommit_interval = \n");
  EXPECT_NE(mistake.find("node.toml:2:"), std::string::npos) << mistake;
  EXPECT_NE(mistake.find("not TOML"), std::string::npos) << mistake;
}

TEST_F(ConfigTest, AFileThatIsNotThereIsNamed) {
  Result<Config> config = Config::Load({.file = dir_ / "absent.toml"});
  ASSERT_FALSE(config.ok());
  EXPECT_NE(config.status().message().find("absent.toml"), std::string::npos);
}

TEST_F(ConfigTest, WhatShowPrintsIsReadBackTheSame) {
  Result<Config> config =
      Load("[record]\ncommit_interval = \"1s\"\n[limits]\nmemory = \"1GiB\"\n[node]\nid = \"x\"\n");
  ASSERT_TRUE(config.ok());
  Result<Config> again = Load(config->Show());
  ASSERT_TRUE(again.ok()) << again.status().ToString() << "\n" << config->Show();
  ASSERT_EQ(again->settings.size(), config->settings.size());
  for (size_t i = 0; i < config->settings.size(); ++i) {
    EXPECT_EQ(again->settings[i].key, config->settings[i].key);
    EXPECT_EQ(again->settings[i].value, config->settings[i].value);
  }
}

TEST_F(ConfigTest, EveryKeyIsDocumentedWithItsDefault) {
  std::ifstream in(testing::SourceDir() + "/docs/configuration.md");
  std::string page((std::istreambuf_iterator<char>(in)), {});
  ASSERT_FALSE(page.empty());
  Result<Config> config = Config::Load({});
  ASSERT_TRUE(config.ok());
  for (const EffectiveSetting& setting : config->settings) {
    EXPECT_NE(page.find("`" + setting.key + "`"), std::string::npos)
        << setting.key << " is not in docs/configuration.md";
    if (setting.key == "node.id") continue;  // the host's name
    EXPECT_NE(page.find("`" + setting.key + "` | `" + setting.value + "`"), std::string::npos)
        << "docs/configuration.md gives another default for " << setting.key << " than "
        << setting.value;
  }
}

// Any bytes whatever give a Status or a Config, never a crash.
TEST_F(ConfigTest, DamagedFilesAreRefusedOrRead) {
  const uint64_t seed = 20'240'702;
  uint64_t state = seed;
  auto next = [&state] {
    state = state * 6'364'136'223'846'793'005u + 1'442'695'040'888'963'407u;
    return state >> 33;
  };
  const std::string whole = kWhole;
  for (int round = 0; round < 2'000; ++round) {
    std::string text = whole;
    for (uint64_t changes = 1 + next() % 4; changes > 0; --changes) {
      size_t at = next() % text.size();
      if (next() % 3 == 0) {
        text.erase(at, 1 + next() % 5);
      } else {
        text[at] = static_cast<char>(next() % 256);
      }
    }
    Result<Config> config = Load(text);
    if (!config.ok()) {
      EXPECT_EQ(config.status().code(), StatusCode::kInvalidArgument)
          << "seed " << seed << " round " << round;
    }
  }
}

}  // namespace
}  // namespace tapedeck
