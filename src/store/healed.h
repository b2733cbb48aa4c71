#ifndef TAPEDECK_STORE_HEALED_H_
#define TAPEDECK_STORE_HEALED_H_

// Ranges of a tape that were recorded after what lies behind them: gaps that were read again from
// Kafka (docs/faults.md, G5), until tape manifests list them. The tape is shipped by one offset
// that only grows (TapeShip::shipped); what was healed below it is told here.
//
//   m "healed-<tp>" := version:u8=1 ranges:varint { from:zigzag to:zigzag }
//
//   TD_ASSIGN_OR_RETURN(std::vector<HealedRange> healed, HealedOf(*view, tp));
//   PutHealed(tp, AddHealed(healed, {from, to}), &batch);
//
// Ranges ascend and do not touch. Errors: kCorruption for bytes that PutHealed does not write.
// Thread-safe: functions on values.

#include <cstdint>
#include <vector>

#include "base/status.h"
#include "store/store.h"

namespace tapedeck {

/// Offsets [from, to).
struct HealedRange {
  int64_t from = 0;
  int64_t to = 0;
  bool operator==(const HealedRange&) const = default;
  bool Meets(int64_t first, int64_t end) const { return from < end && first < to; }
};

/// Of one tape; nothing where there is no entry.
Result<std::vector<HealedRange>> HealedOf(const StoreView& view, TpId tp);
/// An empty list takes the entry away.
void PutHealed(TpId tp, const std::vector<HealedRange>& ranges, StoreBatch* batch);

/// The list with, and without, the offsets of `range`.
std::vector<HealedRange> AddHealed(std::vector<HealedRange> ranges, HealedRange range);
std::vector<HealedRange> RemoveHealed(const std::vector<HealedRange>& ranges, HealedRange range);

}  // namespace tapedeck

#endif  // TAPEDECK_STORE_HEALED_H_
