#ifndef TAPEDECK_REPLAY_PREFLIGHT_H_
#define TAPEDECK_REPLAY_PREFLIGHT_H_

// Preflight: whether a target can take a job's messages, before the first is sent. Each finding
// says what to do about it.
//
//   std::vector<std::string> findings = CheckTarget(facts, need);
//
// Thread-safe: pure functions on values.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/time.h"
#include "kafka/target_facts.h"
#include "replay/job.h"

namespace tapedeck {

/// What the job's messages ask of each target topic.
struct TargetNeed {
  ReplayTarget target;
  bool restore = false;
  bool same_count = false;  // of partitions: keys are to fall where they fell
  /// Greatest source partition + 1, by target topic.
  std::map<std::string, int> partitions;
  uint64_t message_bytes_max = 0;  // of a block's raw bytes: an upper bound; 0: unknown
  /// Time of the oldest message that may be sent; Min(): unknown.
  Timestamp oldest = Timestamp::Min();
  Timestamp now;
};

/// Empty: it can. One sentence each, the topic named.
std::vector<std::string> CheckTarget(const TargetFacts& facts, const TargetNeed& need);

/// A topic that a node records: its name, or a regular expression that begins with '^', as whole
/// names are matched.
bool IsRecordedTopic(const std::vector<std::string>& subscriptions, const std::string& topic);

}  // namespace tapedeck

#endif  // TAPEDECK_REPLAY_PREFLIGHT_H_
