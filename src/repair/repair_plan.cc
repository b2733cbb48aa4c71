#include "repair/repair_plan.h"

#include <algorithm>
#include <chrono>
#include <set>
#include <tuple>

#include "model/keys.h"
#include "record/healer.h"

namespace tapedeck {
namespace {

/// A gap that was noticed longer ago is not what a tape begins earlier for: all behind it would be
/// recorded again, and Kafka seldom keeps more.
constexpr std::chrono::nanoseconds kHealableFor = std::chrono::hours(7 * 24);

bool Below(const std::vector<int64_t>& offsets, int64_t bound) {
  return std::ranges::any_of(offsets, [&](int64_t offset) { return offset < bound; });
}

}  // namespace

RepairPlan::RepairPlan(TpId tp, const WreckTape* tape, const RestoreTape* archived,
                       const ManifestSet* manifests, const Salvage* salvage, Timestamp now)
    : tp_(tp), tape_(tape), archived_(archived), manifests_(manifests), salvage_(salvage) {
  for (const Gap& gap : tape_->gaps) {
    gaps_.Add(gap.from, gap.to, &gap);
    if (gap.reason != GapReason::kRetain) continue;
    dropped_.Add(tp_, gap.from, gap.to);
    retained_.Add(gap.from, gap.to, &gap);
  }
  gaps_.Sort();
  retained_.Sort();
  if (archived_ != nullptr) {
    for (const Gap& gap : archived_->gaps) archived_gaps_.Add(gap.from, gap.to, &gap);
    archived_gaps_.Sort();
  }
  gaps_lost_ = !tape_->broken_gaps.empty() ||
               salvage_->MayLack(keys::Gap(tp_, INT64_MIN), keys::Gap(tp_, INT64_MAX));
  blocks_lost_ = MayLackBlocks(INT64_MAX);
  FindBounds();
  FindLostNotes();
  if (archived_ != nullptr) BeginEarlier(*manifests_, now);
}

void RepairPlan::FindBounds() {
  const std::optional<Checkpoint>& checkpoint = tape_->checkpoint;
  auto see = [&](int64_t end) { to_ = std::max(to_, end); };
  if (checkpoint) see(checkpoint->next);
  for (const WreckBlock& block : tape_->blocks) see(block.last + 1);
  for (const WreckNote& note : tape_->notes) see(note.last + 1);
  for (const Gap& gap : tape_->gaps) see(gap.to);
  if (archived_ != nullptr) see(archived_->to);
  if (to_ == INT64_MIN) return;
  // Below it the archive has the records. Without a checkpoint nobody knows where it began.
  from_ = archived_ != nullptr ? archived_->from : checkpoint ? checkpoint->start : 0;
  from_ = std::min(from_, to_);
  const std::string ship = keys::TapeShip(tp_);
  const bool ship_known = !tape_->broken_ship && !salvage_->MayLack(ship, keys::After(ship));
  if (!checkpoint || !ship_known) return;
  known_ = {checkpoint->start, checkpoint->next};
  if (tape_->ship) known_.from = std::max(known_.from, tape_->ship->pruned);
}

// Of index entries whose block damage may have taken, unless just that block is there.
void RepairPlan::FindLostNotes() {
  using Identity = std::tuple<int64_t, int64_t, int64_t, uint64_t>;
  std::set<Identity> there;
  for (const WreckBlock& block : tape_->blocks)
    there.emplace(block.base, block.first, block.last, block.count);
  const std::set<int64_t> broken(tape_->broken_blocks.begin(), tape_->broken_blocks.end());
  for (const WreckNote& note : tape_->notes) {
    const std::string key = keys::TapeBlock(tp_, note.base);
    const bool damaged =
        broken.contains(note.base) || salvage_->MayLack(key, key + std::string(1, '\0'));
    if (!damaged || there.contains({note.base, note.first, note.last, note.count})) continue;
    lost_notes_.Add(note.first, note.last + 1, &note);
  }
  lost_notes_.Sort();
}

// What no manifest lists, whoever wrote it, the archive cannot answer for.
void RepairPlan::BeginEarlier(const ManifestSet& manifests, Timestamp now) {
  const int64_t bound = from_;
  TapeOffsets unlisted;
  unlisted.Add(tp_, INT64_MIN, bound);
  if (const auto spans = UnlistedOf(manifests, archived_->tape, INT64_MIN, bound)) {
    unlisted = TapeOffsets();
    for (const OffsetSpan& span : *spans) unlisted.Add(tp_, span.from, span.to);
  }
  auto first_of = [&](int64_t from, int64_t to) -> std::optional<int64_t> {
    for (const OffsetSpan& span : unlisted.Of(tp_)) {
      if (span.from < to && from < span.to) return std::max(from, span.from);
    }
    return std::nullopt;
  };
  auto begin = [&](int64_t from, int64_t to) {
    if (const auto first = first_of(from, to)) from_ = std::min(from_, *first);
  };
  for (const WreckBlock& block : tape_->blocks) {
    if (SkipDropped(block.first) <= block.last) begin(block.first, block.last + 1);
  }
  lost_notes_.Meeting(INT64_MIN, bound,
                      [&](int64_t from, int64_t to, const WreckNote*) { begin(from, to); });
  for (const Gap& gap : tape_->gaps) {
    if (!MayBeHealed(gap) || !first_of(gap.from, gap.to)) continue;
    if (now.ns() - gap.noticed_at.ns() <= kHealableFor.count()) {
      begin(gap.from, gap.to);
    } else {
      left_behind_.push_back(gap);
    }
  }
  std::erase_if(left_behind_, [&](const Gap& gap) { return gap.from >= from_; });
}

int64_t RepairPlan::SkipDropped(int64_t offset) const {
  for (const OffsetSpan& span : dropped_.Of(tp_)) {
    if (span.from <= offset && offset < span.to) return span.to;
  }
  return offset;
}

std::vector<OffsetSpan> RepairPlan::Lacking() const {
  if (manifests_ == nullptr || !tape_->checkpoint || !tape_->ship || !tape_->tape) return {};
  const int64_t start = tape_->checkpoint->start;
  const int64_t shipped = std::max(tape_->ship->shipped, tape_->ship->pruned);
  if (shipped <= start) return {};
  TapeOffsets left;
  const auto unlisted = UnlistedOf(*manifests_, *tape_->tape, start, shipped);
  if (!unlisted) return {{start, shipped}};
  for (const OffsetSpan& span : *unlisted) left.Add(tp_, span.from, span.to);
  for (const Gap& gap : tape_->gaps) left.Remove(tp_, gap.from, gap.to);
  for (const WreckBlock& block : tape_->blocks) left.Remove(tp_, block.first, block.last + 1);
  for (const auto& listing : manifests_->TapesOf(*tape_->tape)) {
    for (const Gap& gap : listing->manifest.gaps) left.Remove(tp_, gap.from, gap.to);
  }
  return {left.Of(tp_).begin(), left.Of(tp_).end()};
}

std::vector<RepairStep> RepairPlan::Fill(int64_t from, int64_t to) const {
  std::vector<RepairStep> steps;
  TapeOffsets left = Open(from, to);
  if (left.empty()) return steps;
  FillWithGaps(retained_, &left, &steps);
  FillFromArchive(&left, &steps);
  FillWithGaps(gaps_, &left, &steps);
  FillWithGaps(archived_gaps_, &left, &steps);
  FillWithNotes(&left, &steps);
  for (const OffsetSpan& span : left.Of(tp_))
    steps.push_back({.from = span.from, .to = span.to, .lost = true});
  std::ranges::sort(steps, {}, &RepairStep::from);
  return steps;
}

// Where there may be a message, or is a gap.
TapeOffsets RepairPlan::Open(int64_t from, int64_t to) const {
  TapeOffsets open;
  open.Add(tp_, from, to);
  if (gaps_lost_ || (blocks_lost_ && MayLackBlocks(to))) return open;
  open.Remove(tp_, known_.from, known_.to);
  auto add = [&](int64_t first, int64_t end, const void*) {
    open.Add(tp_, std::max(first, from), std::min(end, to));
  };
  gaps_.Meeting(from, to, add);
  lost_notes_.Meeting(from, to, add);
  return open;
}

bool RepairPlan::MayLackBlocks(int64_t below) const {
  const bool blocks =
      Below(tape_->broken_blocks, below) ||
      salvage_->MayLack(keys::TapeBlock(tp_, INT64_MIN), keys::TapeBlock(tp_, below));
  const bool notes =
      Below(tape_->broken_notes, below) ||
      salvage_->MayLack(keys::TapeIndex(tp_, INT64_MIN), keys::TapeIndex(tp_, below));
  return blocks && notes;
}

void RepairPlan::FillFromArchive(TapeOffsets* left, std::vector<RepairStep>* steps) const {
  if (archived_ == nullptr) return;
  auto fill = [&](const std::vector<RestorePart>& parts) {
    for (const RestorePart& part : parts) {
      for (const OffsetSpan& span : left->Of(tp_)) {
        const int64_t from = std::max(span.from, part.from), to = std::min(span.to, part.to);
        if (from < to) steps->push_back({.from = from, .to = to, .part = &part});
      }
      left->Remove(tp_, part.from, part.to);
    }
  };
  fill(archived_->covered);
  fill(archived_->parts);
}

void RepairPlan::FillWithGaps(const OffsetRanges<Gap>& gaps, TapeOffsets* left,
                              std::vector<RepairStep>* steps) const {
  if (left->empty()) return;
  const OffsetSpan all{left->Of(tp_).front().from, left->Of(tp_).back().to};
  gaps.Meeting(all.from, all.to, [&](int64_t first, int64_t end, const Gap* gap) {
    for (const OffsetSpan& span : left->Of(tp_)) {
      const int64_t from = std::max(span.from, first), to = std::min(span.to, end);
      if (from < to) steps->push_back({.from = from, .to = to, .gap = gap});
    }
    left->Remove(tp_, first, end);
  });
}

void RepairPlan::FillWithNotes(TapeOffsets* left, std::vector<RepairStep>* steps) const {
  if (left->empty()) return;
  const OffsetSpan all{left->Of(tp_).front().from, left->Of(tp_).back().to};
  lost_notes_.Meeting(all.from, all.to, [&](int64_t first, int64_t end, const WreckNote* note) {
    for (const OffsetSpan& span : left->Of(tp_)) {
      const int64_t from = std::max(span.from, first), to = std::min(span.to, end);
      if (from < to) steps->push_back({.from = from, .to = to, .lost = true, .note = note});
    }
    left->Remove(tp_, first, end);
  });
}

}  // namespace tapedeck
