#include "support/stub_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <chrono>
#include <cstdlib>
#include <stdexcept>

namespace tapedeck::testing {
namespace {

/// Reads until `buffer` holds `size` bytes; false at the end of the connection.
bool Fill(int connection, size_t size, std::string* buffer) {
  std::array<char, 1 << 16> piece{};
  while (buffer->size() < size) {
    const ssize_t got = ::recv(connection, piece.data(), piece.size(), 0);
    if (got <= 0) return false;
    buffer->append(piece.data(), static_cast<size_t>(got));
  }
  return true;
}

/// The next request of the connection; false at its end. `buffer` keeps what was read ahead.
bool ReadRequest(int connection, std::string* buffer, StubRequest* request) {
  size_t end = 0;
  while ((end = buffer->find("\r\n\r\n")) == std::string::npos)
    if (!Fill(connection, buffer->size() + 1, buffer)) return false;
  std::string head = buffer->substr(0, end + 2);
  buffer->erase(0, end + 4);
  size_t line_end = head.find("\r\n");
  const std::string first = head.substr(0, line_end);
  request->method = first.substr(0, first.find(' '));
  request->target = first.substr(request->method.size() + 1);
  request->target = request->target.substr(0, request->target.find(' '));
  for (size_t at = line_end + 2; at < head.size(); at = line_end + 2) {
    line_end = head.find("\r\n", at);
    const std::string line = head.substr(at, line_end - at);
    const size_t colon = line.find(':');
    std::string name = line.substr(0, colon);
    std::transform(name.begin(), name.end(), name.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    const size_t value = line.find_first_not_of(' ', colon + 1);
    request->headers[name] = value == std::string::npos ? "" : line.substr(value);
  }
  if (request->Header("expect") == "100-continue") {
    const std::string go_on = "HTTP/1.1 100 Continue\r\n\r\n";
    if (::send(connection, go_on.data(), go_on.size(), MSG_NOSIGNAL) < 0) return false;
  }
  const size_t size = std::strtoull(request->Header("content-length").c_str(), nullptr, 10);
  if (!Fill(connection, size, buffer)) return false;
  request->body = buffer->substr(0, size);
  buffer->erase(0, size);
  return true;
}

void ResetOnClose(int connection) {
  const linger now{1, 0};
  ::setsockopt(connection, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

}  // namespace

StubAnswer StubAnswer::Of(int status, const std::string& body, const Headers& headers) {
  std::string bytes = "HTTP/1.1 " + std::to_string(status) + " Stub\r\n";
  bool has_length = false;
  for (const auto& [name, value] : headers) {
    bytes += name + ": " + value + "\r\n";
    has_length |= name == "Content-Length";
  }
  if (!has_length) bytes += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  return {.bytes = bytes + "\r\n" + body};
}

StubAnswer StubAnswer::CutShort(StubAnswer answer, size_t count) {
  answer.bytes.resize(answer.bytes.size() - std::min(count, answer.bytes.size()));
  answer.is_reset = true;
  return answer;
}

StubServer::StubServer(Handler handler) : handler_(std::move(handler)) {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      ::listen(listener_, 64) != 0 ||
      ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    throw std::runtime_error("the stub server cannot listen");
  }
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { Accept(); });
}

StubServer::~StubServer() {
  {
    std::lock_guard lock(mutex_);
    is_ending_ = true;
    for (int connection : connections_) ::shutdown(connection, SHUT_RDWR);
  }
  ending_.notify_all();
  ::shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  ::close(listener_);
  for (std::thread& thread : threads_) thread.join();
  for (int connection : connections_) ::close(connection);
}

std::vector<StubRequest> StubServer::requests() const {
  std::lock_guard lock(mutex_);
  return requests_;
}

void StubServer::Accept() {
  for (;;) {
    const int connection = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection < 0) return;
    std::lock_guard lock(mutex_);
    connections_.push_back(connection);
    if (is_ending_) return;
    threads_.emplace_back([this, connection] { Serve(connection); });
  }
}

void StubServer::Serve(int connection) {
  std::string buffer;
  for (;;) {
    StubRequest request;
    if (!ReadRequest(connection, &buffer, &request)) break;
    StubAnswer answer;
    {
      std::lock_guard lock(mutex_);
      request.number = requests_.size();
      requests_.push_back(request);
      answer = handler_(request);
    }
    // An answer to HEAD has no body; one would be taken for the beginning of the next answer.
    const size_t head_end = answer.bytes.find("\r\n\r\n");
    if (request.method == "HEAD" && head_end != std::string::npos)
      answer.bytes.resize(head_end + 4);
    if (!Send(connection, answer)) break;
  }
  // The descriptor itself is closed at the end: until then nobody else gets its number.
  std::lock_guard lock(mutex_);
  const bool is_open =
      std::find(connections_.begin(), connections_.end(), connection) != connections_.end();
  if (is_open) ::shutdown(connection, SHUT_RDWR);
}

bool StubServer::Send(int connection, const StubAnswer& answer) {
  const size_t step = answer.drip_ms > 0 ? 1 : std::max<size_t>(answer.bytes.size(), 1);
  for (size_t at = 0; at < answer.bytes.size(); at += step) {
    size_t size = std::min(step, answer.bytes.size() - at);
    for (size_t sent = 0; sent < size;) {
      const ssize_t count =
          ::send(connection, answer.bytes.data() + at + sent, size - sent, MSG_NOSIGNAL);
      if (count < 0) return false;
      sent += static_cast<size_t>(count);
    }
    if (answer.drip_ms > 0) {
      std::unique_lock lock(mutex_);
      if (ending_.wait_for(lock, std::chrono::milliseconds(answer.drip_ms),
                           [this] { return is_ending_; })) {
        return false;
      }
    }
  }
  if (answer.is_hanging) {
    std::unique_lock lock(mutex_);
    ending_.wait(lock, [this] { return is_ending_; });
    return false;
  }
  if (answer.is_reset) {
    ResetOnClose(connection);
    std::lock_guard lock(mutex_);
    connections_.erase(std::find(connections_.begin(), connections_.end(), connection));
    ::close(connection);
    return false;
  }
  return !answer.is_closed;
}

}  // namespace tapedeck::testing
