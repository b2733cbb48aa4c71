#ifndef TAPEDECK_TESTS_SHIP_SHIP_RIG_H_
#define TAPEDECK_TESTS_SHIP_SHIP_RIG_H_

// ShipRig: a real store that the real record journey has filled, and the real shipper over any blob
// store, round by round on the test's own thread.
//
// The oracle is what the store held before anything was shipped: CheckArchive decodes what lies in
// the archive by its manifests and compares it with that, row by row and message by message.

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "archive/manifest_set.h"
#include "record/recorder_rig.h"
#include "ship/shipper_impl.h"
#include "support/fake_blob_store.h"

namespace tapedeck::testing {

inline constexpr int64_t kShipDayMs = 86'400'000;
inline constexpr int64_t kShipNoonMs = 19'906 * kShipDayMs + kShipDayMs / 2;  // 2024-07-02
inline const Day kShipDay(19'906);

/// A Finnhub frame with one trade of size 1.
std::string TradeOf(const std::string& symbol, int64_t ts_ms, const std::string& price);

/// Serves a store's queue on a thread of its own as long as it lives.
class QueueServer {
 public:
  QueueServer(StoreQueue* queue, Store* store);
  ~QueueServer();

 private:
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

/// What a store, or an archive, holds.
struct Holdings {
  std::map<RecorderRig::RowKey, std::string> rows;
  std::map<std::pair<uint32_t, int64_t>, std::string> messages;  // by (tp, offset)
  bool operator==(const Holdings&) const = default;
};

class ShipRig {
 public:
  explicit ShipRig(uint64_t seed);

  /// Records what was produced, and closes these days of `trades`.
  void Record(const std::vector<Day>& close = {});
  /// A shipper over the store and `blobs`, as after a start of the process.
  void StartShipper();
  /// One round; what it asks of the recorder is done after it.
  Status Round();
  /// Rounds until no generation is in hand; at most `rounds`.
  void ShipAll(int rounds = 20);
  /// Gives `trades` another day or identity. Before anything is recorded.
  void ShapeTrades(DaySize day_size, std::vector<std::string> identity);
  /// Copies of the store's folder, closed: as a disk that is set back, or for another life.
  void CopyStore(const std::string& name);
  void UseCopy(const std::string& name);
  std::filesystem::path StoreDir() const { return recorder.dir.path() / "store"; }
  Holdings InStore();
  /// What the manifests in `objects` list. Reports objects that are not as listed, rows or messages
  /// that come twice, and generations or ranges that overlap.
  static Holdings InArchive(const std::map<std::string, std::string>& objects,
                            const StoreState& state);
  /// The rows of one object of `trades`, as they lie in it.
  static std::vector<RecorderRig::RowKey> RowsInOrder(const std::string& name,
                                                      const std::string& content,
                                                      const StoreState& state);
  std::map<keys::DayKey, DayEntry> Days();
  std::set<std::string> ObjectEntries();
  bool StoreHas(char prefix);

  RecorderRig recorder;
  FakeBlobStore fake;
  BlobStore* blobs = &fake;
  ShipOptions options;
  StoreQueue queue;
  std::vector<std::string> added;  // manifests, in order
  ManifestHolder known;            // those
  std::vector<PartitionProgress> progress;
  std::function<std::shared_ptr<const ManifestSet>()> manifests;  // that readers know
  std::unique_ptr<ShipperImpl> shipper;

 private:
  std::vector<TableDay> asked_;
  uint64_t flushes_asked_ = 0;
  uint64_t flushes_done_ = 0;
};

/// Every object of a blob store with its bytes.
std::map<std::string, std::string> ContentsOf(BlobStore* blobs);

}  // namespace tapedeck::testing

#endif  // TAPEDECK_TESTS_SHIP_SHIP_RIG_H_
