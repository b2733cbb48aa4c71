#include "tapedeck/demo_feed.h"

#include <utility>

namespace tapedeck::cli {
namespace {

using std::chrono::milliseconds;

// Of about 260 bytes each with key: 2 MiB.
constexpr uint64_t kUnrecordedMax = 8'000;
constexpr milliseconds kStep(2);
constexpr milliseconds kSendTimeout(5'000);
constexpr milliseconds kFlushTimeout(10'000);
// How many are sent before the clock, the recorder and the stop flag are looked at again.
constexpr int kSendAtOnce = 256;

FeedOptions FeedOptionsOf(uint64_t seed, Timestamp now) {
  FeedOptions options;
  options.seed = seed;
  options.kind = FeedKind::kMixed;
  options.width = FeedWidth::k250;
  options.start = now;
  options.mean_gap = std::chrono::microseconds(80);
  options.late_ppm = 2'000;
  options.malformed_ppm = 200;
  return options;
}

}  // namespace

Result<std::unique_ptr<DemoFeed>> DemoFeed::Start(DemoFeedOptions options, Clock* clock) {
  TD_ASSIGN_OR_RETURN(
      std::unique_ptr<Producer> producer,
      Producer::Open({.bootstrap_servers = options.bootstrap_servers, .clock = clock}));
  auto feed =
      std::unique_ptr<DemoFeed>(new DemoFeed(std::move(options), std::move(producer), clock));
  feed->thread_ = std::thread([raw = feed.get()] { raw->end_ = raw->Run(); });
  return feed;
}

DemoFeed::DemoFeed(DemoFeedOptions options, std::unique_ptr<Producer> producer, Clock* clock)
    : options_(std::move(options)),
      clock_(clock),
      producer_(std::move(producer)),
      feed_(FeedOptionsOf(options_.seed, clock->Now())) {}

DemoFeed::~DemoFeed() {
  stop_.store(true);
  if (thread_.joinable()) thread_.join();
}

Result<Feed::Counts> DemoFeed::Stop() {
  stop_.store(true);
  if (thread_.joinable()) thread_.join();
  TD_RETURN_IF_ERROR(end_);
  return feed_.counts();
}

Status DemoFeed::Run() {
  while (!stop_.load()) {
    TD_RETURN_IF_ERROR(SendDue());
    producer_->Serve(kStep);
  }
  // What was made and waits for its time goes too: the counts are of what was sent.
  if (next_ != nullptr) TD_RETURN_IF_ERROR(SendNext());
  TD_RETURN_IF_ERROR(producer_->Flush(kFlushTimeout));
  if (producer_->counters().failed > 0) {
    return Status::Unavailable(std::to_string(producer_->counters().failed) +
                               " messages were not delivered: " + producer_->first_failure());
  }
  return Status::Ok();
}

Status DemoFeed::SendDue() {
  uint64_t sent = sent_.load();
  uint64_t recorded = options_.recorded();
  uint64_t waiting = sent > recorded ? sent - recorded : 0;
  for (int i = 0; i < kSendAtOnce && waiting < kUnrecordedMax; ++i, ++waiting) {
    if (next_ == nullptr) next_ = &feed_.Next();
    if (next_->sent_at > clock_->Now()) break;
    TD_RETURN_IF_ERROR(SendNext());
  }
  return Status::Ok();
}

Status DemoFeed::SendNext() {
  OutgoingMessage message;
  message.key = next_->symbol;
  message.value = next_->value;
  message.timestamp_ms = next_->sent_at.ns() / NanosPer(TimeUnit::kMilliseconds);
  TD_RETURN_IF_ERROR(producer_->Send(options_.topic, message, kSendTimeout));
  next_ = nullptr;
  sent_.fetch_add(1);
  return Status::Ok();
}

}  // namespace tapedeck::cli
