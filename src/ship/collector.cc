#include "ship/collector.h"

#include <algorithm>
#include <map>
#include <vector>

#include "base/failpoint.h"
#include "base/log.h"
#include "ship/generation_rows.h"
#include "ship/tape_shipment.h"

namespace tapedeck {

Result<std::set<std::string>> NamesInHand(const Journey& journey, const StoreState& state) {
  std::set<std::string> names;
  for (const auto& [key, entry] : state.days) {
    if (entry.draft.empty() || !entry.counts()) continue;
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

namespace {

using Days = std::map<keys::DayKey, DayEntry>;

// The generation that readers of the archive find in place of a replaced one; null where it is not
// there, or has been replaced by one that is not.
const DayEntry* Successor(const Days& days, const keys::DayKey& key, const DayEntry& entry) {
  uint64_t number = entry.replaced;
  for (auto at = days.upper_bound(key); at != days.end(); ++at) {
    const auto& [other, candidate] = *at;
    if (other.table != key.table || other.day != key.day) break;
    if (!candidate.rebuilt || candidate.closed != number) continue;
    if (candidate.replaced == 0) return &candidate;
    number = candidate.replaced;
  }
  return nullptr;
}

Status Retire(const Journey& journey, const keys::DayKey& key, const DayEntry& entry,
              Timestamp since) {
  std::set<std::string> names{entry.manifest};
  Result<RecordManifest> manifest = FetchRecordManifest(journey, entry.manifest);
  if (manifest.ok()) {
    for (const ShippedObject& object : manifest->objects) names.insert(object.name);
  } else if (manifest.status().code() != StatusCode::kNotFound) {
    return manifest.status();
  }
  DayEntry next = entry;
  next.manifest.clear();
  return journey.Write([&](StoreBatch* batch) -> Status {
    TD_RETURN_IF_ERROR(journey.PutDay(key, entry, next, batch));
    for (const std::string& name : names) batch->PutObject(name, {ObjectPurpose::kRetired, since});
    return Status::Ok();
  });
}

}  // namespace

Status RetireReplaced(const Journey& journey, const StoreState& state) {
  const Days days(state.days.begin(), state.days.end());
  std::set<std::string> in_force;
  for (const auto& [key, entry] : days) {
    if (entry.counts()) in_force.insert(entry.manifest);
  }
  for (const auto& [key, entry] : days) {
    const bool leaves = entry.gone && entry.phase >= DayPhase::kShipped && !entry.manifest.empty();
    if (!leaves || in_force.contains(entry.manifest)) continue;
    TD_RETURN_IF_ERROR(journey.CheckStop());
    const DayEntry* successor = Successor(days, key, entry);
    if (successor == nullptr || successor->phase < DayPhase::kShipped) continue;
    // It has been there so long, at the least.
    Timestamp there = successor->since;
    if (successor->phase == DayPhase::kPruned)
      there = there.SaturatingAdd(-journey.options->keep_local.count());
    if (!journey.OldEnough(there, journey.options->grace)) continue;
    TD_RETURN_IF_ERROR(Retire(journey, key, entry, there));
  }
  return Status::Ok();
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
