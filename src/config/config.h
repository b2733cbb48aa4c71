#ifndef TAPEDECK_CONFIG_CONFIG_H_
#define TAPEDECK_CONFIG_CONFIG_H_

// Config: everything a node is told, checked. docs/configuration.md lists each key with its unit,
// default and bounds.
//
// Four layers, each over the one after it: command line (--set section.key=value, -X
// property=value), environment (TAPEDECK_SECTION__KEY), file (TOML), defaults. Durations, sizes and
// shares carry a unit. An unknown key is an error that names the nearest known one; all errors are
// reported at once, each with its file and line.
//
//   ConfigSources sources{.file = "tapedeck.toml",
//                         .environment = EnvironmentOf(environ),
//                         .sets = {"log.level=debug"}};
//   TD_ASSIGN_OR_RETURN(Config config, Config::Load(sources));
//   std::cout << config.Show();   // what is in force, and where it comes from; secrets redacted
//
// The section of a later version (alerts) is accepted with a warning that it has no effect yet, and
// what is in it is not looked at.
// So one file can serve this version and the next.
//
// What needs other modules to be checked (mappings, Kafka properties, table columns) is checked by
// node/plan.h.
//
// A value; thread-compatible.

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "base/time.h"
#include "config/memory_budget.h"
#include "model/table.h"

namespace tapedeck {

struct NodeConfig {
  std::string id;  // default: the host's name
  std::filesystem::path data_dir = "/var/lib/tapedeck";
};

struct KafkaConfig {
  std::string bootstrap_servers = "127.0.0.1:9092";
  std::string group = "tapedeck";
  std::map<std::string, std::string> properties;  // librdkafka's, verbatim
};

struct TopicConfig {
  std::string name;     // exact, or a regular expression that begins with '^'
  std::string mapping;  // a preset, a mapping of the configuration, or "none"
  enum class Start : uint8_t { kEarliest, kLatest, kTime };
  Start start = Start::kEarliest;
  Timestamp start_time;  // of kTime
  std::string symbol_prefix;
  bool accept_replayed = true;  // what replays of others have sent is recorded, too
  std::string where;            // "tapedeck.toml:12"

  bool is_pattern() const { return name.starts_with('^'); }
};

struct RecordConfig {
  std::chrono::nanoseconds commit_interval = std::chrono::milliseconds(200);
  uint64_t commit_bytes = uint64_t{8} << 20;
  std::chrono::nanoseconds max_ahead = std::chrono::hours(24);
  std::chrono::nanoseconds heal_after = std::chrono::hours(26);
  enum class OnDivergence : uint8_t { kContinue, kHalt };
  OnDivergence on_divergence = OnDivergence::kContinue;
};

struct StoreConfig {
  std::optional<std::chrono::nanoseconds> retain;  // unset: keep; never beside an archive
  double disk_warn = 0.85;
  double disk_stop = 0.90;
  std::optional<uint64_t> ballast;  // unset: auto; 0: none
};

struct SeriesConfig {
  std::chrono::nanoseconds flush_interval = std::chrono::seconds(60);
  std::optional<uint64_t> flush_bytes;  // unset: see memory_budget.h
};

/// DECIMAL(precision, scale): 1 <= precision <= 38, 0 <= scale <= precision.
struct DecimalPlaces {
  uint8_t precision = 38;
  uint8_t scale = 18;
  bool operator==(const DecimalPlaces&) const = default;
};

struct TableConfig {
  std::optional<DaySize> day;
  std::optional<std::vector<std::string>> unique;
  /// By column; "" is all others. What is not here has the form that docs/columnar.md says.
  std::map<std::string, DecimalPlaces, std::less<>> decimals;
  std::string where;
};

struct ArchiveConfig {
  std::string url;  // "": no archive
  enum class Format : uint8_t { kParquet, kNdjson };
  std::vector<Format> formats = {Format::kParquet};
  std::chrono::nanoseconds close_after = std::chrono::hours(2);
  std::chrono::nanoseconds keep_local = std::chrono::hours(7 * 24);
  std::chrono::nanoseconds tape_ship = std::chrono::hours(1);
  std::optional<std::chrono::nanoseconds> scrub = std::chrono::hours(24 * 30);  // unset: none
  uint64_t scrub_rate = uint64_t{4} << 20;                                      // bytes per second
  std::optional<std::chrono::nanoseconds> backup = std::chrono::hours(24);      // unset: none
  std::vector<std::string> per_message;                                         // topics
  struct S3 {
    std::string endpoint, region;
    std::optional<bool> path_style;
    std::string bucket_owner, ca_file;
    bool allow_http = false;  // elsewhere than on this machine
  } s3;
  struct Azure {
    std::string account, endpoint, ca_file;
    bool allow_http = false;
  } azure;

  bool on() const { return !url.empty(); }
};

struct HttpConfig {
  std::string listen = "127.0.0.1:8080";  // address:port; "": no server; port 0: any
  std::string metrics_listen;             // "": with the rest
  std::string tls_cert;                   // PEM files, both or neither
  std::string tls_key;
  std::string tokens_file;      // "": everybody may ask
  bool allow_insecure = false;  // beyond loopback without tokens or TLS
  std::chrono::nanoseconds answer_limit = std::chrono::seconds(60);  // until an answer begins
  uint64_t read_rate_min = 1024;  // bytes a second, over half a minute, of whoever reads a stream
};

/// A place that replays may write to.
struct ReplayTargetSection {
  std::string bootstrap_servers;
  std::vector<std::string> topics;                // regular expressions of whole names
  std::map<std::string, std::string> properties;  // librdkafka's, verbatim
};

struct ReplayConfig {
  uint64_t max_jobs = 4;                 // that run at once
  uint64_t max_messages_per_second = 0;  // of each job; 0: none
  std::chrono::nanoseconds txn_interval = std::chrono::milliseconds(100);
  std::map<std::string, ReplayTargetSection> targets;
};

struct LogConfig {
  enum class Level : uint8_t { kDebug, kInfo, kWarn, kError };
  enum class Format : uint8_t { kAuto, kText, kJson };
  Level level = Level::kInfo;
  Format format = Format::kAuto;
};

/// A setting as `config show` prints it.
struct EffectiveSetting {
  std::string key;     // "record.commit_interval", "topics[0].name"
  std::string value;   // TOML; redacted where it is a secret
  std::string origin;  // "default", "tapedeck.toml:14", "environment TAPEDECK_…", "--set"
};

/// Name and value of each variable that begins with TAPEDECK_.
using EnvironmentList = std::vector<std::pair<std::string, std::string>>;
EnvironmentList EnvironmentOf(const char* const* environ_block);

struct ConfigSources {
  std::optional<std::filesystem::path> file;
  EnvironmentList environment;
  std::vector<std::string> sets;        // "section.key=value"
  std::vector<std::string> properties;  // "librdkafka.property=value"
};

struct Config {
  NodeConfig node;
  KafkaConfig kafka;
  std::vector<TopicConfig> topics;
  std::map<std::string, std::string, std::less<>>
      mappings;  // of the configuration, as JSON text; not the presets
  RecordConfig record;
  StoreConfig store;
  SeriesConfig series;
  std::map<std::string, TableConfig, std::less<>> tables;
  ArchiveConfig archive;
  uint64_t memory = uint64_t{2} << 30;
  MemoryBudget budget;
  HttpConfig http;
  ReplayConfig replay;
  LogConfig log;

  std::vector<EffectiveSetting> settings;  // of all known keys, in the order of the documentation
  std::vector<std::string> warnings;

  /// kInvalidArgument with one line for each mistake, or where the file cannot be read.
  static Result<Config> Load(const ConfigSources& sources);

  /// The settings in force as TOML, each with a comment that says where it comes from.
  std::string Show() const;
};

/// Whether the value of this key is never shown: passwords, secrets, tokens, keys.
bool IsSecretKey(std::string_view key);

/// What is taken for a node's id, and a group's: [A-Za-z0-9][A-Za-z0-9._-]{0,62}.
Status CheckNodeId(std::string_view id);

}  // namespace tapedeck

#endif  // TAPEDECK_CONFIG_CONFIG_H_
