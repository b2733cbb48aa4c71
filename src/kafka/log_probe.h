#ifndef TAPEDECK_KAFKA_LOG_PROBE_H_
#define TAPEDECK_KAFKA_LOG_PROBE_H_

// KafkaProbe: the LogProbe on a real cluster. A second client without a group that reads single
// places of the log.
//
//   TD_ASSIGN_OR_RETURN(auto probe, KafkaProbe::Open({.bootstrap_servers = "127.0.0.1:9092"}));
//   TD_ASSIGN_OR_RETURN(auto last, probe->ReadAt({"Finhub1", 3}, 1041, std::chrono::seconds(5)));
//   if (!last->found) …
//
// It sees what a read_committed consumer sees, checks checksums and never moves a position by
// itself. A read costs a few milliseconds on a warm connection; keep the probe and use it again.
//
// Errors: kUnavailable in time-outs and while brokers are away; kNotFound for a topic or partition
// that is not there; kCorruption where the bytes in the log are damaged.
//
// Owned by one thread.

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/status.h"
#include "kafka/client_properties.h"
#include "kafka/message_source.h"
#include "kafka/rdkafka_client.h"

namespace tapedeck {

struct ProbeOptions {
  std::string bootstrap_servers = {};
  /// The same as the source's.
  KafkaProperties properties = {};
  Clock* clock = nullptr;  // null: SystemClock()
};

class KafkaProbe final : public LogProbe {
 public:
  /// Needs no broker yet. kInvalidArgument: properties.
  static Result<std::unique_ptr<KafkaProbe>> Open(const ProbeOptions& options);
  ~KafkaProbe() override;
  KafkaProbe(const KafkaProbe&) = delete;
  KafkaProbe& operator=(const KafkaProbe&) = delete;

  Result<LogBounds> Bounds(const TopicPartition& tp, std::chrono::milliseconds timeout) override;
  Result<std::unique_ptr<ProbedMessage>> ReadAt(const TopicPartition& tp, int64_t offset,
                                                std::chrono::milliseconds timeout) override;
  /// kNotFound where `from` is not in the log (any more). `idle_timeout` is for the wait between
  /// two messages.
  Status ReadRange(const TopicPartition& tp, int64_t from, int64_t to,
                   std::chrono::milliseconds idle_timeout,
                   const std::function<bool(const MessageView&)>& visit) override;
  Result<int64_t> OffsetForTime(const TopicPartition& tp, int64_t timestamp_ms,
                                std::chrono::milliseconds timeout) override;

 private:
  class Reading;
  struct Context;
  KafkaProbe(std::unique_ptr<Context> context, RdkClient client, Clock* clock);
  struct Topic {
    RdkTopic handle;
    int partitions = 0;  // when last asked
  };
  Result<rd_kafka_topic_s*> TopicOf(const TopicPartition& tp, std::chrono::milliseconds timeout);

  std::unique_ptr<Context> context_;
  RdkClient client_;
  std::map<std::string, Topic> topics_;  // gone before the client
  Clock* clock_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_KAFKA_LOG_PROBE_H_
