#ifndef TAPEDECK_HTTP_SERVER_CORE_H_
#define TAPEDECK_HTTP_SERVER_CORE_H_

// ServerCore: what the connections of one server share: options, handler, workers, counters, and
// the caps on connections and on memory for request bodies.
//
// Private to http. Thread-safe.

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <unordered_map>

#include "base/clock.h"
#include "http/server.h"
#include "http/transport.h"
#include "http/worker_pool.h"

namespace tapedeck {

/// Who is at the other end.
struct Peer {
  std::string text;  // "127.0.0.1", "2001:db8::1"
  /// What connections are counted by: an IPv4 address, or the first 64 bits of an IPv6 one, which
  /// is what one household has.
  std::string group;
};

struct ServerCounters {
  std::atomic<uint64_t> connections_total{0};
  std::atomic<uint64_t> refused_connections{0};
  std::atomic<uint64_t> requests{0};
  std::atomic<uint64_t> rejected_requests{0};
  std::atomic<uint64_t> streams_open{0};
  std::atomic<uint64_t> streams_broken{0};
  std::atomic<uint64_t> bytes_sent{0};
};

/// How a new connection is treated.
enum class Admission : uint8_t {
  kServed,
  kRefused,  // over a cap: told so, then closed
  kDropped,  // over a cap, with too many that are being told so
};

class ServerCore {
 public:
  ServerCore(const HttpServerOptions& its_options, HttpHandler* its_handler, TlsContext its_tls)
      : options(its_options),
        handler(its_handler),
        tls(std::move(its_tls)),
        workers(its_options.workers) {}

  Admission Admit(const Peer& peer);
  /// Ends what Admit began with kServed or kRefused.
  void Leave(const Peer& peer, Admission admission) noexcept;
  uint64_t connections_open() const { return open_.load(std::memory_order_relaxed); }

  /// Whether a request body of that size may be taken in now.
  bool TakeBodyShare(size_t bytes);
  void ReturnBodyShare(size_t bytes) { body_bytes_.fetch_sub(bytes); }

  const HttpServerOptions options;
  HttpHandler* const handler;
  const TlsContext tls;
  Clock& clock = SystemClock();
  ServerCounters counters;
  WorkerPool workers;

 private:
  std::atomic<uint64_t> open_{0};
  std::atomic<uint64_t> refused_open_{0};
  std::atomic<size_t> body_bytes_{0};
  std::mutex mutex_;
  std::unordered_map<std::string, size_t> groups_;  // open connections; none: no entry
};

}  // namespace tapedeck

#endif  // TAPEDECK_HTTP_SERVER_CORE_H_
