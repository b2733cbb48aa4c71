#ifndef TAPEDECK_SHIP_TAPE_WATCH_H_
#define TAPEDECK_SHIP_TAPE_WATCH_H_

// TapeWatch: how far the event times of each tape have come, and how much of it waits to be
// shipped, told by index entries alone.
//
// Each look reads only the entries that were added since the one before. The first one begins where
// shipping stands.
//
// Owned by the shipper's thread.

#include <algorithm>
#include <map>

#include "ship/journey.h"

namespace tapedeck {

class TapeWatch {
 public:
  struct Tape {
    int64_t looked = 0;  // entries below were seen
    /// Greatest event time, believed up to kBelieveAhead past the block's Kafka times.
    Timestamp believed = Timestamp::Min();
    uint64_t bytes = 0;  // of messages that were not Shipped, about
  };

  Status Look(const StoreView& view, const StoreState& state, Timestamp now);
  const Tape& At(TpId tp) { return tapes_[tp]; }
  void Shipped(TpId tp, uint64_t bytes) { tapes_[tp].bytes -= std::min(bytes, tapes_[tp].bytes); }

 private:
  std::map<TpId, Tape> tapes_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_SHIP_TAPE_WATCH_H_
