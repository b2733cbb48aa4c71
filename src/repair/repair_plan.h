#ifndef TAPEDECK_REPAIR_REPAIR_PLAN_H_
#define TAPEDECK_REPAIR_REPAIR_PLAN_H_

// RepairPlan: of one tape of a damaged store, from where to where it is recorded again, and what is
// done about offsets of which no block that is left has a message.
//
//   RepairPlan plan(tp, &wreck.tapes.at(tp), archived, manifests, salvage.get(), now);
//   WreckReader reader(…);                                  // the messages from plan.from() on
//   for (const RepairStep& step : plan.Fill(at, reader.offset())) …
//
// Kafka has no message at an offset (a control record, an aborted transaction, compaction) only
// where all of this holds; else the archive is asked, and what it lacks is lost:
//   - the store still had that part itself: it lies in [start, next) of the checkpoint, and has not
//     left for the archive;
//   - no index entry says that a message may lie there, in a block that damage may have taken;
//   - damage did not take an index entry together with a block at or below it: what that reached
//     over, nobody knows;
//   - damage took no gap of the tape.
//
// It begins where the first record lies that the archive does not cover, or where something is held
// or may still be healed that no manifest lists.
//
// Thread-compatible; what it is given outlives it.

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "archive/manifest_set.h"
#include "base/time.h"
#include "record/restore_plan.h"
#include "repair/wreck.h"
#include "store/salvage.h"
#include "tape/tape_offsets.h"

namespace tapedeck {

/// Offsets [from, to) and where they come from: one of these is set, or `lost`.
struct RepairStep {
  int64_t from = 0;
  int64_t to = 0;
  const RestorePart* part = nullptr;
  const Gap* gap = nullptr;
  bool lost = false;
  const WreckNote* note = nullptr;  // of what is lost, where there is one
};

/// Ranges of offsets that may overlap, and what they belong to.
template <typename T>
class OffsetRanges {
 public:
  void Add(int64_t from, int64_t to, const T* of) { items_.push_back({from, to, of}); }
  /// Once, after the last Add. Those that begin at one offset keep their order.
  void Sort() {
    std::ranges::stable_sort(items_, {}, &Item::from);
    for (const Item& item : items_)
      reach_.push_back(reach_.empty() ? item.to : std::max(reach_.back(), item.to));
  }
  /// f(from, to, of) of each that meets [from, to), by where they begin.
  template <typename F>
  void Meeting(int64_t from, int64_t to, F&& f) const {
    auto at = static_cast<size_t>(std::ranges::upper_bound(reach_, from) - reach_.begin());
    for (; at < items_.size() && items_[at].from < to; ++at) {
      if (items_[at].to > from) f(items_[at].from, items_[at].to, items_[at].of);
    }
  }

 private:
  struct Item {
    int64_t from, to;
    const T* of;
  };
  std::vector<Item> items_;
  std::vector<int64_t> reach_;  // of those up to here
};

class RepairPlan {
 public:
  /// `archived` may be null: no store of this node has shipped it. `manifests` is null where there
  /// is no archive.
  RepairPlan(TpId tp, const WreckTape* tape, const RestoreTape* archived,
             const ManifestSet* manifests, const Salvage* salvage, Timestamp now);

  /// Nothing but its name is left: how far it went is not known.
  bool lost() const { return to_ == INT64_MIN; }
  int64_t from() const { return from_; }
  int64_t to() const { return to_; }  // where Kafka is read from
  /// Ascending; what lies between the steps holds no message.
  std::vector<RepairStep> Fill(int64_t from, int64_t to) const;
  /// What `retain` had dropped stays away, whatever files still have of it: where that ends, or
  /// `offset` itself.
  int64_t SkipDropped(int64_t offset) const;
  /// What the store had put into the archive, of which no manifest there knows, and no block that
  /// is left.
  std::vector<OffsetSpan> Lacking() const;
  /// Gaps of before that this begins behind: their manifests tell them, nobody heals them.
  const std::vector<Gap>& left_behind() const { return left_behind_; }

 private:
  void FindBounds();
  void FindLostNotes();
  void BeginEarlier(const ManifestSet& manifests, Timestamp now);
  TapeOffsets Open(int64_t from, int64_t to) const;
  bool MayLackBlocks(int64_t below) const;
  void FillFromArchive(TapeOffsets* left, std::vector<RepairStep>* steps) const;
  void FillWithGaps(const OffsetRanges<Gap>& gaps, TapeOffsets* left,
                    std::vector<RepairStep>* steps) const;
  void FillWithNotes(TapeOffsets* left, std::vector<RepairStep>* steps) const;

  const TpId tp_;
  const WreckTape* const tape_;
  const RestoreTape* const archived_;
  const ManifestSet* const manifests_;
  const Salvage* const salvage_;
  int64_t from_ = INT64_MIN;
  int64_t to_ = INT64_MIN;
  OffsetSpan known_;  // by this store itself
  bool gaps_lost_ = false;
  bool blocks_lost_ = false;
  TapeOffsets dropped_;
  OffsetRanges<Gap> retained_, gaps_, archived_gaps_;
  OffsetRanges<WreckNote> lost_notes_;
  std::vector<Gap> left_behind_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_REPAIR_REPAIR_PLAN_H_
