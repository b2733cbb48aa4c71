#ifndef TAPEDECK_API_API_H_
#define TAPEDECK_API_API_H_

// Api: the routes of a node, as a handler for the HTTP server. docs/openapi.yaml is the contract.
//
//   Api api({.node = &served, .clock = clock, .version = "0.1.0", .read_bytes = spare / 2});
//   TD_ASSIGN_OR_RETURN(auto server, HttpServer::Start(options, &api));
//   TD_ASSIGN_OR_RETURN(auto other, HttpServer::Start(options_of_metrics, api.operations()));
//
// A request is answered in this order: who asks (401, 403), which route (404, 405), its parameters
// (400), the node (503), the rows. Every error is a problem (problem.h) with the request's id.
//
// Thread-safe. The node, the clock and the tokens outlive it; it outlives the servers.

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "api/served_node.h"
#include "api/table_decimals.h"
#include "api/tokens.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "http/server.h"

namespace tapedeck {

struct ApiParts {
  ServedNode* node = nullptr;
  Clock* clock = nullptr;
  TokenFile* tokens = nullptr;  // null: everybody may ask
  /// Without tokens: only under an address or a name that no stranger's DNS can give to this
  /// machine. Of a listener on loopback.
  bool own_names_only = false;
  std::string version;
  Metrics* metrics = nullptr;  // that other parts of the node count in; null: there are none
  size_t read_bytes = 0;       // for all reads together; see read_slots.h
  /// An answer that has not begun to leave by then is given up: 503 overloaded.
  std::chrono::nanoseconds answer_limit = std::chrono::seconds(60);
  TableDecimals decimals;                            // of columnar answers
  size_t uri_bytes = HttpServerOptions().uri_bytes;  // of the servers it is given to
};

class Api final : public HttpHandler {
 public:
  /// kInternal: no random bytes for request ids.
  static Result<std::unique_ptr<Api>> Make(ApiParts parts);
  ~Api() override;

  bool IsQuick(const HttpRequest& request) const override;
  std::optional<HttpResponse> AnswerAtOnce(const HttpRequest& request) override;
  HttpResponse Handle(const HttpRequest& request) override;
  /// 401, 404 and 405 of requests that have a body.
  std::optional<HttpResponse> BeforeBody(const HttpRequest& head) override;
  HttpResponse Problem(int status, const std::string& detail,
                       const HttpRequest& request) noexcept override;

  /// The store must be opened again and waits for its views: streams let go of theirs and end
  /// broken, reads under way end with a 503.
  void BreakStreams();
  /// Metrics tell of this server too. It outlives the listener of `operations`, if there is one.
  void Watch(const HttpServer* server);
  /// Probes and metrics only: for a listener of their own.
  HttpHandler* operations();
  /// Looks at sizes and free space of the store's disk for status and metrics, which tell what the
  /// last look saw. For a thread that may wait, every few seconds.
  void Measure();
  /// What this node counts; other parts may add to it.
  Metrics* metrics();
  /// Streams and answers that hold a share of the memory for reads.
  size_t reads_open() const;

 private:
  struct State;
  explicit Api(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_API_API_H_
