#ifndef TAPEDECK_BASE_ENCODING_H_
#define TAPEDECK_BASE_ENCODING_H_

// Bytes as text and back: hexadecimal, base64 (RFC 4648, section 4), percent-encoding (RFC 3986).
//
//   ToHex("\x01\xff")            // "01ff"
//   ToBase64("hi")               // "aGk="
//   PercentEncode("a b/c", "/")  // "a%20b/c": letters, digits, - . _ ~ and what is named stay
//
// Decoding is strict: what the encoder would not write is kInvalidArgument, and the message never
// repeats the text, which may be a secret.
//
// Thread-safe: pure functions.

#include <string>
#include <string_view>

#include "base/status.h"

namespace tapedeck {

/// Two lower-case digits a byte.
std::string ToHex(std::string_view bytes);

/// With padding, without line ends.
std::string ToBase64(std::string_view bytes);
Result<std::string> FromBase64(std::string_view text);

/// Bytes other than RFC 3986's unreserved ones and those in `also_kept` become %XX, upper case: the
/// form that request signatures demand.
std::string PercentEncode(std::string_view bytes, std::string_view also_kept = {});
/// Any %XX becomes its byte, everything else stays; a '%' without two digits is kInvalidArgument.
Result<std::string> PercentDecode(std::string_view text);

}  // namespace tapedeck

#endif  // TAPEDECK_BASE_ENCODING_H_
