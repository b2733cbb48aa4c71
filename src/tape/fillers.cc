#include "tape/fillers.h"

#include <algorithm>

#include "mapping/mapping.h"

namespace tapedeck {

Result<bool> Fillers::Fills(const Hash128& mapping) {
  const auto found = known_.find(mapping);
  if (found != known_.end()) return found->second;
  Result<std::string> text = point_->view().GetMapping(mapping);
  if (!text.ok() && text.status().code() != StatusCode::kNotFound) return text.status();
  if (!text.ok() && point_->manifests() != nullptr) {
    const std::string* archived = point_->manifests()->FindMapping(mapping);
    if (archived != nullptr) text = *archived;
  }
  bool fills = mapping != Hash128();
  if (text.ok()) {
    TD_ASSIGN_OR_RETURN(MappingSpec spec, MappingSpec::FromCanonical(*text));
    const auto& tables = spec.tables();
    fills = std::find(tables.begin(), tables.end(), table_) != tables.end();
  }
  known_.emplace(mapping, fills);
  return fills;
}

}  // namespace tapedeck
