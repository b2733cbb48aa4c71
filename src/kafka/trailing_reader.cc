#include "kafka/trailing_reader.h"

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <array>
#include <vector>

#include "kafka/message_bytes.h"
#include "kafka/rdkafka_client.h"

namespace tapedeck {
namespace {

constexpr size_t kBatch = 1000;
/// Payload after which the client's fetcher is woken; see WakeFetchers.
constexpr size_t kWakeBytes = size_t{4} << 20;

ClientSettings SettingsOf(const TrailingOptions& options) {
  ClientSettings settings;
  settings.role = ClientRole::kConsumer;
  settings.bootstrap_servers = options.bootstrap_servers;
  settings.properties = options.properties;
  for (const char* name : {"linger.ms", "compression.codec", "compression.type", "acks",
                           "batch.size", "batch.num.messages", "client.id"}) {
    settings.properties.erase(name);
  }
  settings.defaults = {{"client.id", options.client_id},
                       {"receive.message.max.bytes", "100000000"},
                       {"reconnect.backoff.max.ms", "1000"},
                       {"log.connection.close", "false"}};
  settings.fixed = {{"fetch.wait.max.ms", "50"},
                    {"fetch.min.bytes", "1"},
                    {"fetch.error.backoff.ms", "50"},
                    {"queued.min.messages", "1000000"},
                    {"queued.max.messages.kbytes", "16384"},
                    {"enable.auto.commit", "false"},
                    {"enable.auto.offset.store", "false"},
                    {"auto.offset.reset", "error"},
                    {"check.crcs", "true"},
                    {"allow.auto.create.topics", "false"},
                    {"isolation.level", "read_committed"},
                    {"enable.partition.eof", "true"}};
  return settings;
}

}  // namespace

struct TrailingReader::State final : ClientContext {
  State() { log_name = "verifier"; }
  ~State() override {
    for (const auto& [tp, position] : positions) {
      auto topic = topics.find(tp.topic);
      if (topic != topics.end()) rd_kafka_consume_stop(topic->second.get(), tp.partition);
    }
    queue = nullptr;
    topics.clear();
  }
  Status Take(rd_kafka_message_t* message, const Visit& visit);

  RdkClient client;  // gone last
  RdkQueue queue;
  std::map<std::string, RdkTopic> topics;
  std::map<TopicPartition, int64_t> positions;
  std::map<TopicPartition, bool> ended;
  std::vector<HeaderView> headers;
  size_t since_wake = 0;
};

Result<std::unique_ptr<TrailingReader>> TrailingReader::Open(
    const TrailingOptions& options, const std::map<TopicPartition, int64_t>& starts) {
  auto state = std::make_unique<State>();
  TD_ASSIGN_OR_RETURN(state->client, MakeClient(SettingsOf(options), state.get()));
  state->queue = RdkQueue(rd_kafka_queue_new(state->client.get()));
  for (const auto& [tp, offset] : starts) {
    RdkTopic& topic = state->topics[tp.topic];
    if (topic == nullptr) {
      topic = RdkTopic(rd_kafka_topic_new(state->client.get(), tp.topic.c_str(), nullptr));
    }
    if (topic == nullptr ||
        rd_kafka_consume_start_queue(topic.get(), tp.partition, offset, state->queue.get()) != 0) {
      return RdkStatus(rd_kafka_last_error(), "reading " + tp.ToString());
    }
    state->positions[tp] = offset;
    state->ended[tp] = false;
  }
  return std::unique_ptr<TrailingReader>(new TrailingReader(std::move(state)));
}

TrailingReader::TrailingReader(std::unique_ptr<State> state) : state_(std::move(state)) {}
TrailingReader::~TrailingReader() = default;

Status TrailingReader::State::Take(rd_kafka_message_t* message, const Visit& visit) {
  if (message->rkt == nullptr) return RdkStatus(message->err, "reading back");
  const TopicPartition tp{rd_kafka_topic_name(message->rkt), message->partition};
  if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
    positions[tp] = std::max(positions[tp], message->offset);
    ended[tp] = true;
    return Status::Ok();
  }
  if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return RdkStatus(message->err, "reading " + tp.ToString() + " back");
  }
  int64_t& position = positions[tp];
  if (message->offset < position) return Status::Ok();
  position = message->offset + 1;
  ended[tp] = false;
  headers.clear();
  if (!AppendHeaders(*message, &headers)) {
    return Status::Corruption("headers do not parse in " + tp.ToString());
  }
  MessageView view;
  FillView(*message, &view);
  view.headers = headers;
  visit(tp, view);
  since_wake += message->len + message->key_len;
  return Status::Ok();
}

Status TrailingReader::Poll(std::chrono::milliseconds timeout, const Visit& visit) {
  rd_kafka_poll(state_->client.get(), 0);
  std::array<rd_kafka_message_t*, kBatch> batch;
  const ssize_t count = rd_kafka_consume_batch_queue(
      state_->queue.get(), static_cast<int>(timeout.count()), batch.data(), batch.size());
  Status status;
  for (ssize_t i = 0; i < count; ++i) {
    RdkMessage message(batch[static_cast<size_t>(i)]);
    if (status.ok()) status = state_->Take(message.get(), visit);
  }
  if (state_->since_wake >= kWakeBytes) {
    state_->since_wake = 0;
    std::vector<TopicPartition> partitions;
    for (const auto& [tp, position] : state_->positions) partitions.push_back(tp);
    WakeFetchers(state_->client.get(), partitions);
  }
  return status;
}

bool TrailingReader::at_end() const {
  return std::all_of(state_->ended.begin(), state_->ended.end(),
                     [](const auto& ended) { return ended.second; });
}

const std::map<TopicPartition, int64_t>& TrailingReader::positions() const {
  return state_->positions;
}

}  // namespace tapedeck
