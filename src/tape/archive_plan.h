#ifndef TAPEDECK_TAPE_ARCHIVE_PLAN_H_
#define TAPEDECK_TAPE_ARCHIVE_PLAN_H_

// ArchivePlan: which manifests a read of records takes part of, and whose rows it leaves out.
//
// For the store's own days its `d` entries alone decide: a generation that is pruned is read from
// the objects of its manifest, every other from the store. Manifests of other stores always join;
// so do those that the store made under an earlier id (ship/new_store_id.h), whose rows it does not
// count as its own once they are pruned.
// Where what they cover overlaps, the source with the least (node, store id) keeps the rows and the
// others drop them by Origin. What a store covers of a day is the union of its manifests' ranges,
// and for the store that is read all that is recorded; both without their gaps. A tape whose
// mapping in force does not fill the table counts only as far as the store's generations of the day
// cover it: of the rest the store has messages and no records. (A mapping that came to fill the
// table later counts from the tape's beginning: reindex makes that true.)
//
//   TD_ASSIGN_OR_RETURN(ArchivePlan plan, PlanArchive(*point, *table, start, end));
//   for (const ManifestRows& part : plan.parts) …        // archive_source.h
//
// Errors: kFailedPrecondition: a day is pruned and there is no archive, or a manifest describes the
// table otherwise than this store; kUnavailable: a manifest that is needed was not read yet; the
// status of a manifest that cannot be read and may be needed. All name the manifest.
//
// Values; thread-compatible. The point outlives them.

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "archive/manifest_set.h"
#include "base/status.h"
#include "model/table.h"
#include "tape/read_point.h"
#include "tape/tape_offsets.h"

namespace tapedeck {

/// The rows of one manifest.
struct ManifestRows {
  const RecordListing* listing = nullptr;
  bool own = false;  // a generation of the store that is read
  /// Whose rows are others'. Null: nobody's.
  std::shared_ptr<const TapeOffsets> dropped;
  /// Its objects in one format that hold all rows, in order.
  std::vector<const ShippedObject*> objects;
  const RecordManifest& manifest() const { return listing->manifest; }
};

struct ArchivePlan {
  std::vector<ManifestRows> parts;  // by day
  /// Rows of the store itself, by day, that others keep.
  std::map<Day, std::shared_ptr<const TapeOffsets>> dropped;
  bool empty() const { return parts.empty() && dropped.empty(); }
  bool HasOthers() const;
  /// Some rows are in two places.
  bool Overlaps() const;
};

/// For rows with start <= ts < end (and ts = end where `end` is INT64_MAX).
Result<ArchivePlan> PlanArchive(const ReadPoint& point, const Table& table, int64_t start,
                                int64_t end);

/// All that the store has recorded of a tape, without its gaps; nothing of a tape that it does not
/// know.
Result<TapeOffsets> RecordedOffsets(const ReadPoint& point, TpId tp);

/// The manifest that stands for the one of that name: one of its store that replaces its
/// generation, else itself; null: the set has neither.
const RecordListing* FindStanding(const ManifestSet& set, const std::string& name);

/// The status with which a read ends that needs a manifest the set does not have.
Status MissingManifest(const ReadPoint& point, const std::string& name);

}  // namespace tapedeck

#endif  // TAPEDECK_TAPE_ARCHIVE_PLAN_H_
