#include "kafka/message_sink.h"

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <deque>

#include "kafka/rdkafka_client.h"

namespace tapedeck {
namespace {

using std::chrono::milliseconds;

// librdkafka counts messages beside bytes; a replayed message is seldom smaller than this.
constexpr size_t kMessageBytesLeast = 64;
constexpr size_t kServeEvery = 256;  // messages

/// Which tags have arrived, as they come in any order across partitions.
class ArrivedTags {
 public:
  void Sent(uint64_t tag) {
    if (waiting_.empty()) first_ = tag;
    waiting_.push_back(false);
  }
  void Arrived(uint64_t tag) {
    if (tag < first_ || tag - first_ >= waiting_.size()) return;
    waiting_[tag - first_] = true;
    while (!waiting_.empty() && waiting_.front()) {
      through_ = first_++;
      waiting_.pop_front();
    }
  }
  uint64_t through() const { return through_; }

 private:
  uint64_t first_ = 0;
  uint64_t through_ = 0;
  std::deque<bool> waiting_;
};

/// Reads what a group has committed, as a member of nothing.
class ProgressReader final : public ClientContext {
 public:
  static Result<std::unique_ptr<ProgressReader>> Open(const SinkOptions& options) {
    std::unique_ptr<ProgressReader> reader(new ProgressReader(options));
    ClientSettings settings;
    settings.role = ClientRole::kConsumer;
    settings.bootstrap_servers = options.bootstrap_servers;
    settings.properties = options.properties;
    for (const char* name : {"linger.ms", "compression.codec", "compression.type", "acks",
                             "batch.size", "batch.num.messages", "client.id"}) {
      settings.properties.erase(name);
    }
    settings.defaults = {{"client.id", options.name}, {"log.connection.close", "false"}};
    settings.fixed = {{"group.id", options.group},
                      {"enable.auto.commit", "false"},
                      {"isolation.level", "read_committed"}};
    TD_ASSIGN_OR_RETURN(reader->client_, MakeClient(settings, reader.get()));
    return reader;
  }

  Result<std::optional<SinkProgress>> Read(milliseconds timeout) {
    RdkPartitions list = MakePartitions({&at_, 1});
    TD_RETURN_IF_ERROR(
        RdkStatus(rd_kafka_committed(client_.get(), list.get(), static_cast<int>(timeout.count())),
                  "reading the progress"));
    const rd_kafka_topic_partition_t& element = list->elems[0];
    TD_RETURN_IF_ERROR(RdkStatus(element.err, "reading the progress"));
    if (element.offset < 0) return std::optional<SinkProgress>();
    SinkProgress progress{.next_seq = element.offset, .metadata = {}};
    if (element.metadata != nullptr) {
      progress.metadata.assign(static_cast<const char*>(element.metadata), element.metadata_size);
    }
    return std::optional<SinkProgress>(std::move(progress));
  }

 private:
  explicit ProgressReader(const SinkOptions& options) : at_(options.progress_at) {
    log_name = "replay-progress";
  }
  const TopicPartition at_;
  RdkClient client_;
};

class KafkaSink final : public MessageSink {
 public:
  static Result<std::unique_ptr<MessageSink>> Open(const SinkOptions& options) {
    std::unique_ptr<KafkaSink> sink(new KafkaSink(options));
    ProducerOptions producer;
    producer.bootstrap_servers = options.bootstrap_servers;
    producer.properties = options.properties;
    producer.idempotent = true;
    if (sink->transactional()) producer.transactional_id = options.name;
    producer.transaction_timeout = options.transaction_timeout;
    producer.client_id = options.name;
    producer.linger = options.linger;
    producer.queue_bytes_max = options.queue_bytes_max;
    producer.queue_messages_max = options.queue_bytes_max / kMessageBytesLeast;
    producer.clock = options.clock;
    if (!sink->transactional()) {
      producer.on_delivery = [sink = sink.get()](const Delivery& delivery) {
        if (delivery.delivered) sink->tags_.Arrived(delivery.tag);
      };
    }
    TD_ASSIGN_OR_RETURN(sink->producer_, Producer::Open(producer));
    return std::unique_ptr<MessageSink>(std::move(sink));
  }

  Status Start(milliseconds timeout) override {
    return transactional() ? producer_->InitTransactions(timeout) : Status::Ok();
  }

  Result<std::optional<SinkProgress>> ReadProgress(milliseconds timeout) override {
    if (!transactional()) return std::optional<SinkProgress>();
    if (reader_ == nullptr) {
      TD_ASSIGN_OR_RETURN(reader_, ProgressReader::Open(options_));
    }
    return reader_->Read(timeout);
  }

  Status Begin() override {
    TD_RETURN_IF_ERROR(Failure());
    return transactional() ? producer_->Begin() : Status::Ok();
  }

  Status Send(const std::string& topic, const OutgoingMessage& message,
              milliseconds timeout) override {
    if (!transactional()) tags_.Sent(message.tag);
    if (++sent_ % kServeEvery == 0) TD_RETURN_IF_ERROR(Serve(milliseconds(0)));
    return producer_->Send(topic, message, timeout);
  }

  Status Commit(const SinkProgress& progress, milliseconds timeout) override {
    if (!transactional()) return Serve(milliseconds(0));
    TD_CHECK(progress.metadata.size() <= kProgressBytesMax, "progress fits a broker's limit");
    Clock* clock = options_.clock != nullptr ? options_.clock : &SystemClock();
    const MonotonicTime deadline = clock->Monotonic() + timeout;
    auto left = [&] {
      return std::max(milliseconds(1),
                      std::chrono::duration_cast<milliseconds>(deadline - clock->Monotonic()));
    };
    // A second call of a commit whose outcome is not known only asks again.
    if (!offset_sent_) {
      TD_RETURN_IF_ERROR(Because(Again(deadline, clock, [&] {
        return producer_->SendOffset(options_.group, options_.progress_at, progress.next_seq,
                                     progress.metadata, left());
      })));
      offset_sent_ = true;
    }
    TD_RETURN_IF_ERROR(
        Because(Again(deadline, clock, [&] { return producer_->CommitTransaction(left()); })));
    offset_sent_ = false;
    return Failure();
  }

  Status Abort(milliseconds timeout) override {
    offset_sent_ = false;
    if (!transactional()) return Status::Ok();
    TD_RETURN_IF_ERROR(producer_->AbortTransaction(timeout));
    producer_->Serve(milliseconds(0));
    aborted_ = producer_->counters().failed;  // messages that were thrown away have not failed
    return Status::Ok();
  }

  Status Serve(milliseconds timeout) override {
    producer_->Serve(timeout);
    return Failure();
  }
  uint64_t acked_through() const override { return tags_.through(); }
  uint64_t acked() const override { return producer_->counters().delivered; }

 private:
  explicit KafkaSink(const SinkOptions& options) : options_(options) {}
  bool transactional() const { return options_.delivery == SinkDelivery::kExactlyOnce; }

  Status Failure() const {
    if (producer_->counters().failed == aborted_) return Status::Ok();
    std::string text = "a message did not arrive: " + producer_->first_failure();
    return producer_->first_failure_is_final() ? Status::InvalidArgument(std::move(text))
                                               : Status::Internal(std::move(text));
  }

  /// A transaction fails for any message of it: what is wrong with the message is what counts.
  Status Because(Status status) const {
    if (status.ok() || !producer_->first_failure_is_final()) return status;
    Status failure = Failure();  // none where that message was of a transaction before this one
    return failure.ok() ? status : failure;
  }

  /// While the broker says that trying once more may help.
  template <typename Call>
  static Status Again(MonotonicTime deadline, Clock* clock, const Call& call) {
    for (;;) {
      Status status = call();
      if (status.code() != StatusCode::kUnavailable || clock->Monotonic() >= deadline) {
        return status;
      }
    }
  }

  const SinkOptions options_;
  ArrivedTags tags_;  // used by the producer's callback: outlives it
  std::unique_ptr<Producer> producer_;
  std::unique_ptr<ProgressReader> reader_;
  uint64_t sent_ = 0;
  uint64_t aborted_ = 0;
  bool offset_sent_ = false;
};

}  // namespace

Result<std::unique_ptr<MessageSink>> OpenKafkaSink(const SinkOptions& options) {
  return KafkaSink::Open(options);
}

}  // namespace tapedeck
