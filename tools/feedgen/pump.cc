#include "pump.h"

#include <algorithm>
#include <chrono>

namespace tapedeck {
namespace {

using std::chrono::milliseconds;

constexpr size_t kBatchMessages = 4096;
constexpr milliseconds kSendTimeout{60'000};
constexpr milliseconds kFlushTimeout{120'000};
constexpr std::chrono::nanoseconds kNap = milliseconds(20);
constexpr double kNanos = 1e9;

double Seconds(MonotonicTime time) { return static_cast<double>(time.count()) / kNanos; }

class Pump {
 public:
  Pump(const PumpOptions& options, Input* input, Producer* producer, Clock* clock,
       const std::function<void(const PumpResult&)>& progress)
      : options_(options), input_(input), producer_(producer), clock_(clock), progress_(progress) {
    for (const auto& [name, value] : options_.headers) headers_.push_back({name, value});
    batched_ =
        options_.timestamp == KafkaTime::kNow && headers_.empty() && options_.pace == Pace::kMax;
    start_ = clock_->Monotonic();
    next_progress_ = start_ + std::chrono::seconds(1);
  }

  Result<PumpResult> Run() {
    TD_RETURN_IF_ERROR(batched_ ? SendBatches() : SendSingly());
    result_.enqueue_seconds = Seconds(clock_->Monotonic() - start_);
    TD_RETURN_IF_ERROR(producer_->Flush(kFlushTimeout));
    result_.seconds = Seconds(clock_->Monotonic() - start_);
    return result_;
  }

 private:
  std::optional<InputMessage> NextInput() {
    if (options_.limit && taken_ >= *options_.limit) return std::nullopt;
    std::optional<InputMessage> message = input_->Next();
    if (message) ++taken_;
    return message;
  }

  int32_t PartitionOf(uint64_t index) const {
    switch (options_.partitioning) {
      case Partitioning::kByKey:
        return -1;
      case Partitioning::kRoundRobin:
        return static_cast<int32_t>(index % static_cast<uint64_t>(options_.partition_count));
      case Partitioning::kFixed:
        return options_.partition;
    }
    return -1;
  }

  Status SendBatches() {
    size_t at_once = kBatchMessages;
    if (options_.rate > 0) at_once = std::clamp<size_t>(options_.rate / 100, 1, kBatchMessages);
    while (FillBatch(at_once)) {
      TD_RETURN_IF_ERROR(producer_->SendBatch(options_.topic, ordered_, kSendTimeout));
      result_.messages += ordered_.size();
      KeepRate();
      Report();
    }
    return Status::Ok();
  }

  /// Copies messages into the slab and orders them partition by partition, which librdkafka takes
  /// faster.
  bool FillBatch(size_t at_once) {
    slab_.clear();
    pieces_.clear();
    while (pieces_.size() < at_once) {
      std::optional<InputMessage> message = NextInput();
      if (!message) break;
      Piece piece{slab_.size(), message->value.size(), 0, message->key.has_value()};
      slab_.append(message->value);
      if (message->key) {
        piece.key_size = message->key->size();
        slab_.append(*message->key);
      }
      pieces_.push_back(piece);
      result_.bytes += piece.size;
    }
    ordered_.clear();
    size_t stride = options_.partitioning == Partitioning::kRoundRobin
                        ? static_cast<size_t>(options_.partition_count)
                        : 1;
    for (size_t first = 0; first < std::min(stride, pieces_.size()); ++first) {
      for (size_t i = first; i < pieces_.size(); i += stride) ordered_.push_back(MessageOf(i));
    }
    return !ordered_.empty();
  }

  OutgoingMessage MessageOf(size_t i) const {
    const Piece& piece = pieces_[i];
    OutgoingMessage message;
    message.value = std::string_view(slab_.data() + piece.at, piece.size);
    if (piece.has_key) {
      message.key = std::string_view(slab_.data() + piece.at + piece.size, piece.key_size);
    }
    message.partition = PartitionOf(result_.messages + i);
    return message;
  }

  Status SendSingly() {
    while (std::optional<InputMessage> input = NextInput()) {
      if (options_.pace == Pace::kRecorded) TD_RETURN_IF_ERROR(WaitUntilDue(*input));
      OutgoingMessage message;
      message.value = input->value;
      if (input->key) message.key = *input->key;
      message.headers = headers_;
      message.partition = PartitionOf(result_.messages);
      TD_ASSIGN_OR_RETURN(message.timestamp_ms, KafkaTimeOf(*input));
      TD_RETURN_IF_ERROR(producer_->Send(options_.topic, message, kSendTimeout));
      ++result_.messages;
      result_.bytes += input->value.size();
      if (result_.messages % 256 == 0) {
        producer_->Serve(milliseconds(0));
        KeepRate();
        Report();
      }
    }
    return Status::Ok();
  }

  Result<int64_t> KafkaTimeOf(const InputMessage& input) const {
    if (options_.timestamp == KafkaTime::kNow) return int64_t{-1};
    std::optional<Timestamp> time =
        options_.timestamp == KafkaTime::kEvent ? input.event_time : input.recorded_at;
    if (time) return time->ns() / NanosPer(TimeUnit::kMilliseconds);
    return Status::InvalidArgument(
        "message " + std::to_string(taken_) +
        " has no such time: a file needs --recv-ns with a time for each line");
  }

  Status WaitUntilDue(const InputMessage& input) {
    if (!input.recorded_at) {
      return Status::InvalidArgument("message " + std::to_string(taken_) +
                                     " has no recorded time: a file needs --recv-ns");
    }
    if (!first_recorded_) first_recorded_ = input.recorded_at;
    MonotonicTime due =
        start_ + std::chrono::nanoseconds(input.recorded_at->ns() - first_recorded_->ns());
    for (MonotonicTime now = clock_->Monotonic(); now < due; now = clock_->Monotonic()) {
      producer_->Serve(milliseconds(0));
      Report();
      clock_->SleepFor(std::min(kNap, due - now));
    }
    return Status::Ok();
  }

  void KeepRate() {
    if (options_.rate == 0) return;
    auto due = start_ + std::chrono::nanoseconds(
                            static_cast<int64_t>(static_cast<double>(result_.messages) /
                                                 static_cast<double>(options_.rate) * kNanos));
    for (MonotonicTime now = clock_->Monotonic(); now < due; now = clock_->Monotonic()) {
      producer_->Serve(milliseconds(0));
      clock_->SleepFor(std::min(kNap, due - now));
    }
  }

  void Report() {
    MonotonicTime now = clock_->Monotonic();
    if (now < next_progress_) return;
    next_progress_ = now + std::chrono::seconds(1);
    result_.seconds = Seconds(now - start_);
    progress_(result_);
  }

  struct Piece {
    size_t at;
    size_t size;
    size_t key_size;
    bool has_key;
  };

  const PumpOptions& options_;
  Input* input_;
  Producer* producer_;
  Clock* clock_;
  const std::function<void(const PumpResult&)>& progress_;
  std::vector<HeaderView> headers_;
  bool batched_ = false;
  MonotonicTime start_{};
  MonotonicTime next_progress_{};
  std::optional<Timestamp> first_recorded_;
  uint64_t taken_ = 0;
  PumpResult result_;
  std::string slab_;
  std::vector<Piece> pieces_;
  std::vector<OutgoingMessage> ordered_;
};

}  // namespace

Result<PumpResult> RunPump(const PumpOptions& options, Input* input, Producer* producer,
                           Clock* clock, const std::function<void(const PumpResult&)>& progress) {
  return Pump(options, input, producer, clock, progress).Run();
}

}  // namespace tapedeck
