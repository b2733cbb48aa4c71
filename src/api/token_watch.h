#ifndef TAPEDECK_API_TOKEN_WATCH_H_
#define TAPEDECK_API_TOKEN_WATCH_H_

// TokenWatch: an answer that may last for days ends with the token that asked for it.
//
//   TokenWatch watch(*call, kScopeRead);              // once the request has been let in
//   TD_RETURN_IF_ERROR(watch.Check());                // before each piece
//
// It looks once a second. Then kFailedPrecondition: the token is not in the file any more, or has
// expired, or has another scope; the answer is cut off, so that nobody takes it for complete: the
// client may ask with another token. Where no tokens are in force nothing is looked at.
//
// Owned by what answers; ApiContext outlives it.

#include <chrono>
#include <string>

#include "api/call.h"
#include "base/log.h"
#include "base/status.h"

namespace tapedeck {

class TokenWatch {
 public:
  TokenWatch(const Call& call, ScopeSet scope)
      : context_(call.context),
        request_id_(call.request_id),
        token_(BearerOf(*call.request)),
        scope_(scope),
        check_at_(call.context->clock->Monotonic() + kEvery) {}

  Status Check() {
    if (context_->tokens == nullptr) return Status::Ok();
    const MonotonicTime now = context_->clock->Monotonic();
    if (now < check_at_) return Status::Ok();
    check_at_ = now + kEvery;
    if (context_->tokens->Check(token_, scope_) == TokenFile::Verdict::kAllowed)
      return Status::Ok();
    TD_LOG(kInfo, "api", "stream-token", "a stream's token is not in force any more",
           {{"request_id", request_id_}});
    return Status::FailedPrecondition("the token of this stream is not in force any more");
  }

 private:
  static constexpr std::chrono::nanoseconds kEvery = std::chrono::seconds(1);

  const ApiContext* context_;
  std::string request_id_;
  std::string token_;
  ScopeSet scope_;
  MonotonicTime check_at_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_API_TOKEN_WATCH_H_
