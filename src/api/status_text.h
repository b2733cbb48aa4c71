#ifndef TAPEDECK_API_STATUS_TEXT_H_
#define TAPEDECK_API_STATUS_TEXT_H_

// What a node says of itself, as JSON: topics with their offsets and lag, the status document, the
// checks of its health.
//
// Thread-safe: pure functions.

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "api/call.h"
#include "api/served_node.h"
#include "query/listing.h"

namespace tapedeck {

/// One object for each topic, of partitions in order:
/// {"topic":…,"mapping":…,"partitions":[{"partition":…,"lineage":…,"received":…,"stored":…,
///  "durable":…,"shipped":…,"lag":…},…]}
/// Received and lag are known of partitions that are being recorded; else stored, and null.
std::vector<std::string> TopicTexts(const std::vector<PartitionEntry>& partitions,
                                    const RecorderState& recorder);

/// What of a node works, and what does not.
struct HealthCheck {
  std::string name;    // "record-thread", "partition Finhub1[0]"
  std::string reason;  // "" = well
};
std::vector<HealthCheck> CheckHealth(const ApiContext& context, const ServedState& state);
/// "checks":[{"check":…,"ok":…,"reason":…},…]
std::string ChecksText(const std::vector<HealthCheck>& checks);

/// The whole of /v1/status.
std::string StatusText(const ApiContext& context, const ServedState& state);

}  // namespace tapedeck

#endif  // TAPEDECK_API_STATUS_TEXT_H_
