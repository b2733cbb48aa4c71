#include "config/topic_section.h"

#include <regex.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/limits.h"
#include "base/units.h"
#include "config/toml_json.h"

namespace tapedeck {
namespace {

// Kafka's own limit on the name of a topic.
constexpr size_t kTopicNameMax = 249;
constexpr size_t kPatternMax = 1024;
constexpr size_t kSymbolPrefixMax = 64;

Status CheckPattern(const std::string& pattern) {
  if (!pattern.starts_with('^')) {
    return Status::InvalidArgument(QuoteToml(pattern) +
                                   " does not begin with '^'; for one topic write name = \"…\"");
  }
  if (pattern.size() > kPatternMax || pattern.find('\0') != std::string::npos)
    return Status::InvalidArgument("is too long");
  // POSIX extended, as librdkafka reads subscriptions.
  regex_t compiled{};
  int error = regcomp(&compiled, pattern.c_str(), REG_EXTENDED | REG_NOSUB);
  if (error == 0) {
    regfree(&compiled);
    return Status::Ok();
  }
  std::array<char, 256> reason{};
  regerror(error, &compiled, reason.data(), reason.size());
  return Status::InvalidArgument(QuoteToml(pattern) +
                                 " is no regular expression (POSIX extended): " + reason.data());
}

Status CheckSymbolPrefix(const std::string& prefix) {
  if (prefix.size() <= kSymbolPrefixMax) return Status::Ok();
  return Status::InvalidArgument("is longer than " + std::to_string(kSymbolPrefixMax) + " bytes");
}

void ReadStart(SectionReader* topic, TopicConfig* out) {
  std::string start = "earliest";
  topic->Text("start", &start, [out](const std::string& text) {
    if (text == "earliest") return Status::Ok();
    if (text == "latest") {
      out->start = TopicConfig::Start::kLatest;
      return Status::Ok();
    }
    Result<Timestamp> time = ParseRfc3339(text);
    if (!time.ok()) {
      return Status::InvalidArgument(
          QuoteToml(text) +
          " is neither earliest nor latest nor a time such as 2024-07-02 or 2024-07-02T04:00:00Z");
    }
    out->start = TopicConfig::Start::kTime;
    out->start_time = *time;
    return Status::Ok();
  });
}

TopicConfig ReadTopic(const ConfigValue& value, const std::string& path, Findings* findings) {
  TopicConfig out;
  out.where = value.where;
  SectionReader topic(&value, path, findings);
  bool has_name = topic.Has("name");
  bool has_pattern = topic.Has("pattern");
  if (has_name == has_pattern) {
    topic.Take("name");
    topic.Take("pattern");
    topic.Problem(
        value.where,
        path + " needs " + (has_name ? "either name or pattern, not both" : "a name or a pattern"));
  } else if (has_name) {
    topic.Text("name", &out.name, CheckTopicName);
    topic.Take("pattern");
  } else {
    topic.Text("pattern", &out.name, CheckPattern);
    topic.Take("name");
  }
  if (!topic.Has("mapping") && value.kind == ConfigValue::Kind::kTable) {
    topic.Problem(value.where, path +
                                   " needs a mapping: a preset (tapedeck mapping list), one of "
                                   "your own, or \"none\" to keep the tape only");
  }
  topic.Text("mapping", &out.mapping);
  ReadStart(&topic, &out);
  topic.Text("symbol_prefix", &out.symbol_prefix, CheckSymbolPrefix);
  topic.Flag("accept_replayed", &out.accept_replayed);
  topic.Done();
  return out;
}

/// A topic takes its own entry, else the first pattern that fits; the same name or pattern twice is
/// a mistake.
void CheckDoubled(const std::vector<TopicConfig>& topics, Findings* findings) {
  for (size_t later = 0; later < topics.size(); ++later) {
    for (size_t earlier = 0; earlier < later; ++earlier) {
      if (topics[later].name.empty() || topics[later].name != topics[earlier].name) continue;
      findings->Problem(topics[later].where, "topic '" + topics[later].name +
                                                 "' is there already, at " + topics[earlier].where +
                                                 ": remove one of them");
      break;
    }
  }
}

DaySize* DayOrMade(std::optional<DaySize>* day) {
  if (!day->has_value()) *day = DaySize::kDay;
  return &**day;
}

// "18,8": digits in all, and of them after the point.
Result<DecimalPlaces> ParseDecimalForm(const std::string& text) {
  DecimalPlaces form;
  int precision = 0;
  int scale = -1;
  const char* const end = text.data() + text.size();
  auto [comma, error] = std::from_chars(text.data(), end, precision);
  if (error == std::errc() && comma < end && *comma == ',') {
    auto [at, scale_error] = std::from_chars(comma + 1, end, scale);
    if (scale_error != std::errc() || at != end) scale = -1;
  }
  if (precision < 1 || precision > 38 || scale < 0 || scale > precision) {
    return Status::InvalidArgument(QuoteToml(text) +
                                   " is no form of decimals: write \"18,8\" for 18 digits (up to "
                                   "38), 8 of them after the point");
  }
  form.precision = static_cast<uint8_t>(precision);
  form.scale = static_cast<uint8_t>(scale);
  return form;
}

void ReadDecimals(SectionReader* table, const ConfigValue& section, const std::string& path,
                  TableConfig* out, Findings* findings) {
  const auto read = [](std::string* text, DecimalPlaces* form) {
    return [text, form](const std::string& given) {
      TD_ASSIGN_OR_RETURN(*form, ParseDecimalForm(given));
      *text = given;
      return Status::Ok();
    };
  };
  const ConfigValue* value = section.Find("decimals");
  if (value == nullptr) {
    table->Take("decimals");
    return;
  }
  std::string text;
  DecimalPlaces form;
  if (value->kind != ConfigValue::Kind::kTable) {
    table->Text("decimals", &text, read(&text, &form));
    if (!text.empty()) out->decimals.emplace("", form);
    return;
  }
  table->Take("decimals");
  SectionReader columns(value, path + ".decimals", findings);
  for (const auto& [column, given] : value->members) {
    text.clear();
    columns.Text(column, &text, read(&text, &form));
    if (!text.empty()) out->decimals.emplace(column, form);
  }
}

}  // namespace

Status CheckTopicName(const std::string& name) {
  bool good = !name.empty() && name.size() <= kTopicNameMax && name != "." && name != ".." &&
              std::all_of(name.begin(), name.end(), [](char c) {
                return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '.' || c == '_' || c == '-';
              });
  if (good) return Status::Ok();
  return Status::InvalidArgument(QuoteToml(name) +
                                 " is no name of a topic: 1 to 249 of A-Z a-z 0-9 . _ -; for "
                                 "several topics write pattern = \"^…\"");
}

void ReadTopics(const ConfigValue& root, Config* config, Findings* findings) {
  const ConfigValue* topics = root.Find("topics");
  if (topics == nullptr) return;
  if (topics->kind != ConfigValue::Kind::kList) {
    findings->Problem(topics->where, "topics is a list: write [[topics]] and its keys below");
    return;
  }
  if (topics->list.size() > limits::kTopicEntriesMax) {
    findings->Problem(topics->where, "more than " + std::to_string(limits::kTopicEntriesMax) +
                                         " topics: use a pattern");
    return;
  }
  for (size_t i = 0; i < topics->list.size(); ++i) {
    config->topics.push_back(
        ReadTopic(topics->list[i], "topics[" + std::to_string(i) + "]", findings));
  }
  CheckDoubled(config->topics, findings);
}

void ReadMappings(const ConfigValue& root, Config* config, Findings* findings) {
  const ConfigValue* mappings = root.Find("mappings");
  if (mappings == nullptr) return;
  if (mappings->kind != ConfigValue::Kind::kTable) {
    findings->Problem(mappings->where,
                      "mappings is a section: write [mappings.NAME] and its keys below");
    return;
  }
  for (const auto& [name, value] : mappings->members) {
    if (value.kind != ConfigValue::Kind::kTable) {
      findings->Problem(value.where, "mappings." + name + " is a section: write [mappings." + name +
                                         "] and its keys below");
      continue;
    }
    config->mappings[name] = ToJson(value);
  }
}

void ReadTables(const ConfigValue& root, Config* config, Findings* findings) {
  const ConfigValue* tables = root.Find("tables");
  if (tables == nullptr) return;
  if (tables->kind != ConfigValue::Kind::kTable) {
    findings->Problem(tables->where, "tables is a section: write [tables.NAME] and its keys below");
    return;
  }
  for (const auto& [name, value] : tables->members) {
    if (Status good = CheckTableName(name); !good.ok()) {
      findings->Problem(value.where, good.message());
      continue;
    }
    TableConfig table;
    table.where = value.where;
    SectionReader reader(&value, "tables." + name, findings);
    if (reader.Has("day")) {
      reader.Choose(
          "day",
          Choices<DaySize>{
              {"day", DaySize::kDay}, {"month", DaySize::kMonth}, {"year", DaySize::kYear}},
          DayOrMade(&table.day));
    } else {
      reader.Take("day");
    }
    reader.Texts("unique", &table.unique);
    ReadDecimals(&reader, value, "tables." + name, &table, findings);
    if (table.unique.has_value() && !table.unique->empty()) {
      auto has = [&](std::string_view column) {
        return std::find(table.unique->begin(), table.unique->end(), column) != table.unique->end();
      };
      if (!has("symbol") || !has("ts")) {
        findings->Problem(value.where,
                          "tables." + name + ".unique must contain \"symbol\" and \"ts\"");
      }
    }
    reader.Done();
    config->tables.emplace(name, std::move(table));
  }
}

}  // namespace tapedeck
