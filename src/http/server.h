#ifndef TAPEDECK_HTTP_SERVER_H_
#define TAPEDECK_HTTP_SERVER_H_

// HttpServer: HTTP/1.1 on one address, for a handler that knows nothing of sockets.
//
//   HttpServerOptions options;
//   options.listen = "127.0.0.1:8080";
//   TD_ASSIGN_OR_RETURN(auto server, HttpServer::Start(options, &handler));
//   Log("listening on ", server->address());  // with the port that was chosen for ":0"
//   server->Stop(grace);  // no new requests; what is left after `grace` is broken off
//
// Thread safety: Start and Stop by the owner's thread; stats by any. The handler outlives the
// server and is called by several threads at once.

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/status.h"
#include "http/message.h"

namespace tapedeck {

class HttpHandler {
 public:
  virtual ~HttpHandler() = default;
  /// Whether Handle answers this request at once (well under a millisecond, nothing read from
  /// disk): it is then called on the thread that serves the sockets. Others go to a worker.
  virtual bool IsQuick(const HttpRequest& request) const = 0;
  /// The answer, where it is there at once; else the request goes to a worker, which calls Handle.
  /// Called on the thread that serves the sockets. One step: a handler whose quickness may pass
  /// (something kept) overrides it.
  virtual std::optional<HttpResponse> AnswerAtOnce(const HttpRequest& request) {
    if (!IsQuick(request)) return std::nullopt;
    return Handle(request);
  }
  /// An exception becomes a 500; the process lives.
  virtual HttpResponse Handle(const HttpRequest& request) = 0;
  /// The answer of the server itself to what never reaches Handle: a malformed, oversized or slow
  /// request (400, 408, 413, 414, 431, 501, 505), no slot (503), an exception (500). `detail` says
  /// what and what to do. The request may be half empty. Must not throw.
  virtual HttpResponse Problem(int status, const std::string& detail,
                               const HttpRequest& request) noexcept = 0;
  /// Asked on a socket thread before the body of a request is read, with all but the body: an
  /// answer here (401, 404, 405) ends the connection and saves reading what nobody wants. Quick.
  virtual std::optional<HttpResponse> BeforeBody(const HttpRequest& head) {
    (void)head;
    return std::nullopt;
  }
};

struct HttpServerOptions {
  std::string listen = "127.0.0.1:8080";  // address:port, [v6]:port; port 0: any
  std::string tls_cert;                   // PEM files, both or neither
  std::string tls_key;
  int threads = 1;  // that serve sockets
  int workers = 2;  // that make answers which take a while
  size_t connections = 1000;
  size_t connections_per_address = 256;
  size_t uri_bytes = 8 << 10;
  size_t header_bytes = 16 << 10;
  size_t body_bytes = 1 << 20;
  /// Bodies over 16 KiB that are being read, together; more: 503.
  size_t bodies_bytes = 32 << 20;
  std::chrono::nanoseconds header_deadline = std::chrono::seconds(5);  // whole request head
  std::chrono::nanoseconds body_deadline = std::chrono::seconds(10);   // whole request body
  std::chrono::nanoseconds idle_limit = std::chrono::seconds(60);      // between requests
  /// A reader that takes less than `write_bytes_per_s` on average over this long is cut off.
  std::chrono::nanoseconds write_stall_limit = std::chrono::seconds(30);
  size_t write_bytes_per_s = 1024;
};

struct HttpServerStats {
  uint64_t connections_open = 0;
  uint64_t connections_total = 0;
  uint64_t refused_connections = 0;  // over a limit
  uint64_t requests = 0;
  uint64_t rejected_requests = 0;  // by the server itself
  uint64_t streams_open = 0;
  uint64_t streams_broken = 0;  // client gone, stalled, or an error of the body
  uint64_t bytes_sent = 0;
};

class HttpServer {
 public:
  /// kInvalidArgument: an address or certificate that cannot be used; kUnavailable: the address is
  /// taken; kFailedPrecondition: the process may not open files for so many connections (the soft
  /// limit is raised where the hard one allows it).
  static Result<std::unique_ptr<HttpServer>> Start(const HttpServerOptions& options,
                                                   HttpHandler* handler);
  virtual ~HttpServer() = default;
  virtual std::string address() const = 0;
  virtual HttpServerStats stats() const = 0;
  /// Requests in hand may end until `grace` has passed; then every connection is closed, and
  /// handlers are told by HttpRequest::gone. Waits for them.
  virtual void Stop(std::chrono::nanoseconds grace) = 0;
};

}  // namespace tapedeck

#endif  // TAPEDECK_HTTP_SERVER_H_
