#ifndef TAPEDECK_BLOB_REMOTE_H_
#define TAPEDECK_BLOB_REMOTE_H_

// RemoteCaller: what S3 and Azure have in common when they are asked: tries, pauses, refused
// credentials, clocks that differ, and what a status means. Inside blob only.
//
// Thread-safe.

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/status.h"
#include "web/retry.h"
#include "web/web_client.h"

namespace tapedeck {

/// A request as it is sent now: with a fresh date, credentials and position.
using MakeRequest = std::function<Result<WebRequest>()>;

/// What an answer means.
struct Verdict {
  enum class Kind : int {
    kDone = 0,     // the answer is a good one
    kFinal = 1,    // no other try would change it: `status`
    kAgain = 2,    // passing trouble; `status` when tries are used up
    kExpired = 3,  // the credentials are no longer taken: new ones, once, and again
  };
  Kind kind = Kind::kDone;
  Status status;

  static Verdict Done() { return {}; }
  static Verdict Final(Status status) { return {Kind::kFinal, std::move(status)}; }
  static Verdict Again(Status status) { return {Kind::kAgain, std::move(status)}; }
  static Verdict Expired(Status status) { return {Kind::kExpired, std::move(status)}; }
};

/// Judges answers other than 2xx, which are good unless `judge` itself looks at them, too.
using Judge = std::function<Verdict(const WebAnswer& answer)>;

class RemoteCaller {
 public:
  struct Parts {
    std::unique_ptr<WebClient> client;
    RetryPolicy retry;
    Clock* clock = nullptr;                   // outlives it
    const std::atomic<bool>* stop = nullptr;  // outlives it
    std::function<void()> forget_credentials;
    std::string where;  // "s3://bucket/prefix", for messages
  };
  explicit RemoteCaller(Parts parts);

  /// The good answer, or why there is none. `what` is for messages: "putting trades/x.parquet".
  Result<WebAnswer> Call(const std::string& what, const MakeRequest& make, const Judge& judge);

  /// The status of an answer that says no, from its code (empty where it has none) and its words.
  /// Answers 403 tell how far the clocks are apart where that may be the reason.
  Verdict JudgeStatus(const WebAnswer& answer, const std::string& code,
                      const std::string& message) const;

  const std::string& where() const { return parts_.where; }
  Clock& clock() const { return *parts_.clock; }

 private:
  std::string ClockHint(const WebAnswer& answer, bool is_certain) const;

  const Parts parts_;
  Retrier retrier_;
};

/// Time that a transfer of so many bytes may take: a minute, and what a slow line needs.
std::chrono::milliseconds TransferTime(uint64_t bytes);

}  // namespace tapedeck

#endif  // TAPEDECK_BLOB_REMOTE_H_
