#ifndef TAPEDECK_RECORD_LANE_H_
#define TAPEDECK_RECORD_LANE_H_

// Lane: one assigned partition while it is being recorded.
//
// `now` is the checkpoint as it will be once everything open is committed; the committed one is in
// the TapeBook. Between two commits the lane grows: messages in `blocks`, refusals. A commit takes
// all of it; a lost assignment throws all of it away.
//
// Owned by the record thread.

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "mapping/mapping.h"
#include "model/stored.h"
#include "record/commit_builder.h"
#include "record/record_metrics.h"
#include "record/recorder.h"

namespace tapedeck {

/// Of a partition that was never recorded and cannot be asked about at the moment.
inline constexpr TpId kNoTape{UINT32_MAX};

struct Lane {
  bool has_tape() const { return tape != kNoTape; }

  TopicPartition tp;
  TpId tape = kNoTape;
  const RecordTopic* topic = nullptr;
  Decoder* decoder = nullptr;
  Checkpoint now;
  bool waits = false;  // Kafka had no answer when it was assigned
  bool dirty = false;  // `now` differs from the committed checkpoint
  int64_t log_end = -1;
  int64_t log_first_ms = -1;  // Kafka time of what Kafka has first; -1 unknown
  RecordMetrics::Topic* meter = nullptr;
  std::vector<GapReason> new_gaps;  // of the assignment that is being written

  std::vector<OpenBlock> blocks;  // the last one takes messages
  std::vector<std::pair<int64_t, RefusalEntry>> refusals;

  std::vector<Gap> gaps;       // messages left out, and so many since; for the next commit
  std::optional<Gap> growing;  // the one that ends where the lane stands
  bool grew = false;           // since it was last written
  bool told_left_out = false;  // an operator was told that there are such messages

  std::vector<Gap>
      held;  // ranges of this lineage that an older one holds: such messages are dropped
  size_t held_next = 0;  // first of them that may still matter
  std::string
      health;  // not empty: nothing of this partition is recorded until it is assigned again
};

}  // namespace tapedeck

#endif  // TAPEDECK_RECORD_LANE_H_
