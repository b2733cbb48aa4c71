#ifndef TAPEDECK_NODE_SHIP_SIDE_H_
#define TAPEDECK_NODE_SHIP_SIDE_H_

// ShipSide: a node's archive: its blob store, what is known of its manifests, the shipper, and the
// scrub that reads old objects again, each on a thread of its own.
//
//   TD_ASSIGN_OR_RETURN(auto side, ShipSide::Make(config, parts));
//   side->Start();
//   side->shipper()                   // null while the archive cannot be opened
//   side->AskToStop();                // at once: calls over a network end
//   queue.ServeUntil(side->ended(), store, clock);
//
// An archive that cannot be reached keeps nobody from recording: it is tried again, and trouble()
// says why.
//
// Reads outlive no ShipSide: the node ends them first.
//
// Thread safety: Make and destruction by one thread; the rest by any, Start once.

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "archive/archive.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "base/read_stop.h"
#include "base/status.h"
#include "blob/blob_store.h"
#include "config/config.h"
#include "record/recorder.h"
#include "ship/backup_keeper.h"
#include "ship/scrub.h"
#include "ship/shipper.h"
#include "store/store.h"
#include "store/store_queue.h"

namespace tapedeck {

/// All outlive it.
struct ShipSideParts {
  Store* store = nullptr;
  StoreQueue* queue = nullptr;
  Recorder* recorder = nullptr;
  Clock* clock = nullptr;
  Metrics* metrics = nullptr;
  std::string version;
};

/// What [archive] cannot mean, found without asking anybody: kInvalidArgument.
Status CheckArchive(const Config& config);

class ShipSide {
 public:
  static Result<std::unique_ptr<ShipSide>> Make(const Config& config, const ShipSideParts& parts);
  /// Stops and waits.
  ~ShipSide();
  ShipSide(const ShipSide&) = delete;
  ShipSide& operator=(const ShipSide&) = delete;

  /// Does nothing after AskToStop().
  void Start();
  void AskToStop();
  /// Nothing is written for it any more.
  const std::atomic<bool>& ended() const { return ended_; }

  /// For reads, from the moment on at which it is open; null before.
  Archive* archive() const;
  /// "s3://bucket/prefix"
  const std::string& place() const { return place_; }
  /// Null until the archive is open.
  Shipper* shipper() const;
  ShipState state() const;
  /// Why the archive cannot be opened or listed, or which of its objects are damaged; "" neither.
  std::string trouble() const;

 private:
  ShipSide(const Config& config, const ShipSideParts& parts);
  void ShipLoop();
  void RefreshLoop();
  void MakeScrub();
  Status Open();
  Status MakeShipper();
  void BackupLoop();
  void Tell(std::string_view event, const Status& trouble);
  /// False: it is time to stop.
  bool WaitFor(std::chrono::nanoseconds time);

  const Config& config_;
  const ShipSideParts parts_;
  const std::string place_;
  ReadStop refresh_stop_;
  std::atomic<bool> stop_{false};
  std::atomic<bool> ended_{false};
  mutable std::mutex mutex_;  // of what follows
  std::condition_variable wake_;
  std::string trouble_;
  std::unique_ptr<BlobStore> blobs_;  // set once
  std::unique_ptr<Archive> archive_;  // set once
  std::unique_ptr<Shipper> shipper_;  // set once
  std::unique_ptr<Scrub> scrub_;      // set once
  std::thread ship_thread_;
  std::thread scrub_thread_;
  std::unique_ptr<BackupKeeper> backups_;  // set once; null where none are wanted
  std::thread refresh_thread_;
  std::thread backup_thread_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_NODE_SHIP_SIDE_H_
