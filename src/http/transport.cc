#include "http/transport.h"

#include <linux/sockios.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string_view>

namespace tapedeck {
namespace {

constexpr unsigned char kHttp11[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};

// Of the protocols a client offers only HTTP/1.1 is spoken; one that offers others alone is told.
int SelectProtocol(SSL*, const unsigned char** out, unsigned char* out_size,
                   const unsigned char* offered, unsigned int offered_size, void*) {
  unsigned char* chosen = nullptr;
  int found =
      SSL_select_next_proto(&chosen, out_size, kHttp11, sizeof(kHttp11), offered, offered_size);
  *out = chosen;
  return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

std::string LastTlsError() {
  unsigned long code = ERR_peek_last_error();
  const char* reason = ERR_reason_error_string(code);
  ERR_clear_error();
  return reason != nullptr ? reason : "unknown error";
}

}  // namespace

void TlsContextFree::operator()(ssl_ctx_st* context) const { SSL_CTX_free(context); }

Result<TlsContext> MakeTlsContext(const std::string& cert_file, const std::string& key_file) {
  ERR_clear_error();
  TlsContext context(SSL_CTX_new(TLS_server_method()));
  if (context == nullptr) return Status::Internal("no TLS context: " + LastTlsError());
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                         SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_mode(context.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_RELEASE_BUFFERS |
                                      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_alpn_select_cb(context.get(), SelectProtocol, nullptr);
  if (SSL_CTX_use_certificate_chain_file(context.get(), cert_file.c_str()) != 1) {
    return Status::InvalidArgument("cannot use the certificate " + cert_file + ": " +
                                   LastTlsError());
  }
  if (SSL_CTX_use_PrivateKey_file(context.get(), key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
    return Status::InvalidArgument("cannot use the key " + key_file + ": " + LastTlsError());
  }
  if (SSL_CTX_check_private_key(context.get()) != 1) {
    return Status::InvalidArgument("the key " + key_file + " does not belong to the certificate " +
                                   cert_file);
  }
  return context;
}

Transport::Transport(int socket, ssl_ctx_st* context) : socket_(socket) {
  if (context == nullptr) return;
  tls_ = SSL_new(context);
  if (tls_ == nullptr || SSL_set_fd(tls_, socket) != 1) {
    Close();
    return;
  }
  SSL_set_accept_state(tls_);
}

Transport::~Transport() { Close(); }

Transport::State Transport::TlsState(int result) {
  switch (SSL_get_error(tls_, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
      return State::kBlocked;
    case SSL_ERROR_ZERO_RETURN:
      return State::kClosed;
    default:
      ERR_clear_error();
      return State::kFailed;
  }
}

Transport::State Transport::Handshake() {
  if (socket_ < 0) return State::kFailed;
  if (tls_ == nullptr) return State::kDone;
  ERR_clear_error();
  int result = SSL_do_handshake(tls_);
  if (result == 1) return State::kDone;
  unsigned long code = ERR_peek_error();
  if (ERR_GET_LIB(code) == ERR_LIB_SSL && ERR_GET_REASON(code) == SSL_R_HTTP_REQUEST) {
    ERR_clear_error();
    SSL_free(tls_);
    tls_ = nullptr;
    return State::kPlain;
  }
  return TlsState(result);
}

Transport::Moved Transport::Read(char* to, size_t size) {
  if (tls_ != nullptr) {
    ERR_clear_error();
    size_t bytes = 0;
    int result = SSL_read_ex(tls_, to, size, &bytes);
    return result == 1 ? Moved{State::kDone, bytes} : Moved{TlsState(result), 0};
  }
  ssize_t bytes = 0;
  do {
    bytes = recv(socket_, to, size, 0);
  } while (bytes < 0 && errno == EINTR);
  if (bytes > 0) return {State::kDone, static_cast<size_t>(bytes)};
  if (bytes == 0) return {State::kClosed, 0};
  return {errno == EAGAIN ? State::kBlocked : State::kFailed, 0};
}

Transport::Moved Transport::Write(std::span<const iovec> parts) {
  if (tls_ != nullptr) {
    size_t total = 0;
    for (const iovec& part : parts) {
      if (part.iov_len == 0) continue;
      ERR_clear_error();
      size_t bytes = 0;
      int result = SSL_write_ex(tls_, part.iov_base, part.iov_len, &bytes);
      if (result != 1) {
        State state = TlsState(result);
        return {total > 0 && state == State::kBlocked ? State::kDone : state, total};
      }
      total += bytes;
      if (bytes < part.iov_len) break;
    }
    return {State::kDone, total};
  }
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(parts.data());
  message.msg_iovlen = parts.size();
  ssize_t bytes = 0;
  do {
    bytes = sendmsg(socket_, &message, MSG_NOSIGNAL);
  } while (bytes < 0 && errno == EINTR);
  if (bytes >= 0) return {State::kDone, static_cast<size_t>(bytes)};
  return {errno == EAGAIN ? State::kBlocked : State::kFailed, 0};
}

size_t Transport::Unacknowledged() const {
  int bytes = 0;
  return ioctl(socket_, SIOCOUTQ, &bytes) == 0 && bytes > 0 ? static_cast<size_t>(bytes) : 0;
}

void Transport::FinishWriting() {
  if (tls_ != nullptr) {
    ERR_clear_error();
    SSL_shutdown(tls_);
    ERR_clear_error();
  }
  shutdown(socket_, SHUT_WR);
}

void Transport::Break() {
  if (socket_ >= 0) shutdown(socket_, SHUT_RDWR);
}

void Transport::Close() {
  if (tls_ != nullptr) SSL_free(tls_);
  tls_ = nullptr;
  if (socket_ >= 0) ::close(socket_);
  socket_ = -1;
}

}  // namespace tapedeck
