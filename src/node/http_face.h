#ifndef TAPEDECK_NODE_HTTP_FACE_H_
#define TAPEDECK_NODE_HTTP_FACE_H_

// HttpFace: a node's listeners and the routes behind them.
//
//   TD_ASSIGN_OR_RETURN(auto face, HttpFace::Start(config, parts));
//   face->address();                  // "127.0.0.1:8080", with the port that was chosen for ":0"
//   face->Stop(grace);                // no new requests; what is left after `grace` is broken off
//
// It is there before the store is opened: probes answer from the first moment on, reads as soon as
// the node says that it is ready. A thread of its own looks at the disk every few seconds, so that
// no answer waits for it. Owned by one thread; its parts outlive it.

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "api/api.h"
#include "api/served_node.h"
#include "api/tokens.h"
#include "base/clock.h"
#include "base/status.h"
#include "config/config.h"
#include "http/server.h"

namespace tapedeck {

struct HttpFaceParts {
  ServedNode* served = nullptr;
  Clock* clock = nullptr;
  Metrics* metrics = nullptr;
  std::string version;
  size_t connections = 0;  // at most, beside those of the listener for metrics
};

class HttpFace {
 public:
  /// kInvalidArgument: an address, a certificate or a tokens file that cannot be used;
  /// kUnavailable: an address is taken.
  static Result<std::unique_ptr<HttpFace>> Start(const Config& config, const HttpFaceParts& parts);
  ~HttpFace();
  HttpFace(const HttpFace&) = delete;
  HttpFace& operator=(const HttpFace&) = delete;

  std::string address() const { return server_->address(); }
  /// "" where metrics have no listener of their own.
  std::string metrics_address() const { return metrics_ ? metrics_->address() : ""; }
  /// "http://127.0.0.1:8080"
  std::string url() const { return (tls_ ? "https://" : "http://") + address(); }
  void Stop(std::chrono::nanoseconds grace);
  /// Thread-safe: see Api::BreakStreams.
  void BreakStreams() { api_->BreakStreams(); }

 private:
  HttpFace() = default;
  void MeasureLoop(const ServedNode* served);

  bool tls_ = false;
  std::unique_ptr<TokenFile> tokens_;
  std::unique_ptr<Api> api_;
  std::unique_ptr<HttpServer> server_;
  std::unique_ptr<HttpServer> metrics_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stop_ = false;  // protected by mutex_
  std::thread measurer_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_NODE_HTTP_FACE_H_
