#include "blob/json_fields.h"

#include <nlohmann/json.hpp>

namespace tapedeck {

Result<std::map<std::string, std::string>> ReadJsonFields(std::string_view json) {
  constexpr size_t kBytesMax = size_t{64} << 10;  // some 2 kB in truth; bounds nesting, too
  const Status wrong = Status::FailedPrecondition("credentials that are no JSON object");
  if (json.size() > kBytesMax) return wrong;
  const auto document = nlohmann::json::parse(json, nullptr, /*allow_exceptions=*/false);
  if (!document.is_object()) return wrong;
  std::map<std::string, std::string> fields;
  for (const auto& [key, value] : document.items()) {
    if (value.is_string()) fields[key] = value.get<std::string>();
    if (value.is_number_integer()) fields[key] = std::to_string(value.get<int64_t>());
  }
  return fields;
}

}  // namespace tapedeck
