#ifndef TAPEDECK_SHIP_COLLECTOR_H_
#define TAPEDECK_SHIP_COLLECTOR_H_

// Collector: removes from the archive what this store put there and no longer needs.
//
// Only names that the store wrote down (`o` entries) are ever deleted, never something because a
// listing lacks or shows it. A name that was to be put goes if no draft in hand names it (its draft
// was given up) and it is older than the grace period; entries of objects that a manifest lists
// left the store in the batch that made the day shipped. A retired name goes after its grace
// period.
//
// Owned by the shipper's thread.

#include <set>
#include <string>

#include "ship/journey.h"

namespace tapedeck {

/// Names in the drafts of what is on its way.
Result<std::set<std::string>> NamesInHand(const Journey& journey, const StoreState& state);

/// Notes down, for the collector, the objects of generations that a reindex has replaced and whose
/// time is over: `gone`, and what stands for them has been in the archive for a grace period.
Status RetireReplaced(const Journey& journey, const StoreState& state);

/// Deletes what is due; the number of objects.
Result<uint64_t> CollectObjects(const Journey& journey, const StoreState& state);

}  // namespace tapedeck

#endif  // TAPEDECK_SHIP_COLLECTOR_H_
