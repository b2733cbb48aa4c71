#ifndef TAPEDECK_WEB_URL_H_
#define TAPEDECK_WEB_URL_H_

// The parts of an http or https URL from configuration or a cloud's documents.
//
//   TD_ASSIGN_OR_RETURN(WebUrl url, ParseWebUrl("https://minio.example:9000/base"));
//   url.Origin()   // "https://minio.example:9000"
//
// A name and password inside a URL are refused: they would end in logs. Thread-safe.

#include <string>

#include "base/status.h"

namespace tapedeck {

struct WebUrl {
  std::string scheme;  // "http" or "https"
  std::string host;    // an IPv6 address keeps its brackets
  std::string port;    // empty: the scheme's own
  std::string path;    // begins with '/'; as written
  std::string query;   // without '?'; as written

  /// scheme://host[:port]
  std::string Origin() const;
  bool is_secure() const { return scheme == "https"; }
};

/// kInvalidArgument where it is not such a URL, or has a name, a password or a fragment.
Result<WebUrl> ParseWebUrl(const std::string& text);

/// What of a URL may be shown: all before '?'. Queries carry signatures.
std::string ShownUrl(const std::string& url);

}  // namespace tapedeck

#endif  // TAPEDECK_WEB_URL_H_
