#ifndef TAPEDECK_ARCHIVE_TAPE_HOLES_H_
#define TAPEDECK_ARCHIVE_TAPE_HOLES_H_

// Offsets of a tape that manifests leave out: gaps that one of them names and no other fills, and
// ranges between two of them that nobody listed.
//
//   for (const TapeHole& hole : HolesOf(set->TapesOf(tape))) …
//
// Values; thread-safe pure function. Time grows with the manifests of the tape: a set finds the
// holes once, when it is made.

#include <memory>
#include <span>
#include <vector>

#include "base/hash.h"
#include "model/manifest.h"
#include "model/stored.h"

namespace tapedeck {

struct TapeListing;

struct TapeHole {
  /// Its times bound what is missing: those that its manifest knew, else those of the manifests
  /// around it, the least before and the greatest after. The reason is `elsewhere?` where no
  /// manifest names one.
  Gap gap;
  /// What made the records on both sides.
  std::vector<Hash128> mappings;
};

/// Ascending. `listings`: of one tape, by their first offset. What an older lineage holds, and our
/// own replays, are no holes.
std::vector<TapeHole> HolesOf(std::span<const std::shared_ptr<const TapeListing>> listings);

}  // namespace tapedeck

#endif  // TAPEDECK_ARCHIVE_TAPE_HOLES_H_
