#include "http/server.h"

#include <sys/socket.h>
#include <unistd.h>

#include <utility>
#include <vector>

#include "http/event_loop.h"
#include "http/listener.h"
#include "http/server_core.h"

namespace tapedeck {
namespace {

class EpollServer final : public HttpServer {
 public:
  EpollServer(const HttpServerOptions& options, HttpHandler* handler, TlsContext tls, int listener)
      : core_(options, handler, std::move(tls)),
        listener_(listener),
        address_(AddressOf(listener)) {}

  ~EpollServer() override {
    Stop(std::chrono::nanoseconds(0));
    close(listener_);
  }

  Status Begin() {
    for (int i = 0; i < core_.options.threads; ++i) {
      TD_ASSIGN_OR_RETURN(auto loop, EventLoop::Make(&core_, listener_));
      loops_.push_back(std::move(loop));
    }
    for (const auto& loop : loops_) loop->Start();
    is_running_ = true;
    return Status::Ok();
  }

  std::string address() const override { return address_; }

  HttpServerStats stats() const override {
    const ServerCounters& counters = core_.counters;
    HttpServerStats stats;
    stats.connections_open = core_.connections_open();
    stats.connections_total = counters.connections_total.load();
    stats.refused_connections = counters.refused_connections.load();
    stats.requests = counters.requests.load();
    stats.rejected_requests = counters.rejected_requests.load();
    stats.streams_open = counters.streams_open.load();
    stats.streams_broken = counters.streams_broken.load();
    stats.bytes_sent = counters.bytes_sent.load();
    return stats;
  }

  void Stop(std::chrono::nanoseconds grace) override {
    if (!std::exchange(is_running_, false)) return;
    // Nobody gets in any more, not even into the queue.
    shutdown(listener_, SHUT_RDWR);
    MonotonicTime deadline = core_.clock.Monotonic() + grace;
    for (const auto& loop : loops_) loop->Stop(deadline);
    for (const auto& loop : loops_) loop->Join();
    core_.workers.Stop();  // the last of them may still be waking its loop, which must exist then
  }

 private:
  ServerCore core_;
  const int listener_;
  const std::string address_;
  std::vector<std::unique_ptr<EventLoop>> loops_;
  bool is_running_ = false;
};

Status CheckOptions(const HttpServerOptions& options) {
  if (options.tls_cert.empty() != options.tls_key.empty()) {
    return Status::InvalidArgument("TLS needs both a certificate and a key");
  }
  bool is_sound = options.threads >= 1 && options.workers >= 1 && options.connections >= 1 &&
                  options.connections_per_address >= 1 && options.uri_bytes >= 1 &&
                  options.header_bytes >= options.uri_bytes;
  auto zero = std::chrono::nanoseconds(0);
  is_sound = is_sound && options.header_deadline > zero && options.body_deadline > zero &&
             options.idle_limit > zero && options.write_stall_limit > zero;
  if (!is_sound) return Status::InvalidArgument("a limit of the HTTP server is zero");
  return Status::Ok();
}

}  // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::Start(const HttpServerOptions& options,
                                                      HttpHandler* handler) {
  TD_RETURN_IF_ERROR(CheckOptions(options));
  TD_RETURN_IF_ERROR(EnsureFileLimit(options.connections));
  TlsContext tls;
  if (!options.tls_cert.empty()) {
    TD_ASSIGN_OR_RETURN(tls, MakeTlsContext(options.tls_cert, options.tls_key));
  }
  TD_ASSIGN_OR_RETURN(int listener, Listen(options.listen));
  auto server = std::make_unique<EpollServer>(options, handler, std::move(tls), listener);
  TD_RETURN_IF_ERROR(server->Begin());
  return std::unique_ptr<HttpServer>(std::move(server));
}

}  // namespace tapedeck
