#include "http/raw_client.h"

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <utility>

namespace tapedeck {
namespace {

std::string Lower(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower;
}

// Takes one line with its CR LF off the front; false where there is none.
bool TakeLine(std::string_view* rest, std::string* line) {
  size_t end = rest->find("\r\n");
  if (end == std::string_view::npos) return false;
  line->assign(rest->substr(0, end));
  rest->remove_prefix(end + 2);
  return true;
}

bool TakeFields(std::string_view* rest, std::map<std::string, std::string>* fields) {
  std::string line;
  while (TakeLine(rest, &line)) {
    if (line.empty()) return true;
    size_t colon = line.find(": ");
    if (colon == std::string::npos) return false;
    (*fields)[Lower(line.substr(0, colon))] = line.substr(colon + 2);
  }
  return false;
}

bool TakeChunks(std::string_view* rest, RawResponse* response) {
  std::string line;
  while (TakeLine(rest, &line)) {
    size_t size = 0;
    auto parsed = std::from_chars(line.data(), line.data() + line.size(), size, 16);
    if (parsed.ec != std::errc() || parsed.ptr != line.data() + line.size()) return false;
    if (size == 0) return TakeFields(rest, &response->trailers);
    response->body.append(rest->substr(0, size));
    if (rest->size() < size + 2 || rest->substr(size, 2) != "\r\n") return false;
    rest->remove_prefix(size + 2);
  }
  return false;
}

}  // namespace

RawClient::RawClient(const std::string& address, int receive_buffer) {
  size_t colon = address.rfind(':');
  std::string host = address.substr(0, colon);
  if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), address.c_str() + colon + 1, &hints, &found) != 0) return;
  socket_ = ::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (receive_buffer > 0) {
    setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof(receive_buffer));
  }
  if (socket_ >= 0 && connect(socket_, found->ai_addr, found->ai_addrlen) != 0) {
    close(socket_);
    socket_ = -1;
  }
  freeaddrinfo(found);
}

RawClient::RawClient(RawClient&& other) noexcept
    : socket_(std::exchange(other.socket_, -1)),
      ending_(other.ending_),
      received_(std::move(other.received_)) {}

RawClient::~RawClient() { Close(); }

void RawClient::Close() {
  if (socket_ >= 0) close(socket_);
  socket_ = -1;
}

void RawClient::Reset() {
  linger now{1, 0};
  setsockopt(socket_, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
  Close();
}

void RawClient::FinishSending() { shutdown(socket_, SHUT_WR); }

bool RawClient::Send(std::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t sent = send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

size_t RawClient::SendSome(std::string_view bytes) {
  ssize_t sent = send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  return sent > 0 ? static_cast<size_t>(sent) : 0;
}

bool RawClient::ReadMore(std::chrono::milliseconds patience) {
  if (ending_ != Ending::kOpen) return false;
  pollfd wait{socket_, POLLIN, 0};
  if (poll(&wait, 1, static_cast<int>(patience.count())) <= 0) return false;
  std::array<char, 65536> buffer;
  ssize_t bytes = recv(socket_, buffer.data(), buffer.size(), 0);
  if (bytes > 0) {
    received_.append(buffer.data(), static_cast<size_t>(bytes));
    return true;
  }
  ending_ = bytes == 0 ? Ending::kClosed : Ending::kReset;
  return false;
}

const std::string& RawClient::ReadToEnd(std::chrono::milliseconds patience) {
  MonotonicTime until = SystemClock().Monotonic() + patience;
  while (ending_ == Ending::kOpen && SystemClock().Monotonic() < until) {
    auto left = std::chrono::ceil<std::chrono::milliseconds>(until - SystemClock().Monotonic());
    if (!ReadMore(std::max(left, std::chrono::milliseconds(1)))) break;
  }
  return received_;
}

bool RawClient::ReadUntil(std::string_view text, std::chrono::milliseconds patience) {
  while (received_.find(text) == std::string::npos) {
    if (!ReadMore(patience)) return received_.find(text) != std::string::npos;
  }
  return true;
}

std::vector<RawResponse> ParseResponses(std::string_view bytes,
                                        const std::vector<std::string>& methods) {
  std::vector<RawResponse> responses;
  size_t asked = 0;
  while (!bytes.empty()) {
    RawResponse& response = responses.emplace_back();
    std::string line;
    if (!TakeLine(&bytes, &line) || !line.starts_with("HTTP/1.1 ") || line.size() < 12) break;
    std::from_chars(line.data() + 9, line.data() + 12, response.status);
    if (!TakeFields(&bytes, &response.headers)) break;
    if (response.status < 200) {  // on the way to the real one
      response.is_complete = true;
      continue;
    }
    bool is_head = asked < methods.size() && methods[asked] == "HEAD";
    ++asked;
    if (is_head || response.status == 204 || response.status == 304) {
      response.is_complete = true;
    } else if (response.headers.contains("transfer-encoding")) {
      response.is_complete = TakeChunks(&bytes, &response);
      if (!response.is_complete) break;
    } else {
      size_t size = 0;
      const std::string& length = response.headers["content-length"];
      auto parsed = std::from_chars(length.data(), length.data() + length.size(), size);
      response.body = bytes.substr(0, size);
      response.is_complete = parsed.ec == std::errc() && bytes.size() >= size;
      bytes.remove_prefix(std::min(size, bytes.size()));
      if (!response.is_complete) break;
    }
  }
  return responses;
}

std::vector<RawResponse> Exchange(const std::string& address, std::string_view bytes) {
  RawClient client(address);
  client.Send(bytes);
  return ParseResponses(client.ReadToEnd());
}

std::string Get(std::string_view path) {
  return "GET " + std::string(path) + " HTTP/1.1\r\nHost: test\r\n\r\n";
}

std::string GetAndClose(std::string_view path) {
  return "GET " + std::string(path) + " HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n";
}

}  // namespace tapedeck
