#ifndef TAPEDECK_HTTP_MESSAGE_H_
#define TAPEDECK_HTTP_MESSAGE_H_

// HttpRequest, HttpResponse, ResponseBody: what passes between the server and its handler.
//
//   HttpResponse Handle(const HttpRequest& request) {
//     if (request.path == "/livez") return HttpResponse::Text(200, "text/plain", "ok\n");
//     HttpResponse response;
//     response.Set("Content-Type", "application/x-ndjson");
//     response.stream = std::make_unique<MyBody>(…);  // chunked, pulled as it is read
//     return response;
//   }
//
// The server has checked a request's form before a handler sees it: one Host, one length, no
// control bytes, limits (see server.h). Path and query are as sent, still percent-encoded.
//
// Values; owned by the thread that handles the request.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"

namespace tapedeck {

struct HttpField {
  std::string name;
  std::string value;
};

struct HttpRequest {
  std::string method;     // as sent: "GET"
  std::string path;       // as sent, without the query: "/v1/trades"
  std::string query;      // as sent, without '?': "symbols=X&start=…"
  int minor_version = 1;  // of HTTP/1
  std::vector<HttpField> headers;
  std::string body;  // whole
  std::string peer;  // address without port
  bool tls = false;
  /// Set once the answer is of no use: the client has left, or the server stops. A handler that
  /// takes long looks at it and gives up. A client that has only ended its own side is waited upon
  /// for half a second. Null: not known.
  std::shared_ptr<const std::atomic<bool>> gone;

  /// Value of the first header of that name, in any case; "" where there is none.
  std::string_view Header(std::string_view name) const;
};

/// A body that is made while the client reads it.
class ResponseBody {
 public:
  enum class Step : uint8_t {
    kMore,  // `out` has grown
    kWait,  // nothing yet: ask again in a while (the server chooses, at most WaitMost)
    kEnd,   // `out` may have grown; nothing follows but the trailers
  };
  /// Destroyed within a second after the client has left, on a worker thread.
  virtual ~ResponseBody() = default;
  /// Appends the next bytes, some 256 KiB, to `out`. An error of the first call becomes a 500; a
  /// later one breaks the connection, so that what was sent looks incomplete. An exception does the
  /// same. Calls come one after another, from worker threads.
  virtual Result<Step> Next(std::string* out) = 0;
  /// How long the server waits at most before it asks again after kWait; asked once for each.
  virtual std::chrono::nanoseconds WaitMost() const { return std::chrono::milliseconds(100); }
  /// After kEnd. Their names are announced in the response's `Trailer` header by the handler.
  virtual std::vector<HttpField> Trailers() { return {}; }
};

struct HttpResponse {
  int status = 200;
  std::vector<HttpField> headers;  // without Content-Length, Transfer-Encoding, Connection, Date
  std::string body;                // complete, with Content-Length; or
  std::unique_ptr<ResponseBody> stream;  // chunked; a request of HTTP/1.0 cannot have it
  /// Given back once a `body` has left, or its client has: a share of a memory budget. May be null.
  std::shared_ptr<void> held;

  /// Replaces the header or adds it.
  void Set(std::string_view name, std::string_view value);
  static HttpResponse Text(int status, std::string_view content_type, std::string body);
};

}  // namespace tapedeck

#endif  // TAPEDECK_HTTP_MESSAGE_H_
