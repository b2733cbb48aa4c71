#include "repair/repair_tables.h"

namespace tapedeck {

Result<RepairTables> RepairTables::Declare(const Wreck& wreck, const ManifestSet* manifests,
                                           std::span<const Table> configured, bool lost,
                                           TableRegistry* tables) {
  RepairTables made;
  made.lost_ = lost;
  auto declare = [&](const Table& table) {
    made.known_.insert(table.name);
    TD_RETURN_IF_ERROR(tables->Declare(table.name, table.columns).status());
    return tables->Configure(table.name, table.day_size, table.identity, /*fixed=*/false);
  };
  if (manifests != nullptr) {
    for (const Table& table : manifests->tables()) TD_RETURN_IF_ERROR(declare(table));
  }
  for (const auto& [id, table] : wreck.tables) TD_RETURN_IF_ERROR(declare(table));
  for (const Table& table : configured) {
    if (made.known_.contains(table.name)) continue;
    TD_RETURN_IF_ERROR(declare(table));
    if (lost) made.configured_.insert(table.name);
  }
  return made;
}

const std::string* RepairTables::Unknown(const MappingSpec& spec) {
  if (!lost_) return nullptr;
  for (const std::string& name : spec.tables()) {
    if (known_.insert(name).second) return &name;
  }
  return nullptr;
}

std::vector<std::string> RepairTables::AsConfigured(const MappingSpec& spec) {
  std::vector<std::string> names;
  for (const std::string& name : spec.tables()) {
    if (configured_.erase(name) > 0) names.push_back(name);
  }
  return names;
}

}  // namespace tapedeck
