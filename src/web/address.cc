#include "web/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cstdint>
#include <cstring>

namespace tapedeck {
namespace {

bool IsRefused4(uint32_t address) {
  constexpr uint32_t kAzureFabric = 0xA83F8110;      // 168.63.129.16
  constexpr uint32_t kAlibabaMetadata = 0x646464C8;  // 100.100.100.200
  return (address >> 16) == 0xA9FE || address == kAzureFabric || address == kAlibabaMetadata ||
         (address >> 24) == 0 || (address >> 28) == 0xE || address == 0xFFFFFFFF;
}

bool IsRefused6(const in6_addr& address) {
  const uint8_t* byte = address.s6_addr;
  uint32_t last = uint32_t{byte[12]} << 24 | uint32_t{byte[13]} << 16 | uint32_t{byte[14]} << 8 |
                  uint32_t{byte[15]};
  if (IN6_IS_ADDR_LOOPBACK(&address)) return false;
  if (IN6_IS_ADDR_V4MAPPED(&address) || IN6_IS_ADDR_V4COMPAT(&address)) return IsRefused4(last);
  // 64:ff9b::/96 and 2002::/16 carry an IPv4 address, too (RFC 6052, RFC 3056).
  static constexpr uint8_t kNat64[12] = {0, 0x64, 0xff, 0x9b};
  if (std::memcmp(byte, kNat64, sizeof kNat64) == 0) return IsRefused4(last);
  if (byte[0] == 0x20 && byte[1] == 0x02) {
    return IsRefused4(uint32_t{byte[2]} << 24 | uint32_t{byte[3]} << 16 | uint32_t{byte[4]} << 8 |
                      uint32_t{byte[5]});
  }
  bool is_ec2 = byte[0] == 0xfd && byte[1] == 0x00 && byte[2] == 0x0e && byte[3] == 0xc2;
  return is_ec2 || IN6_IS_ADDR_LINKLOCAL(&address) || IN6_IS_ADDR_MULTICAST(&address) ||
         IN6_IS_ADDR_UNSPECIFIED(&address);
}

}  // namespace

bool IsMetadataOrLocalAddress(const sockaddr* address, socklen_t size) {
  if (address->sa_family == AF_INET && size >= sizeof(sockaddr_in)) {
    sockaddr_in in{};
    std::memcpy(&in, address, sizeof in);
    return IsRefused4(ntohl(in.sin_addr.s_addr));
  }
  if (address->sa_family == AF_INET6 && size >= sizeof(sockaddr_in6)) {
    sockaddr_in6 in{};
    std::memcpy(&in, address, sizeof in);
    return IsRefused6(in.sin6_addr);
  }
  return true;  // nothing else is an Internet address
}

bool IsLoopbackHost(const std::string& host) {
  std::string bare = host;
  if (bare.size() > 2 && bare.front() == '[' && bare.back() == ']')
    bare = bare.substr(1, bare.size() - 2);
  in_addr v4{};
  if (::inet_pton(AF_INET, bare.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  in6_addr v6{};
  if (::inet_pton(AF_INET6, bare.c_str(), &v6) == 1) return IN6_IS_ADDR_LOOPBACK(&v6);
  return bare == "localhost";
}

}  // namespace tapedeck
