#ifndef TAPEDECK_TOOLS_TAPEDECK_DEMO_FEED_H_
#define TAPEDECK_TOOLS_TAPEDECK_DEMO_FEED_H_

// DemoFeed: a thread that sends made-up quotes and trades to the demo's broker, in real time, no
// faster than they are recorded.
//
// The simulated broker forgets what a partition holds beyond 5 MiB. So messages that were sent and
// are not yet recorded are held to 2 MiB over all partitions: the feed waits, and catches up later.
//
//   DemoFeedOptions options{.bootstrap_servers = servers, .topic = "demo", .recorded = count};
//   TD_ASSIGN_OR_RETURN(auto feed, DemoFeed::Start(options, &clock));
//   … feed->sent() …
//   TD_ASSIGN_OR_RETURN(Feed::Counts sent, feed->Stop());      // everything delivered, or an error
//
// Owned by one thread, but for sent(), which is thread-safe.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "base/clock.h"
#include "base/status.h"
#include "kafka/feed.h"
#include "kafka/producer.h"

namespace tapedeck::cli {

struct DemoFeedOptions {
  std::string bootstrap_servers;
  std::string topic;
  uint64_t seed = 1;
  std::function<uint64_t()> recorded;  // messages in the store so far; called on the feed's thread
};

class DemoFeed {
 public:
  static Result<std::unique_ptr<DemoFeed>> Start(DemoFeedOptions options, Clock* clock);
  /// Ends the thread.
  ~DemoFeed();
  DemoFeed(const DemoFeed&) = delete;
  DemoFeed& operator=(const DemoFeed&) = delete;

  uint64_t sent() const { return sent_.load(std::memory_order_relaxed); }

  /// Ends the thread and waits for the last acknowledgements. kUnavailable where messages were not
  /// delivered.
  Result<Feed::Counts> Stop();

 private:
  DemoFeed(DemoFeedOptions options, std::unique_ptr<Producer> producer, Clock* clock);
  Status Run();
  Status SendDue();
  Status SendNext();

  const DemoFeedOptions options_;
  Clock* const clock_;
  std::unique_ptr<Producer> producer_;
  Feed feed_;
  const FeedMessage* next_ = nullptr;  // made, not sent yet
  std::atomic<uint64_t> sent_{0};
  std::atomic<bool> stop_{false};
  Status end_;
  std::thread thread_;
};

}  // namespace tapedeck::cli

#endif  // TAPEDECK_TOOLS_TAPEDECK_DEMO_FEED_H_
