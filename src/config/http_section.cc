#include "config/http_section.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

namespace tapedeck {
namespace {

// "127.0.0.1:8080", "[::1]:8080", "localhost:8080", "0.0.0.0:8080".
Status CheckAddress(const std::string& address) {
  if (address.empty()) return Status::Ok();
  const size_t colon = address.rfind(':');
  const std::string_view port =
      colon == std::string::npos ? "" : std::string_view(address).substr(colon + 1);
  int number = -1;
  auto [at, error] = std::from_chars(port.data(), port.data() + port.size(), number);
  const std::string_view host =
      std::string_view(address).substr(0, std::min(colon, address.size()));
  const bool bracketed = host.starts_with('[') && host.ends_with(']') && host.size() > 2;
  const bool good = error == std::errc() && at == port.data() + port.size() && number >= 0 &&
                    number <= 65535 && !host.empty() &&
                    (bracketed || host.find_first_of("[]:/ \t\n") == std::string_view::npos);
  if (good) return Status::Ok();
  return Status::InvalidArgument(QuoteToml(address) +
                                 " is no address: write \"127.0.0.1:8080\" or \"[::1]:8080\"");
}

// By the address itself: 127.example.com is a name like any other.
bool IsLoopback(const std::string& address) {
  const std::string host = address.substr(0, address.rfind(':'));
  if (host == "localhost" || host == "[::1]") return true;
  in_addr v4{};
  return inet_pton(AF_INET, host.c_str(), &v4) == 1 && ntohl(v4.s_addr) >> 24 == 127;
}

// What must not happen by oversight: that others read along, or ask without a token.
void CheckExposure(const HttpConfig& http, std::string_view key, const std::string& address,
                   SectionReader* section) {
  if (address.empty() || IsLoopback(address) || http.allow_insecure) return;
  const std::string what =
      section->KeyPath(key) + " = " + QuoteToml(address) + " can be reached from elsewhere";
  if (http.tokens_file.empty()) {
    section->Problem(section->where(), what +
                                           ": name http.tokens_file (`tapedeck token new` makes "
                                           "tokens), or say http.allow_insecure = true");
  }
  if (http.tls_cert.empty()) {
    section->Problem(section->where(), what +
                                           ": name http.tls_cert and http.tls_key, or say "
                                           "http.allow_insecure = true");
  }
}

}  // namespace

void ReadHttp(const ConfigValue& root, Config* config, Findings* findings) {
  HttpConfig* out = &config->http;
  SectionReader http(root.Find("http"), "http", findings);
  http.Text("listen", &out->listen, CheckAddress);
  http.Text("metrics_listen", &out->metrics_listen, CheckAddress);
  http.Text("tls_cert", &out->tls_cert);
  http.Text("tls_key", &out->tls_key);
  http.Text("tokens_file", &out->tokens_file);
  http.Flag("allow_insecure", &out->allow_insecure);
  http.Duration("answer_limit", {std::chrono::seconds(1), std::chrono::hours(1)},
                &out->answer_limit);
  http.Size("read_rate_min", {1, uint64_t{1} << 30}, &out->read_rate_min);
  if (out->tls_cert.empty() != out->tls_key.empty()) {
    http.Problem(http.where(), "http.tls_cert and http.tls_key belong together: name both");
  }
  if (!out->metrics_listen.empty() && out->metrics_listen == out->listen &&
      !out->listen.ends_with(":0")) {
    http.Problem(http.where(), "http.metrics_listen is http.listen: /metrics is there anyway");
  }
  CheckExposure(*out, "listen", out->listen, &http);
  CheckExposure(*out, "metrics_listen", out->metrics_listen, &http);
  http.Done();
}

}  // namespace tapedeck
