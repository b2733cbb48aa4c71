#include "tapedeck/demo_http.h"

#include <array>
#include <cstdio>

#include "tapedeck/remote_node.h"
#include "web/web_client.h"

namespace tapedeck::cli {
namespace {

constexpr std::array<const char*, 3> kPaths = {
    "/v1/quotes/latest?symbols=*&format=csv",
    "/v1/trades?symbols=BTC-USD&start=now-5s&limit=5&format=ndjson",
    "/v1/coverage",
};

std::string CurlLine(const std::string& url) { return "curl '" + url + "'"; }

}  // namespace

void ShowCurlLines(const std::string& node_url) {
  std::fprintf(stderr, "status page  %s/\nmeanwhile, in another terminal:\n", node_url.c_str());
  for (const char* path : kPaths) std::fprintf(stderr, "  %s\n", CurlLine(node_url + path).c_str());
  std::fflush(stderr);
}

Status AskAsCurl(const std::string& node_url) {
  TD_ASSIGN_OR_RETURN(const std::unique_ptr<WebClient> client, WebClient::Open({}));
  WebRequest request;
  request.url = node_url + kPaths[0];
  TD_ASSIGN_OR_RETURN(const WebAnswer answer, client->Send(request));
  std::printf("\n$ %s\n%s", CurlLine(request.url).c_str(), answer.body.c_str());
  if (answer.status == 200 && IsWhole(answer)) return Status::Ok();
  return Status::Internal("the node answered with HTTP status " + std::to_string(answer.status) +
                          ", or not to the end");
}

}  // namespace tapedeck::cli
