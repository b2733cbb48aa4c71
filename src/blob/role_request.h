#ifndef TAPEDECK_BLOB_ROLE_REQUEST_H_
#define TAPEDECK_BLOB_ROLE_REQUEST_H_

// Questions to the services at which a machine or container gets the credentials of its role. The
// only requests that may go to link-local addresses. Inside blob only. Thread-safe.

#include <string>
#include <string_view>

#include "base/status.h"
#include "web/web_client.h"

namespace tapedeck {

/// Files that hold a secret: a key, a token, a profile.
inline constexpr size_t kSecretFileBytesMax = size_t{1} << 20;
/// Credentials that expire are fetched again so much earlier.
inline constexpr int64_t kRenewEarlyNs = 5 * 60 * int64_t{1'000'000'000};

/// With the short time limits of a service that is near, or not there at all.
WebRequest RoleRequest(std::string method, std::string url);

/// What an answer other than 2xx means; its body is not repeated.
Status RoleError(const WebAnswer& answer, const char* whose);

std::string_view TrimmedText(std::string_view text);

}  // namespace tapedeck

#endif  // TAPEDECK_BLOB_ROLE_REQUEST_H_
