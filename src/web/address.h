#ifndef TAPEDECK_WEB_ADDRESS_H_
#define TAPEDECK_WEB_ADDRESS_H_

// Which network addresses a request may go to.
//
// A URL from configuration could name, or its host could resolve to, the address at which clouds
// hand the machine's own credentials to whoever asks. Such addresses are refused when the socket is
// opened, after names were resolved, so that no name server can lead there. Only the code that
// fetches the credentials of a role asks for them.
//
// Thread-safe: pure functions.

#include <sys/socket.h>

#include <string>

namespace tapedeck {

/// True for link-local addresses of both families (169.254.0.0/16, fe80::/10), the metadata
/// services that lie elsewhere (fd00:ec2::/32, 168.63.129.16, 100.100.100.200), "any" addresses
/// and multicast; also where an IPv6 address carries such an IPv4 one.
bool IsMetadataOrLocalAddress(const sockaddr* address, socklen_t size);

/// True for 127.0.0.0/8 and ::1, and for "localhost": where plain HTTP shows nothing to others.
bool IsLoopbackHost(const std::string& host);

}  // namespace tapedeck

#endif  // TAPEDECK_WEB_ADDRESS_H_
