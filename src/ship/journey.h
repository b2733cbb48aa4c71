#ifndef TAPEDECK_SHIP_JOURNEY_H_
#define TAPEDECK_SHIP_JOURNEY_H_

// Journey: what every step of shipping needs: options and parts, the time by which ages are told,
// and the way to the store. Private to ship.
//
// Owned by the shipper's thread.

#include <atomic>
#include <filesystem>
#include <string>
#include <string_view>

#include "archive/name_owner.h"
#include "archive/names.h"
#include "base/steady_time.h"
#include "ship/shipper.h"

namespace tapedeck {

struct Journey {
  Journey(const ShipOptions* ship_options, const ShipParts* ship_parts)
      : options(ship_options), parts(ship_parts), time(ship_parts->clock) {}

  const ShipOptions* options;
  const ShipParts* parts;
  SteadyTime time;
  const std::atomic<bool>* stop = nullptr;

  ArchiveOwner Owner() const { return {options->node_id, parts->store->meta().store_id}; }
  /// Whether the generation was shipped before this store got the id that it has.
  bool Inherited(const DayEntry& entry) const {
    return entry.phase >= DayPhase::kShipped && IsOfAnotherStore(entry.manifest, Owner().store);
  }
  /// In names: content and writer together.
  std::string HashOf(std::string_view content_hash) const {
    return NameHash(content_hash, options->version);
  }
  std::string ManifestHash(std::string_view json) const {
    return HashOf(HashBytes(json).ToString());
  }
  std::string WriterName() const { return "tapedeck " + options->version; }
  ManifestWriter Writer() const {
    return {options->node_id, parts->store->meta().store_id, options->version, time.Now()};
  }
  std::filesystem::path Work() const { return options->work_folder; }
  bool OldEnough(Timestamp since, std::chrono::nanoseconds age) const {
    return time.Now() >= since.SaturatingAdd(age.count());
  }
  /// kCancelled once the node stops.
  Status CheckStop() const {
    if (stop == nullptr || !stop->load(std::memory_order_relaxed)) return Status::Ok();
    return Status::Cancelled("the node stops");
  }
  Status Write(const StoreQueue::Prepare& prepare) const { return parts->queue->Write(prepare); }
  /// As it is at this moment: within a batch that is being prepared.
  Result<DayEntry> StoredDay(const keys::DayKey& key) const {
    TD_ASSIGN_OR_RETURN(const std::string bytes, parts->store->View()->Get(keys::DayState(
                                                     key.table, key.day, key.generation)));
    return DecodeDay(bytes);
  }
  /// Takes a day from `known` to `next`. kCancelled: it is not as it was, because a reindex
  /// has replaced it: whatever it was on its way to has lost its sense.
  Status PutDay(const keys::DayKey& key, const DayEntry& known, const DayEntry& next,
                StoreBatch* batch) const {
    TD_ASSIGN_OR_RETURN(const DayEntry stored, StoredDay(key));
    if (stored != known) return Status::Cancelled("the day was changed meanwhile");
    batch->PutDay(key, next);
    return Status::Ok();
  }
};

}  // namespace tapedeck

#endif  // TAPEDECK_SHIP_JOURNEY_H_
