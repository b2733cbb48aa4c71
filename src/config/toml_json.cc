#include "config/toml_json.h"

#include "base/text.h"

namespace tapedeck {
namespace {

void Append(const ConfigValue& value, std::string* out) {
  switch (value.kind) {
    case ConfigValue::Kind::kTable:
      out->push_back('{');
      for (bool first = true; const auto& [name, member] : value.members) {
        if (!first) out->push_back(',');
        first = false;
        AppendJsonString(name, out);
        out->push_back(':');
        Append(member, out);
      }
      out->push_back('}');
      return;
    case ConfigValue::Kind::kList:
      out->push_back('[');
      for (bool first = true; const ConfigValue& element : value.list) {
        if (!first) out->push_back(',');
        first = false;
        Append(element, out);
      }
      out->push_back(']');
      return;
    case ConfigValue::Kind::kReal:
      if (value.text.find_first_not_of("0123456789+-.eE") != std::string::npos)
        return AppendJsonString(value.text, out);
      out->append(value.text);
      return;
    case ConfigValue::Kind::kInteger:
    case ConfigValue::Kind::kFlag:
      out->append(value.text);
      return;
    case ConfigValue::Kind::kText:
    case ConfigValue::Kind::kTime:
      AppendJsonString(value.text, out);
      return;
  }
}

}  // namespace

std::string ToJson(const ConfigValue& value) {
  std::string out;
  Append(value, &out);
  return out;
}

Result<std::string> TomlToJson(std::string_view text, std::string_view name) {
  TD_ASSIGN_OR_RETURN(ConfigValue root, ParseToml(text, name));
  return ToJson(root);
}

Result<std::map<std::string, std::string, std::less<>>> MappingsFromToml(std::string_view text,
                                                                         std::string_view name) {
  TD_ASSIGN_OR_RETURN(ConfigValue root, ParseToml(text, name));
  std::map<std::string, std::string, std::less<>> out;
  const ConfigValue* mappings = root.Find("mappings");
  if (mappings == nullptr) return out;
  if (mappings->kind != ConfigValue::Kind::kTable) {
    return Status::InvalidArgument(mappings->where + ": mappings holds tables: [mappings.venue]");
  }
  for (const auto& [key, mapping] : mappings->members) {
    if (mapping.kind != ConfigValue::Kind::kTable) {
      return Status::InvalidArgument(mapping.where + ": a mapping is a table: [mappings." + key +
                                     "]");
    }
    out[key] = ToJson(mapping);
  }
  return out;
}

}  // namespace tapedeck
