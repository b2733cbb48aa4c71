#ifndef TAPEDECK_SHIP_RECORD_SHIPMENT_H_
#define TAPEDECK_SHIP_RECORD_SHIPMENT_H_

// RecordShipment: one closed generation of a (table, day) on its way into the archive.
//
//   kClosing -> kWritten    its rows are in local files; the manifest to be, and the names to be
//                           put, are in the store
//   kWritten -> kUploaded   the files were decoded again and compared with the store by count and
//                           digest; they are in the archive
//   kUploaded -> kVerified  they were read back in full, decoded and compared
//   kVerified -> kShipped   tape manifests cover its vector, and its own manifest is there
//
// A generation of an upsert table holds the winners of all up to it and replaces those before,
// which leave the archive after a grace period. In each format of ShipOptions there are all rows. A
// rerun after a crash writes the same bytes: rows come in one order, and the draft keeps what a
// second look might see otherwise.
//
// Owned by the shipper's thread.

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "archive/record_object_writer.h"
#include "ship/journey.h"
#include "ship/row_tally.h"

namespace tapedeck {

class RecordShipment {
 public:
  /// `state` and `ships` outlive it, as `journey` does: what the store has, and how far tapes are.
  RecordShipment(const Journey* journey, const StoreState* state, keys::DayKey key, DayEntry entry);

  /// Takes it as far as it goes. OK without kShipped: its vector is not covered by tape manifests
  /// yet. Errors leave it in the last phase that it reached.
  Status Ship(const std::map<TpId, TapeShip>& ships);
  const DayEntry& entry() const { return entry_; }
  /// Files of this generation in the work folder go.
  void RemoveFiles() const;

 private:
  Status Write();
  Result<std::vector<WrittenObject>> WriteFiles(RowSum* tally);
  Status Describe(std::vector<WrittenObject> written, const RowSum& tally,
                  RecordManifest* manifest);
  Status DescribeRanges(const StoreView& view, RecordManifest* manifest);
  Status Upload();
  Status EnsureFiles(const RecordManifest& manifest);
  Status CompareFile(const std::string& path, const ShippedObject& object, RowSum* tally);
  Status CheckTallies(const RecordManifest& manifest, const std::map<std::string, RowSum>& found);
  Status Verify();
  Status FetchAndCompare(const RecordManifest& manifest, size_t n, RowSum* tally);
  Status List();
  Result<std::set<std::string>> RetiredNames() const;
  bool Below(const keys::DayKey& other) const;
  bool StandsFor(const keys::DayKey& other, const DayEntry& entry) const;
  bool ReplacedAreShipped() const;
  std::vector<DayEntry::Range> Vector() const;
  bool Covered(const std::map<TpId, TapeShip>& ships) const;
  Status Enter(DayPhase phase);
  Status StartAgain(const std::string& why);
  Status Put(const DayEntry& next);
  Result<RecordManifest> Draft() const;
  std::string Where() const;
  std::string FilePrefix(std::string_view format) const;
  /// Where its bytes are until they are put.
  std::filesystem::path PathOf(const ShippedObject& object) const;

  const Journey* journey_;
  const StoreState* state_;
  const keys::DayKey key_;
  const Table* table_;
  DayEntry entry_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_SHIP_RECORD_SHIPMENT_H_
