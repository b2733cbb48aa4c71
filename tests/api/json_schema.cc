#include "json_schema.h"

#include <algorithm>
#include <regex>

namespace tapedeck::testing {
namespace {

using Json = nlohmann::ordered_json;

bool IsOfType(const Json& value, const std::string& type) {
  if (type == "object") return value.is_object();
  if (type == "array") return value.is_array();
  if (type == "string") return value.is_string();
  if (type == "integer") return value.is_number_integer();
  if (type == "number") return value.is_number();
  if (type == "boolean") return value.is_boolean();
  return type == "null" && value.is_null();
}

bool FitsType(const Json& value, const Json& type) {
  if (type.is_string()) return IsOfType(value, type);
  return std::any_of(type.begin(), type.end(),
                     [&](const Json& one) { return IsOfType(value, one); });
}

constexpr const char* kKnown[] = {
    "$ref",     "type",        "enum",     "const",           "pattern",
    "minimum",  "maximum",     "required", "properties",      "additionalProperties",
    "items",    "description", "default",  "contentEncoding", "minLength",
    "minItems", "maxItems"};

}  // namespace

const Json& Resolved(const Json& document, const Json& node) {
  const Json* at = &node;
  while (at->is_object() && at->contains("$ref")) {
    at = &document.at(Json::json_pointer(at->at("$ref").get<std::string>().substr(1)));
  }
  return *at;
}

std::vector<std::string> SchemaProblems(const Json& document, const Json& given, const Json& value,
                                        const std::string& place) {
  const Json& schema = Resolved(document, given);
  std::vector<std::string> problems;
  auto bad = [&](const std::string& what) {
    problems.push_back(place + ": " + what + ": " + value.dump().substr(0, 120));
  };
  for (const auto& [keyword, unused] : schema.items()) {
    const bool known = std::any_of(std::begin(kKnown), std::end(kKnown),
                                   [&key = keyword](const char* k) { return key == k; });
    if (!known) bad("the schema has a keyword that is not checked, " + keyword);
  }
  if (schema.contains("type") && !FitsType(value, schema["type"])) bad("not of its type");
  if (schema.contains("const") && value != schema["const"]) bad("not the constant");
  if (schema.contains("enum")) {
    const Json& choices = schema["enum"];
    if (std::find(choices.begin(), choices.end(), value) == choices.end())
      bad("none of the choices");
  }
  if (schema.contains("pattern") && value.is_string() &&
      !std::regex_search(value.get<std::string>(),
                         std::regex(schema["pattern"].get<std::string>()))) {
    bad("does not fit the pattern");
  }
  if (schema.contains("minimum") && value.is_number() && value < schema["minimum"])
    bad("too small");
  if (schema.contains("maximum") && value.is_number() && value > schema["maximum"])
    bad("too large");
  if (schema.contains("minLength") && value.is_string() &&
      value.get_ref<const std::string&>().size() < schema["minLength"]) {
    bad("too short");
  }
  if (schema.contains("minItems") && value.is_array() && value.size() < schema["minItems"])
    bad("too few");
  if (schema.contains("maxItems") && value.is_array() && value.size() > schema["maxItems"])
    bad("too many");
  if (value.is_object()) {
    for (const Json& name : schema.value("required", Json::array())) {
      if (!value.contains(name.get<std::string>())) bad("lacks " + name.get<std::string>());
    }
    for (const auto& [name, member] : value.items()) {
      if (schema.contains("properties") && schema["properties"].contains(name)) {
        const auto inner =
            SchemaProblems(document, schema["properties"][name], member, place + "." + name);
        problems.insert(problems.end(), inner.begin(), inner.end());
      } else if (schema.value("additionalProperties", Json(true)) == Json(false)) {
        bad("the contract does not know " + name);
      }
    }
  }
  if (value.is_array() && schema.contains("items")) {
    for (size_t i = 0; i < value.size(); ++i) {
      const auto inner = SchemaProblems(document, schema["items"], value[i],
                                        place + "[" + std::to_string(i) + "]");
      problems.insert(problems.end(), inner.begin(), inner.end());
    }
  }
  return problems;
}

}  // namespace tapedeck::testing
