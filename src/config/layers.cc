#include "config/layers.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <sstream>

#include "base/limits.h"

namespace tapedeck {
namespace {

constexpr std::string_view kEnvironmentPrefix = "TAPEDECK_";

std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

std::vector<std::string> Split(std::string_view text, std::string_view separator) {
  std::vector<std::string> parts;
  while (true) {
    size_t at = text.find(separator);
    parts.emplace_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + separator.size());
  }
}

/// Property names hold dots, which separate sections elsewhere: everything after
/// "kafka.properties." is one name.
void JoinPropertyName(std::vector<std::string>* path) {
  if (path->size() < 4 || (*path)[0] != "kafka" || (*path)[1] != "properties") return;
  for (size_t i = 3; i < path->size(); ++i) (*path)[2] += "." + (*path)[i];
  path->resize(3);
}

bool IsPropertyPath(const std::vector<std::string>& path) {
  return path.size() == 3 && path[0] == "kafka" && path[1] == "properties";
}

/// A property is text, whatever it looks like.
ConfigValue ValueFor(const std::vector<std::string>& path, std::string_view text,
                     std::string_view where) {
  if (!IsPropertyPath(path)) return ParseLooseValue(text, where);
  ConfigValue value;
  value.kind = ConfigValue::Kind::kText;
  value.text = text;
  value.where = where;
  return value;
}

/// Makes [kafka.properties] flat: `security.protocol = "ssl"` without quotes is read by TOML as a
/// table in a table.
void FlattenProperties(ConfigValue* root) {
  const ConfigValue* kafka = root->Find("kafka");
  if (kafka == nullptr || kafka->kind != ConfigValue::Kind::kTable) return;
  const ConfigValue* nested = kafka->Find("properties");
  if (nested == nullptr || nested->kind != ConfigValue::Kind::kTable) return;
  ConfigValue flat;
  flat.where = nested->where;
  struct Walk {
    static void Into(ConfigValue* to, const std::string& prefix, const ConfigValue& from) {
      for (const auto& [name, value] : from.members) {
        std::string path = prefix.empty() ? name : prefix + "." + name;
        if (value.kind == ConfigValue::Kind::kTable) {
          Into(to, path, value);
        } else {
          *to->FindOrAdd(path, value.where) = value;
        }
      }
    }
  };
  Walk::Into(&flat, "", *nested);
  *root->FindOrAdd("kafka", "")->FindOrAdd("properties", "") = std::move(flat);
}

Result<std::string> ReadConfigFile(const std::filesystem::path& path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) {
    return Status::InvalidArgument("configuration file " + path.string() +
                                   (error ? ": " + error.message() : " is no file"));
  }
  if (std::filesystem::file_size(path, error) > limits::kConfigBytesMax || error) {
    return Status::InvalidArgument("configuration file " + path.string() + " is larger than 4 MiB");
  }
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  if (in.is_open()) text << in.rdbuf();
  if (!in.is_open() || in.bad()) {
    return Status::InvalidArgument("configuration file " + path.string() +
                                   " cannot be read: check its owner and mode");
  }
  return text.str();
}

/// Told on a command line, everybody on the machine could read it.
bool RefusedAsArgument(std::string_view key) {
  constexpr std::array<std::string_view, 7> kParts = {
      "password", "secret", "token", "private", "jaas", "key.pem", "oauthbearer.config"};
  return std::any_of(kParts.begin(), kParts.end(), [key](std::string_view part) {
    return key.find(part) != std::string_view::npos;
  });
}

bool HasSecret(const ConfigValue& value, const std::string& path) {
  if (value.kind != ConfigValue::Kind::kTable) return IsSecretKey(path);
  return std::any_of(value.members.begin(), value.members.end(), [&path](const auto& member) {
    return HasSecret(member.second, path.empty() ? member.first : path + "." + member.first);
  });
}

void WarnOfOpenSecrets(const std::filesystem::path& path, const ConfigValue& root,
                       Findings* findings) {
  struct stat info {};
  if (::stat(path.c_str(), &info) == 0 && (info.st_mode & S_IROTH) != 0 && HasSecret(root, "")) {
    findings->Warn(path.string(), "the file holds secrets and everybody may read it: chmod o-r it");
  }
}

void AddEnvironment(const EnvironmentList& environment, ConfigValue* root, Findings* findings) {
  for (const auto& [name, text] : environment) {
    if (!name.starts_with(kEnvironmentPrefix)) continue;
    std::string key = Lower(std::string_view(name).substr(kEnvironmentPrefix.size()));
    // Other variables of tapedeck (TAPEDECK_FAILPOINT) have no double underscore.
    if (key.find("__") == std::string::npos && key != "topics") continue;
    std::vector<std::string> path = Split(key, "__");
    if (path.size() >= 3 && path[0] == "kafka" && path[1] == "properties") {
      for (size_t i = 2; i < path.size(); ++i)
        std::replace(path[i].begin(), path[i].end(), '_', '.');
      JoinPropertyName(&path);
    }
    std::string where = "environment " + name;
    if (Status laid = Overlay(root, path, ValueFor(path, text, where)); !laid.ok()) {
      findings->Problem("", laid.message());
    }
  }
}

void AddSets(const std::vector<std::string>& sets, ConfigValue* root, Findings* findings) {
  for (const std::string& set : sets) {
    size_t equals = set.find('=');
    std::string key = set.substr(0, equals);
    if (equals == std::string::npos || key.empty()) {
      findings->Problem("--set " + key,
                        "write --set section.key=value, such as --set record.commit_interval=1s");
      continue;
    }
    std::vector<std::string> path = Split(key, ".");
    JoinPropertyName(&path);
    std::string where = "--set " + key;
    if (RefusedAsArgument(key)) {
      findings->Problem(where,
                        "a secret on a command line is seen by everybody on this machine: put it "
                        "into the file or the environment");
      continue;
    }
    if (Status laid = Overlay(root, path, ValueFor(path, set.substr(equals + 1), where));
        !laid.ok()) {
      findings->Problem("", laid.message());
    }
  }
}

void AddProperties(const std::vector<std::string>& properties, ConfigValue* root,
                   Findings* findings) {
  for (const std::string& property : properties) {
    size_t equals = property.find('=');
    std::string name = property.substr(0, equals);
    if (equals == std::string::npos || name.empty()) {
      findings->Problem("-X " + name, "write -X property=value, such as -X security.protocol=ssl");
      continue;
    }
    std::vector<std::string> path = {"kafka", "properties", name};
    if (RefusedAsArgument(name)) {
      findings->Problem("-X " + name,
                        "a secret on a command line is seen by everybody on this machine: put it "
                        "into the file or the environment");
      continue;
    }
    if (Status laid =
            Overlay(root, path, ValueFor(path, property.substr(equals + 1), "-X " + name));
        !laid.ok()) {
      findings->Problem("", laid.message());
    }
  }
}

}  // namespace

EnvironmentList EnvironmentOf(const char* const* environ_block) {
  EnvironmentList list;
  for (; environ_block != nullptr && *environ_block != nullptr; ++environ_block) {
    std::string_view entry(*environ_block);
    size_t equals = entry.find('=');
    if (entry.starts_with(kEnvironmentPrefix) && equals != std::string_view::npos) {
      list.emplace_back(std::string(entry.substr(0, equals)),
                        std::string(entry.substr(equals + 1)));
    }
  }
  std::sort(list.begin(), list.end());
  return list;
}

Result<ConfigValue> JoinLayers(const ConfigSources& sources, Findings* findings) {
  ConfigValue root;
  if (sources.file.has_value()) {
    TD_ASSIGN_OR_RETURN(std::string text, ReadConfigFile(*sources.file));
    TD_ASSIGN_OR_RETURN(root, ParseToml(text, sources.file->string()));
    WarnOfOpenSecrets(*sources.file, root, findings);
  }
  FlattenProperties(&root);
  AddEnvironment(sources.environment, &root, findings);
  AddSets(sources.sets, &root, findings);
  AddProperties(sources.properties, &root, findings);
  return root;
}

}  // namespace tapedeck
