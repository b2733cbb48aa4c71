#ifndef TAPEDECK_SHIP_TAPE_SHIPMENT_H_
#define TAPEDECK_SHIP_TAPE_SHIPMENT_H_

// TapeShipment: the next range of one tape on its way into the archive.
//
//   kOpen -> kWritten    the range's messages are in a local file; the manifest to be, and the
//                        names to be put, are in the store
//   kWritten -> kUploaded   the file was decoded again and compared; it is in the archive
//   kUploaded -> kVerified  it was read back in full, decoded and compared
//   kVerified -> kOpen      its manifest is there too: `shipped` moves
//
// Ranges follow each other from the tape's start without a hole, and what was healed below them
// (store/healed.h) is shipped as ranges of its own, before all else; one ends where its messages
// come to ShipOptions::tape_ship_bytes, its refusals to tape_refusals_max, or at the checkpoint. A
// range without messages has a manifest and no object. A manifest that readers would refuse for its
// length is not drafted (kInvalidArgument).
//
// Owned by the shipper's thread.

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "ship/journey.h"
#include "store/healed.h"

namespace tapedeck {

/// A manifest's place in the archive.
Result<std::string> TapeManifestNameOf(const Journey& journey, const TapeManifest& manifest,
                                       std::string_view json);

class TapeShipment {
 public:
  /// What has to be in the archive before a range that was healed goes there.
  using BeforeHealed = std::function<Status(const std::vector<HealedRange>&)>;

  /// `tape` and `checkpoint` as a view of the store has them; `journey` outlives it. `before` is
  /// called with all that is healed and not shipped when a range is chosen.
  TapeShipment(const Journey* journey, TpId tp, TapeId tape, Checkpoint checkpoint, TapeShip ship,
               BeforeHealed before);

  /// Takes one range all the way. Errors leave it in the last phase that it reached.
  Status Ship();
  /// As the store has it now.
  const TapeShip& ship() const { return ship_; }
  uint64_t messages() const { return messages_; }    // shipped by Ship
  uint64_t raw_bytes() const { return raw_bytes_; }  // of the range that Ship began

 private:
  Status Write();
  Result<TapeRange> ChooseRange(const StoreView& view);
  Result<int64_t> ChooseEnd(const StoreView& view, int64_t from, int64_t limit);
  Status TakeHealed(const std::vector<HealedRange>& seen, HealedRange range, StoreBatch* batch);
  Status WriteFile(const StoreView& view, TapeManifest* manifest);
  Status Describe(const StoreView& view, TapeManifest* manifest);
  Status DescribeBlocks(const StoreView& view, TapeManifest* manifest);
  Status Upload();
  Status Verify();
  Status List();
  Status Compare(const std::string& path, const TapeManifest& manifest);
  Status EnsureFile(const TapeManifest& manifest);
  Status Enter(DayPhase phase);
  Status StartAgain(const std::string& why);
  Result<TapeManifest> Draft() const;
  std::string FilePath(std::string_view what) const;

  const Journey* journey_;
  const TpId tp_;
  const TapeId tape_;
  const Checkpoint checkpoint_;
  TapeShip ship_;
  const BeforeHealed before_;
  uint64_t messages_ = 0;
  uint64_t raw_bytes_ = 0;
};

}  // namespace tapedeck

#endif  // TAPEDECK_SHIP_TAPE_SHIPMENT_H_
