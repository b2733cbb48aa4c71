#ifndef TAPEDECK_TAPE_TAPE_SPANS_H_
#define TAPEDECK_TAPE_TAPE_SPANS_H_

// TapeSpans: where the messages of one tape lie, offset range by offset range.
//
//   TD_ASSIGN_OR_RETURN(std::vector<TapeSpan> spans, SpansOf(*point, tp, tape, from, to));
//
// The store has what it recorded and did not prune. What it lacks (its pruned part, its gaps, what
// lies before its start and behind its end) comes from tape manifests: first its own, then those of
// others, least (node, store id) first. Each offset is in one span at the most, and nothing that a
// manifest or the store says is recorded is in none.
//
// Errors: kFailedPrecondition: something was pruned and there is no archive; kUnavailable: its
// manifest was not read yet; the status of a manifest that cannot be read and may be needed.
//
// Values; thread-compatible. The point outlives them.

#include <cstdint>
#include <vector>

#include "archive/manifest_set.h"
#include "base/status.h"
#include "tape/read_point.h"
#include "tape/tape_offsets.h"

namespace tapedeck {

/// Messages with offsets in [from, to).
struct TapeSpan {
  int64_t from = 0;
  int64_t to = 0;
  const TapeListing* archived = nullptr;  // null: in the store
};

/// Ascending. Of offsets [from, to).
Result<std::vector<TapeSpan>> SpansOf(const ReadPoint& point, TpId tp, const TapeId& tape,
                                      int64_t from, int64_t to);

/// All offsets of the tape that somebody has recorded, here or in the archive, without the gaps
/// that nobody fills.
Result<TapeOffsets> KnownOffsets(const ReadPoint& point, TpId tp, const TapeId& tape);

/// What the store and all manifests speak of, gaps at its ends included; from == to: nothing.
OffsetSpan ExtentOf(const ReadPoint& point, TpId tp, const TapeId& tape);

/// Offsets of [from, to) that should have been recorded, and that nobody has, here or in the
/// archive. Ascending; with the reason and times of a gap that names them, else `elsewhere?`
/// without times. What an older lineage holds, and our own replays, are not missing.
Result<std::vector<Gap>> MissingOf(const ReadPoint& point, TpId tp, const TapeId& tape,
                                   int64_t from, int64_t to);

/// Gaps of [extent.from, extent.to) as a listing tells them: what is missing, and with it what an
/// older lineage holds and our own replays, by the gaps that name them. Ascending.
Result<std::vector<Gap>> GapsOf(const ReadPoint& point, TpId tp, const TapeId& tape,
                                OffsetSpan extent);

/// There is an archive, and what lies in it is not known yet.
bool IsUnlisted(const ReadPoint& point);

}  // namespace tapedeck

#endif  // TAPEDECK_TAPE_TAPE_SPANS_H_
