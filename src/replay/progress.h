#ifndef TAPEDECK_REPLAY_PROGRESS_H_
#define TAPEDECK_REPLAY_PROGRESS_H_

// ReplayProgress: what travels in a job's transactions as the metadata of its group's offset. The
// offset itself is the next sequence number.
//
//   metadata := base64 of progress         (brokers keep it as text)
//   progress := version:u8=1 state | version:u8=2 state records:varint
//   state    := owner:u64 command:varint bytes:varint digest:hash shifted:u8 shift_ms:zigzag
//               position:blob
// Version 2 where the place is within a message that gives several.
// docs/formats.md, "Progress of a replay".
//
// Thread-safe: pure functions on values.

#include <cstdint>
#include <string>

#include "kafka/message_sink.h"
#include "replay/job.h"

namespace tapedeck {

struct ReplayProgress {
  /// Which worker wrote it: one that was fenced sees here whether another has taken over.
  uint64_t owner = 0;
  uint64_t command = 0;  // the last one carried out
  ReplayNote note;       // next_seq is the offset
  bool operator==(const ReplayProgress&) const = default;
};

SinkProgress EncodeProgress(const ReplayProgress& progress);
/// kCorruption: another wrote to the job's group.
Result<ReplayProgress> DecodeProgress(const SinkProgress& read);

}  // namespace tapedeck

#endif  // TAPEDECK_REPLAY_PROGRESS_H_
