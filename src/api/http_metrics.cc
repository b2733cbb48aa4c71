#include "api/http_metrics.h"

#include <string>

namespace tapedeck {
namespace {

constexpr std::string_view kRequests = "tapedeck_http_requests_total";
constexpr std::string_view kRequestsHelp = "Requests answered.";
constexpr std::string_view kOther = "other";

std::string_view PatternOf(size_t route) {
  return route < kRouteCount ? Routes()[route].pattern : kOther;
}

std::string_view MethodLabel(std::string_view method) {
  for (std::string_view known : {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}) {
    if (method == known) return known;
  }
  return kOther;
}

Counter CounterOf(Metrics* metrics, size_t route, std::string_view method, int code) {
  return metrics->AddCounter(kRequests, kRequestsHelp,
                             {{"route", std::string(PatternOf(route))},
                              {"method", std::string(MethodLabel(method))},
                              {"code", std::to_string(code)}});
}

}  // namespace

HttpMetrics::HttpMetrics(Metrics* metrics) : metrics_(metrics) {
  for (size_t i = 0; i <= kRouteCount; ++i) {
    if (i < kRouteCount) ok_[i] = CounterOf(metrics, i, "GET", 200);
    seconds_[i] = metrics->AddHistogram("tapedeck_http_request_seconds",
                                        "Time until an answer was ready to be sent.",
                                        LatencyBounds(), {{"route", std::string(PatternOf(i))}});
  }
}

void HttpMetrics::Count(std::optional<RouteId> route, std::string_view method, int code,
                        double seconds) {
  const size_t index = route.has_value() ? static_cast<size_t>(*route) : kRouteCount;
  requests_.fetch_add(1, std::memory_order_relaxed);
  if (index < kRouteCount && code == 200 && method == "GET") {
    ok_[index]->Increment();
  } else {
    CounterOf(metrics_, index, method, code).Increment();
  }
  seconds_[index]->Observe(seconds);
}

Counter HttpMetrics::BytesOf(RouteId route, std::string_view format) const {
  return metrics_->AddCounter("tapedeck_http_response_bytes_total",
                              "Bytes of bodies given to the server.",
                              {{"route", std::string(PatternOf(static_cast<size_t>(route)))},
                               {"format", std::string(format)}});
}

}  // namespace tapedeck
