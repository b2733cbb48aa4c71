#ifndef TAPEDECK_WEB_RETRY_H_
#define TAPEDECK_WEB_RETRY_H_

// Retrier: how often and when to ask again a service that is in trouble.
//
//   Retrier retrier(policy, &clock, seed);
//   for (Retrier::Round round = retrier.Begin();;) {
//     Result<WebAnswer> answer = client->Send(request);
//     if (answer.ok() && !IsPassing(answer->status)) return answer;
//     if (!round.WaitForNext(RetryAfter(answer, clock.Now()))) return ...;
//   }
//
// The pause before try n is drawn evenly from (0, min(pause_max, pause_first * 2^(n-1))] ("full
// jitter": https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/), and never
// shorter than what the service asked for. Tries and time are capped. Waiting is on the Clock, in
// small steps, so that `stop` is seen soon.
//
// Retrier: thread-safe. Round: owned by one thread.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/random.h"

namespace tapedeck {

struct RetryPolicy {
  int tries_max = 8;
  std::chrono::milliseconds pause_first{200};
  std::chrono::milliseconds pause_max{20'000};
  /// No further try begins later than this after the first; a longer Retry-After ends the round.
  std::chrono::milliseconds time_max{300'000};
};

class Retrier {
 public:
  Retrier(RetryPolicy policy, Clock* clock, uint64_t seed, const std::atomic<bool>* stop = nullptr);

  class Round {
   public:
    /// Waits for the next try; false where there is none: tries or time are used up, or `stop`.
    bool WaitForNext(std::chrono::nanoseconds at_least = {});
    int tries() const { return tries_; }

   private:
    friend class Retrier;
    explicit Round(Retrier* retrier) : retrier_(retrier), begun_(retrier->clock_->Monotonic()) {}
    Retrier* retrier_;
    MonotonicTime begun_;
    int tries_ = 1;
  };

  Round Begin() { return Round(this); }

 private:
  std::chrono::nanoseconds Draw(std::chrono::nanoseconds limit);

  const RetryPolicy policy_;
  Clock* const clock_;
  const std::atomic<bool>* const stop_;
  std::mutex mutex_;  // protects random_
  Random random_;
};

/// What a Retry-After header asks for: seconds, or an HTTP date seen from `now`. Zero where it says
/// nothing that can be understood.
std::chrono::nanoseconds ParseRetryAfter(std::string_view header, Timestamp now);

/// "Fri, 15 Nov 2026 08:12:31 GMT", the only form of RFC 9110 that is still written.
std::optional<Timestamp> ParseHttpDate(std::string_view text);
std::string FormatHttpDate(Timestamp t);

}  // namespace tapedeck

#endif  // TAPEDECK_WEB_RETRY_H_
