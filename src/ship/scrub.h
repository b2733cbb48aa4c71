#ifndef TAPEDECK_SHIP_SCRUB_H_
#define TAPEDECK_SHIP_SCRUB_H_

// Scrub: reads old objects of the archive again, slowly, so that one that somebody deleted or
// altered is known before anybody needs it.
//
//   Scrub scrub({.period = std::chrono::hours(24 * 30)}, {blobs, clock, manifests});
//   Status end = scrub.Run(stop);               // a thread of its own
//   scrub.Round();                              // or one look, as tests do
//   for (const DamagedObject& d : scrub.State().damaged) Tell(d.name, d.what);
//
// Every manifest of the set that no other one stands for, and every object that it lists, has its
// moment in the period: a hash of its name says when. So nothing is remembered: after a restart the
// scrub goes on where the clock stands, and an object is read once in each period; where the
// process was down at its moment, once in two. It is read whole, its length and SHA-256 are held
// against the manifest. Bytes per second are bounded; where that bound is too low for the period,
// State().behind grows, and says by how much.
//
// What is found stays in State() and is looked at again every `again`, until it is whole or no
// manifest lists it any more. An archive that does not answer is no damage: the object is tried
// again, and its moment waits.
//
// Errors of Run: OK after `stop`.
//
// Thread safety: Run or Round by one thread; State by any.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "archive/manifest_set.h"
#include "base/clock.h"
#include "base/status.h"
#include "base/steady_time.h"
#include "blob/blob_store.h"

namespace tapedeck {

struct ScrubOptions {
  std::chrono::nanoseconds period = std::chrono::hours(24 * 30);
  uint64_t bytes_per_second = uint64_t{4} << 20;
  std::chrono::nanoseconds again = std::chrono::hours(1);
};

struct ScrubParts {  // all outlive it
  BlobStore* blobs = nullptr;
  Clock* clock = nullptr;
  /// The set as it is now; null, or not loaded yet: nothing is looked at.
  std::function<std::shared_ptr<const ManifestSet>()> manifests;
};

struct DamagedObject {
  std::string name;
  std::string manifest;  // that lists it
  std::string what;      // "it is missing", "its SHA-256 is …, the manifest says …"
  Timestamp found_at;
};

struct ScrubState {
  uint64_t objects = 0;                // that are to be looked at in a period
  uint64_t checked = 0;                // since this process started
  uint64_t checked_bytes = 0;          // the same
  std::vector<DamagedObject> damaged;  // by name
  std::chrono::nanoseconds behind{0};  // the moment of the object in hand is past by so much
  std::string last_error;              // the archive does not answer; "" it does
};

class Scrub {
 public:
  Scrub(ScrubOptions options, ScrubParts parts);

  Status Run(const std::atomic<bool>& stop);
  /// Reads the objects whose moment has come since the last round; the first one begins now.
  void Round();
  ScrubState State() const;

 private:
  struct Listed {
    const ShippedObject* object = nullptr;  // null: the manifest itself
    const std::string* manifest = nullptr;
  };
  using ListedByName = std::map<std::string, Listed>;

  static ListedByName ListOf(const ManifestSet& set);
  bool Stopped() const { return stop_ != nullptr && stop_->load(std::memory_order_relaxed); }
  /// When in (`after`, `after` + period] the object's moment is.
  Timestamp MomentAfter(const std::string& name, Timestamp after) const;
  Status Check(const std::string& name, const Listed& listed);
  /// What is wrong with it; "" nothing. An error: the archive does not answer, or it is time to
  /// stop.
  Result<std::string> LookAtManifest(const std::string& name);
  Result<std::string> Look(const ShippedObject& object);
  void Pace(uint64_t bytes);
  void LookAgain(const ListedByName& listed);
  void Publish();

  const ScrubOptions options_;
  const ScrubParts parts_;
  const SteadyTime time_;
  const std::atomic<bool>* stop_ = nullptr;
  std::optional<Timestamp> done_to_;  // moments up to here have been seen to
  std::map<std::string, DamagedObject> damaged_;
  std::map<std::string, Timestamp> looked_;  // of the damaged: when last
  ScrubState live_;

  mutable std::mutex mutex_;
  ScrubState state_;  // protected by mutex_
};

}  // namespace tapedeck

#endif  // TAPEDECK_SHIP_SCRUB_H_
