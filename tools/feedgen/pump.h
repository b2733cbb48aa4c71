#ifndef TAPEDECK_TOOLS_FEEDGEN_PUMP_H_
#define TAPEDECK_TOOLS_FEEDGEN_PUMP_H_

// Pump: sends an Input to a topic at a pace and tells how it goes.
//
// Owned by one thread.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "input.h"
#include "kafka/producer.h"

namespace tapedeck {

enum class Partitioning : uint8_t { kByKey, kRoundRobin, kFixed };
enum class Pace : uint8_t { kMax, kRecorded };
enum class KafkaTime : uint8_t { kNow, kRecorded, kEvent };

struct PumpOptions {
  std::string topic;
  Partitioning partitioning = Partitioning::kByKey;
  int32_t partition = 0;    // for kFixed
  int partition_count = 1;  // for kRoundRobin
  Pace pace = Pace::kMax;
  uint64_t rate = 0;  // messages per second; 0: no limit
  KafkaTime timestamp = KafkaTime::kNow;
  std::vector<std::pair<std::string, std::string>> headers = {};
  std::optional<uint64_t> limit = {};
};

struct PumpResult {
  uint64_t messages = 0;
  uint64_t bytes = 0;          // of values
  double enqueue_seconds = 0;  // until the last message was given to the client
  double seconds = 0;          // until the last was delivered
};

/// Sends until the input or the limit ends, then waits for deliveries. `progress` is called about
/// once a second.
Result<PumpResult> RunPump(const PumpOptions& options, Input* input, Producer* producer,
                           Clock* clock, const std::function<void(const PumpResult&)>& progress);

}  // namespace tapedeck

#endif  // TAPEDECK_TOOLS_FEEDGEN_PUMP_H_
