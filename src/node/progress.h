#ifndef TAPEDECK_NODE_PROGRESS_H_
#define TAPEDECK_NODE_PROGRESS_H_

// Progress: the numbers of a running node that a person or a script looks at first, as a line of
// JSON or of text.
//
//   ProgressMeter meter(clock->Monotonic());
//   Progress progress = meter.Next(node->State(), clock->Monotonic());   // rates since the last
//   std::puts(ProgressJson(progress, clock->Now()).c_str());
//
// Values; a ProgressMeter is owned by one thread.

#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "node/node.h"

namespace tapedeck {

struct Progress {
  uint64_t messages = 0, records = 0, refused = 0, skipped = 0;  // since the process started
  uint64_t bytes = 0;       // of messages: key, value and headers
  uint64_t tape_bytes = 0;  // of the blocks they became
  double messages_per_s = 0, records_per_s = 0, bytes_per_s = 0;
  /// Messages that Kafka has and the store has not, over all partitions whose end is known; -1:
  /// none is.
  int64_t lag = -1;
  size_t partitions = 0;
  uint64_t commits = 0, flushes = 0;
  size_t open_rows = 0;
  std::string stall;                   // why nothing is pulled, or ""
  std::vector<PartitionState> unwell;  // partitions that are not being recorded
  std::vector<std::string> notices;    // newest last

  /// bytes per tape byte, 0 where there is nothing yet.
  double compression() const { return tape_bytes == 0 ? 0 : double(bytes) / double(tape_bytes); }
};

class ProgressMeter {
 public:
  explicit ProgressMeter(MonotonicTime now) : last_time_(now) {}
  Progress Next(const NodeState& state, MonotonicTime now);

 private:
  MonotonicTime last_time_;
  uint64_t last_messages_ = 0;
  uint64_t last_records_ = 0;
  uint64_t last_bytes_ = 0;
};

/// {"event":"progress","ts":…}
std::string ProgressJson(const Progress& progress, Timestamp now);
/// "1,234,567 messages  2,469,134 records  12.3 MB (7.1x)  lag 0  51,234 messages/s"
std::string ProgressText(const Progress& progress);

/// "1,234,567"
std::string GroupedDigits(uint64_t number);
/// "12.3 MB", in powers of 1,000.
std::string RoughBytes(double bytes);

}  // namespace tapedeck

#endif  // TAPEDECK_NODE_PROGRESS_H_
