#ifndef TAPEDECK_TAPE_TAPE_OFFSETS_H_
#define TAPEDECK_TAPE_TAPE_OFFSETS_H_

// TapeOffsets: sets of offsets of many tapes, as ranges.
//
//   TapeOffsets covered;
//   covered.Add(tp, 0, 1000);
//   covered.Remove(tp, 100, 120);               // a gap
//   covered.Has(tp, 110)                        // false
//
// Thread-compatible.

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "model/origin.h"

namespace tapedeck {

/// Offsets [from, to).
struct OffsetSpan {
  int64_t from = 0;
  int64_t to = 0;
  bool operator==(const OffsetSpan&) const = default;
};

class TapeOffsets {
 public:
  void Add(TpId tp, int64_t from, int64_t to);
  void Add(const TapeOffsets& other);
  void Remove(TpId tp, int64_t from, int64_t to);
  void Remove(const TapeOffsets& other);
  bool empty() const { return spans_.empty(); }
  bool Has(TpId tp, int64_t offset) const;
  /// Every offset of [from, to).
  bool HasAll(TpId tp, int64_t from, int64_t to) const;
  /// Some offset of `other`.
  bool Meets(const TapeOffsets& other) const;
  bool HasAll(const TapeOffsets& other) const;
  /// Of one tape: ascending, neither touching nor overlapping.
  std::span<const OffsetSpan> Of(TpId tp) const;
  const std::map<TpId, std::vector<OffsetSpan>>& spans() const { return spans_; }

 private:
  std::map<TpId, std::vector<OffsetSpan>> spans_;  // no empty ones
};

}  // namespace tapedeck

#endif  // TAPEDECK_TAPE_TAPE_OFFSETS_H_
