#include "kafka/log_probe.h"

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <array>

#include "kafka/message_bytes.h"

namespace tapedeck {
namespace {

/// Topics whose handles are kept: one node records far fewer.
constexpr size_t kTopicsMax = 10'000;
/// Payload after which a long read wakes the client's fetcher; see WakeFetchers.
constexpr size_t kWakeBytes = size_t{4} << 20;

ClientSettings SettingsOf(const ProbeOptions& options) {
  ClientSettings settings;
  settings.role = ClientRole::kConsumer;
  settings.bootstrap_servers = options.bootstrap_servers;
  settings.properties = options.properties;
  // Group settings mean nothing to a client without a group; librdkafka warns about some of them.
  for (const char* name : {"session.timeout.ms", "heartbeat.interval.ms", "client.id",
                           "partition.assignment.strategy", "coordinator.query.interval.ms"}) {
    settings.properties.erase(name);
  }
  settings.defaults = {
      {"client.id", "tapedeck-probe"},
      {"receive.message.max.bytes", "100000000"},
      {"reconnect.backoff.max.ms", "1000"},
      {"log.connection.close", "false"},
  };
  settings.fixed = {
      // A read ends at the end of the log; the broker answers that after fetch.wait.max.ms.
      {"fetch.wait.max.ms", "5"},
      {"fetch.min.bytes", "1"},
      {"fetch.error.backoff.ms", "20"},
      {"fetch.message.max.bytes", "131072"},
      {"queued.min.messages", "1000000"},
      {"queued.max.messages.kbytes", "16384"},
      {"enable.auto.commit", "false"},
      {"enable.auto.offset.store", "false"},
      {"auto.offset.reset", "error"},
      {"check.crcs", "true"},
      {"allow.auto.create.topics", "false"},
      {"isolation.level", "read_committed"},
      {"enable.partition.eof", "true"},
  };
  return settings;
}

int Milliseconds(MonotonicTime left) {
  return static_cast<int>(
      std::max<int64_t>(0, std::chrono::duration_cast<std::chrono::milliseconds>(left).count()));
}

std::string Doing(const char* what, const TopicPartition& tp) {
  return std::string(what) + " " + tp.ToString();
}

}  // namespace

struct KafkaProbe::Context final : ClientContext {
  Context() { log_name = "probe"; }
};

/// One partition being read from an offset on, by librdkafka's simple consumer; stops when it goes.
class KafkaProbe::Reading {
 public:
  Reading(rd_kafka_t* client, rd_kafka_topic_t* topic, int32_t partition)
      : topic_(topic), partition_(partition), queue_(rd_kafka_queue_new(client)) {}
  ~Reading() {
    if (started_) rd_kafka_consume_stop(topic_, partition_);
  }
  Reading(const Reading&) = delete;
  Reading& operator=(const Reading&) = delete;

  Status Start(int64_t offset) {
    if (rd_kafka_consume_start_queue(topic_, partition_, offset, queue_.get()) != 0) {
      return RdkStatus(rd_kafka_last_error(), "reading the log");
    }
    started_ = true;
    return Status::Ok();
  }

  /// The next message or error; null in a time-out. Its bytes live as long as this reading.
  RdkMessage Next(int timeout_ms) {
    return RdkMessage(rd_kafka_consume_queue(queue_.get(), timeout_ms));
  }

 private:
  rd_kafka_topic_t* topic_;
  int32_t partition_;
  RdkQueue queue_;
  bool started_ = false;
};

Result<std::unique_ptr<KafkaProbe>> KafkaProbe::Open(const ProbeOptions& options) {
  auto context = std::make_unique<Context>();
  TD_ASSIGN_OR_RETURN(RdkClient client, MakeClient(SettingsOf(options), context.get()));
  Clock* clock = options.clock != nullptr ? options.clock : &SystemClock();
  return std::unique_ptr<KafkaProbe>(new KafkaProbe(std::move(context), std::move(client), clock));
}

KafkaProbe::KafkaProbe(std::unique_ptr<Context> context, RdkClient client, Clock* clock)
    : context_(std::move(context)), client_(std::move(client)), clock_(clock) {}

KafkaProbe::~KafkaProbe() { topics_.clear(); }

Result<rd_kafka_topic_s*> KafkaProbe::TopicOf(const TopicPartition& tp,
                                              std::chrono::milliseconds timeout) {
  if (tp.partition < 0) return Status::InvalidArgument(Doing("there is no", tp));
  rd_kafka_poll(client_.get(), 0);  // errors of the client are logged from here
  auto it = topics_.find(tp.topic);
  if (it != topics_.end() && tp.partition < it->second.partitions) return it->second.handle.get();
  if (it == topics_.end()) {
    if (topics_.size() >= kTopicsMax) topics_.clear();
    RdkTopic handle(rd_kafka_topic_new(client_.get(), tp.topic.c_str(), nullptr));
    if (handle == nullptr) return RdkStatus(rd_kafka_last_error(), Doing("opening", tp));
    it = topics_.emplace(tp.topic, Topic{std::move(handle), 0}).first;
  }
  // Asking at once spares the first read the wait for the client's own, slower round.
  Topic& topic = it->second;
  const rd_kafka_metadata_t* metadata = nullptr;
  rd_kafka_resp_err_t err = rd_kafka_metadata(client_.get(), 0, topic.handle.get(), &metadata,
                                              static_cast<int>(timeout.count()));
  TD_RETURN_IF_ERROR(RdkStatus(err, Doing("finding", tp)));
  err = metadata->topic_cnt == 1 ? metadata->topics[0].err : RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC;
  topic.partitions = metadata->topic_cnt == 1 ? metadata->topics[0].partition_cnt : 0;
  rd_kafka_metadata_destroy(metadata);
  TD_RETURN_IF_ERROR(RdkStatus(err, Doing("finding", tp)));
  if (tp.partition >= topic.partitions) return Status::NotFound(Doing("there is no", tp));
  return topic.handle.get();
}

Result<LogBounds> KafkaProbe::Bounds(const TopicPartition& tp, std::chrono::milliseconds timeout) {
  rd_kafka_poll(client_.get(), 0);
  LogBounds bounds;
  TD_RETURN_IF_ERROR(RdkStatus(
      rd_kafka_query_watermark_offsets(client_.get(), tp.topic.c_str(), tp.partition, &bounds.start,
                                       &bounds.end, static_cast<int>(timeout.count())),
      Doing("asking for the bounds of", tp)));
  return bounds;
}

Result<std::unique_ptr<ProbedMessage>> KafkaProbe::ReadAt(const TopicPartition& tp, int64_t offset,
                                                          std::chrono::milliseconds timeout) {
  MonotonicTime deadline = clock_->Monotonic() + timeout;
  auto result = std::make_unique<ProbedMessage>();
  bool met = false;
  Status status = ReadRange(tp, offset, INT64_MAX, timeout, [&](const MessageView& message) {
    met = true;
    result->found = message.offset == offset;
    result->next_offset = result->found ? offset + 1 : message.offset;
    if (result->found) CopyMessage(message, result.get());
    return false;
  });
  if (met && status.ok()) return result;
  if (!status.ok() && status.code() != StatusCode::kNotFound) return status;
  // The end of the log, or an offset outside it.
  auto left = std::chrono::milliseconds(Milliseconds(deadline - clock_->Monotonic()));
  TD_ASSIGN_OR_RETURN(LogBounds bounds, Bounds(tp, left));
  result->next_offset = offset < bounds.start ? bounds.start : bounds.end;
  return result;
}

Status KafkaProbe::ReadRange(const TopicPartition& tp, int64_t from, int64_t to,
                             std::chrono::milliseconds idle_timeout,
                             const std::function<bool(const MessageView&)>& visit) {
  TD_ASSIGN_OR_RETURN(rd_kafka_topic_t * topic, TopicOf(tp, idle_timeout));
  Reading reading(client_.get(), topic, tp.partition);
  TD_RETURN_IF_ERROR(reading.Start(from).WithContext(Doing("reading", tp)));
  std::vector<HeaderView> headers;
  MonotonicTime deadline = clock_->Monotonic() + idle_timeout;
  size_t since_wake = 0;  // bytes
  for (int64_t next = from; next < to;) {
    RdkMessage message = reading.Next(std::min(100, Milliseconds(deadline - clock_->Monotonic())));
    if (message == nullptr) {
      if (clock_->Monotonic() >= deadline) {
        return Status::Unavailable(Doing("no answer in time while reading", tp));
      }
      continue;
    }
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
      if (to == INT64_MAX || message->offset >= to) return Status::Ok();
      // A leader that has just changed may show less than the one before it, for a moment.
      return Status::Unavailable(Doing("reading", tp) + ": the log ends at offset " +
                                 std::to_string(message->offset) + ", before " +
                                 std::to_string(to));
    }
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      const char* text = rd_kafka_message_errstr(message.get());
      return RdkStatus(message->err, Doing("reading", tp)).WithContext(text != nullptr ? text : "");
    }
    if (message->offset < next) continue;
    if (message->offset >= to) return Status::Ok();
    next = message->offset + 1;
    headers.clear();
    if (!AppendHeaders(*message, &headers)) {
      return Status::Corruption(Doing("headers do not parse in", tp));
    }
    MessageView view;
    FillView(*message, &view);
    view.headers = headers;
    if (!visit(view)) return Status::Ok();
    since_wake += message->len + message->key_len;
    if (since_wake >= kWakeBytes) {
      WakeFetchers(client_.get(), {&tp, 1});
      since_wake = 0;
    }
    deadline = clock_->Monotonic() + idle_timeout;
  }
  return Status::Ok();
}

Result<int64_t> KafkaProbe::OffsetForTime(const TopicPartition& tp, int64_t timestamp_ms,
                                          std::chrono::milliseconds timeout) {
  MonotonicTime deadline = clock_->Monotonic() + timeout;
  RdkPartitions list(rd_kafka_topic_partition_list_new(1));
  rd_kafka_topic_partition_t* element =
      rd_kafka_topic_partition_list_add(list.get(), tp.topic.c_str(), tp.partition);
  element->offset = timestamp_ms;
  std::string doing = Doing("looking up a time in", tp);
  TD_RETURN_IF_ERROR(RdkStatus(
      rd_kafka_offsets_for_times(client_.get(), list.get(), static_cast<int>(timeout.count())),
      doing));
  TD_RETURN_IF_ERROR(RdkStatus(element->err, doing));
  if (element->offset >= 0) return element->offset;
  TD_ASSIGN_OR_RETURN(
      LogBounds bounds,
      Bounds(tp, std::chrono::milliseconds(Milliseconds(deadline - clock_->Monotonic()))));
  return bounds.end;
}

}  // namespace tapedeck
