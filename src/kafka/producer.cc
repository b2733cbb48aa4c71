#include "kafka/producer.h"

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <array>
#include <map>
#include <vector>

#include "kafka/rdkafka_client.h"

namespace tapedeck {
namespace {

constexpr std::chrono::milliseconds kServeSlice{50};
// What is purged is reported at once; this bounds the wait for it.
constexpr std::chrono::milliseconds kEndWithin{1000};

struct HeadersDestroy {
  void operator()(rd_kafka_headers_t* headers) const { rd_kafka_headers_destroy(headers); }
};
using RdkHeaders = std::unique_ptr<rd_kafka_headers_t, HeadersDestroy>;

ClientSettings SettingsOf(const ProducerOptions& options) {
  ClientSettings settings;
  settings.role = ClientRole::kProducer;
  settings.bootstrap_servers = options.bootstrap_servers;
  settings.properties = options.properties;
  settings.wants_deliveries = true;
  settings.defaults = {
      {"client.id", options.client_id},
      {"linger.ms", std::to_string(options.linger.count())},
      {"batch.num.messages", "100000"},
      {"batch.size", "1000000"},
      {"acks", "all"},
      {"reconnect.backoff.max.ms", "1000"},
      {"log.connection.close", "false"},
  };
  settings.fixed = {
      {"queue.buffering.max.messages", std::to_string(options.queue_messages_max)},
      {"queue.buffering.max.kbytes",
       std::to_string(std::max<size_t>(1, options.queue_bytes_max >> 10))},
      {"enable.idempotence",
       options.idempotent || !options.transactional_id.empty() ? "true" : "false"},
  };
  if (!options.transactional_id.empty()) {
    settings.fixed.emplace_back("transactional.id", options.transactional_id);
    settings.fixed.emplace_back("transaction.timeout.ms",
                                std::to_string(options.transaction_timeout.count()));
  }
  return settings;
}

/// Of a call within a transaction: one that must be aborted is kCancelled, whatever the reason.
/// What ended the client for good comes first: where it came as another answer, librdkafka may tell
/// this call of its consequence only, an erroneous state.
Status TransactionStatus(rd_kafka_t* client, const RdkError& error, std::string_view doing) {
  Status status = RdkStatus(error, doing);
  if (error == nullptr || rd_kafka_error_is_fatal(error.get()) != 0 ||
      rd_kafka_error_txn_requires_abort(error.get()) == 0) {
    return status;
  }
  TD_RETURN_IF_ERROR(RdkFatalStatus(client));
  return Status::Cancelled(std::string(status.message()) + "; the transaction must be aborted");
}

/// librdkafka's way to tell empty from null: a pointer or none.
void* Pointer(const OptionalBytes& bytes) {
  if (!bytes) return nullptr;
  return const_cast<char*>(bytes->data() != nullptr ? bytes->data() : "");
}

size_t Size(const OptionalBytes& bytes) { return bytes ? bytes->size() : 0; }

RdkHeaders MakeHeaders(std::span<const HeaderView> headers) {
  RdkHeaders list(rd_kafka_headers_new(headers.size()));
  for (const HeaderView& header : headers) {
    rd_kafka_header_add(list.get(), header.name.data() != nullptr ? header.name.data() : "",
                        static_cast<ssize_t>(header.name.size()), Pointer(header.value),
                        static_cast<ssize_t>(Size(header.value)));
  }
  return list;
}

}  // namespace

struct Producer::State final : ClientContext {
  explicit State(const ProducerOptions& producer_options)
      : options(producer_options),
        clock(producer_options.clock != nullptr ? producer_options.clock : &SystemClock()) {
    log_name = "producer";
  }

  void OnDelivery(const rd_kafka_message_s* message) override;
  Result<rd_kafka_topic_t*> TopicOf(const std::string& topic);
  rd_kafka_resp_err_t Enqueue(rd_kafka_topic_t* topic, const OutgoingMessage& message);
  /// After a full queue: serves deliveries, and says whether there is time for another try.
  bool WaitForRoom(MonotonicTime deadline);
  Status WhyNot(rd_kafka_resp_err_t code, const std::string& topic) const;
  int Left(MonotonicTime deadline) const;

  const ProducerOptions options;
  Clock* const clock;
  RdkClient client;
  std::map<std::string, RdkTopic> topics;
  const std::string* last_name = nullptr;
  rd_kafka_topic_t* last_topic = nullptr;
  std::vector<rd_kafka_message_t> batch;  // reused by SendBatch
  Counters counters;
  std::string first_failure;
  bool first_failure_is_final = false;
};

void Producer::State::OnDelivery(const rd_kafka_message_s* message) {
  if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) [[likely]] {
    ++counters.delivered;
  } else {
    if (counters.failed++ == 0) {
      first_failure = RdkErrorName(message->err) + ": " + rd_kafka_err2str(message->err);
      first_failure_is_final =
          RdkStatus(message->err, "sending").code() == StatusCode::kInvalidArgument;
    }
  }
  if (!options.on_delivery) return;
  Delivery delivery;
  delivery.delivered = message->err == RD_KAFKA_RESP_ERR_NO_ERROR;
  delivery.partition = message->partition;
  delivery.offset = delivery.delivered ? message->offset : -1;
  delivery.tag = reinterpret_cast<uintptr_t>(message->_private);
  if (!delivery.delivered) delivery.error = rd_kafka_err2name(message->err);
  options.on_delivery(delivery);
}

Result<rd_kafka_topic_t*> Producer::State::TopicOf(const std::string& topic) {
  if (last_name != nullptr && *last_name == topic) return last_topic;
  auto it = topics.find(topic);
  if (it == topics.end()) {
    RdkTopic handle(rd_kafka_topic_new(client.get(), topic.c_str(), nullptr));
    if (handle == nullptr) return RdkStatus(rd_kafka_last_error(), "opening topic " + topic);
    it = topics.emplace(topic, std::move(handle)).first;
  }
  last_name = &it->first;
  last_topic = it->second.get();
  return last_topic;
}

rd_kafka_resp_err_t Producer::State::Enqueue(rd_kafka_topic_t* topic,
                                             const OutgoingMessage& message) {
  std::array<rd_kafka_vu_t, 8> parts;
  size_t count = 0;
  auto part = [&](rd_kafka_vtype_t type) -> rd_kafka_vu_t& {
    parts[count].vtype = type;
    return parts[count++];
  };
  part(RD_KAFKA_VTYPE_RKT).u.rkt = topic;
  part(RD_KAFKA_VTYPE_PARTITION).u.i32 = message.partition;
  part(RD_KAFKA_VTYPE_MSGFLAGS).u.i = RD_KAFKA_MSG_F_COPY;
  part(RD_KAFKA_VTYPE_VALUE).u.mem = {Pointer(message.value), Size(message.value)};
  part(RD_KAFKA_VTYPE_KEY).u.mem = {Pointer(message.key), Size(message.key)};
  part(RD_KAFKA_VTYPE_OPAQUE).u.ptr = reinterpret_cast<void*>(static_cast<uintptr_t>(message.tag));
  if (message.timestamp_ms >= 0) part(RD_KAFKA_VTYPE_TIMESTAMP).u.i64 = message.timestamp_ms;
  RdkHeaders headers;
  if (!message.headers.empty()) {
    headers = MakeHeaders(message.headers);
    part(RD_KAFKA_VTYPE_HEADERS).u.headers = headers.get();
  }
  RdkError error(rd_kafka_produceva(client.get(), parts.data(), count));
  if (error != nullptr) return rd_kafka_error_code(error.get());
  (void)headers.release();  // the message owns them now
  return RD_KAFKA_RESP_ERR_NO_ERROR;
}

int Producer::State::Left(MonotonicTime deadline) const {
  auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - clock->Monotonic());
  return static_cast<int>(std::max<int64_t>(0, left.count()));
}

bool Producer::State::WaitForRoom(MonotonicTime deadline) {
  ++counters.full_waits;
  int left = Left(deadline);
  if (left == 0) return false;
  rd_kafka_poll(client.get(), std::min(left, static_cast<int>(kServeSlice.count())));
  return true;
}

Status Producer::State::WhyNot(rd_kafka_resp_err_t code, const std::string& topic) const {
  TD_RETURN_IF_ERROR(RdkFatalStatus(client.get()));
  return RdkStatus(code, "sending to " + topic);
}

Result<std::unique_ptr<Producer>> Producer::Open(const ProducerOptions& options) {
  auto state = std::make_unique<State>(options);
  TD_ASSIGN_OR_RETURN(state->client, MakeClient(SettingsOf(options), state.get()));
  return std::unique_ptr<Producer>(new Producer(std::move(state)));
}

Producer::Producer(std::unique_ptr<State> state) : state_(std::move(state)) {}

// What is under way must be over before the client goes: librdkafka frees the text of a
// transaction's error on its main thread, and an answer that a broker thread takes in meanwhile
// (each of them fails once a producer is fenced) frees it again.
Producer::~Producer() {
  rd_kafka_t* client = state_->client.get();
  rd_kafka_purge(client, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
  rd_kafka_flush(client, static_cast<int>(kEndWithin.count()));
  state_->topics.clear();
}

Status Producer::Send(const std::string& topic, const OutgoingMessage& message,
                      std::chrono::milliseconds timeout) {
  State& state = *state_;
  TD_ASSIGN_OR_RETURN(rd_kafka_topic_t * handle, state.TopicOf(topic));
  rd_kafka_resp_err_t code = state.Enqueue(handle, message);
  if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
    MonotonicTime deadline = state.clock->Monotonic() + timeout;
    while (code == RD_KAFKA_RESP_ERR__QUEUE_FULL && state.WaitForRoom(deadline)) {
      code = state.Enqueue(handle, message);
    }
  }
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return state.WhyNot(code, topic);
  ++state.counters.sent;
  return Status::Ok();
}

Status Producer::SendBatch(const std::string& topic, std::span<const OutgoingMessage> messages,
                           std::chrono::milliseconds timeout) {
  State& state = *state_;
  TD_ASSIGN_OR_RETURN(rd_kafka_topic_t * handle, state.TopicOf(topic));
  state.batch.resize(messages.size());
  for (size_t i = 0; i < messages.size(); ++i) {
    rd_kafka_message_t& out = state.batch[i];
    out = {};
    out.partition = messages[i].partition;
    out.payload = Pointer(messages[i].value);
    out.len = Size(messages[i].value);
    out.key = Pointer(messages[i].key);
    out.key_len = Size(messages[i].key);
    out._private = reinterpret_cast<void*>(static_cast<uintptr_t>(messages[i].tag));
  }
  MonotonicTime deadline = state.clock->Monotonic() + timeout;
  size_t first = 0;
  while (first < state.batch.size()) {
    int taken = rd_kafka_produce_batch(
        handle, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY | RD_KAFKA_MSG_F_PARTITION,
        &state.batch[first], static_cast<int>(state.batch.size() - first));
    state.counters.sent += static_cast<size_t>(taken);
    if (static_cast<size_t>(taken) == state.batch.size() - first) return Status::Ok();
    // A full queue refuses this message and all after it; any other error is the message's own.
    size_t refused = first;
    while (state.batch[refused].err == RD_KAFKA_RESP_ERR_NO_ERROR) ++refused;
    if (state.batch[refused].err != RD_KAFKA_RESP_ERR__QUEUE_FULL || !state.WaitForRoom(deadline)) {
      return state.WhyNot(state.batch[refused].err, topic);
    }
    first = refused;
  }
  return Status::Ok();
}

void Producer::Serve(std::chrono::milliseconds timeout) {
  rd_kafka_poll(state_->client.get(), static_cast<int>(timeout.count()));
}

Status Producer::Flush(std::chrono::milliseconds timeout) {
  rd_kafka_resp_err_t code =
      rd_kafka_flush(state_->client.get(), static_cast<int>(timeout.count()));
  if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return Status::Ok();
  TD_RETURN_IF_ERROR(RdkFatalStatus(state_->client.get()));
  return Status::Unavailable(std::to_string(queued()) + " messages were not delivered in time");
}

size_t Producer::queued() const {
  return static_cast<size_t>(rd_kafka_outq_len(state_->client.get()));
}

Status Producer::InitTransactions(std::chrono::milliseconds timeout) {
  return RdkStatus(
      RdkError(rd_kafka_init_transactions(state_->client.get(), static_cast<int>(timeout.count()))),
      "starting transactions");
}

Status Producer::Begin() {
  return TransactionStatus(state_->client.get(),
                           RdkError(rd_kafka_begin_transaction(state_->client.get())),
                           "beginning a transaction");
}

Status Producer::CommitTransaction(std::chrono::milliseconds timeout) {
  return TransactionStatus(state_->client.get(),
                           RdkError(rd_kafka_commit_transaction(state_->client.get(),
                                                                static_cast<int>(timeout.count()))),
                           "committing a transaction");
}

Status Producer::AbortTransaction(std::chrono::milliseconds timeout) {
  return TransactionStatus(
      state_->client.get(),
      RdkError(rd_kafka_abort_transaction(state_->client.get(), static_cast<int>(timeout.count()))),
      "aborting a transaction");
}

Status Producer::SendOffset(const std::string& group, const TopicPartition& tp, int64_t offset,
                            std::string_view metadata, std::chrono::milliseconds timeout) {
  RdkPartitions list = MakePartitions({&tp, 1});
  rd_kafka_topic_partition_t& element = list->elems[0];
  element.offset = offset;
  element.metadata = rd_kafka_mem_malloc(nullptr, std::max<size_t>(1, metadata.size()));
  metadata.copy(static_cast<char*>(element.metadata), metadata.size());
  element.metadata_size = metadata.size();
  std::unique_ptr<rd_kafka_consumer_group_metadata_t,
                  decltype(&rd_kafka_consumer_group_metadata_destroy)>
      of_group(rd_kafka_consumer_group_metadata_new(group.c_str()),
               &rd_kafka_consumer_group_metadata_destroy);
  return TransactionStatus(
      state_->client.get(),
      RdkError(rd_kafka_send_offsets_to_transaction(
          state_->client.get(), list.get(), of_group.get(), static_cast<int>(timeout.count()))),
      "adding progress to a transaction");
}

const Producer::Counters& Producer::counters() const { return state_->counters; }
const std::string& Producer::first_failure() const { return state_->first_failure; }

bool Producer::first_failure_is_final() const { return state_->first_failure_is_final; }

}  // namespace tapedeck
