#ifndef TAPEDECK_WEB_WEB_CLIENT_H_
#define TAPEDECK_WEB_WEB_CLIENT_H_

// WebClient: one HTTP request, one answer, with an end in sight whatever the other side does. Wraps
// libcurl.
//
//   TD_ASSIGN_OR_RETURN(auto client, WebClient::Open({.ca_file = "/etc/ssl/private-ca.pem"}));
//   WebRequest request;
//   request.method = "PUT";
//   request.url = "https://minio.example:9000/bucket/name";
//   request.body = WebBody::File(fd, 0, size);
//   TD_ASSIGN_OR_RETURN(WebAnswer answer, client->Send(request));
//   if (answer.status == 200) ...
//
// An answer with any HTTP status is a value; a Status means that there was no complete answer, and
// the request may or may not have been carried out. Redirects are answers, never followed: a
// signed request is for one place. Proxies of the environment are not used. Requests to addresses
// of web/address.h are refused unless `may_ask_metadata`.
//
// Errors: kUnavailable (no connection, a time limit, a connection that broke: try again),
// kFailedPrecondition (a certificate that is not trusted, a refused address), kCancelled (`stop`),
// kResourceExhausted (an answer larger than allowed), kInvalidArgument (not a URL), kInternal; or
// what a sink returned. No message holds a query, a header or a body: they carry signatures.
//
// Thread-safe: each Send takes a connection of its own from those that are kept open.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"

namespace tapedeck {

/// The bytes of a request: in memory, or a part of an open file. Owns neither.
struct WebBody {
  std::string_view bytes;
  int fd = -1;  // >= 0: `size` bytes of this file from `offset` on, read with pread
  uint64_t offset = 0;
  uint64_t size = 0;

  static WebBody Bytes(std::string_view bytes) { return {bytes, -1, 0, bytes.size()}; }
  static WebBody File(int fd, uint64_t offset, uint64_t size) { return {{}, fd, offset, size}; }
};

/// How libcurl signs a request for S3 (AWS signature, version 4).
struct WebSignature {
  std::string region;
  std::string service;  // "s3"; empty: no signature
  std::string access_key;
  std::string secret_key;
};

struct WebRequest {
  std::string method = "GET";  // GET, HEAD, PUT, POST, DELETE
  std::string url;             // with its query, everything encoded as it is to be sent
  std::vector<std::pair<std::string, std::string>> headers;
  WebBody body;
  WebSignature signature;
  /// Takes the body of an answer with status `sink_status` piece by piece; an error ends the
  /// request and is Send's. Any other body is in the answer.
  std::function<Status(std::string_view)> sink;
  int sink_status = 200;
  size_t answer_bytes_max = size_t{1} << 20;  // of a body that no sink takes
  std::chrono::milliseconds connect_timeout{10'000};
  std::chrono::milliseconds timeout{60'000};  // for all of it
  /// Less than `low_speed` bytes per second for this long: broken off. Waiting for an answer
  /// counts.
  std::chrono::seconds low_speed_time{30};
  int64_t low_speed = 1024;
  bool may_ask_metadata = false;
};

struct WebAnswer {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case
  std::string body;

  /// The first header of this name (lower case); empty where there is none.
  std::string_view Header(std::string_view name) const;
  bool ok() const { return status >= 200 && status < 300; }
};

struct WebClientOptions {
  std::string ca_file;  // PEM; empty: the system's certificates
  std::string user_agent = "tapedeck";
  /// When it becomes true, running and later requests end with kCancelled. Outlives the client.
  const std::atomic<bool>* stop = nullptr;
};

class WebClient {
 public:
  static Result<std::unique_ptr<WebClient>> Open(WebClientOptions options);
  ~WebClient();
  WebClient(const WebClient&) = delete;
  WebClient& operator=(const WebClient&) = delete;

  Result<WebAnswer> Send(const WebRequest& request);

 private:
  struct Connections;
  WebClient(WebClientOptions options, std::unique_ptr<Connections> connections);

  const WebClientOptions options_;
  std::unique_ptr<Connections> connections_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_WEB_WEB_CLIENT_H_
