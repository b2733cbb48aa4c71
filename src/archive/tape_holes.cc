#include "archive/tape_holes.h"

#include <algorithm>
#include <utility>

#include "archive/manifest_set.h"

namespace tapedeck {
namespace {

using Listings = std::span<const std::shared_ptr<const TapeListing>>;
using Span = std::pair<int64_t, int64_t>;  // [first, second)

bool LosesNothing(const Gap& gap) {
  return gap.reason == GapReason::kHeld || gap.reason == GapReason::kOwnReplay;
}

// One after another, without a gap: so are nearly all.
bool Joined(Listings listings) {
  int64_t end = listings.front()->manifest.range.from;
  for (const auto& listing : listings) {
    const TapeManifest& manifest = listing->manifest;
    if (!manifest.gaps.empty() || manifest.range.from > end) return false;
    end = std::max(end, manifest.range.to);
  }
  return true;
}

// What the manifests have: ascending, neither touching nor overlapping.
std::vector<Span> KnownOf(Listings listings) {
  std::vector<Span> parts;
  for (const auto& listing : listings) {
    const TapeManifest& manifest = listing->manifest;
    int64_t from = manifest.range.from;
    for (const Gap& gap : manifest.gaps) {
      if (LosesNothing(gap)) continue;
      if (gap.from > from) parts.emplace_back(from, std::min(gap.from, manifest.range.to));
      from = std::max(from, gap.to);
    }
    if (from < manifest.range.to) parts.emplace_back(from, manifest.range.to);
  }
  std::sort(parts.begin(), parts.end());
  std::vector<Span> known;
  for (const Span& part : parts) {
    if (!known.empty() && part.first <= known.back().second) {
      known.back().second = std::max(known.back().second, part.second);
    } else {
      known.push_back(part);
    }
  }
  return known;
}

std::vector<Span> BetweenOf(const std::vector<Span>& known, Span extent) {
  std::vector<Span> holes;
  for (const Span& part : known) {
    if (part.first > extent.first) holes.emplace_back(extent.first, part.first);
    extent.first = part.second;
  }
  if (extent.first < extent.second) holes.push_back(extent);
  return holes;
}

// The manifests on both sides of a hole say what its gap does not.
void Surround(Listings listings, TapeHole* hole) {
  Gap& gap = hole->gap;
  const TapeManifest* before = nullptr;
  const TapeManifest* after = nullptr;
  for (const auto& listing : listings) {
    const TapeManifest& manifest = listing->manifest;
    if (manifest.range.from < gap.from) before = &manifest;
    if (manifest.range.to > gap.to && after == nullptr) after = &manifest;
  }
  for (const TapeManifest* side : {before, after}) {
    if (side == nullptr) continue;
    for (const auto& [from, mapping] : side->mapping_from) hole->mappings.push_back(mapping);
  }
  const bool events_before = before != nullptr && before->event_min_ns <= before->event_max_ns;
  const bool events_after = after != nullptr && after->event_min_ns <= after->event_max_ns;
  if (gap.event_before_ns == INT64_MIN && events_before) gap.event_before_ns = before->event_min_ns;
  if (gap.event_after_ns == INT64_MIN && events_after) gap.event_after_ns = after->event_max_ns;
  if (gap.kafka_before_ms < 0 && before != nullptr) gap.kafka_before_ms = before->kafka_min_ms;
  if (gap.kafka_after_ms < 0 && after != nullptr) gap.kafka_after_ms = after->kafka_max_ms;
}

}  // namespace

std::vector<TapeHole> HolesOf(Listings listings) {
  std::vector<TapeHole> holes;
  if (listings.empty() || Joined(listings)) return holes;
  Span extent{listings.front()->manifest.range.from, listings.front()->manifest.range.to};
  for (const auto& listing : listings) {
    extent.second = std::max(extent.second, listing->manifest.range.to);
  }
  auto take = [&](Gap gap, int64_t from, int64_t to) {
    gap.from = from;
    gap.to = to;
    holes.push_back({std::move(gap), {}});
    Surround(listings, &holes.back());
  };
  for (const Span& hole : BetweenOf(KnownOf(listings), extent)) {
    int64_t at = hole.first;  // what lies before it has its reason
    for (const auto& listing : listings) {
      for (const Gap& gap : listing->manifest.gaps) {
        const int64_t from = std::max(at, gap.from);
        const int64_t to = std::min(hole.second, gap.to);
        if (from >= to || LosesNothing(gap)) continue;
        Gap unnamed;
        unnamed.reason = GapReason::kElsewhereMaybe;
        if (from > at) take(unnamed, at, from);
        take(gap, from, to);
        at = to;
      }
    }
    Gap unnamed;
    unnamed.reason = GapReason::kElsewhereMaybe;
    if (at < hole.second) take(unnamed, at, hole.second);
  }
  return holes;
}

}  // namespace tapedeck
