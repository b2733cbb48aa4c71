#ifndef TAPEDECK_TAPE_FILLERS_H_
#define TAPEDECK_TAPE_FILLERS_H_

// Fillers: which mappings fill a table.
//
//   Fillers fillers(&point, "quotes");
//   TD_ASSIGN_OR_RETURN(const bool fills, fillers.Fills(checkpoint.mapping));
//
// Errors: those of reading the mapping. Each mapping is read once. Owned by one thread; the point
// outlives it.

#include <map>
#include <string>
#include <string_view>

#include "base/hash.h"
#include "base/status.h"
#include "tape/read_point.h"

namespace tapedeck {

class Fillers {
 public:
  Fillers(const ReadPoint* point, std::string_view table) : point_(point), table_(table) {}

  /// By the text that the store or a manifest has of it. One that nobody has the text of may fill
  /// any table; no mapping fills none.
  Result<bool> Fills(const Hash128& mapping);

 private:
  const ReadPoint* point_;
  const std::string table_;
  std::map<Hash128, bool> known_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_TAPE_FILLERS_H_
