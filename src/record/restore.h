#ifndef TAPEDECK_RECORD_RESTORE_H_
#define TAPEDECK_RECORD_RESTORE_H_

// RestoreStore: fills a new store from the archive alone, so that its node goes on where the lost
// one had shipped to (docs/faults.md, A18, G5).
//
//   TD_ASSIGN_OR_RETURN(auto store, Store::Open({.dir = dir, .node_id = "tapedeck-1"}));
//   TD_ASSIGN_OR_RETURN(RestoreReport report, RestoreStore(store.get(), *manifests, blobs, {}));
//   store->Close();          // the next `tapedeck serve` reads Kafka from the archive's end on
//
// Tapes keep their topic, partition and lineage. What was shipped stays where it is, and is
// answered from the archive under the old store's id; only what no record manifest covers is
// recorded again, from the archived tape, by the mapping that made it, with its times of receipt.
// Refusals come from decoding again. Tables are made as the manifests describe them.
//
// Interrupted, it leaves a store that must not be used: restore into a directory that gets its name
// at the end.
//
// Errors: kFailedPrecondition: the store has tapes already; kNotFound: no store of this node has
// shipped anything; kCorruption: what of the archive is damaged or missing; kCancelled: `stop`; and
// the store's and the archive's own. Owned by one thread.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "archive/manifest_set.h"
#include "base/clock.h"
#include "base/read_stop.h"
#include "base/status.h"
#include "blob/blob_store.h"
#include "store/store.h"

namespace tapedeck {

struct RestoreProgress {
  uint64_t tapes = 0;  // finished
  uint64_t tapes_total = 0;
  uint64_t messages = 0;
  uint64_t records = 0;
};

struct RestoreOptions {
  Clock* clock = &SystemClock();
  /// Rows that are held until they become series.
  size_t flush_bytes = size_t{128} << 20;
  const ReadStop* stop = nullptr;
  /// Called now and then; may be empty.
  std::function<void(const RestoreProgress&)> progress;
};

struct RestoredTape {
  TapeId tape;
  int64_t from = 0;  // recorded again
  int64_t to = 0;    // where Kafka is read from
};

struct RestoreReport {
  std::vector<RestoredTape> tapes;
  uint64_t messages = 0;
  uint64_t records = 0;
  /// What an operator should know: offsets that no manifest has.
  std::vector<std::string> notes;
};

/// `manifests` is loaded, and of the same archive.
Result<RestoreReport> RestoreStore(Store* store, const ManifestSet& manifests, BlobStore* blobs,
                                   const RestoreOptions& options);

}  // namespace tapedeck

#endif  // TAPEDECK_RECORD_RESTORE_H_
