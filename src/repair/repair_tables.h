#ifndef TAPEDECK_REPAIR_REPAIR_TABLES_H_
#define TAPEDECK_REPAIR_REPAIR_TABLES_H_

// Tables of the store that a repair fills: day size, identity and columns as the damaged store has
// them, else as the archive, else as the configuration. They are fixed by the first row, so one
// whose entry is lost must not come back with defaults without a word.
//
//   TD_ASSIGN_OR_RETURN(RepairTables tables,
//                       RepairTables::Declare(wreck, manifests, configured, lost, &registry));
//   if (const std::string* name = tables.Unknown(spec)) …        // to be refused
//
// Errors: those of TableRegistry. Thread-compatible.

#include <set>
#include <span>
#include <string>
#include <vector>

#include "archive/manifest_set.h"
#include "base/status.h"
#include "mapping/mapping.h"
#include "model/table.h"
#include "repair/wreck.h"

namespace tapedeck {

class RepairTables {
 public:
  /// `manifests` may be null. `lost`: damage may have taken an entry of a table.
  static Result<RepairTables> Declare(const Wreck& wreck, const ManifestSet* manifests,
                                      std::span<const Table> configured, bool lost,
                                      TableRegistry* tables);

  /// A table that the mapping fills and whose entry may be lost, while nobody else knows it; each
  /// is told once. nullptr: none.
  const std::string* Unknown(const MappingSpec& spec);
  /// Tables of the mapping that are as `configured` says, since their entries may be lost; each is
  /// told once.
  std::vector<std::string> AsConfigured(const MappingSpec& spec);

 private:
  bool lost_ = false;
  std::set<std::string> known_;
  std::set<std::string> configured_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_REPAIR_REPAIR_TABLES_H_
