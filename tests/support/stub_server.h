#ifndef TAPEDECK_TESTS_SUPPORT_STUB_SERVER_H_
#define TAPEDECK_TESTS_SUPPORT_STUB_SERVER_H_

// StubServer: an HTTP server whose every answer, and every misbehaviour, a test decides.
//
//   StubServer server([](const StubRequest& request) {
//     if (request.number == 0) return StubAnswer::Reset();
//     return StubAnswer::Of(200, "hello", {{"ETag", "\"1\""}});
//   });
//   client.Get(server.url() + "/x");
//   EXPECT_EQ(server.requests().size(), 2u);
//
// One thread per connection. The handler is called for one request at a time. Thread-safe.

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace tapedeck::testing {

struct StubRequest {
  size_t number = 0;  // of all that the server got, from 0
  std::string method;
  std::string target;                          // path and query, as sent
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;

  std::string Header(const std::string& name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? "" : found->second;
  }
};

struct StubAnswer {
  std::string bytes;        // exactly what is sent
  bool is_reset = false;    // then the connection is reset
  bool is_closed = false;   // then it is closed
  bool is_hanging = false;  // then nothing more happens until the server ends
  int drip_ms = 0;          // > 0: one byte each so many milliseconds

  using Headers = std::vector<std::pair<std::string, std::string>>;
  static StubAnswer Of(int status, const std::string& body = "", const Headers& headers = {});
  static StubAnswer Reset() { return {.bytes = {}, .is_reset = true}; }
  static StubAnswer Hang() { return {.bytes = {}, .is_hanging = true}; }
  /// The answer of another, without its last `count` bytes, then a reset.
  static StubAnswer CutShort(StubAnswer answer, size_t count);
};

class StubServer {
 public:
  using Handler = std::function<StubAnswer(const StubRequest&)>;
  explicit StubServer(Handler handler);
  ~StubServer();
  StubServer(const StubServer&) = delete;
  StubServer& operator=(const StubServer&) = delete;

  /// "http://127.0.0.1:port"
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  uint16_t port() const { return port_; }
  std::vector<StubRequest> requests() const;

 private:
  void Accept();
  void Serve(int connection);
  bool Send(int connection, const StubAnswer& answer);

  const Handler handler_;
  int listener_ = -1;
  uint16_t port_ = 0;
  mutable std::mutex mutex_;  // protects the next four
  std::vector<StubRequest> requests_;
  std::vector<int> connections_;
  std::vector<std::thread> threads_;
  bool is_ending_ = false;
  std::condition_variable ending_;
  std::thread acceptor_;
};

}  // namespace tapedeck::testing

#endif  // TAPEDECK_TESTS_SUPPORT_STUB_SERVER_H_
