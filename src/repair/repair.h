#ifndef TAPEDECK_REPAIR_REPAIR_H_
#define TAPEDECK_REPAIR_REPAIR_H_

// RepairStore: records what is left of a damaged store again into a new one, and what the archive
// has of the rest; what neither has becomes a gap `damaged` (docs/faults.md, A5).
//
//   TD_ASSIGN_OR_RETURN(auto salvage, Salvage::Open(dir));
//   TD_ASSIGN_OR_RETURN(const Wreck wreck, Wreck::Collect(salvage.get()));
//   TD_ASSIGN_OR_RETURN(auto fresh, Store::Open({.dir = beside, .node_id = wreck.node}));
//   TD_ASSIGN_OR_RETURN(RepairReport report, RepairStore(salvage.get(), wreck, fresh.get(), {}));
//
// The tape is the truth, so nothing but tapes is taken over: index, series, refusals, catalog and
// counts are made from them again, by the mappings that made them, with the times of receipt. Of
// each tape that is what no record manifest of the archive covers, as in a restore; the archive
// answers for the rest. The new store has an id of its own.
//
// Of each offset the first that can be had: the message in a whole block; the message in the
// archive; a gap that was there already. Where none is, Kafka has no message there if the store
// knew so (repair/repair_plan.h), else it is damaged. A running node reads damaged gaps again from
// Kafka (record/healer.h). Jobs are not taken over here.
//
// Interrupted, it leaves a new store that must not be used.
//
// Errors: kCorruption: the name of a tape or the text of a mapping is lost, kDamagedMax is
// exceeded, or what of the archive is needed to plan is damaged; kFailedPrecondition: the new store
// has tapes; a part of the old one is in an archive, and none is given, or one that does not have
// it; damage may have taken whole tapes, or day size and identity of a table (notes with
// `accept_loss`, unless the archive alone has a part and none is given); kCancelled: `stop`; those
// of the stores. One thread's.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "archive/manifest_set.h"
#include "base/clock.h"
#include "base/read_stop.h"
#include "base/status.h"
#include "blob/blob_store.h"
#include "model/table.h"
#include "record/recorder.h"
#include "repair/wreck.h"
#include "store/salvage.h"
#include "store/store.h"

namespace tapedeck {

struct RepairProgress {
  uint64_t tapes = 0;  // finished
  uint64_t tapes_total = 0;
  uint64_t messages = 0;
  uint64_t records = 0;
};

struct RepairOptions {
  Clock* clock = &SystemClock();
  size_t flush_bytes = size_t{128} << 20;
  /// Both or none; loaded, and of the node's archive.
  const ManifestSet* manifests = nullptr;
  BlobStore* blobs = nullptr;
  /// Their mappings stand for those whose text is lost.
  std::vector<RecordTopic> topics;
  /// As the configuration has them: of those whose entry is lost, day size and identity.
  std::vector<Table> tables;
  /// What nobody can say for certain is taken for lost: see above.
  bool accept_loss = false;
  const ReadStop* stop = nullptr;
  /// Called now and then; may be empty.
  std::function<void(const RepairProgress&)> progress;
};

struct RepairReport {
  uint64_t tapes = 0;
  uint64_t messages = 0;  // in the new store
  uint64_t records = 0;
  uint64_t from_archive = 0;        // of the messages
  std::vector<TapeGap> damaged;     // that are new
  std::vector<std::string> damage;  // files, entries and blocks
  /// What an operator should know.
  std::vector<std::string> notes;
};

/// Damaged gaps of one tape. Each is kept in memory, and where control records or compaction leave
/// holes everywhere, an entry that is lost could make a gap of every one of them.
inline constexpr size_t kDamagedMax = 10'000;

/// `wreck` is what was collected from `salvage`.
Result<RepairReport> RepairStore(Salvage* salvage, const Wreck& wreck, Store* fresh,
                                 const RepairOptions& options);

}  // namespace tapedeck

#endif  // TAPEDECK_REPAIR_REPAIR_H_
