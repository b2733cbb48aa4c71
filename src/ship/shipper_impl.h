#ifndef TAPEDECK_SHIP_SHIPPER_IMPL_H_
#define TAPEDECK_SHIP_SHIPPER_IMPL_H_

// ShipperImpl: the shipper's thread, shared by shipper.cc (loop, requests, state) and rounds.cc
// (what one round does). Private to ship; shipper.h is its door. Tests call Round() by themselves.
//
// Owned by the shipper's thread but for what mutex_ protects.

#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "archive/manifest_set.h"
#include "base/random.h"
#include "ship/backoff.h"
#include "ship/journey.h"
#include "ship/pruner.h"
#include "ship/shipper.h"
#include "ship/tape_watch.h"
#include "store/healed.h"

namespace tapedeck {

class ShipperImpl final : public Shipper {
 public:
  ShipperImpl(ShipOptions options, ShipParts parts);

  Status Run(const std::atomic<bool>& stop) override;
  Result<std::vector<DayState>> RequestClose(Day day, std::vector<std::string> tables) override;
  uint64_t RequestAll() override;
  ShipState State() const override;

  /// Empties the work folder. Before the first round.
  Status Prepare();
  /// Does what can be done now: closes what is due, ships, prunes, collects. Errors of single tapes
  /// and days are kept in the state; returned is only what ends shipping (see Run).
  Status Round();

 private:
  /// Somebody asked for everything to be shipped.
  struct AllRequest {
    uint64_t number = 0;
    uint64_t flush = 0;               // that must be done first
    std::map<TpId, int64_t> targets;  // set once it is: where tapes stood
    bool flushed = false;
  };
  struct Trouble {
    Backoff backoff;
    std::string text;
  };

  // shipper.cc
  void Wait();
  void PublishState(const StoreState& state);
  bool Asked() const;

  // rounds.cc
  /// A manifest of our id that we do not know; nullopt: there is none, or it cannot be told now.
  std::optional<std::string> FindStranger(const StoreState& state);
  Result<std::optional<std::string>> FindListedStranger(const StoreState& state);
  Status TakeNewId(const std::string& stranger);
  Status RemoveLeftOvers();
  Status LookAtTapes(const StoreState& state, const StoreView& view);
  void CloseDue(const StoreState& state);
  void TakeRequests();
  std::map<TpId, int64_t> WantedOfTapes(const StoreState& state) const;
  void ShipTapes(const StoreState& state);
  void ShipTape(const StoreState& state, TpId tp, const TapeId& tape, int64_t wanted);
  Status PutHealedMessages(TpId tp, const TapeId& tape, const TapeShip& ship,
                           const std::vector<HealedRange>& healed);
  void PutMessages(const StoreState& state);
  void ShipDays(const StoreState& state);
  void Prune(const StoreState& state);
  void Collect(const StoreState& state);
  void EndRequests();
  bool PerMessage(const std::string& topic) const;
  /// Whether `what` may be tried now.
  bool MayTry(const std::string& what) const;
  /// Keeps the outcome of an attempt; true: it worked.
  bool Note(const std::string& what, const std::string& table, const Status& outcome);

  const ShipOptions options_;
  const ShipParts parts_;
  Journey journey_;
  ClosePolicy policy_;
  TapeWatch watch_;
  Pruner pruner_;
  Random random_;
  bool archive_checked_ = false;
  std::shared_ptr<const ManifestSet> manifests_seen_;  // the set in which all was known
  bool left_overs_removed_ = false;
  uint64_t flushes_done_ = 0;
  std::map<TpId, TapeShip> ships_;  // newest, as the store has them
  std::map<TpId, MonotonicTime> tape_seen_;
  std::map<TpId, std::vector<HealedRange>> healed_put_;      // messages that have their objects
  std::map<std::pair<std::string, Day>, uint64_t> closing_;  // asked for: the flush that does it
  std::map<std::string, Trouble> troubles_;                  // by what is tried
  /// The archive as a whole: nothing is asked of it meanwhile. Much shorter than that of a single
  /// thing, so that one that always fails does not keep others from their turn.
  Backoff archive_{std::chrono::seconds(15)};
  std::vector<AllRequest> all_;
  MonotonicTime last_prune_{0};
  ShipState live_;

  mutable std::mutex mutex_;
  std::vector<ShipDay> to_close_;  // protected by mutex_
  uint64_t all_requests_ = 0;      // protected by mutex_
  ShipState state_;                // protected by mutex_
};

}  // namespace tapedeck

#endif  // TAPEDECK_SHIP_SHIPPER_IMPL_H_
