#ifndef TAPEDECK_REPAIR_UNDONE_DAYS_H_
#define TAPEDECK_REPAIR_UNDONE_DAYS_H_

// UndoneDays: days that a reindex had made again in a damaged store and that had not been put into
// the archive. Where the archive answers instead, it has the rows of before, and nobody would know.
//
//   UndoneDays undone(&wreck);
//   undone.Archived(tp, INT64_MIN, plan.from());     // of these offsets the archive has the rows
//   for (const std::string& note : undone.Notes()) …
//
// Thread-compatible; the wreck outlives it.

#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/time.h"
#include "model/table.h"
#include "repair/wreck.h"

namespace tapedeck {

class UndoneDays {
 public:
  explicit UndoneDays(const Wreck* wreck);

  /// The archive stands for the offsets [from, to), or they are decoded as its manifests say.
  void Archived(TpId tp, int64_t from, int64_t to);
  /// What an operator reindexes again, by table and day.
  std::vector<std::string> Notes() const;

 private:
  const Wreck* const wreck_;
  std::set<std::pair<TableId, Day>> found_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_REPAIR_UNDONE_DAYS_H_
