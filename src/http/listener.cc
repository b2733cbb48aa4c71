#include "http/listener.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

namespace tapedeck {
namespace {

/// Connections that have arrived and not been accepted yet.
constexpr int kBacklog = 1024;
/// Files that the rest of a node keeps open: the store's tables, Kafka's sockets, its own.
constexpr size_t kOtherFiles = 256;

struct HostAndPort {
  std::string host;
  std::string port;
};

Result<HostAndPort> Split(const std::string& address) {
  size_t colon = address.rfind(':');
  Status wrong = Status::InvalidArgument("'" + address +
                                         "' is not an address and a port, as in 127.0.0.1:8080");
  if (colon == std::string::npos || colon + 1 == address.size()) return wrong;
  HostAndPort parts{address.substr(0, colon), address.substr(colon + 1)};
  bool is_number = parts.port.size() <= 5;
  for (char c : parts.port) is_number = is_number && c >= '0' && c <= '9';
  if (!is_number || std::stoi(parts.port) > 65535) return wrong;
  if (parts.host.starts_with('[') && parts.host.ends_with(']')) {
    parts.host = parts.host.substr(1, parts.host.size() - 2);
  } else if (parts.host.find(':') != std::string::npos) {
    return wrong;  // which colon ends an IPv6 address is a guess
  }
  if (parts.host.empty()) return wrong;
  return parts;
}

std::string Text(const sockaddr_storage& address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
    if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
      inet_ntop(AF_INET, v6.sin6_addr.s6_addr + 12, text, sizeof(text));
    } else {
      inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof(text));
    }
  } else if (address.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    inet_ntop(AF_INET, &v4.sin_addr, text, sizeof(text));
  }
  return text;
}

}  // namespace

Result<int> Listen(const std::string& address) {
  TD_ASSIGN_OR_RETURN(HostAndPort parts, Split(address));
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  int error = getaddrinfo(parts.host.c_str(), parts.port.c_str(), &hints, &found);
  if (error != 0) {
    return Status::InvalidArgument("'" + address + "': " + gai_strerror(error));
  }
  std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, freeaddrinfo);
  int listener = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (listener < 0) {
    return Status::InvalidArgument("'" + address + "': " + std::strerror(errno));
  }
  int on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (found->ai_family == AF_INET6) {
    setsockopt(listener, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
  }
  if (bind(listener, found->ai_addr, found->ai_addrlen) != 0 || listen(listener, kBacklog) != 0) {
    int why = errno;
    close(listener);
    std::string text = "cannot listen on " + address + ": " + std::strerror(why);
    bool passes = why == EADDRINUSE || why == EADDRNOTAVAIL;
    return passes ? Status::Unavailable(text) : Status::InvalidArgument(text);
  }
  return listener;
}

std::string AddressOf(int socket) {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  if (getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) != 0) return "";
  if (address.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
    return "[" + Text(address) + "]:" + std::to_string(ntohs(v6.sin6_port));
  }
  const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
  return Text(address) + ":" + std::to_string(ntohs(v4.sin_port));
}

Peer PeerOf(int socket) {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  if (getpeername(socket, reinterpret_cast<sockaddr*>(&address), &size) != 0) return {};
  Peer peer;
  peer.text = Text(address);
  peer.group = peer.text;
  const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
  if (address.ss_family == AF_INET6 && !IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
    peer.group.assign(reinterpret_cast<const char*>(v6.sin6_addr.s6_addr), 8);
  }
  return peer;
}

Status EnsureFileLimit(size_t connections) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return Status::Ok();
  rlim_t needed = connections + kOtherFiles;
  if (limit.rlim_cur >= needed) return Status::Ok();
  if (limit.rlim_max < needed) {
    return Status::FailedPrecondition(
        std::to_string(connections) + " connections need " + std::to_string(needed) +
        " open files, and this process may have " + std::to_string(limit.rlim_max) +
        ": raise its limit (ulimit -n, LimitNOFILE) or allow fewer connections");
  }
  limit.rlim_cur = needed;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
    return Status::FailedPrecondition(std::string("cannot raise the limit of open files: ") +
                                      std::strerror(errno));
  }
  return Status::Ok();
}

}  // namespace tapedeck
