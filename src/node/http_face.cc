#include "node/http_face.h"

#include "node/open_files.h"

namespace tapedeck {
namespace {

// A worker makes a page or a piece of a stream; the record thread has a core to itself.
constexpr int kWorkers = 4;
// A look at the sizes walks over the store's files.
constexpr std::chrono::seconds kMeasureInterval(5);
constexpr std::chrono::milliseconds kMeasureOpening(200);

TableDecimals DecimalsOf(const Config& config) {
  TableDecimals decimals;
  for (const auto& [name, table] : config.tables) {
    for (const auto& [column, form] : table.decimals)
      decimals[name].emplace(column, DecimalType{form.precision, form.scale});
  }
  return decimals;
}

}  // namespace

Result<std::unique_ptr<HttpFace>> HttpFace::Start(const Config& config,
                                                  const HttpFaceParts& parts) {
  const HttpConfig& http = config.http;
  auto face = std::unique_ptr<HttpFace>(new HttpFace());
  if (!http.tokens_file.empty()) {
    Result<std::unique_ptr<TokenFile>> tokens = TokenFile::Open(http.tokens_file, parts.clock);
    if (!tokens.ok()) {
      return Status::InvalidArgument("http.tokens_file: " + std::string(tokens.status().message()));
    }
    face->tokens_ = std::move(tokens).value();
  }
  TD_ASSIGN_OR_RETURN(face->api_, Api::Make({.node = parts.served,
                                             .clock = parts.clock,
                                             .tokens = face->tokens_.get(),
                                             // Beyond loopback only who says so is without tokens.
                                             .own_names_only = !http.allow_insecure,
                                             .version = parts.version,
                                             .metrics = parts.metrics,
                                             .read_bytes = config.budget.spare / 2,
                                             .answer_limit = http.answer_limit,
                                             .decimals = DecimalsOf(config)}));
  HttpServerOptions options;
  options.listen = http.listen;
  options.tls_cert = http.tls_cert;
  options.tls_key = http.tls_key;
  options.workers = kWorkers;
  options.write_bytes_per_s = http.read_rate_min;
  options.connections = parts.connections;
  face->tls_ = !http.tls_cert.empty();
  Result<std::unique_ptr<HttpServer>> server = HttpServer::Start(options, face->api_.get());
  if (!server.ok()) return server.status().WithContext("http.listen");
  face->server_ = std::move(server).value();
  face->api_->Watch(face->server_.get());
  face->measurer_ =
      std::thread([raw = face.get(), served = parts.served] { raw->MeasureLoop(served); });
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

void HttpFace::MeasureLoop(const ServedNode* served) {
  std::unique_lock lock(mutex_);
  while (!stop_) {
    lock.unlock();
    const bool open = served->store() != nullptr;
    api_->Measure();
    lock.lock();
    wake_.wait_for(lock, open ? kMeasureInterval : kMeasureOpening, [this] { return stop_; });
  }
}

void HttpFace::Stop(std::chrono::nanoseconds grace) {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  if (measurer_.joinable()) measurer_.join();
  if (server_ != nullptr) server_->Stop(grace);
  // Probes last: who asks sees the node stopping, not gone.
  if (metrics_ != nullptr) metrics_->Stop(std::chrono::nanoseconds(0));
}

}  // namespace tapedeck
