#ifndef TAPEDECK_API_PROBLEM_H_
#define TAPEDECK_API_PROBLEM_H_

// Problem: an error as a client sees it, RFC 9457 `application/problem+json`; Answer: a response or
// a problem.
//
//   return Problem{ProblemType::kInvalidParameter, "limit is above 50000",
//                  {{"limit", "1 to 50000"}}};
//   {"type":"urn:tapedeck:problem:invalid-parameter","title":"Invalid parameter","status":400,
//    "detail":"…","instance":"/v1/trades","request_id":"…","errors":[{"parameter":"limit",…}]}
//
// The only place where a Status becomes an HTTP status. Problems of 500 say nothing of what is
// inside: the cause goes to the log, beside the request id.
//
// Values; thread-compatible.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/status.h"
#include "http/message.h"

namespace tapedeck {

enum class ProblemType : uint8_t {
  kInvalidParameter,    // 400
  kAmbiguousTime,       // 400
  kMalformedRequest,    // 400
  kUnauthorized,        // 401
  kForbidden,           // 403
  kNotFound,            // 404
  kMethodNotAllowed,    // 405
  kNotAcceptable,       // 406
  kTimeout,             // 408
  kConflict,            // 409
  kTooLarge,            // 413; 414 and 431 where the server says so
  kRangeTooLarge,       // 422
  kRateLimited,         // 429
  kInternal,            // 500
  kNotImplemented,      // 501
  kOverloaded,          // 503
  kNotReady,            // 503
  kUnwell,              // 503: the node answers, and something in it does not work
  kVersionNotSupported  // 505
};

struct ParameterProblem {
  std::string parameter;
  std::string detail;
};

struct Problem {
  ProblemType type = ProblemType::kInternal;
  std::string detail;
  std::vector<ParameterProblem> errors;
  int status = 0;         // 0: the type's own
  std::string allow;      // of 405: the methods there are
  std::string extension;  // further members, `"checks":[…]`, as JSON; may be empty
};

/// The status of a type.
int HttpCode(ProblemType type);
/// What of a failed call a client may know. kInternal and kCorruption keep nothing of the message.
Problem ProblemOf(const Status& status);
/// A problem that the server itself found.
Problem ProblemOfServer(int status, const std::string& detail);

/// `instance`: the path. With the headers that belong to it (Retry-After, Allow, WWW-Authenticate).
HttpResponse ProblemResponse(const Problem& problem, std::string_view instance,
                             std::string_view request_id);

class [[nodiscard]] Answer {
 public:
  Answer(HttpResponse response) : state_(std::move(response)) {}  // NOLINT: implicit by intent
  Answer(Problem problem) : state_(std::move(problem)) {}         // NOLINT: implicit by intent
  Answer(Status status) : state_(std::move(status)) {}            // NOLINT: implicit by intent

  HttpResponse* response() { return std::get_if<HttpResponse>(&state_); }
  const Problem* problem() const { return std::get_if<Problem>(&state_); }
  /// Of an answer that is neither: why there is none.
  const Status* status() const { return std::get_if<Status>(&state_); }

 private:
  std::variant<HttpResponse, Problem, Status> state_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_API_PROBLEM_H_
