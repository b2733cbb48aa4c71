#include "tape/tape_spans.h"

#include <algorithm>
#include <tuple>

#include "store/healed.h"
#include "tape/archive_plan.h"

namespace tapedeck {
namespace {

// Gaps whose messages are on another tape of ours, or were never to be recorded.
bool LosesNothing(GapReason reason) {
  return reason == GapReason::kHeld || reason == GapReason::kOwnReplay;
}

// What a manifest has of its range.
TapeOffsets OffsetsOf(const TapeListing& listing, TpId tp) {
  const TapeManifest& manifest = listing.manifest;
  TapeOffsets offsets;
  offsets.Add(tp, manifest.range.from, manifest.range.to);
  for (const Gap& gap : manifest.gaps) offsets.Remove(tp, gap.from, gap.to);
  return offsets;
}

std::vector<const TapeListing*> InOrder(const ReadPoint& point, const TapeId& tape) {
  std::vector<const TapeListing*> listings;
  if (point.manifests() == nullptr) return listings;
  for (const auto& listing : point.manifests()->TapesOf(tape)) listings.push_back(listing.get());
  const std::string& ours = point.archive().store;
  auto key = [&](const TapeListing* listing) {
    const ManifestWriter& writer = listing->manifest.writer;
    return std::tuple(writer.store != ours, std::cref(writer.node), std::cref(writer.store));
  };
  std::stable_sort(listings.begin(), listings.end(),
                   [&](const TapeListing* a, const TapeListing* b) {
                     const auto& [other_a, node_a, store_a] = key(a);
                     const auto& [other_b, node_b, store_b] = key(b);
                     return std::tie(other_a, node_a.get(), store_a.get()) <
                            std::tie(other_b, node_b.get(), store_b.get());
                   });
  return listings;
}

struct Assembled {
  std::vector<TapeSpan> spans;
  TapeOffsets known;
};

Assembled Assemble(const ReadPoint& point, TpId tp, const TapeId& tape, const TapeOffsets& stored) {
  Assembled result;
  auto add = [&](const TapeOffsets& offsets, const TapeListing* listing) {
    for (const OffsetSpan& span : offsets.Of(tp)) {
      result.spans.push_back({span.from, span.to, listing});
    }
  };
  add(stored, nullptr);
  result.known = stored;
  for (const TapeListing* listing : InOrder(point, tape)) {
    TapeOffsets more = OffsetsOf(*listing, tp);
    more.Remove(result.known);
    add(more, listing);
    result.known.Add(more);
  }
  std::sort(result.spans.begin(), result.spans.end(),
            [](const TapeSpan& a, const TapeSpan& b) { return a.from < b.from; });
  return result;
}

std::string OffsetsText(const OffsetSpan& span) {
  return "offsets " + std::to_string(span.from) + " to " + std::to_string(span.to - 1);
}

// Whether something of [from, to) should be there and is not.
Status CheckWhole(const ReadPoint& point, TpId tp, const TapeId& tape, const TapeOffsets& pruned,
                  const TapeOffsets& known, OffsetSpan asked) {
  TapeOffsets missing = pruned;
  missing.Remove(known);
  missing.Remove(tp, INT64_MIN, asked.from);
  missing.Remove(tp, asked.to, INT64_MAX);
  const std::span<const OffsetSpan> lost = missing.Of(tp);
  if (point.manifests() != nullptr) {
    for (const BrokenTape& broken : point.manifests()->BrokenOf(tape)) {
      const int64_t from = std::max(broken.from, asked.from);
      const int64_t to = std::min(broken.to, asked.to);
      if (!known.HasAll(tp, from, to)) {
        return broken.error.WithContext("a manifest of " + tape.ToString() + " cannot be read");
      }
    }
  }
  if (lost.empty()) return Status::Ok();
  const std::string what = tape.ToString() + ", " + OffsetsText(lost.front());
  if (point.manifests() == nullptr) {
    return Status::FailedPrecondition(what +
                                      ": they are in an archive that this reader was not given");
  }
  return Status::Unavailable(what + ": the manifest of where they are was not read yet");
}

// What the store recorded: above and below its pruned end.
struct Stored {
  TapeOffsets here;
  TapeOffsets pruned;
};
Result<Stored> StoredOf(const ReadPoint& point, TpId tp) {
  Stored stored;
  TD_ASSIGN_OR_RETURN(stored.here, RecordedOffsets(point, tp));
  if (!point.IsStored(tp)) return stored;
  const int64_t pruned = point.state().ShipOf(tp).pruned;
  stored.pruned = stored.here;
  stored.pruned.Remove(tp, pruned, INT64_MAX);
  if (!stored.pruned.empty()) {
    TD_ASSIGN_OR_RETURN(const std::vector<HealedRange> healed, HealedOf(point.view(), tp));
    for (const HealedRange& range : healed) stored.pruned.Remove(tp, range.from, range.to);
  }
  stored.here.Remove(stored.pruned);
  return stored;
}

}  // namespace

Result<std::vector<TapeSpan>> SpansOf(const ReadPoint& point, TpId tp, const TapeId& tape,
                                      int64_t from, int64_t to) {
  TD_ASSIGN_OR_RETURN(const Stored stored, StoredOf(point, tp));
  Assembled all = Assemble(point, tp, tape, stored.here);
  TD_RETURN_IF_ERROR(CheckWhole(point, tp, tape, stored.pruned, all.known, {from, to}));
  std::vector<TapeSpan> spans;
  for (TapeSpan span : all.spans) {
    span.from = std::max(span.from, from);
    span.to = std::min(span.to, to);
    if (span.from >= span.to) continue;
    // Over a gap that nobody fills the same source goes on.
    if (!spans.empty() && spans.back().archived == span.archived) {
      spans.back().to = span.to;
    } else {
      spans.push_back(span);
    }
  }
  return spans;
}

Result<TapeOffsets> KnownOffsets(const ReadPoint& point, TpId tp, const TapeId& tape) {
  TD_ASSIGN_OR_RETURN(const Stored stored, StoredOf(point, tp));
  return Assemble(point, tp, tape, stored.here).known;
}

OffsetSpan ExtentOf(const ReadPoint& point, TpId tp, const TapeId& tape) {
  OffsetSpan extent{INT64_MAX, INT64_MIN};
  auto add = [&](int64_t from, int64_t to) {
    extent = {std::min(extent.from, from), std::max(extent.to, to)};
  };
  for (const auto& [id, checkpoint] : point.state().checkpoints) {
    if (id == tp) add(checkpoint.start, checkpoint.next);
  }
  for (const TapeListing* listing : InOrder(point, tape)) {
    add(listing->manifest.range.from, listing->manifest.range.to);
  }
  if (point.manifests() != nullptr) {
    for (const BrokenTape& broken : point.manifests()->BrokenOf(tape)) add(broken.from, broken.to);
  }
  return extent.from <= extent.to ? extent : OffsetSpan();
}

Result<std::vector<Gap>> MissingOf(const ReadPoint& point, TpId tp, const TapeId& tape,
                                   int64_t from, int64_t to) {
  TapeOffsets holes;
  holes.Add(tp, from, to);
  TD_ASSIGN_OR_RETURN(const TapeOffsets known, KnownOffsets(point, tp, tape));
  holes.Remove(known);
  std::vector<Gap> named;
  if (point.IsStored(tp)) {
    TD_ASSIGN_OR_RETURN(named, point.view().Gaps(tp));
  }
  for (const TapeListing* listing : InOrder(point, tape)) {
    const std::vector<Gap>& gaps = listing->manifest.gaps;
    named.insert(named.end(), gaps.begin(), gaps.end());
  }
  for (const Gap& gap : named) {
    if (LosesNothing(gap.reason)) holes.Remove(tp, gap.from, gap.to);
  }
  std::vector<Gap> missing;
  auto take = [&](const Gap& gap, int64_t first, int64_t last) {
    missing.push_back(gap);
    missing.back().from = first;
    missing.back().to = last;
  };
  for (const Gap& gap : named) {
    for (const OffsetSpan& hole : holes.Of(tp)) {
      if (gap.from < hole.to && gap.to > hole.from) {
        take(gap, std::max(gap.from, hole.from), std::min(gap.to, hole.to));
      }
    }
    holes.Remove(tp, gap.from, gap.to);
  }
  Gap unnamed;
  unnamed.reason = GapReason::kElsewhereMaybe;
  for (const OffsetSpan& hole : holes.Of(tp)) take(unnamed, hole.from, hole.to);
  std::sort(missing.begin(), missing.end(),
            [](const Gap& a, const Gap& b) { return a.from < b.from; });
  return missing;
}

Result<std::vector<Gap>> GapsOf(const ReadPoint& point, TpId tp, const TapeId& tape,
                                OffsetSpan extent) {
  TD_ASSIGN_OR_RETURN(std::vector<Gap> gaps, MissingOf(point, tp, tape, extent.from, extent.to));
  TapeOffsets told;
  TD_ASSIGN_OR_RETURN(told, KnownOffsets(point, tp, tape));
  for (const TapeListing* listing : InOrder(point, tape)) {
    for (Gap gap : listing->manifest.gaps) {
      if (!LosesNothing(gap.reason) || gap.to <= extent.from || gap.from >= extent.to) continue;
      TapeOffsets left;
      left.Add(tp, std::max(gap.from, extent.from), std::min(gap.to, extent.to));
      left.Remove(told);
      for (const OffsetSpan& span : left.Of(tp)) {
        gap.from = span.from;
        gap.to = span.to;
        gaps.push_back(gap);
      }
      told.Add(left);
    }
  }
  std::sort(gaps.begin(), gaps.end(), [](const Gap& a, const Gap& b) { return a.from < b.from; });
  return gaps;
}

bool IsUnlisted(const ReadPoint& point) {
  return point.manifests() != nullptr && !point.manifests()->loaded();
}

}  // namespace tapedeck
