#ifndef TAPEDECK_KAFKA_RDKAFKA_CLIENT_H_
#define TAPEDECK_KAFKA_RDKAFKA_CLIENT_H_

// Inside this module only: librdkafka handles with owners, clients made from settings, its errors
// and its log in our dialect.
//
// librdkafka's own header stays in the .cc files; here its types are only named.
//
//   class Prober : public ClientContext { … };
//   TD_ASSIGN_OR_RETURN(RdkClient client, MakeClient({.role = ClientRole::kConsumer, …},
//   &context));
//
// Thread-safe: free functions. A ClientContext's methods are called on the thread that polls the
// client, but for nothing else.

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "kafka/client_properties.h"
#include "model/message.h"

struct rd_kafka_s;
struct rd_kafka_queue_s;
struct rd_kafka_message_s;
struct rd_kafka_topic_s;
struct rd_kafka_topic_partition_list_s;
struct rd_kafka_error_s;

namespace tapedeck {

struct RdkDestroy {
  void operator()(rd_kafka_s* client) const;
  void operator()(rd_kafka_queue_s* queue) const;
  void operator()(rd_kafka_message_s* message) const;
  void operator()(rd_kafka_topic_s* topic) const;
  void operator()(rd_kafka_topic_partition_list_s* list) const;
  void operator()(rd_kafka_error_s* error) const;
};
using RdkClient = std::unique_ptr<rd_kafka_s, RdkDestroy>;
using RdkQueue = std::unique_ptr<rd_kafka_queue_s, RdkDestroy>;
using RdkMessage = std::unique_ptr<rd_kafka_message_s, RdkDestroy>;
using RdkTopic = std::unique_ptr<rd_kafka_topic_s, RdkDestroy>;
using RdkPartitions = std::unique_ptr<rd_kafka_topic_partition_list_s, RdkDestroy>;
using RdkError = std::unique_ptr<rd_kafka_error_s, RdkDestroy>;

/// What librdkafka calls back about. The object outlives its client. No method may throw.
class ClientContext {
 public:
  virtual ~ClientContext() = default;
  /// A passing or fatal error of the whole client; `code` is librdkafka's number.
  virtual void OnError(int code, std::string_view detail);
  /// Partitions come (`code` _ASSIGN_PARTITIONS) or go. The list is librdkafka's.
  virtual void OnRebalance(int code, const rd_kafka_topic_partition_list_s* partitions);
  virtual void OnCommitted(int code, const rd_kafka_topic_partition_list_s* partitions);
  virtual void OnDelivery(const rd_kafka_message_s* message);

  /// Secrets that are cut out of every log line. Filled by MakeClient.
  std::vector<std::string> secrets;
  /// Names the client in log lines: "source", "probe".
  std::string log_name;
};

struct ClientSettings {
  ClientRole role = ClientRole::kConsumer;
  std::string bootstrap_servers = {};
  /// Set first, so that the user's properties can change them.
  std::vector<std::pair<std::string, std::string>> defaults;
  /// The user's: checked by CheckProperties.
  KafkaProperties properties = {};
  /// Set last: nobody changes them.
  std::vector<std::pair<std::string, std::string>> fixed;
  bool wants_rebalances = false;
  bool wants_commit_results = false;
  bool wants_deliveries = false;
};

/// kInvalidArgument: a property that is refused, unknown or has a value that librdkafka does not
/// take.
Result<RdkClient> MakeClient(const ClientSettings& settings, ClientContext* context);

/// librdkafka's name of an error, such as "_ALL_BROKERS_DOWN".
std::string RdkErrorName(int code);
/// The error in our dialect: its code says what the caller can do. OK for no error.
Status RdkStatus(int code, std::string_view doing);
/// The same for an error object; OK for null.
Status RdkStatus(const RdkError& error, std::string_view doing);
/// kFailedPrecondition with the reason after a fatal error of the client (fenced, for one); else
/// OK.
Status RdkFatalStatus(rd_kafka_s* client);

/// librdkafka 2.0.2 stops fetching when its queue is full, and its broker threads look again only
/// when something wakes them, at the latest after a second, even if the queue was emptied at once.
/// Any request to the leaders of these partitions wakes them.
void WakeFetchers(rd_kafka_s* client, std::span<const TopicPartition> partitions);

/// A list of these partitions.
RdkPartitions MakePartitions(std::span<const TopicPartition> partitions);

}  // namespace tapedeck

#endif  // TAPEDECK_KAFKA_RDKAFKA_CLIENT_H_
