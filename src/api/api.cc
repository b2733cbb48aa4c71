#include "api/api.h"

#include <algorithm>
#include <cstring>

#include "api/call.h"
#include "api/node_metrics.h"
#include "api/quick_answers.h"
#include "api/replay_routes.h"
#include "api/row_answer.h"
#include "base/bytes.h"
#include "base/log.h"
#include "base/secret.h"

namespace tapedeck {
namespace {

constexpr size_t kRequestIdMax = 128;
// Smaller bodies fit a packet or two anyway.
constexpr size_t kCompressFrom = size_t{2} << 10;
constexpr std::string_view kBearer = "bearer ";

bool IsRequestId(std::string_view id) {
  return !id.empty() && id.size() <= kRequestIdMax && std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.' || c == ':' || c == '/' || c == '=' || c == '+';
  });
}

bool StartsWithBearer(std::string_view text) {
  return text.size() > kBearer.size() &&
         std::equal(kBearer.begin(), kBearer.end(), text.begin(), [](char a, char b) {
           return a == (b >= 'A' && b <= 'Z' ? static_cast<char>(b + ('a' - 'A')) : b);
         });
}

using Route_f = Answer (*)(Call*);
Route_f FunctionOf(RouteId id) {
  static constexpr Route_f kFunctions[kRouteCount] = {
      AnswerRecords,     AnswerLatest,        AnswerCount,        AnswerMessages,
      AnswerStream,      AnswerTables,        AnswerSymbols,      AnswerTopics,
      AnswerCoverage,    AnswerRefused,       AnswerStatus,       AnswerLivez,
      AnswerReadyz,      AnswerHealthz,       AnswerMetrics,      AnswerOpenApi,
      AnswerPage,        AnswerDays,          AnswerObjects,      AnswerCloseDay,
      AnswerFlush,       AnswerReplays,       AnswerCreateReplay, AnswerReplay,
      AnswerPatchReplay, AnswerDeleteReplay,  AnswerReplayEvents, AnswerReplayOffsets,
      AnswerReindexes,   AnswerCreateReindex, AnswerReindex,      AnswerDeleteReindex};
  return kFunctions[static_cast<size_t>(id)];
}

// What a listener of its own answers.
bool IsOperation(RouteId id) {
  return id == RouteId::kLivez || id == RouteId::kReadyz || id == RouteId::kHealthz ||
         id == RouteId::kMetrics;
}

ScopeSet ScopeOf(const Route* route) {
  if (route == nullptr) return kScopeRead;
  switch (route->scope) {
    case RouteScope::kReplay:
      return kScopeReplay;
    case RouteScope::kAdmin:
      return kScopeAdmin;
    case RouteScope::kAnybody:
    case RouteScope::kRead:
      break;
  }
  return kScopeRead;
}

bool IsCompressible(const HttpResponse& response) {
  if (response.status != 200 || response.stream != nullptr ||
      response.body.size() < kCompressFrom) {
    return false;
  }
  for (const HttpField& field : response.headers) {
    if (field.name != "Content-Type") continue;
    return field.value.starts_with("text/") || field.value.starts_with("application/json") ||
           field.value.starts_with("application/x-ndjson");
  }
  return false;
}

Status Compress(StreamCoding coding, HttpResponse* response) {
  TD_ASSIGN_OR_RETURN(auto compressor, StreamCompressor::Make(coding));
  std::string body;
  TD_RETURN_IF_ERROR(compressor->Append(response->body, &body));
  TD_RETURN_IF_ERROR(compressor->Finish(&body));
  response->body = std::move(body);
  response->Set("Content-Encoding", CodingName(coding));
  return Status::Ok();
}

// "localhost", "127.0.0.1:8080", "[::1]", "deck:8080": what a page of another site cannot be served
// under. A name with a dot may be of anybody's domain, which may point here (DNS rebinding).
bool IsOwnName(std::string_view host) {
  if (host.starts_with('[')) return true;
  host = host.substr(0, host.rfind(':'));
  if (host.find_first_not_of("0123456789.") == std::string_view::npos) return true;
  return host.find('.') == std::string_view::npos || host.ends_with(".localhost");
}

class InFlight {
 public:
  explicit InFlight(HttpMetrics* http) : http_(http) { http_->Begin(); }
  ~InFlight() { http_->End(); }
  InFlight(const InFlight&) = delete;
  InFlight& operator=(const InFlight&) = delete;

 private:
  HttpMetrics* http_;
};

}  // namespace

std::string_view BearerOf(const HttpRequest& request) {
  const std::string_view given = request.Header("Authorization");
  return StartsWithBearer(given) ? given.substr(kBearer.size()) : std::string_view();
}

struct Api::State {
  State(ApiParts given, uint64_t first_id)
      : parts(std::move(given)),
        metrics(parts.version, parts.clock, parts.metrics),
        http(metrics.registry()),
        slots(parts.read_bytes),
        next_id(first_id),
        operations(this) {
    context.node = parts.node;
    context.clock = parts.clock;
    context.slots = &slots;
    context.streams = &streams;
    context.http = &http;
    context.metrics = &metrics;
    context.tokens = parts.tokens;
    context.version = parts.version;
    context.uri_bytes = parts.uri_bytes;
    context.decimals = parts.decimals;
    context.started = parts.clock->Now();
  }

  /// The one that the client gave, or a new one.
  std::string RequestId(const HttpRequest& request) {
    const std::string_view given = request.Header("X-Request-Id");
    if (IsRequestId(given)) return std::string(given);
    // Spread over all bits, so that ids of two nodes do not meet (splitmix64's last steps).
    uint64_t z = next_id.fetch_add(0x9E3779B97F4A7C15u, std::memory_order_relaxed);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    z ^= z >> 31;
    std::string id(16, '0');
    for (size_t i = 0; i < id.size(); ++i) id[i] = "0123456789abcdef"[(z >> (60 - 4 * i)) & 15];
    return id;
  }

  std::optional<tapedeck::Problem> Authorize(const HttpRequest& request, const Route* route) const {
    if (parts.tokens == nullptr) {
      if (!parts.own_names_only || IsOwnName(request.Header("Host"))) return std::nullopt;
      return tapedeck::Problem{ProblemType::kForbidden,
                               "without tokens this node answers to localhost and addresses only, "
                               "not to the name in Host",
                               {},
                               0,
                               {},
                               {}};
    }
    if (route != nullptr && route->scope == RouteScope::kAnybody) return std::nullopt;
    const ScopeSet wanted = ScopeOf(route);
    const std::string_view given = BearerOf(request);
    using Verdict = TokenFile::Verdict;
    Verdict verdict = Verdict::kUnknown;
    if (!given.empty()) verdict = parts.tokens->Check(given, wanted);
    if (verdict == Verdict::kAllowed) return std::nullopt;
    if (verdict == Verdict::kOtherScope) {
      return tapedeck::Problem{ProblemType::kForbidden,
                               "this token lacks the scope " + ScopesText(wanted),
                               {},
                               0,
                               {},
                               {}};
    }
    return tapedeck::Problem{ProblemType::kUnauthorized,
                             verdict == Verdict::kExpired ? "this token has expired"
                             : request.Header("Authorization").empty()
                                 ? "a token is needed: Authorization: Bearer td_…"
                                 : "this token is not known here",
                             {},
                             0,
                             {},
                             {}};
  }

  Answer Dispatch(const HttpRequest& request, const RouteMatch& match, std::string request_id) {
    if (match.problem.has_value()) return *match.problem;
    const Route& route = *match.route;
    if (auto problem = OfAnotherSite(request, route)) return *problem;
    Call call{&request,
              &context,
              &route,
              match.name,
              Parameters(request.query, route.parameters),
              std::move(request_id),
              parts.clock->Now(),
              NegotiateCoding(request.Header("Accept-Encoding"))};
    if (!call.parameters.ok()) return call.parameters.problem();
    call.stop = std::make_shared<ReadStop>(parts.clock, request.gone);
    call.stop->EndBy(parts.clock->Monotonic() + parts.answer_limit);
    const ReadInHand in_hand(&streams, call.stop.get());
    Answer answer = FunctionOf(route.id)(&call);
    if (auto stopped = StoppedProblem(answer, *call.stop)) return *stopped;
    HttpResponse* response = answer.response();
    if (response != nullptr && call.coding.has_value() && IsCompressible(*response)) {
      TD_RETURN_IF_ERROR(Compress(*call.coding, response));
    }
    // What tells of the node is answered also where reads have taken everything.
    if (response != nullptr && response->held == nullptr && !route.of_node &&
        response->body.size() > kHeldFrom) {
      std::shared_ptr<ReadLease> lease = slots.Take(response->body.size());
      if (lease == nullptr) return NoSlot();
      if (HoldBody(call, std::move(lease), response).has_value()) return NoSlot();
    }
    return answer;
  }

  std::optional<tapedeck::Problem> StoppedProblem(const Answer& answer,
                                                  const ReadStop& stop) const {
    if (answer.status() == nullptr) return std::nullopt;
    if (answer.status()->code() != StatusCode::kCancelled) return std::nullopt;
    if (stop.reason() == ReadStop::Reason::kGone) {
      return tapedeck::Problem{
          ProblemType::kNotReady, "nobody waits for this answer any more", {}, 0, {}, {}};
    }
    if (stop.reason() != ReadStop::Reason::kTooLong) return std::nullopt;
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(parts.answer_limit);
    return tapedeck::Problem{ProblemType::kOverloaded,
                             "the answer took longer than " + std::to_string(seconds.count()) +
                                 " s; ask for less: fewer symbols, a shorter range, or a stream",
                             {},
                             0,
                             {},
                             {}};
  }

  HttpResponse Finish(Answer answer, const HttpRequest& request, std::string_view request_id) {
    HttpResponse response;
    if (answer.response() != nullptr) {
      response = std::move(*answer.response());
    } else if (answer.problem() != nullptr) {
      response = ProblemResponse(*answer.problem(), request.path, request_id);
    } else {
      const Status& status = *answer.status();
      response = ProblemResponse(ProblemOf(status), request.path, request_id);
      if (response.status >= 500) {
        TD_LOG(kError, "api", "request-failed", "a request could not be answered",
               {{"request_id", std::string(request_id)},
                {"path", request.path},
                {"cause", status.ToString()}});
      }
    }
    Dress(&response, request_id);
    return response;
  }

  static void Dress(HttpResponse* response, std::string_view request_id) {
    response->headers.push_back({"X-Request-Id", std::string(request_id)});
    response->headers.push_back({"X-Content-Type-Options", "nosniff"});
    const bool cached = std::any_of(response->headers.begin(), response->headers.end(),
                                    [](const auto& f) { return f.name == "Cache-Control"; });
    if (!cached) response->headers.push_back({"Cache-Control", "no-store"});
  }

  static RouteMatch MatchOn(std::string_view path, std::string_view method, bool operations_only) {
    RouteMatch match = MatchRoute(path, method);
    if (operations_only && match.route != nullptr && !IsOperation(match.route->id)) {
      match.problem = tapedeck::Problem{
          ProblemType::kNotFound, "this listener has probes and metrics only", {}, 0, {}, {}};
    }
    return match;
  }

  HttpResponse Handle(const HttpRequest& request, bool operations_only) {
    const MonotonicTime begun = parts.clock->Monotonic();
    const InFlight in_flight(&http);
    const std::string id = RequestId(request);
    const RouteMatch match = MatchOn(request.path, request.method, operations_only);
    HttpResponse response = Answered(request, match, id);
    const auto took = std::chrono::duration<double>(parts.clock->Monotonic() - begun);
    http.Count(match.route == nullptr ? std::nullopt : std::optional(match.route->id),
               request.method, response.status, took.count());
    return response;
  }

  std::optional<HttpResponse> BeforeBody(const HttpRequest& head, bool operations_only) {
    const std::string id = RequestId(head);
    const RouteMatch match = MatchOn(head.path, head.method, operations_only);
    std::optional<tapedeck::Problem> problem = Authorize(head, match.route);
    if (!problem.has_value()) problem = match.problem;
    if (!problem.has_value()) problem = OfAnotherSite(head, *match.route);
    if (!problem.has_value()) return std::nullopt;
    return Finish(std::move(*problem), head, id);
  }

  // A page of another site may make a browser send what changes something, to a node on this very
  // machine too, where no token is asked for. Browsers say whose page it was.
  static std::optional<tapedeck::Problem> OfAnotherSite(const HttpRequest& request,
                                                        const Route& route) {
    const std::string_view origin = request.Header("Origin");
    if (route.method == "GET" || origin.empty()) return std::nullopt;
    const size_t scheme = origin.find("://");
    if (scheme != std::string_view::npos && origin.substr(scheme + 3) == request.Header("Host"))
      return std::nullopt;
    return tapedeck::Problem{
        ProblemType::kForbidden, "this was asked by a page of another site", {}, 0, {}, {}};
  }

  /// What counts the bytes of rows in the form of the response.
  std::optional<Counter> SentCounter(const Route& route, const HttpResponse& response) const {
    for (const HttpField& field : response.headers) {
      if (field.name != "Content-Type") continue;
      for (const AnswerForm form : {AnswerForm::kJson, AnswerForm::kNdjson, AnswerForm::kCsv,
                                    AnswerForm::kArrow, AnswerForm::kParquet}) {
        if (field.value == ContentTypeOf(form)) return http.BytesOf(route.id, FormName(form));
      }
    }
    return std::nullopt;
  }

  static HttpResponse FromKept(const QuickAnswers::Kept& kept, const std::string& id) {
    HttpResponse response;
    if (kept.sent.has_value()) Counter(*kept.sent).Increment(kept.body.size());
    response.headers.reserve(kept.headers.size() + 4);
    response.headers.assign(kept.headers.begin(), kept.headers.end());
    response.body = kept.body;
    Dress(&response, id);
    return response;
  }

  HttpResponse Answered(const HttpRequest& request, const RouteMatch& match,
                        const std::string& id) {
    if (auto problem = Authorize(request, match.route)) {
      return Finish(std::move(*problem), request, id);
    }
    const bool keeps =
        match.route != nullptr && match.route->id == RouteId::kLatest && !match.problem.has_value();
    if (!keeps) return Finish(Dispatch(request, match, id), request, id);
    const uint64_t published = parts.node->published();
    if (auto kept = quick.Find(request, published)) return FromKept(*kept, id);
    Answer answer = Dispatch(request, match, id);
    if (HttpResponse* response = answer.response(); response != nullptr) {
      quick.Keep(request, published, *response, SentCounter(*match.route, *response));
    }
    return Finish(std::move(answer), request, id);
  }

  /// On the socket thread: what is kept is looked for once, and only what was found is given.
  std::optional<HttpResponse> AnswerAtOnce(const HttpRequest& request) {
    const MonotonicTime begun = parts.clock->Monotonic();
    const RouteMatch match = MatchRoute(request.path, request.method);
    if (match.route == nullptr || match.route->of_node) {
      return Handle(request, /*operations_only=*/false);
    }
    if (match.route->id != RouteId::kLatest || match.problem.has_value()) {
      return std::nullopt;
    }
    const auto kept = quick.Find(request, parts.node->published());
    if (kept == nullptr) return std::nullopt;
    const InFlight in_flight(&http);
    const std::string id = RequestId(request);
    auto problem = Authorize(request, match.route);
    HttpResponse response =
        problem.has_value() ? Finish(std::move(*problem), request, id) : FromKept(*kept, id);
    const auto took = std::chrono::duration<double>(parts.clock->Monotonic() - begun);
    http.Count(match.route->id, request.method, response.status, took.count());
    return response;
  }

  bool IsQuick(const HttpRequest& request) const {
    const RouteMatch match = MatchRoute(request.path, request.method);
    if (match.route == nullptr || match.route->of_node) return true;
    return match.route->id == RouteId::kLatest &&
           quick.Find(request, parts.node->published()) != nullptr;
  }

  class Operations final : public HttpHandler {
   public:
    explicit Operations(State* state) : state_(state) {}
    bool IsQuick(const HttpRequest&) const override { return true; }
    HttpResponse Handle(const HttpRequest& request) override {
      return state_->Handle(request, /*operations_only=*/true);
    }
    std::optional<HttpResponse> BeforeBody(const HttpRequest& head) override {
      return state_->BeforeBody(head, /*operations_only=*/true);
    }
    HttpResponse Problem(int status, const std::string& detail,
                         const HttpRequest& request) noexcept override {
      return state_->ServerProblem(status, detail, request);
    }

   private:
    State* state_;
  };

  HttpResponse ServerProblem(int status, const std::string& detail,
                             const HttpRequest& request) noexcept {
    try {
      const std::string id = RequestId(request);
      HttpResponse response = ProblemResponse(ProblemOfServer(status, detail), request.path, id);
      Dress(&response, id);
      http.Count(std::nullopt, request.method, status, 0);
      return response;
    } catch (...) {  // no memory: the status alone has to do
      HttpResponse bare;
      bare.status = status;
      return bare;
    }
  }

  const ApiParts parts;
  NodeMetrics metrics;
  HttpMetrics http;
  ReadSlots slots;
  OpenStreams streams;
  QuickAnswers quick;
  std::atomic<uint64_t> next_id;
  Operations operations;
  ApiContext context;
};

Result<std::unique_ptr<Api>> Api::Make(ApiParts parts) {
  TD_ASSIGN_OR_RETURN(const std::string bytes, SecretBytes(sizeof(uint64_t)));
  const uint64_t first_id = ByteReader(bytes).Little64();
  return std::unique_ptr<Api>(new Api(std::make_unique<State>(std::move(parts), first_id)));
}

Api::Api(std::unique_ptr<State> state) : state_(std::move(state)) {}
Api::~Api() = default;

bool Api::IsQuick(const HttpRequest& request) const { return state_->IsQuick(request); }

std::optional<HttpResponse> Api::AnswerAtOnce(const HttpRequest& request) {
  return state_->AnswerAtOnce(request);
}

HttpResponse Api::Handle(const HttpRequest& request) {
  return state_->Handle(request, /*operations_only=*/false);
}

std::optional<HttpResponse> Api::BeforeBody(const HttpRequest& head) {
  return state_->BeforeBody(head, /*operations_only=*/false);
}

HttpResponse Api::Problem(int status, const std::string& detail,
                          const HttpRequest& request) noexcept {
  return state_->ServerProblem(status, detail, request);
}

void Api::BreakStreams() { state_->streams.BreakAll(); }

void Api::Watch(const HttpServer* server) { state_->context.server = server; }

HttpHandler* Api::operations() { return &state_->operations; }
void Api::Measure() { state_->metrics.Measure(state_->parts.node->store()); }
Metrics* Api::metrics() { return state_->metrics.registry(); }
size_t Api::reads_open() const { return state_->slots.open(); }

}  // namespace tapedeck
