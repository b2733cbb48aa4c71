#ifndef TAPEDECK_BLOB_KEPT_CREDENTIALS_H_
#define TAPEDECK_BLOB_KEPT_CREDENTIALS_H_

// KeptCredentials: what a chain of credentials found, until it is time to look again. Private to
// blob.
//
//   return kept_.Get([this] { return Fetch(); });
//
// Those that expire are fetched again kRenewEarlyNs before; those that never do, as often as that,
// because they may be replaced where they are kept. Where fetching fails, what is held and has not
// expired still serves. Errors: those of the fetch. Thread-safe: one thread fetches, others wait.

#include <algorithm>
#include <mutex>
#include <optional>

#include "base/clock.h"
#include "base/status.h"
#include "blob/role_request.h"

namespace tapedeck {

/// `Credentials` has a member std::optional<Timestamp> expires.
template <typename Credentials>
class KeptCredentials {
 public:
  /// `clock` outlives it.
  explicit KeptCredentials(Clock* clock) : clock_(clock) {}

  /// `fetch` gives a Result<Credentials>; called with the lock held.
  template <typename Fetch>
  Result<Credentials> Get(const Fetch& fetch) {
    std::lock_guard lock(mutex_);
    const Timestamp now = clock_->Now();
    if (current_ && now < refresh_at_) return *current_;
    Result<Credentials> fetched = fetch();
    if (!fetched.ok()) {
      const bool is_good = current_ && current_->expires && now < *current_->expires;
      if (is_good) return *current_;
      return fetched;
    }
    current_ = *fetched;
    refresh_at_ = now.SaturatingAdd(kRenewEarlyNs);
    if (current_->expires) {
      // Some services hand out what expires in less than that; asking each time would flood them.
      refresh_at_ =
          std::max(current_->expires->SaturatingAdd(-kRenewEarlyNs), now.SaturatingAdd(kAtLeastNs));
    }
    return fetched;
  }

  /// Whether there are any from before. For `fetch` alone, which runs with the lock held.
  bool holds() const { return current_.has_value(); }

  /// The next Get fetches.
  void Forget() {
    std::lock_guard lock(mutex_);
    current_.reset();
  }

 private:
  static constexpr int64_t kAtLeastNs = 10'000'000'000;

  Clock* const clock_;
  std::mutex mutex_;  // protects the rest; held while they are fetched
  std::optional<Credentials> current_;
  Timestamp refresh_at_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_BLOB_KEPT_CREDENTIALS_H_
