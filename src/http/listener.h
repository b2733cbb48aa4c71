#ifndef TAPEDECK_HTTP_LISTENER_H_
#define TAPEDECK_HTTP_LISTENER_H_

// The listening socket, and addresses as text.
//
// Private to http. Thread-safe: pure functions of their arguments and the system.

#include <string>

#include "base/status.h"
#include "http/server_core.h"

namespace tapedeck {

/// Listens on "127.0.0.1:8080" or "[::1]:8080" (a host name is looked up; port 0: any). The socket
/// does not block. kInvalidArgument: no such address; kUnavailable: it is taken.
Result<int> Listen(const std::string& address);

/// Where the socket listens, as `Listen` reads it.
std::string AddressOf(int socket);

/// Who is connected.
Peer PeerOf(int socket);

/// Room for so many open files beside those of the rest of the process, raising the soft limit
/// where the hard one allows it. kFailedPrecondition with both numbers otherwise.
Status EnsureFileLimit(size_t connections);

}  // namespace tapedeck

#endif  // TAPEDECK_HTTP_LISTENER_H_
