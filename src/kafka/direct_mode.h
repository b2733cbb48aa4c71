#ifndef TAPEDECK_KAFKA_DIRECT_MODE_H_
#define TAPEDECK_KAFKA_DIRECT_MODE_H_

// Inside this module only. DirectMode: who fetches an assignment's messages, librdkafka or a
// DirectFetch beside it, and the passage from one to the other.
//
// librdkafka stays the member of the group, knows the cluster and commits, always. While a
// DirectFetch reads, librdkafka's own fetching of the same partitions is paused. When that one
// gives up, librdkafka is given the positions and does all; it tries again after a minute, then
// after twice that, up to half an hour, or, where the messages are not of its kind, at the next
// assignment.
//
// Not with properties that DirectFetch does not know: anything about security, sockets or fetches.
//
//   mode.Start(client, partitions, starts);              // librdkafka has been assigned them
//   …
//   Status status = mode.Poll(&batch);                   // while on()
//   if (!status.ok()) starts = mode.GiveBack(client, partitions);
//
// Owned by one thread.

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "kafka/client_properties.h"
#include "kafka/direct_fetch.h"
#include "kafka/message_source.h"
#include "kafka/rdkafka_client.h"

namespace tapedeck {

class DirectMode {
 public:
  DirectMode(const KafkaProperties& properties, DirectFetchOptions options);

  bool on() const { return direct_ != nullptr; }
  /// Tries to read these assigned partitions directly. Nothing changes where that does not work, or
  /// where it did not a moment ago and is not due again.
  void Start(rd_kafka_s* client, std::span<const TopicPartition> partitions,
             std::span<const StartOffset> starts);
  /// Whether it is time to try again.
  bool IsDue() const { return again_ && options_.clock->Monotonic() >= *again_; }
  /// As DirectFetch::Poll. A batch that holds something comes without an error, which the next call
  /// gives.
  Status Poll(SourceBatch* batch);
  void AddWaits(std::vector<pollfd>* waits) const;
  /// librdkafka reads on where Poll has ended. Returns these places; with an error librdkafka reads
  /// nothing, and has to be assigned its partitions anew.
  Result<std::vector<StartOffset>> GiveBack(rd_kafka_s* client,
                                            std::span<const TopicPartition> partitions);
  /// Ends reading; librdkafka's own is free again. Before each new assignment.
  void Stop(rd_kafka_s* client);

  /// Since the beginning.
  uint64_t messages() const;

 private:
  void TryLater();

  const bool allowed_;
  const DirectFetchOptions options_;
  std::unique_ptr<DirectFetch> direct_;
  RdkPartitions paused_;
  Status failed_;
  std::optional<MonotonicTime> again_;
  std::chrono::nanoseconds wait_;
  MonotonicTime started_{};  // the last time that reading began
  uint64_t messages_ = 0;    // of earlier ones
};

}  // namespace tapedeck

#endif  // TAPEDECK_KAFKA_DIRECT_MODE_H_
