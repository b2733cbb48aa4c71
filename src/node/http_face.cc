#include "node/http_face.h"

#include "node/open_files.h"

namespace tapedeck {
namespace {

// A worker makes a page or a piece of a stream; the record thread has a core to itself.
constexpr int kWorkers = 4;

}  // namespace

Result<std::unique_ptr<HttpFace>> HttpFace::Start(const Config& config, ServedNode* served,
                                                  Clock* clock, const std::string& version,
                                                  size_t connections) {
  const HttpConfig& http = config.http;
  auto face = std::unique_ptr<HttpFace>(new HttpFace());
  if (!http.tokens_file.empty()) {
    Result<std::unique_ptr<TokenFile>> tokens = TokenFile::Open(http.tokens_file, clock);
    if (!tokens.ok()) {
      return Status::InvalidArgument("http.tokens_file: " + std::string(tokens.status().message()));
    }
    face->tokens_ = std::move(tokens).value();
  }
  TD_ASSIGN_OR_RETURN(face->api_, Api::Make({.node = served,
                                             .clock = clock,
                                             .tokens = face->tokens_.get(),
                                             .version = version,
                                             .read_bytes = config.budget.spare / 2}));
  HttpServerOptions options;
  options.listen = http.listen;
  options.tls_cert = http.tls_cert;
  options.tls_key = http.tls_key;
  options.workers = kWorkers;
  options.connections = connections;
  face->tls_ = !http.tls_cert.empty();
  Result<std::unique_ptr<HttpServer>> server = HttpServer::Start(options, face->api_.get());
  if (!server.ok()) return server.status().WithContext("http.listen");
  face->server_ = std::move(server).value();
  face->api_->Watch(face->server_.get());
  if (http.metrics_listen.empty()) return face;
  options.listen = http.metrics_listen;
  options.workers = 1;
  options.connections = kMetricsConnections;
  Result<std::unique_ptr<HttpServer>> metrics =
      HttpServer::Start(options, face->api_->operations());
  if (!metrics.ok()) return metrics.status().WithContext("http.metrics_listen");
  face->metrics_ = std::move(metrics).value();
  return face;
}

HttpFace::~HttpFace() { Stop(std::chrono::nanoseconds(0)); }

void HttpFace::Stop(std::chrono::nanoseconds grace) {
  if (server_ != nullptr) server_->Stop(grace);
  // Probes last: who asks sees the node stopping, not gone.
  if (metrics_ != nullptr) metrics_->Stop(std::chrono::nanoseconds(0));
}

}  // namespace tapedeck
