#include "ship/collector.h"

#include <algorithm>
#include <vector>

#include "base/failpoint.h"
#include "base/log.h"
#include "ship/tape_shipment.h"

namespace tapedeck {

Result<std::set<std::string>> NamesInHand(const Journey& journey, const StoreState& state) {
  std::set<std::string> names;
  for (const auto& [key, entry] : state.days) {
    if (entry.draft.empty()) continue;
    names.insert(entry.manifest);
    TD_ASSIGN_OR_RETURN(const Manifest manifest, ParseManifest(entry.draft));
    if (const auto* records = std::get_if<RecordManifest>(&manifest)) {
      for (const ShippedObject& object : records->objects) names.insert(object.name);
    }
  }
  for (const auto& [tp, ship] : state.ships) {
    if (ship.draft.empty()) continue;
    TD_ASSIGN_OR_RETURN(const Manifest manifest, ParseManifest(ship.draft));
    const auto* tape = std::get_if<TapeManifest>(&manifest);
    if (tape == nullptr) continue;
    TD_ASSIGN_OR_RETURN(std::string name, TapeManifestNameOf(journey, *tape, ship.draft));
    names.insert(std::move(name));
    for (const ShippedObject& object : tape->objects) names.insert(object.name);
  }
  return names;
}

Result<uint64_t> CollectObjects(const Journey& journey, const StoreState& state) {
  // Entries first: one that is made now belongs to a draft that the state may not have yet, but it
  // is too young to be due.
  TD_ASSIGN_OR_RETURN(auto objects, journey.parts->store->View()->Objects());
  std::erase_if(objects, [&](const auto& object) {
    return !journey.OldEnough(object.second.at, journey.options->grace);
  });
  if (objects.empty()) return uint64_t{0};
  TD_ASSIGN_OR_RETURN(const std::set<std::string> in_hand, NamesInHand(journey, state));
  // Manifests last: whoever still finds one finds its objects missing, which shows.
  std::ranges::stable_partition(
      objects, [](const auto& object) { return !object.first.starts_with(kManifestsPrefix); });
  uint64_t removed = 0;
  for (const auto& [name, entry] : objects) {
    TD_RETURN_IF_ERROR(journey.CheckStop());
    if (IsOfAnotherStore(name, journey.Owner().store)) continue;  // never ours to delete
    if (entry.purpose == ObjectPurpose::kPut && in_hand.contains(name)) continue;
    TD_RETURN_IF_ERROR(journey.parts->blobs->Delete(name));
    TD_RETURN_IF_ERROR(FailpointHit("ship.collected"));
    TD_RETURN_IF_ERROR(journey.Write([&](StoreBatch* batch) {
      batch->DeleteObject(name);
      return Status::Ok();
    }));
    ++removed;
    TD_LOG(kInfo, "ship", "object-removed", "no manifest lists it", {{"name", name}});
  }
  return removed;
}

}  // namespace tapedeck
