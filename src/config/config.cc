#include "config/config.h"

#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/limits.h"
#include "base/units.h"
#include "config/archive_section.h"
#include "config/http_section.h"
#include "config/layers.h"
#include "config/replay_section.h"
#include "config/section_reader.h"
#include "config/topic_section.h"

namespace tapedeck {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr uint64_t kKiB = uint64_t{1} << 10;
constexpr uint64_t kMiB = uint64_t{1} << 20;
constexpr uint64_t kGiB = uint64_t{1} << 30;
// More lines than these help nobody to correct the first.
constexpr size_t kProblemsShown = 20;

// Known sections of later versions: accepted, so that one file serves this version and the next.
constexpr std::array<std::string_view, 1> kLaterSections = {"alerts"};

std::string HostName() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0 || name[0] == '\0') return "tapedeck";
  std::string id;
  for (char c : std::string_view(name.data())) {
    bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                c == '.' || c == '_' || c == '-';
    id.push_back(good ? c : '-');
  }
  id = id.substr(0, 63);
  return CheckNodeId(id).ok() ? id : "tapedeck";
}

Status CheckDataDir(const std::string& dir) {
  if (dir.empty() || dir.find('\0') != std::string::npos)
    return Status::InvalidArgument("a folder is needed");
  return Status::Ok();
}

Status CheckServers(const std::string& servers) {
  if (servers.empty() || servers.find_first_of(" \t\n/") != std::string::npos) {
    return Status::InvalidArgument(QuoteToml(servers) +
                                   " is no list of brokers: write \"host:port,host:port\"");
  }
  return Status::Ok();
}

void ReadNode(const ConfigValue& root, Config* config, Findings* findings) {
  SectionReader node(root.Find("node"), "node", findings);
  config->node.id = HostName();
  node.Text("id", &config->node.id, CheckNodeId);
  std::string dir = config->node.data_dir.string();
  node.Text("data_dir", &dir, CheckDataDir);
  config->node.data_dir = dir;
  node.Done();
}

void ReadKafka(const ConfigValue& root, Config* config, Findings* findings) {
  SectionReader kafka(root.Find("kafka"), "kafka", findings);
  kafka.Text("bootstrap_servers", &config->kafka.bootstrap_servers, CheckServers);
  kafka.Text("group", &config->kafka.group, CheckNodeId);
  const ConfigValue* table = kafka.Take("properties");
  SectionReader properties(table, "kafka.properties", findings);
  if (table != nullptr) {
    for (const auto& [name, value] : table->members) {
      std::string text;
      properties.Text(name, &text);
      config->kafka.properties[name] = text;
    }
  }
  kafka.Done();
}

void ReadRecord(const ConfigValue& root, Config* config, Findings* findings) {
  RecordConfig* out = &config->record;
  SectionReader record(root.Find("record"), "record", findings);
  record.Duration("commit_interval", {milliseconds(1), minutes(1)}, &out->commit_interval);
  record.Size("commit_bytes", {64 * kKiB, 256 * kMiB}, &out->commit_bytes);
  record.Duration("max_ahead", {seconds(0), hours(24 * 3650)}, &out->max_ahead);
  record.Duration("heal_after", {minutes(1), hours(24 * 3650)}, &out->heal_after);
  record.Choose(
      "on_divergence",
      Choices<RecordConfig::OnDivergence>{{"continue", RecordConfig::OnDivergence::kContinue},
                                          {"halt", RecordConfig::OnDivergence::kHalt}},
      &out->on_divergence);
  record.Done();
}

void ReadStore(const ConfigValue& root, Config* config, Findings* findings) {
  StoreConfig* out = &config->store;
  SectionReader store(root.Find("store"), "store", findings);
  store.DurationOrEmpty("retain", {minutes(1), hours(24 * 36500)}, &out->retain);
  store.Share("disk_warn", {0.01, 0.99}, &out->disk_warn);
  store.Share("disk_stop", {0.01, 0.99}, &out->disk_stop);
  store.SizeOr("ballast", "auto", {0, 64 * kGiB}, &out->ballast);
  if (out->disk_warn > out->disk_stop) {
    store.Problem(store.where(), "store.disk_warn = " + FormatShare(out->disk_warn) +
                                     " is above store.disk_stop = " + FormatShare(out->disk_stop) +
                                     ": the warning would come too late");
  }
  store.Done();
}

void ReadSeries(const ConfigValue& root, Config* config, Findings* findings) {
  SectionReader series(root.Find("series"), "series", findings);
  series.Duration("flush_interval", {milliseconds(100), hours(24)}, &config->series.flush_interval);
  series.SizeOr("flush_bytes", "auto", {kMiB, 64 * kGiB}, &config->series.flush_bytes);
  series.Done();
}

void ReadLimitsAndLog(const ConfigValue& root, Config* config, Findings* findings) {
  SectionReader limits(root.Find("limits"), "limits", findings);
  limits.Size("memory", {kMiB, 1024 * kGiB}, &config->memory);
  limits.Done();
  SectionReader log(root.Find("log"), "log", findings);
  using Level = LogConfig::Level;
  log.Choose("level",
             Choices<Level>{{"debug", Level::kDebug},
                            {"info", Level::kInfo},
                            {"warn", Level::kWarn},
                            {"error", Level::kError}},
             &config->log.level);
  using Format = LogConfig::Format;
  log.Choose(
      "format",
      Choices<Format>{{"auto", Format::kAuto}, {"text", Format::kText}, {"json", Format::kJson}},
      &config->log.format);
  log.Done();
}

void CheckSections(const ConfigValue& root, Findings* findings) {
  std::vector<std::string> known = {"node",   "kafka",  "topics", "mappings", "record",
                                    "store",  "series", "tables", "archive",  "http",
                                    "replay", "alerts", "limits", "log"};
  for (const auto& [name, value] : root.members) {
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      findings->Problem(value.where,
                        "there is no section [" + name + "]" + NearestHint(name, known));
    } else if (std::find(kLaterSections.begin(), kLaterSections.end(), name) !=
               kLaterSections.end()) {
      findings->Warn(value.where,
                     "[" + name + "] is not available in this version and has no effect");
    }
  }
}

void SplitBudget(Config* config, Findings* findings) {
  Result<MemoryBudget> budget = SplitMemory({.memory = config->memory,
                                             .commit_bytes = config->record.commit_bytes,
                                             .flush_bytes = config->series.flush_bytes});
  if (budget.ok()) {
    config->budget = *budget;
  } else {
    findings->Problem("", budget.status().message());
  }
}

Status ProblemsStatus(const std::vector<std::string>& problems) {
  if (problems.empty()) return Status::Ok();
  std::string text;
  for (size_t i = 0; i < std::min(problems.size(), kProblemsShown); ++i)
    text += (i == 0 ? "" : "\n") + problems[i];
  if (problems.size() > kProblemsShown)
    text += "\nand " + std::to_string(problems.size() - kProblemsShown) + " more";
  return Status::InvalidArgument(std::move(text));
}

}  // namespace

Result<Config> Config::Load(const ConfigSources& sources) {
  Findings findings;
  TD_ASSIGN_OR_RETURN(const ConfigValue root, JoinLayers(sources, &findings));
  Config config;
  CheckSections(root, &findings);
  ReadNode(root, &config, &findings);
  ReadKafka(root, &config, &findings);
  ReadTopics(root, &config, &findings);
  ReadMappings(root, &config, &findings);
  ReadRecord(root, &config, &findings);
  ReadStore(root, &config, &findings);
  ReadSeries(root, &config, &findings);
  ReadTables(root, &config, &findings);
  ReadArchive(root, &config, &findings);
  if (config.store.retain && config.archive.on()) {
    findings.Problem(root.Find("store") == nullptr ? "" : root.Find("store")->where,
                     "store.retain is for a node without an archive, and archive.url is set: what "
                     "is in the archive leaves this disk after archive.keep_local; use that, and "
                     "remove store.retain");
  }
  ReadHttp(root, &config, &findings);
  ReadReplay(root, &config, &findings);
  ReadLimitsAndLog(root, &config, &findings);
  if (findings.problems.empty()) SplitBudget(&config, &findings);
  TD_RETURN_IF_ERROR(ProblemsStatus(findings.problems));
  config.settings = std::move(findings.settings);
  config.warnings = std::move(findings.warnings);
  return config;
}

std::string Config::Show() const {
  std::string out;
  for (const EffectiveSetting& setting : settings) {
    std::string line = setting.key + " = " + setting.value;
    if (line.size() < 56) line.resize(56, ' ');
    out += line + "  # " + setting.origin + "\n";
  }
  out += "\n# limits.memory = " + FormatSize(memory) + ": process " + FormatSize(budget.process) +
         ", building " + FormatSize(budget.building) + ", rows " + FormatSize(budget.rows) +
         " (flush at " + FormatSize(budget.flush_bytes) + "), kafka " + FormatSize(budget.kafka) +
         ", store " + FormatSize(budget.store) + ", spare " + FormatSize(budget.spare) + "\n";
  return out;
}

bool IsSecretKey(std::string_view key) {
  constexpr std::string_view kProperties = ".properties.";
  const size_t at = key.find(kProperties);
  if (at == std::string_view::npos) return false;
  if (!key.starts_with("kafka.") && !key.starts_with("replay.targets.")) return false;
  const std::string_view name = key.substr(at + kProperties.size());
  constexpr std::array<std::string_view, 3> kOpen = {"sasl.mechanism", "sasl.mechanisms",
                                                     "sasl.oauthbearer.method"};
  if (std::find(kOpen.begin(), kOpen.end(), name) != kOpen.end()) return false;
  if (name.starts_with("sasl.") || name.starts_with("ssl.key.")) return true;
  constexpr std::array<std::string_view, 6> kParts = {"password", "secret", "token",
                                                      "private",  "jaas",   "key.pem"};
  return std::any_of(kParts.begin(), kParts.end(), [name](std::string_view part) {
    return name.find(part) != std::string_view::npos;
  });
}

Status CheckNodeId(std::string_view id) {
  auto letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  bool good = !id.empty() && id.size() <= 63 && letter(id[0]) &&
              std::all_of(id.begin(), id.end(),
                          [&](char c) { return letter(c) || c == '.' || c == '_' || c == '-'; });
  if (good) return Status::Ok();
  return Status::InvalidArgument(
      QuoteToml(id) +
      " is no name: 1 to 63 of A-Z a-z 0-9 . _ -, beginning with a letter or digit");
}

}  // namespace tapedeck
