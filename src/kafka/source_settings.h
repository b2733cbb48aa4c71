#ifndef TAPEDECK_KAFKA_SOURCE_SETTINGS_H_
#define TAPEDECK_KAFKA_SOURCE_SETTINGS_H_

// Inside this module only. How a KafkaSource's client is set up: what the options must be, how its
// memory is shared out, and the properties that librdkafka gets.
//
//   TD_RETURN_IF_ERROR(CheckSourceOptions(options));
//   const SourceLimits limits = SourceLimits::Of(options.memory_bytes);
//   TD_ASSIGN_OR_RETURN(RdkClient client, MakeClient(SourceSettings(options), context));
//
// Errors: kInvalidArgument. Pure functions; thread-safe.

#include <cstddef>
#include <string>

#include "base/status.h"
#include "kafka/kafka_source.h"
#include "kafka/rdkafka_client.h"

namespace tapedeck {

/// Shares of `memory_bytes`, in bytes unless said otherwise.
struct SourceLimits {
  size_t fetch_bytes;         // of one answer to librdkafka
  size_t receive_bytes;       // the largest answer that can be received at all
  size_t payload_bytes;       // fetched by librdkafka and waiting
  size_t messages;            // a count; waiting likewise
  size_t direct_bytes;        // buffers of what is fetched without librdkafka
  size_t direct_batch_bytes;  // the largest record batch that is

  static SourceLimits Of(size_t memory_bytes);
};

Status CheckSourceOptions(const KafkaOptions& options);
/// What brokers call this client in quotas and logs: the property client.id, else the node.
std::string SourceClientId(const KafkaOptions& options);
ClientSettings SourceSettings(const KafkaOptions& options);

}  // namespace tapedeck

#endif  // TAPEDECK_KAFKA_SOURCE_SETTINGS_H_
