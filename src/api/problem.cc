#include "api/problem.h"

#include "base/text.h"

namespace tapedeck {
namespace {

// Long enough that a client does not come back at once, short enough that nobody waits for nothing:
// a page takes milliseconds.
constexpr std::string_view kRetryAfterSeconds = "1";

struct TypeFacts {
  ProblemType type;
  int status;
  std::string_view name;
  std::string_view title;
};

constexpr TypeFacts kTypes[] = {
    {ProblemType::kInvalidParameter, 400, "invalid-parameter", "Invalid parameter"},
    {ProblemType::kAmbiguousTime, 400, "ambiguous-time", "Ambiguous time"},
    {ProblemType::kMalformedRequest, 400, "malformed-request", "Malformed request"},
    {ProblemType::kUnauthorized, 401, "unauthorized", "Unauthorized"},
    {ProblemType::kForbidden, 403, "forbidden", "Forbidden"},
    {ProblemType::kNotFound, 404, "not-found", "Not found"},
    {ProblemType::kMethodNotAllowed, 405, "method-not-allowed", "Method not allowed"},
    {ProblemType::kNotAcceptable, 406, "not-acceptable", "Not acceptable"},
    {ProblemType::kTimeout, 408, "timeout", "Request timeout"},
    {ProblemType::kConflict, 409, "conflict", "Conflict"},
    {ProblemType::kTooLarge, 413, "too-large", "Too large"},
    {ProblemType::kRangeTooLarge, 422, "range-too-large", "Range too large"},
    {ProblemType::kRateLimited, 429, "rate-limited", "Rate limited"},
    {ProblemType::kInternal, 500, "internal", "Internal error"},
    {ProblemType::kNotImplemented, 501, "not-implemented", "Not implemented"},
    {ProblemType::kOverloaded, 503, "overloaded", "Overloaded"},
    {ProblemType::kNotReady, 503, "not-ready", "Not ready"},
    {ProblemType::kUnwell, 503, "unwell", "Unwell"},
    {ProblemType::kVersionNotSupported, 505, "http-version", "HTTP version not supported"},
};

const TypeFacts& FactsOf(ProblemType type) {
  for (const TypeFacts& facts : kTypes) {
    if (facts.type == type) return facts;
  }
  return kTypes[0];
}

void AddMember(std::string_view name, std::string_view text, std::string* out) {
  *out += out->empty() ? '{' : ',';
  AppendJsonString(name, out);
  *out += ':';
  AppendJsonString(text, out);
}

}  // namespace

int HttpCode(ProblemType type) { return FactsOf(type).status; }

Problem ProblemOf(const Status& status) {
  std::string message(status.message());
  switch (status.code()) {
    case StatusCode::kInvalidArgument:
      return {ProblemType::kInvalidParameter, std::move(message), {}, 0, {}, {}};
    case StatusCode::kNotFound:
      return {ProblemType::kNotFound, std::move(message), {}, 0, {}, {}};
    case StatusCode::kAlreadyExists:
    case StatusCode::kFailedPrecondition:
      return {ProblemType::kConflict, std::move(message), {}, 0, {}, {}};
    case StatusCode::kResourceExhausted:
      return {ProblemType::kOverloaded, std::move(message), {}, 0, {}, {}};
    case StatusCode::kUnavailable:
    case StatusCode::kCancelled:
      return {ProblemType::kNotReady, "it cannot be answered at the moment", {}, 0, {}, {}};
    case StatusCode::kOk:
    case StatusCode::kCorruption:
    case StatusCode::kInternal:
      break;
  }
  return {ProblemType::kInternal,
          "the node could not make the answer; its log says why, beside the request id",
          {},
          0,
          {},
          {}};
}

Problem ProblemOfServer(int status, const std::string& detail) {
  Problem problem;
  problem.detail = detail;
  problem.status = status;
  switch (status) {
    case 408:
      problem.type = ProblemType::kTimeout;
      break;
    case 413:
    case 414:
    case 431:
      problem.type = ProblemType::kTooLarge;
      break;
    case 429:
      problem.type = ProblemType::kRateLimited;
      break;
    case 501:
      problem.type = ProblemType::kNotImplemented;
      break;
    case 503:
      problem.type = ProblemType::kOverloaded;
      break;
    case 505:
      problem.type = ProblemType::kVersionNotSupported;
      break;
    default:
      problem.type = status >= 500 ? ProblemType::kInternal : ProblemType::kMalformedRequest;
  }
  return problem;
}

HttpResponse ProblemResponse(const Problem& problem, std::string_view instance,
                             std::string_view request_id) {
  const TypeFacts& facts = FactsOf(problem.type);
  const int status = problem.status == 0 ? facts.status : problem.status;
  std::string json;
  AddMember("type", "urn:tapedeck:problem:" + std::string(facts.name), &json);
  AddMember("title", facts.title, &json);
  json += ",\"status\":" + std::to_string(status);
  AddMember("detail", problem.detail, &json);
  AddMember("instance", instance, &json);
  AddMember("request_id", request_id, &json);
  json += ",\"errors\":[";
  for (size_t i = 0; i < problem.errors.size(); ++i) {
    std::string one;
    AddMember("parameter", problem.errors[i].parameter, &one);
    AddMember("detail", problem.errors[i].detail, &one);
    json += (i == 0 ? "" : ",") + one + "}";
  }
  json += "]";
  if (!problem.extension.empty()) json += "," + problem.extension;
  json += "}\n";
  HttpResponse response = HttpResponse::Text(status, "application/problem+json", std::move(json));
  if (status == 429 || status == 503) response.Set("Retry-After", kRetryAfterSeconds);
  if (!problem.allow.empty()) response.Set("Allow", problem.allow);
  if (status == 401) response.Set("WWW-Authenticate", "Bearer realm=\"tapedeck\"");
  return response;
}

}  // namespace tapedeck
