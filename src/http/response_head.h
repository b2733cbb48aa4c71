#ifndef TAPEDECK_HTTP_RESPONSE_HEAD_H_
#define TAPEDECK_HTTP_RESPONSE_HEAD_H_

// The status line and header fields of an answer.
//
// Private to http. Thread-safe: pure functions.

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"
#include "http/message.h"

namespace tapedeck {

/// What the server adds to the handler's fields.
struct ResponseFrame {
  std::string_view date;               // from HttpDate
  std::optional<size_t> content_size;  // Content-Length; none: chunked
  bool keep_alive = true;
  int minor_version = 1;  // of the request
};

/// "Sun, 06 Nov 1994 08:49:37 GMT" and a NUL.
std::array<char, 30> HttpDate(Timestamp now);

/// Whether the status is one of 200 to 599 and no name or value could end its line early, which
/// would let a symbol or a header that is echoed write an answer of its own.
bool IsSound(const HttpResponse& response);

/// Fields that are the server's to write are left out: Content-Length, Transfer-Encoding,
/// Connection, Date, Keep-Alive.
void AppendHead(const HttpResponse& response, const ResponseFrame& frame, std::string* out);

/// "name: value" lines of a chunked body's end; unsound ones are left out.
void AppendTrailers(const std::vector<HttpField>& trailers, std::string* out);

/// Whether an answer of that status has no body whatever the method.
inline bool IsBodiless(int status) { return status == 204 || status == 304; }

}  // namespace tapedeck

#endif  // TAPEDECK_HTTP_RESPONSE_HEAD_H_
