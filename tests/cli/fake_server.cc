#include "cli/fake_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>

namespace tapedeck::testing {
namespace {

void Abort(const char* what) {
  std::perror(what);
  std::abort();
}

std::string Hex(size_t number) {
  std::array<char, 20> text{};
  std::snprintf(text.data(), text.size(), "%zx", number);
  return text.data();
}

}  // namespace

FakeServer::FakeServer(std::function<std::string(const std::string& head)> answer)
    : answer_(std::move(answer)) {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* plain = reinterpret_cast<sockaddr*>(&address);
  if (listener_ < 0 || ::bind(listener_, plain, size) != 0 || ::listen(listener_, 16) != 0 ||
      ::getsockname(listener_, plain, &size) != 0) {
    Abort("a socket for a fake server");
  }
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { Serve(); });
}

FakeServer::~FakeServer() {
  ::shutdown(listener_, SHUT_RDWR);  // ends accept
  thread_.join();
  ::close(listener_);
}

std::string FakeServer::url() const { return "http://127.0.0.1:" + std::to_string(port_); }

std::vector<std::string> FakeServer::heads() {
  std::lock_guard lock(mutex_);
  return heads_;
}

void FakeServer::Serve() {
  for (;;) {
    const int peer = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (peer < 0) return;
    std::string head;
    std::array<char, 4096> buffer{};
    while (head.find("\r\n\r\n") == std::string::npos) {
      const ssize_t got = ::read(peer, buffer.data(), buffer.size());
      if (got <= 0) break;
      head.append(buffer.data(), static_cast<size_t>(got));
    }
    {
      std::lock_guard lock(mutex_);
      heads_.push_back(head);
    }
    const std::string bytes = answer_(head);
    for (size_t sent = 0; sent < bytes.size();) {
      const ssize_t put = ::send(peer, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
      if (put <= 0) break;
      sent += static_cast<size_t>(put);
    }
    ::close(peer);
  }
}

std::string Page(const std::string& type, const std::string& body, const std::string& headers,
                 int status) {
  return "HTTP/1.1 " + std::to_string(status) + " x\r\nConnection: close\r\nContent-Type: " + type +
         "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" + headers + "\r\n" + body;
}

std::string Chunked(const std::string& type, const std::string& body, const std::string& trailers) {
  return "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: " + type +
         "\r\nTransfer-Encoding: chunked\r\nTrailer: Tapedeck-Rows, Tapedeck-Status\r\n\r\n" +
         (body.empty() ? "" : Hex(body.size()) + "\r\n" + body + "\r\n") + "0\r\n" + trailers +
         "\r\n";
}

}  // namespace tapedeck::testing
