#include "blob/remote.h"

#include <algorithm>
#include <cstdlib>

#include "base/text.h"

namespace tapedeck {
namespace {

constexpr int64_t kNanosPerSecond = 1'000'000'000;
// AWS and Azure take a request whose date is up to 15 minutes off.
constexpr int64_t kSkewWorthATellSeconds = 5 * 60;
constexpr uint64_t kSlowLineBytesPerSecond = uint64_t{128} << 10;
constexpr size_t kMessageShownMax = 300;

bool IsOneOf(const std::string& code, std::initializer_list<std::string_view> codes) {
  return std::find(codes.begin(), codes.end(), code) != codes.end();
}

}  // namespace

std::chrono::milliseconds TransferTime(uint64_t bytes) {
  return std::chrono::minutes(1) + std::chrono::seconds(bytes / kSlowLineBytesPerSecond);
}

RemoteCaller::RemoteCaller(Parts parts)
    : parts_(std::move(parts)),
      // Two nodes that fail together must not come back together: their clocks differ by more than
      // nothing.
      retrier_(parts_.retry, parts_.clock,
               static_cast<uint64_t>(parts_.clock->Now().ns()) ^
                   static_cast<uint64_t>(parts_.clock->Monotonic().count()),
               parts_.stop) {}

Result<WebAnswer> RemoteCaller::Call(const std::string& what, const MakeRequest& make,
                                     const Judge& judge) {
  Retrier::Round round = retrier_.Begin();
  bool is_renewed = false;
  for (;;) {
    Status last;
    std::chrono::nanoseconds pause{};
    Result<WebRequest> request = make();
    if (!request.ok()) {
      last = std::move(request).status();
      if (last.code() != StatusCode::kUnavailable) return last.WithContext(parts_.where);
    } else {
      Result<WebAnswer> answer = parts_.client->Send(*request);
      if (!answer.ok()) {
        last = std::move(answer).status();
        if (last.code() != StatusCode::kUnavailable)
          return last.WithContext(parts_.where + ": " + what);
      } else {
        Verdict verdict = judge(*answer);
        if (verdict.kind == Verdict::Kind::kDone) return answer;
        const bool is_again = verdict.kind == Verdict::Kind::kAgain ||
                              (verdict.kind == Verdict::Kind::kExpired && !is_renewed);
        if (verdict.kind == Verdict::Kind::kExpired) {
          is_renewed = true;
          if (parts_.forget_credentials) parts_.forget_credentials();
        }
        if (!is_again) return verdict.status.WithContext(parts_.where + ": " + what);
        last = std::move(verdict.status);
        pause = ParseRetryAfter(answer->Header("retry-after"), parts_.clock->Now());
      }
    }
    if (round.WaitForNext(pause)) continue;
    if (parts_.stop != nullptr && parts_.stop->load())
      return Status::Cancelled(parts_.where + ": " + what + ": stopping");
    return last.WithContext(parts_.where + ": " + what + ": gave up after " +
                            std::to_string(round.tries()) + " tries");
  }
}

std::string RemoteCaller::ClockHint(const WebAnswer& answer, bool is_certain) const {
  const std::optional<Timestamp> theirs = ParseHttpDate(answer.Header("date"));
  if (!theirs) return is_certain ? "; this machine's clock is wrong, or the store's" : "";
  const int64_t ahead = (parts_.clock->Now().ns() - theirs->ns()) / kNanosPerSecond;
  if (!is_certain && std::abs(ahead) < kSkewWorthATellSeconds) return "";
  return "; this machine's clock is " + std::to_string(std::abs(ahead)) + " s " +
         (ahead >= 0 ? "ahead of" : "behind") +
         " the store's: set it right (for example by NTP), requests are signed with the time";
}

Verdict RemoteCaller::JudgeStatus(const WebAnswer& answer, const std::string& code,
                                  const std::string& message) const {
  std::string text = "HTTP " + std::to_string(answer.status);
  if (!code.empty()) text += " " + Quoted(code);
  if (!message.empty()) text += ": " + Quoted(message, kMessageShownMax);
  if (IsOneOf(code, {"RequestTimeTooSkewed", "RequestExpired"}))
    return Verdict::Final(Status::FailedPrecondition(text + ClockHint(answer, true)));
  if (IsOneOf(code, {"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"}))
    return Verdict::Expired(Status::FailedPrecondition(std::move(text)));
  if (IsOneOf(code, {"BadDigest", "InvalidDigest", "XAmzContentSHA256Mismatch",
                     "XAmzContentChecksumMismatch", "Md5Mismatch", "Crc64Mismatch",
                     "ChecksumMismatch"})) {
    return Verdict::Again(Status::Corruption(text + "; the bytes changed on their way"));
  }
  // A body that comes too slowly, or a connection that was idle: S3 says 400 to that.
  if (IsOneOf(code, {"RequestTimeout", "IncompleteBody", "OperationTimedOut"}))
    return Verdict::Again(Status::Unavailable(std::move(text)));
  if (IsOneOf(code, {"SlowDown", "SlowDownRead", "SlowDownWrite", "TooManyRequests"}))
    return Verdict::Again(Status::ResourceExhausted(std::move(text)));
  switch (answer.status) {
    case 401:
      return Verdict::Expired(Status::FailedPrecondition(text + ClockHint(answer, false)));
    case 403:
      return Verdict::Final(Status::FailedPrecondition(text + ClockHint(answer, false)));
    case 404:
      return Verdict::Final(Status::NotFound(std::move(text)));
    case 408:
    case 425:
    case 500:
    case 502:
    case 504:
      return Verdict::Again(Status::Unavailable(std::move(text)));
    case 429:
    case 503:
    case 507:
      return Verdict::Again(Status::ResourceExhausted(std::move(text)));
    case 301:
    case 302:
    case 307:
    case 308:
      return Verdict::Final(Status::FailedPrecondition(
          text +
          "; redirects are not followed: give the endpoint and region of the bucket itself"));
    case 400:
      return Verdict::Final(Status::FailedPrecondition(std::move(text)));
    default:
      return Verdict::Final(Status::Internal(std::move(text)));
  }
}

}  // namespace tapedeck
