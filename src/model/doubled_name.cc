#include "model/doubled_name.h"

#include <nlohmann/json.hpp>
#include <set>
#include <vector>

namespace tapedeck {

std::optional<std::string> DoubledNameOf(std::string_view json) {
  using Json = nlohmann::json;
  std::vector<std::set<std::string>> names;  // by depth, of the object that is open there
  std::optional<std::string> doubled;
  const auto look = [&](int depth, Json::parse_event_t event, Json& value) {
    const auto at = static_cast<size_t>(depth);
    if (event == Json::parse_event_t::object_start) {
      names.resize(at + 1);
      names.back().clear();
    } else if (event == Json::parse_event_t::key && at > 0 && at <= names.size()) {
      const std::string name = value.get<std::string>();
      if (!names[at - 1].insert(name).second && !doubled) doubled = name;
    }
    return true;
  };
  if (Json::parse(json, look, /*allow_exceptions=*/false).is_discarded()) return std::nullopt;
  return doubled;
}

}  // namespace tapedeck
