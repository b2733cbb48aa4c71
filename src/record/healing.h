#ifndef TAPEDECK_RECORD_HEALING_H_
#define TAPEDECK_RECORD_HEALING_H_

// Healing: a gap that was read again, on its way into the batch of a flush (healer.h reads, heal.cc
// puts). Private to the record module; owned by the record thread.

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "model/chunk.h"
#include "model/stored.h"
#include "record/healer.h"

namespace tapedeck {

struct HealedBlock {
  int64_t base = 0;
  std::string bytes;
  TapeIndexEntry index;
};

struct Healing {
  ReadAgain read;
  std::vector<HealedBlock> blocks;
  /// Of a block that lay on both sides of what was read: its halves.
  std::optional<HealedBlock> lower, upper;
  std::vector<std::pair<int64_t, RefusalEntry>> refusals;
  /// What replays had sent, as gaps; `leaves_out`: the last message read belongs to the last one.
  std::vector<Gap> left_out;
  bool leaves_out = false;
  std::shared_ptr<const Chunk> rows;  // null: there are none
  Checkpoint more;                    // counts and digest to be added
  int64_t running = -1;               // greatest Kafka time up to its end
};

}  // namespace tapedeck

#endif  // TAPEDECK_RECORD_HEALING_H_
