#ifndef TAPEDECK_HTTP_TRANSPORT_H_
#define TAPEDECK_HTTP_TRANSPORT_H_

// Transport: bytes over one accepted socket that never blocks, plain or through TLS.
//
// TLS is OpenSSL's, 1.2 or later, without renegotiation.
//
// Private to http. Owned by one thread at a time; Break may be called by any.

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "base/status.h"

struct ssl_st;
struct ssl_ctx_st;

namespace tapedeck {

struct TlsContextFree {
  void operator()(ssl_ctx_st* context) const;
};
using TlsContext = std::unique_ptr<ssl_ctx_st, TlsContextFree>;

/// PEM files: a chain, own certificate first, and its key. kInvalidArgument where they cannot be
/// used.
Result<TlsContext> MakeTlsContext(const std::string& cert_file, const std::string& key_file);

class Transport {
 public:
  enum class State : uint8_t {
    kDone,     // bytes moved
    kBlocked,  // nothing can move now
    kClosed,   // the peer has ended its side
    kFailed,   // the connection is of no more use
    kPlain,    // of a handshake: the peer speaks HTTP without TLS
  };
  struct Moved {
    State state = State::kDone;
    size_t bytes = 0;
  };

  /// Takes the socket. `context` null: plain. It must outlive this.
  Transport(int socket, ssl_ctx_st* context);
  ~Transport();
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;

  bool tls() const { return tls_ != nullptr; }
  int socket() const { return socket_; }

  /// kDone at once without TLS. After kPlain, this is a plain transport that can answer.
  State Handshake();
  Moved Read(char* to, size_t size);
  /// Sends from the front of `parts`; after kDone some bytes may be left.
  Moved Write(std::span<const iovec> parts);
  /// What the peer's kernel has not taken yet.
  size_t Unacknowledged() const;
  /// Says that no more will be sent; reading goes on.
  void FinishWriting();
  /// Both sides are over; whoever waits on the socket wakes up. The number stays taken.
  void Break();
  void Close();

 private:
  State TlsState(int result);

  int socket_;
  ssl_st* tls_ = nullptr;
};

}  // namespace tapedeck

#endif  // TAPEDECK_HTTP_TRANSPORT_H_
