#ifndef TAPEDECK_SHIP_SHIPPER_H_
#define TAPEDECK_SHIP_SHIPPER_H_

// Shipper: the ship journey. One thread closes days, puts them and the tape into the archive, and
// prunes what has been there long enough.
//
//   a day:   open -> closing -> written -> uploaded -> verified -> shipped -> pruned
//   a tape:  [shipped, to) -> written -> uploaded -> verified -> shipped, and pruned below
//
// Each arrow is one batch through the store's queue; a crash between two of them is resumed, with
// the same bytes. Nothing leaves the store before its objects were decoded again and compared with
// the store, put, read back in full and listed by a manifest; the tape goes first, so that the
// archive alone holds whatever a day's manifest covers.
//
//   TD_ASSIGN_OR_RETURN(auto shipper, Shipper::Make(options, parts));
//   Status end = shipper->Run(stop);                          // the shipper's thread
//   TD_ASSIGN_OR_RETURN(auto days, shipper->RequestClose(day, {"trades"}));     // any thread
//
// Where the archive has manifests of this store's id that the store does not know, it is an older
// copy of itself, or has one: it takes a new id (new_store_id.h) before it ships anything more.
//
// Errors of Run: OK after `stop`; kInternal: the store can no longer be trusted. Everything else is
// tried again with growing delays, shown in State(), and nothing is pruned meanwhile.
//
// Thread safety: Run by one thread; everything else by any.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "base/time.h"
#include "blob/blob_store.h"
#include "model/manifest.h"
#include "ship/close_policy.h"
#include "store/store.h"
#include "store/store_queue.h"

namespace tapedeck {

class ManifestSet;

struct ShipOptions {
  std::string node_id;
  std::string version;                             // of tapedeck: into names, objects and manifests
  std::vector<std::string> formats = {"parquet"};  // archive/object_format.h
  std::chrono::nanoseconds close_after = std::chrono::hours(2);
  std::chrono::nanoseconds keep_local = std::chrono::hours(7 * 24);
  std::chrono::nanoseconds tape_ship = std::chrono::hours(1);
  uint64_t tape_ship_bytes = uint64_t{256} << 20;
  /// A range of the tape ends with the block that brings it to this many refusals: its manifest
  /// lists them, and is held in memory whole.
  uint64_t tape_refusals_max = 100'000;
  /// Replaced objects, and such that no manifest ever listed, leave the archive so long after.
  std::chrono::nanoseconds grace = std::chrono::hours(24);
  /// Topics also shipped as one object per message.
  std::vector<std::string> per_message;
  /// For files on their way, made if it is not there. Nobody else writes in it; what is left in it
  /// by a crash is removed.
  std::string work_folder;
  /// Files are cut at these sizes.
  uint64_t file_rows = uint64_t{1} << 26;
  uint64_t file_bytes = uint64_t{512} << 20;
};

/// A day of a table; of a coarser table any day of its period.
struct ShipDay {
  std::string table;
  Day day;
};

/// What the shipper works with; all outlive it.
struct ShipParts {
  Store* store = nullptr;
  StoreQueue* queue = nullptr;  // somebody serves it
  BlobStore* blobs = nullptr;   // its calls end when the node stops
  Clock* clock = nullptr;
  /// Recorder::RequestFlush, and State().flush_requests_done: a commit and a flush that also closes
  /// these days.
  std::function<uint64_t(std::vector<ShipDay>)> request_flush;
  std::function<uint64_t()> flushes_done;
  /// The partitions that are recorded now.
  std::function<std::vector<PartitionProgress>()> progress;
  /// What readers know of the archive; may be empty. By it a copy of this store that ships, too, is
  /// noticed while both run, and objects of tapes are looked for before their messages leave.
  std::function<std::shared_ptr<const ManifestSet>()> manifests;
  /// A manifest is in the archive: readers must know it before the store prunes. May be empty.
  std::function<void(const std::string& name, const Manifest& manifest)> manifest_added;
};

/// A generation on its way, or one that could be.
struct DayState {
  std::string table;
  Day day;
  uint32_t generation = 0;
  DayPhase phase = DayPhase::kOpen;
  uint64_t rows = 0;     // 0 and kOpen: the store has no rows of the day
  std::string manifest;  // once it is shipped
  std::string trouble;   // why it does not go on; "" it does
};

struct ShipState {
  bool running = false;
  std::string halted;          // why nothing is shipped at all, until the node is started again
  std::string last_error;      // of what is being tried again; "" all is well
  uint64_t requests_done = 0;  // the number of the last RequestAll that is done
  std::vector<DayState> days;  // from kClosing to kVerified
  std::map<std::pair<std::string, std::string>, uint64_t> runs;  // (table or "tape", result)
  uint64_t rows = 0;                   // of records, shipped since this process started
  uint64_t messages = 0;               // of tapes, the same
  uint64_t pruned_bytes = 0;           // of blocks, the same
  std::optional<Timestamp> backup_at;  // of the last whole backup
  std::string backup_error;            // why there is none newer; "" all is well
  /// By table: where its oldest day begins that is not shipped.
  std::map<std::string, Timestamp> oldest_open_day;
};

class Shipper {
 public:
  /// kInvalidArgument: the options.
  static Result<std::unique_ptr<Shipper>> Make(ShipOptions options, ShipParts parts);
  virtual ~Shipper() = default;

  /// Ships until `stop`; then returns within seconds.
  virtual Status Run(const std::atomic<bool>& stop) = 0;
  /// Closes the open generation of the day and ships it as soon as possible; tables: empty = all.
  /// Returns at once, with what there is of it now; twice is as once. kNotFound: an unknown table.
  virtual Result<std::vector<DayState>> RequestClose(Day day, std::vector<std::string> tables) = 0;
  /// Commits, flushes, and ships every closed day and the tapes up to their checkpoints. Returns at
  /// once with a number: done when State().requests_done has reached it.
  virtual uint64_t RequestAll() = 0;
  virtual ShipState State() const = 0;
};

}  // namespace tapedeck

#endif  // TAPEDECK_SHIP_SHIPPER_H_
