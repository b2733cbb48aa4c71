#ifndef TAPEDECK_SHIP_KNOWN_MANIFESTS_H_
#define TAPEDECK_SHIP_KNOWN_MANIFESTS_H_

// KnownManifests: tells a manifest that this store made from one that another life of it made under
// the same id: a disk from before it was set back, a copy (docs/faults.md, G7).
//
//   const KnownManifests known(state, node_id, store_id, store->View());
//   if (!known.Has(name)) …            // somebody else goes by our id
//
// Names of other stores, and names that are none, count as known. One of our id under another
// node's name is not ours: that node has a copy, or this one was renamed.
//
// Owned by one thread; the state outlives it.

#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <tuple>

#include "store/store.h"

namespace tapedeck {

class KnownManifests {
 public:
  KnownManifests(const StoreState& state, std::string_view node_id, std::string store_id,
                 std::unique_ptr<StoreView> view);
  bool Has(const std::string& name) const;

 private:
  using TapeName = std::tuple<std::string, int32_t, uint32_t>;  // topic part, partition, lineage

  const std::string node_part_;
  const std::string store_id_;
  const std::unique_ptr<StoreView> view_;
  std::set<std::string> days_;
  std::map<TapeName, int64_t> shipped_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_SHIP_KNOWN_MANIFESTS_H_
