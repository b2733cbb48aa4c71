#ifndef TAPEDECK_TESTS_CLI_FAKE_SERVER_H_
#define TAPEDECK_TESTS_CLI_FAKE_SERVER_H_

// FakeServer: answers HTTP requests on a port of this machine with bytes that the test makes up:
// for what a real node never sends, such as half an answer.
//
//   FakeServer server([](const std::string& head) { return Page("text/csv", "ts\r\n"); });
//   RunTapedeck({"query", "trades", "--url", server.url()});
//   server.heads()     // what was asked, in order
//
// One request for each connection, one connection after the other. Thread-safe.

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace tapedeck::testing {

class FakeServer {
 public:
  /// `answer` makes all bytes of an answer, status line first, of the request's head.
  explicit FakeServer(std::function<std::string(const std::string& head)> answer);
  ~FakeServer();
  FakeServer(const FakeServer&) = delete;
  FakeServer& operator=(const FakeServer&) = delete;

  std::string url() const;
  std::vector<std::string> heads();

 private:
  void Serve();

  const std::function<std::string(const std::string&)> answer_;
  int listener_ = -1;
  int port_ = 0;
  std::mutex mutex_;  // protects heads_
  std::vector<std::string> heads_;
  std::thread thread_;
};

/// A whole answer with Content-Length; `headers` are lines with their CRLF.
std::string Page(const std::string& type, const std::string& body, const std::string& headers = "",
                 int status = 200);
/// A chunked answer of one piece; `trailers` are lines with their CRLF.
std::string Chunked(const std::string& type, const std::string& body, const std::string& trailers);

}  // namespace tapedeck::testing

#endif  // TAPEDECK_TESTS_CLI_FAKE_SERVER_H_
