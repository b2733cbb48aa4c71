#include "kafka/rdkafka_client.h"

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <array>

#include "base/log.h"

namespace tapedeck {
namespace {

constexpr size_t kErrorTextSize = 512;
/// A shorter secret would cut innocent text to pieces; librdkafka does not print values of that
/// kind anyway.
constexpr size_t kSecretSizeMin = 4;
/// Enough for the request to reach the fetcher's thread; the answer is not needed.
constexpr int kFetcherWakeMs = 1;

struct ConfDestroy {
  void operator()(rd_kafka_conf_t* conf) const { rd_kafka_conf_destroy(conf); }
};
using RdkConf = std::unique_ptr<rd_kafka_conf_t, ConfDestroy>;

ClientContext* ContextOf(void* opaque) { return static_cast<ClientContext*>(opaque); }

std::string WithoutSecrets(std::string text, const std::vector<std::string>& secrets) {
  constexpr std::string_view kMark = "[secret]";
  for (const std::string& secret : secrets) {
    for (size_t at = 0; (at = text.find(secret, at)) != std::string::npos; at += kMark.size()) {
      text.replace(at, secret.size(), kMark);
    }
  }
  return text;
}

LogLevel LevelOf(int syslog_level) {
  if (syslog_level <= 3) return LogLevel::kError;
  if (syslog_level == 4) return LogLevel::kWarn;
  return syslog_level == 7 ? LogLevel::kDebug : LogLevel::kInfo;
}

/// The mock cluster's brokers cause it with each metadata request, and mean nothing by it.
bool IsMockNoise(std::string_view text) {
  return text.find("allow.auto.create.topics=false not supported") != std::string_view::npos;
}

// Called on librdkafka's own threads.
void LogTrampoline(const rd_kafka_t* client, int level, const char* facility, const char* text) {
  try {
    const auto* context = static_cast<const ClientContext*>(rd_kafka_opaque(client));
    LogLevel severity = IsMockNoise(text) ? LogLevel::kDebug : LevelOf(level);
    if (context == nullptr || !LogEnabled(severity)) return;
    Log(severity, "kafka", "librdkafka", WithoutSecrets(text, context->secrets),
        {{"client", context->log_name}, {"facility", facility}});
  } catch (...) {
    // Nothing to tell it to: the log itself is out of memory.
  }
}

void ErrorTrampoline(rd_kafka_t*, int code, const char* reason, void* opaque) {
  ClientContext* context = ContextOf(opaque);
  context->OnError(code, WithoutSecrets(reason, context->secrets));
}

void RebalanceTrampoline(rd_kafka_t*, rd_kafka_resp_err_t code,
                         rd_kafka_topic_partition_list_t* partitions, void* opaque) {
  ContextOf(opaque)->OnRebalance(code, partitions);
}

void CommitTrampoline(rd_kafka_t*, rd_kafka_resp_err_t code,
                      rd_kafka_topic_partition_list_t* partitions, void* opaque) {
  ContextOf(opaque)->OnCommitted(code, partitions);
}

void DeliveryTrampoline(rd_kafka_t*, const rd_kafka_message_t* message, void* opaque) {
  ContextOf(opaque)->OnDelivery(message);
}

Status SetProperty(rd_kafka_conf_t* conf, const std::string& name, const std::string& value) {
  std::array<char, kErrorTextSize> text{};
  rd_kafka_conf_res_t result =
      rd_kafka_conf_set(conf, name.c_str(), value.c_str(), text.data(), text.size());
  if (result == RD_KAFKA_CONF_OK) return Status::Ok();
  if (result == RD_KAFKA_CONF_UNKNOWN) {
    return Status::InvalidArgument("librdkafka knows no property '" + name + "'");
  }
  if (IsSecretProperty(name)) {
    return Status::InvalidArgument("Kafka property '" + name +
                                   "' has a value that librdkafka does not take");
  }
  return Status::InvalidArgument("Kafka property '" + name + "': " + text.data());
}

Result<RdkConf> MakeConf(const ClientSettings& settings) {
  TD_RETURN_IF_ERROR(CheckProperties(settings.properties, settings.role));
  RdkConf conf(rd_kafka_conf_new());
  for (const auto& [name, value] : settings.defaults) {
    TD_RETURN_IF_ERROR(SetProperty(conf.get(), name, value));
  }
  for (const auto& [name, value] : settings.properties) {
    TD_RETURN_IF_ERROR(SetProperty(conf.get(), name, value));
  }
  for (const auto& [name, value] : settings.fixed) {
    TD_RETURN_IF_ERROR(SetProperty(conf.get(), name, value));
  }
  TD_RETURN_IF_ERROR(SetProperty(conf.get(), "bootstrap.servers", settings.bootstrap_servers));
  return conf;
}

bool IsPassing(rd_kafka_resp_err_t code) {
  constexpr std::array kPassing = {
      RD_KAFKA_RESP_ERR__TRANSPORT,
      RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN,
      RD_KAFKA_RESP_ERR__TIMED_OUT,
      RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE,
      RD_KAFKA_RESP_ERR__MSG_TIMED_OUT,
      RD_KAFKA_RESP_ERR__RESOLVE,
      RD_KAFKA_RESP_ERR__WAIT_COORD,
      RD_KAFKA_RESP_ERR__WAIT_CACHE,
      RD_KAFKA_RESP_ERR__IN_PROGRESS,
      RD_KAFKA_RESP_ERR__RETRY,
      RD_KAFKA_RESP_ERR__STATE,
      RD_KAFKA_RESP_ERR__NO_OFFSET,
      RD_KAFKA_RESP_ERR__ASSIGNMENT_LOST,
      RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE,
      RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
      RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
      RD_KAFKA_RESP_ERR_BROKER_NOT_AVAILABLE,
      RD_KAFKA_RESP_ERR_REPLICA_NOT_AVAILABLE,
      RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION,
      RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS,
      RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE,
      RD_KAFKA_RESP_ERR_NOT_COORDINATOR,
      RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS,
      RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION,
      RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID,
      RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR,
      RD_KAFKA_RESP_ERR_OFFSET_NOT_AVAILABLE,
      RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT,
      RD_KAFKA_RESP_ERR_FENCED_LEADER_EPOCH,
      RD_KAFKA_RESP_ERR_UNKNOWN_LEADER_EPOCH,
      RD_KAFKA_RESP_ERR_PREFERRED_LEADER_NOT_AVAILABLE,
      RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS,
      RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
      RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND,
  };
  return std::find(kPassing.begin(), kPassing.end(), code) != kPassing.end();
}

StatusCode CodeOf(rd_kafka_resp_err_t code) {
  if (IsPassing(code)) return StatusCode::kUnavailable;
  switch (code) {
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
    case RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND:
      return StatusCode::kNotFound;
    case RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS:
      return StatusCode::kAlreadyExists;
    case RD_KAFKA_RESP_ERR__QUEUE_FULL:
    case RD_KAFKA_RESP_ERR_THROTTLING_QUOTA_EXCEEDED:
      return StatusCode::kResourceExhausted;
    case RD_KAFKA_RESP_ERR__BAD_MSG:
    case RD_KAFKA_RESP_ERR__BAD_COMPRESSION:
    case RD_KAFKA_RESP_ERR_INVALID_MSG:
      return StatusCode::kCorruption;
    case RD_KAFKA_RESP_ERR__INVALID_ARG:
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_INVALID_PARTITIONS:
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
    case RD_KAFKA_RESP_ERR_INVALID_REQUEST:
      return StatusCode::kInvalidArgument;
    case RD_KAFKA_RESP_ERR__DESTROY:
    case RD_KAFKA_RESP_ERR__PURGE_QUEUE:
    case RD_KAFKA_RESP_ERR__PURGE_INFLIGHT:
      return StatusCode::kCancelled;
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR__SSL:
    case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID:
    case RD_KAFKA_RESP_ERR__FENCED:
    case RD_KAFKA_RESP_ERR__FATAL:
      return StatusCode::kFailedPrecondition;
    default:
      return StatusCode::kInternal;
  }
}

}  // namespace

void RdkDestroy::operator()(rd_kafka_s* client) const { rd_kafka_destroy(client); }
void RdkDestroy::operator()(rd_kafka_queue_s* queue) const { rd_kafka_queue_destroy(queue); }
void RdkDestroy::operator()(rd_kafka_message_s* message) const {
  rd_kafka_message_destroy(message);
}
void RdkDestroy::operator()(rd_kafka_topic_s* topic) const { rd_kafka_topic_destroy(topic); }
void RdkDestroy::operator()(rd_kafka_topic_partition_list_s* list) const {
  rd_kafka_topic_partition_list_destroy(list);
}
void RdkDestroy::operator()(rd_kafka_error_s* error) const { rd_kafka_error_destroy(error); }

void ClientContext::OnError(int code, std::string_view detail) {
  TD_LOG(kWarn, "kafka", "client-error", detail,
         {{"client", log_name}, {"code", RdkErrorName(code)}});
}
void ClientContext::OnRebalance(int, const rd_kafka_topic_partition_list_s*) {}
void ClientContext::OnCommitted(int, const rd_kafka_topic_partition_list_s*) {}
void ClientContext::OnDelivery(const rd_kafka_message_s*) {}

Result<RdkClient> MakeClient(const ClientSettings& settings, ClientContext* context) {
  TD_ASSIGN_OR_RETURN(RdkConf conf, MakeConf(settings));
  for (const auto& [name, value] : settings.properties) {
    if (IsSecretProperty(name) && value.size() >= kSecretSizeMin) context->secrets.push_back(value);
  }
  rd_kafka_conf_set_opaque(conf.get(), context);
  rd_kafka_conf_set_log_cb(conf.get(), &LogTrampoline);
  rd_kafka_conf_set_error_cb(conf.get(), &ErrorTrampoline);
  if (settings.wants_rebalances) rd_kafka_conf_set_rebalance_cb(conf.get(), &RebalanceTrampoline);
  if (settings.wants_commit_results) {
    rd_kafka_conf_set_offset_commit_cb(conf.get(), &CommitTrampoline);
  }
  if (settings.wants_deliveries) rd_kafka_conf_set_dr_msg_cb(conf.get(), &DeliveryTrampoline);
  std::array<char, kErrorTextSize> text{};
  RdkClient client(
      rd_kafka_new(settings.role == ClientRole::kConsumer ? RD_KAFKA_CONSUMER : RD_KAFKA_PRODUCER,
                   conf.get(), text.data(), text.size()));
  if (client == nullptr) {
    return Status::InvalidArgument("making a Kafka client: " +
                                   WithoutSecrets(text.data(), context->secrets));
  }
  (void)conf.release();  // the client owns it now
  return client;
}

std::string RdkErrorName(int code) {
  return rd_kafka_err2name(static_cast<rd_kafka_resp_err_t>(code));
}

Status RdkStatus(int code, std::string_view doing) {
  auto err = static_cast<rd_kafka_resp_err_t>(code);
  if (err == RD_KAFKA_RESP_ERR_NO_ERROR) return Status::Ok();
  return Status(CodeOf(err), std::string(doing) + ": " + rd_kafka_err2str(err) + " (" +
                                 rd_kafka_err2name(err) + ")");
}

Status RdkStatus(const RdkError& error, std::string_view doing) {
  if (error == nullptr) return Status::Ok();
  rd_kafka_resp_err_t code = rd_kafka_error_code(error.get());
  StatusCode status = CodeOf(code);
  if (rd_kafka_error_is_fatal(error.get())) status = StatusCode::kFailedPrecondition;
  if (rd_kafka_error_is_retriable(error.get())) status = StatusCode::kUnavailable;
  return Status(status, std::string(doing) + ": " + rd_kafka_error_string(error.get()) + " (" +
                            rd_kafka_err2name(code) + ")");
}

Status RdkFatalStatus(rd_kafka_s* client) {
  std::array<char, kErrorTextSize> text{};
  rd_kafka_resp_err_t code = rd_kafka_fatal_error(client, text.data(), text.size());
  if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return Status::Ok();
  return Status::FailedPrecondition(std::string("the Kafka client has ended for good: ") +
                                    text.data() + " (" + rd_kafka_err2name(code) + ")");
}

RdkPartitions MakePartitions(std::span<const TopicPartition> partitions) {
  RdkPartitions list(rd_kafka_topic_partition_list_new(static_cast<int>(partitions.size())));
  for (const TopicPartition& tp : partitions) {
    rd_kafka_topic_partition_list_add(list.get(), tp.topic.c_str(), tp.partition);
  }
  return list;
}

void WakeFetchers(rd_kafka_s* client, std::span<const TopicPartition> partitions) {
  if (partitions.empty()) return;
  RdkPartitions list = MakePartitions(partitions);
  for (int i = 0; i < list->cnt; ++i) list->elems[i].offset = RD_KAFKA_OFFSET_END;
  (void)rd_kafka_offsets_for_times(client, list.get(), kFetcherWakeMs);  // no answer needed
}

}  // namespace tapedeck
