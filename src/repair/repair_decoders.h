#ifndef TAPEDECK_REPAIR_REPAIR_DECODERS_H_
#define TAPEDECK_REPAIR_REPAIR_DECODERS_H_

// RepairDecoders: decoders of the mappings that made what is left of a damaged store. A text is
// the store's, else the archive's, else that which the configuration has for the topic, with a
// note.
//
// Errors: kCorruption: nobody has the text; those of the check and the store. One thread's; what it
// is given outlives it.

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/hash.h"
#include "base/status.h"
#include "mapping/mapping.h"
#include "record/reindex_scope.h"
#include "repair/repair.h"
#include "repair/wreck.h"
#include "store/store.h"

namespace tapedeck {

class RepairDecoders {
 public:
  struct Entry {
    MappingSpec spec = MappingSpec::None();
    std::unique_ptr<Decoder> decoder;
  };
  using Check = std::function<Status(const MappingSpec&)>;  // before its tables are declared
  RepairDecoders(const Wreck* wreck, const RepairOptions* options, TableRegistry* tables,
                 Store* store, std::vector<std::string>* notes, Check check)
      : check_(std::move(check)),
        wreck_(wreck),
        options_(options),
        in_force_(options->topics),
        tables_(tables),
        store_(store),
        notes_(notes) {}

  /// The store has the mapping and its tables when this returns.
  Result<Entry*> For(const Hash128& mapping, const std::string& topic);

 private:
  Result<MappingSpec> SpecOf(const Hash128& mapping, const std::string& topic);

  const Check check_;
  const Wreck* const wreck_;
  const RepairOptions* const options_;
  const ReindexMappings in_force_;
  TableRegistry* const tables_;
  Store* const store_;
  std::vector<std::string>* const notes_;
  std::map<Hash128, Entry> entries_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_REPAIR_REPAIR_DECODERS_H_
