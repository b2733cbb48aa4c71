#ifndef TAPEDECK_SHIP_BACKUP_KEEPER_H_
#define TAPEDECK_SHIP_BACKUP_KEEPER_H_

// BackupKeeper: makes a backup of the store whenever the last one is old enough.
//
//   BackupKeeper keeper({.interval = std::chrono::hours(24), .backup = …}, store, blobs, clock);
//   for (;;) {
//     const std::chrono::nanoseconds wait = keeper.Round(stop);
//     … wait that long, or for a stop …
//   }
//
// When the last one was made is asked of the archive, so a restart makes none early; the first one
// of a store is made after an hour, or the interval where that is shorter. One that fails is tried
// again after a tenth of the interval, at most an hour; meanwhile the older ones stay.
//
// Thread safety: Round by one thread; State by any.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>

#include "base/clock.h"
#include "blob/blob_store.h"
#include "ship/backup.h"
#include "store/store.h"

namespace tapedeck {

struct BackupKeeperOptions {
  std::chrono::nanoseconds interval = std::chrono::hours(24);
  BackupOptions backup;
};

struct BackupState {
  std::optional<Timestamp> last_at;  // of a whole and verified one
  std::string last_error;            // of what is being tried again; "" all is well
  uint64_t made = 0;                 // since this process started
};

class BackupKeeper {
 public:
  /// All outlive it.
  BackupKeeper(BackupKeeperOptions options, Store* store, BlobStore* blobs, Clock* clock)
      : options_(std::move(options)), store_(store), blobs_(blobs), clock_(clock) {}

  /// Makes one if it is due. Returns how long nothing will be.
  std::chrono::nanoseconds Round(const std::atomic<bool>& stop);
  BackupState State() const;

 private:
  Result<std::chrono::nanoseconds> Work(const std::atomic<bool>& stop);
  std::chrono::nanoseconds Left() const;

  const BackupKeeperOptions options_;
  Store* const store_;
  BlobStore* const blobs_;
  Clock* const clock_;
  /// By the monotonic clock; nullopt: the archive was not asked yet, or has none.
  std::optional<MonotonicTime> due_;
  mutable std::mutex mutex_;
  BackupState state_;  // protected by mutex_
};

}  // namespace tapedeck

#endif  // TAPEDECK_SHIP_BACKUP_KEEPER_H_
