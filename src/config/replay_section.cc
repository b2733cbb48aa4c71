#include "config/replay_section.h"

#include <regex.h>

#include <charconv>

namespace tapedeck {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Integers are written without a unit: they count jobs and messages.
void ReadCount(SectionReader* section, std::string_view key, uint64_t least, uint64_t most,
               uint64_t* out) {
  const ConfigValue* value = section->Take(key);
  if (value != nullptr) {
    uint64_t number = 0;
    const std::string& text = value->text;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    const bool good = value->kind == ConfigValue::Kind::kInteger && error == std::errc() &&
                      end == text.data() + text.size() && number >= least && number <= most;
    if (good) {
      *out = number;
    } else {
      section->Problem(value->where, section->KeyPath(key) + " is a whole number from " +
                                         std::to_string(least) + " to " + std::to_string(most));
    }
  }
  section->Note(key, std::to_string(*out), value);
}

bool IsExpression(const std::string& text) {
  regex_t compiled{};
  if (regcomp(&compiled, text.c_str(), REG_EXTENDED | REG_NOSUB) != 0) return false;
  regfree(&compiled);
  return true;
}

// A dotted name without quotes is read by TOML as tables in tables.
void ReadProperties(const ConfigValue& table, const std::string& prefix, SectionReader* section,
                    std::map<std::string, std::string>* out) {
  for (const auto& [name, value] : table.members) {
    const std::string path = prefix.empty() ? name : prefix + "." + name;
    if (value.kind == ConfigValue::Kind::kTable) {
      ReadProperties(value, path, section, out);
    } else if (value.kind == ConfigValue::Kind::kList) {
      section->Problem(value.where, section->KeyPath("properties." + path) + " is no single value");
    } else {
      (*out)[path] = value.text;
      section->Note("properties." + path, QuoteToml(value.text), &value);
    }
  }
}

void ReadTarget(const std::string& name, const ConfigValue& table, ReplayTargetSection* out,
                Findings* findings) {
  SectionReader target(&table, "replay.targets." + name, findings);
  target.Text("bootstrap_servers", &out->bootstrap_servers);
  if (out->bootstrap_servers.empty()) {
    target.Problem(table.where, target.KeyPath("bootstrap_servers") + " is needed");
  }
  std::optional<std::vector<std::string>> topics;
  target.Texts("topics", &topics);
  if (!topics || topics->empty()) {
    target.Problem(table.where, target.KeyPath("topics") +
                                    " is needed: the topics that may be written to, as regular "
                                    "expressions of whole names");
  } else {
    out->topics = *topics;
  }
  for (const std::string& pattern : out->topics) {
    if (IsExpression(pattern)) continue;
    target.Problem(table.where,
                   target.KeyPath("topics") + ": " + QuoteToml(pattern) + " is no expression");
  }
  if (const ConfigValue* properties = target.Take("properties")) {
    ReadProperties(*properties, "", &target, &out->properties);
  }
  target.Done();
}

}  // namespace

void ReadReplay(const ConfigValue& root, Config* config, Findings* findings) {
  ReplayConfig* out = &config->replay;
  SectionReader replay(root.Find("replay"), "replay", findings);
  ReadCount(&replay, "max_jobs", 1, 64, &out->max_jobs);
  ReadCount(&replay, "max_messages_per_second", 0, 1'000'000'000, &out->max_messages_per_second);
  replay.Duration("txn_interval", {milliseconds(10), seconds(1)}, &out->txn_interval);
  if (const ConfigValue* targets = replay.Take("targets")) {
    for (const auto& [name, table] : targets->members) {
      if (table.kind != ConfigValue::Kind::kTable || !CheckNodeId(name).ok()) {
        replay.Problem(table.where, "replay.targets." + name +
                                        " is no target: write [replay.targets." +
                                        "NAME] with bootstrap_servers and topics");
        continue;
      }
      ReadTarget(name, table, &out->targets[name], findings);
    }
  }
  replay.Done();
}

}  // namespace tapedeck
