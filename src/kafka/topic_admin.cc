#include "kafka/topic_admin.h"

#include <librdkafka/rdkafka.h>

#include <array>

namespace tapedeck {
namespace {

struct EventDestroy {
  void operator()(rd_kafka_event_t* event) const { rd_kafka_event_destroy(event); }
};
using RdkEvent = std::unique_ptr<rd_kafka_event_t, EventDestroy>;

struct OptionsDestroy {
  void operator()(rd_kafka_AdminOptions_t* options) const {
    rd_kafka_AdminOptions_destroy(options);
  }
};
using RdkAdminOptions = std::unique_ptr<rd_kafka_AdminOptions_t, OptionsDestroy>;

/// One request and its answer.
class Request {
 public:
  Request(rd_kafka_t* client, rd_kafka_admin_op_t op, std::chrono::milliseconds timeout)
      : timeout_ms_(static_cast<int>(timeout.count())),
        queue_(rd_kafka_queue_new(client)),
        options_(rd_kafka_AdminOptions_new(client, op)) {
    std::array<char, 256> text{};
    rd_kafka_AdminOptions_set_request_timeout(options_.get(), timeout_ms_, text.data(),
                                              text.size());
  }
  const rd_kafka_AdminOptions_t* options() const { return options_.get(); }
  rd_kafka_queue_t* queue() const { return queue_.get(); }

  /// The answer, whose own error is already looked at.
  Result<RdkEvent> Answer(const std::string& doing) {
    RdkEvent event(rd_kafka_queue_poll(queue_.get(), timeout_ms_ + 1000));
    if (event == nullptr) return Status::Unavailable(doing + ": no answer in time");
    TD_RETURN_IF_ERROR(RdkStatus(rd_kafka_event_error(event.get()), doing));
    return event;
  }

 private:
  int timeout_ms_;
  RdkQueue queue_;
  RdkAdminOptions options_;
};

Status TopicStatus(const rd_kafka_topic_result_t** results, size_t count,
                   const std::string& doing) {
  for (size_t i = 0; i < count; ++i) {
    TD_RETURN_IF_ERROR(RdkStatus(rd_kafka_topic_result_error(results[i]), doing));
  }
  return Status::Ok();
}

}  // namespace

struct TopicAdmin::Context final : ClientContext {
  Context() { log_name = "admin"; }
};

Result<std::unique_ptr<TopicAdmin>> TopicAdmin::Open(const TopicAdminOptions& options) {
  auto context = std::make_unique<Context>();
  ClientSettings settings;
  settings.role = ClientRole::kProducer;
  settings.bootstrap_servers = options.bootstrap_servers;
  settings.properties = options.properties;
  settings.defaults = {{"client.id", "tapedeck-admin"}, {"log.connection.close", "false"}};
  TD_ASSIGN_OR_RETURN(RdkClient client, MakeClient(settings, context.get()));
  return std::unique_ptr<TopicAdmin>(
      new TopicAdmin(std::move(context), std::move(client), options));
}

TopicAdmin::TopicAdmin(std::unique_ptr<Context> context, RdkClient client,
                       const TopicAdminOptions& options)
    : context_(std::move(context)), client_(std::move(client)), options_(options) {}

TopicAdmin::~TopicAdmin() = default;

Status TopicAdmin::CreateTopic(const std::string& topic, int partitions,
                               const std::map<std::string, std::string>& config) {
  std::string doing = "creating topic " + topic;
  std::array<char, 256> text{};
  rd_kafka_NewTopic_t* request =
      rd_kafka_NewTopic_new(topic.c_str(), partitions, -1, text.data(), text.size());
  if (request == nullptr) return Status::InvalidArgument(doing + ": " + text.data());
  for (const auto& [name, value] : config) {
    rd_kafka_NewTopic_set_config(request, name.c_str(), value.c_str());
  }
  Request call(client_.get(), RD_KAFKA_ADMIN_OP_CREATETOPICS, options_.timeout);
  rd_kafka_CreateTopics(client_.get(), &request, 1, call.options(), call.queue());
  rd_kafka_NewTopic_destroy(request);
  TD_ASSIGN_OR_RETURN(RdkEvent event, call.Answer(doing));
  size_t count = 0;
  const rd_kafka_topic_result_t** results =
      rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event.get()), &count);
  return TopicStatus(results, count, doing);
}

Status TopicAdmin::DeleteTopic(const std::string& topic) {
  std::string doing = "deleting topic " + topic;
  rd_kafka_DeleteTopic_t* request = rd_kafka_DeleteTopic_new(topic.c_str());
  Request call(client_.get(), RD_KAFKA_ADMIN_OP_DELETETOPICS, options_.timeout);
  rd_kafka_DeleteTopics(client_.get(), &request, 1, call.options(), call.queue());
  rd_kafka_DeleteTopic_destroy(request);
  TD_ASSIGN_OR_RETURN(RdkEvent event, call.Answer(doing));
  size_t count = 0;
  const rd_kafka_topic_result_t** results =
      rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(event.get()), &count);
  return TopicStatus(results, count, doing);
}

Status TopicAdmin::AddPartitions(const std::string& topic, int partitions) {
  std::string doing = "adding partitions to " + topic;
  std::array<char, 256> text{};
  rd_kafka_NewPartitions_t* request = rd_kafka_NewPartitions_new(
      topic.c_str(), static_cast<size_t>(partitions), text.data(), text.size());
  if (request == nullptr) return Status::InvalidArgument(doing + ": " + text.data());
  Request call(client_.get(), RD_KAFKA_ADMIN_OP_CREATEPARTITIONS, options_.timeout);
  rd_kafka_CreatePartitions(client_.get(), &request, 1, call.options(), call.queue());
  rd_kafka_NewPartitions_destroy(request);
  TD_ASSIGN_OR_RETURN(RdkEvent event, call.Answer(doing));
  size_t count = 0;
  const rd_kafka_topic_result_t** results = rd_kafka_CreatePartitions_result_topics(
      rd_kafka_event_CreatePartitions_result(event.get()), &count);
  return TopicStatus(results, count, doing);
}

Status TopicAdmin::DeleteMessagesBefore(const TopicPartition& tp, int64_t offset) {
  std::string doing = "deleting messages of " + tp.ToString();
  RdkPartitions list = MakePartitions({&tp, 1});
  list->elems[0].offset = offset;
  rd_kafka_DeleteRecords_t* request = rd_kafka_DeleteRecords_new(list.get());
  Request call(client_.get(), RD_KAFKA_ADMIN_OP_DELETERECORDS, options_.timeout);
  rd_kafka_DeleteRecords(client_.get(), &request, 1, call.options(), call.queue());
  rd_kafka_DeleteRecords_destroy(request);
  TD_ASSIGN_OR_RETURN(RdkEvent event, call.Answer(doing));
  const rd_kafka_topic_partition_list_t* results =
      rd_kafka_DeleteRecords_result_offsets(rd_kafka_event_DeleteRecords_result(event.get()));
  for (int i = 0; i < results->cnt; ++i) {
    TD_RETURN_IF_ERROR(RdkStatus(results->elems[i].err, doing));
  }
  return Status::Ok();
}

Result<int> TopicAdmin::PartitionCount(const std::string& topic) {
  std::string doing = "looking at topic " + topic;
  RdkTopic handle(rd_kafka_topic_new(client_.get(), topic.c_str(), nullptr));
  const rd_kafka_metadata_t* metadata = nullptr;
  TD_RETURN_IF_ERROR(RdkStatus(rd_kafka_metadata(client_.get(), 0, handle.get(), &metadata,
                                                 static_cast<int>(options_.timeout.count())),
                               doing));
  int count = metadata->topic_cnt == 1 ? metadata->topics[0].partition_cnt : 0;
  rd_kafka_resp_err_t err =
      metadata->topic_cnt == 1 ? metadata->topics[0].err : RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC;
  rd_kafka_metadata_destroy(metadata);
  TD_RETURN_IF_ERROR(RdkStatus(err, doing));
  return count;
}

}  // namespace tapedeck
