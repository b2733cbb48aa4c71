#include "tapedeck/demo_http.h"

#include <array>
#include <cstdio>
#include <vector>

#include "mapping/json_tree.h"
#include "tapedeck/json_cells.h"
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

namespace {

constexpr std::chrono::seconds kShipLimit(60);
constexpr std::chrono::milliseconds kShipLook(100);
constexpr std::chrono::minutes kReplayLimit(3);

Result<std::string> Ask(WebClient* client, const std::string& method, const std::string& url,
                        const std::string& body = "") {
  WebRequest request;
  request.method = method;
  request.url = url;
  request.body = WebBody::Bytes(body);
  TD_ASSIGN_OR_RETURN(WebAnswer answer, client->Send(request));
  if (answer.ok()) return std::move(answer.body);
  return Status::Internal(url + ": HTTP status " + std::to_string(answer.status) + ": " +
                          answer.body.substr(0, 500));
}

// Calls `visit` with each entry of a list.
template <typename F>
Status Visit(const std::string& body, F visit) {
  json::Tree tree;
  if (tree.Parse(body) != json::Tree::Outcome::kOk || tree.size() == 0)
    return Status::Internal("the node answered with what is no JSON");
  const uint32_t list = tree.Find(0, "data");
  if (list == json::kNone) return Status::Internal("the node answered without a list");
  for (uint32_t e = tree.First(list); e != json::kNone; e = tree.Next(list, e)) visit(tree, e);
  return Status::Ok();
}

Result<bool> IsShipped(const std::string& body) {
  constexpr std::string_view kNames[] = {"state", "rows"};
  bool shipped = true;
  TD_RETURN_IF_ERROR(Visit(body, [&](const json::Tree& tree, uint32_t entry) {
    const std::vector<std::string> cells = CellsOf(tree, entry, kNames);
    const bool nothing = cells[0] == "open" && cells[1] == "0";
    shipped = shipped && (nothing || cells[0] == "shipped" || cells[0] == "pruned");
  }));
  return shipped;
}

}  // namespace

Status ShipAsCurl(const std::string& node_url, Day day, Clock* clock) {
  TD_ASSIGN_OR_RETURN(const std::unique_ptr<WebClient> client, WebClient::Open({}));
  const std::string close = node_url + "/v1/days/" + day.ToString() + "/close";
  std::printf("\n$ curl -X POST '%s'\n", close.c_str());
  const MonotonicTime limit = clock->Monotonic() + kShipLimit;
  for (bool shipped = false; !shipped; clock->SleepFor(kShipLook)) {
    TD_ASSIGN_OR_RETURN(const std::string body, Ask(client.get(), "POST", close));
    TD_ASSIGN_OR_RETURN(shipped, IsShipped(body));
    if (!shipped && clock->Monotonic() > limit)
      return Status::Unavailable("the day is not shipped after a minute: " + body);
  }
  for (const char* list : {"/v1/objects", "/v1/objects?table=tape"}) {
    TD_ASSIGN_OR_RETURN(const std::string body, Ask(client.get(), "GET", node_url + list));
    constexpr std::string_view kNames[] = {"rows", "bytes", "uri"};
    TD_RETURN_IF_ERROR(Visit(body, [&](const json::Tree& tree, uint32_t entry) {
      const std::vector<std::string> cells = CellsOf(tree, entry, kNames);
      std::printf("%10s rows %10s bytes  %s\n", cells[0].c_str(), cells[1].c_str(),
                  cells[2].c_str());
    }));
  }
  std::fflush(stdout);
  return Status::Ok();
}

Status ReplayAsCurl(const std::string& node_url, const DemoReplay& replay, Clock* clock) {
  TD_ASSIGN_OR_RETURN(const std::unique_ptr<WebClient> client, WebClient::Open({}));
  const std::string url = node_url + "/v1/replays";
  char speed[32];
  std::snprintf(speed, sizeof speed, "%g", replay.speed);
  const std::string body = R"({"source":{"topics":[")" + replay.topic + R"("],"symbols":[")" +
                           replay.symbol + R"("]},"target":{"name":")" + replay.target +
                           R"(","topic":"{topic}-replay"},"pace":{"mode":"original","speed":)" +
                           speed + R"(},"delivery":"at-least-once"})";
  std::printf("\n$ curl -X POST '%s' -d '%s'\n", url.c_str(), body.c_str());
  std::fflush(stdout);
  TD_ASSIGN_OR_RETURN(std::string job, Ask(client.get(), "POST", url, body));
  const MonotonicTime begun = clock->Monotonic();
  for (;; clock->SleepFor(kShipLook)) {
    json::Tree tree;
    if (tree.Parse(job) != json::Tree::Outcome::kOk || tree.size() == 0)
      return Status::Internal("the node answered with what is no JSON");
    constexpr std::string_view kJob[] = {"id", "state"};
    const std::vector<std::string> cells = CellsOf(tree, 0, kJob);
    if (cells[1] == "failed") return Status::Internal("the replay has failed: " + job);
    if (cells[1] == "done") {
      constexpr std::string_view kSent[] = {"messages"};
      constexpr std::string_view kLate[] = {"p50_us", "p99_us"};
      const uint32_t progress = tree.Find(0, "progress");
      const uint32_t pacing = tree.Find(0, "pacing");
      if (progress == json::kNone || pacing == json::kNone)
        return Status::Internal("the node answered without a job: " + job);
      const std::vector<std::string> late = CellsOf(tree, pacing, kLate);
      std::printf(
          "%s messages of %s are on %s-replay once more, at %s times their pace, read back and "
          "equal;\nsent behind their time: half by at most %s us, 99 of 100 by %s us\n",
          CellsOf(tree, progress, kSent)[0].c_str(), replay.symbol.c_str(), replay.topic.c_str(),
          speed, late[0].c_str(), late[1].c_str());
      std::fflush(stdout);
      return Status::Ok();
    }
    if (clock->Monotonic() - begun > kReplayLimit)
      return Status::Unavailable("the replay is not done after minutes: " + job);
    TD_ASSIGN_OR_RETURN(job, Ask(client.get(), "GET", url + "/" + cells[0]));
  }
}

}  // namespace tapedeck::cli
