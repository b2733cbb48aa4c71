#ifndef TAPEDECK_API_CHECKED_TOKEN_H_
#define TAPEDECK_API_CHECKED_TOKEN_H_

// Bytes that a client keeps for us and gives back: base64url with a check, so that a slip of the
// hand is told from a token of ours. Not a signature: a token gives no right that its bearer lacks.
//
//   token := base64url( bytes check:u32 )       without padding (RFC 4648, section 5)
//
// Thread-safe: pure functions.

#include <optional>
#include <string>
#include <string_view>

namespace tapedeck {

std::string EncodeCheckedToken(std::string bytes);
/// nullopt: no token of ours.
std::optional<std::string> DecodeCheckedToken(std::string_view text);

}  // namespace tapedeck

#endif  // TAPEDECK_API_CHECKED_TOKEN_H_
