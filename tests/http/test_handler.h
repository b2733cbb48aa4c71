#ifndef TAPEDECK_TESTS_HTTP_TEST_HANDLER_H_
#define TAPEDECK_TESTS_HTTP_TEST_HANDLER_H_

// A handler with one path for each thing that a handler can do, and a count of its calls.
//
//   /quick /slow     an answer from the socket thread, from a worker
//   /echo            method, path, query and body of the request
//   /big?bytes       a body of that many bytes, in one piece
//   /stream?pieces   as many pieces of 64 KiB, then two trailers
//   /endless         pieces without end        /quiet     nothing, without end
//   /late            nothing three times, then one piece
//   /broken?pieces   an error after so many    /explodes  an exception after one
//   /throws /starves /odd  an exception, bad_alloc, something else thrown, from a worker;
//   /quick-throws    an exception on the socket thread
//   /splits          a header value with a line end in it
//   /block           waits until Release()
//   /until-gone      works until the server says that nobody waits for it
//
// Thread-safe.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "http/server.h"

namespace tapedeck {

inline constexpr size_t kPieceBytes = size_t{64} << 10;

/// The byte at a place of a stream: any loss or repetition shows.
inline char StreamByte(size_t place) { return static_cast<char>('a' + place % 23); }

/// As many of them from there on; fast, since a sanitizer looks at each byte that code touches.
inline void AppendStreamBytes(size_t place, size_t count, std::string* out) {
  static const std::string kAll = [] {
    std::string all;
    for (size_t i = 0; i < kPieceBytes + 23; ++i) all.push_back(StreamByte(i));
    return all;
  }();
  for (size_t done = 0; done < count;) {
    const size_t part = std::min(count - done, kPieceBytes);
    out->append(kAll, (place + done) % 23, part);
    done += part;
  }
}

class TestBody final : public ResponseBody {
 public:
  enum class Kind : uint8_t { kPieces, kEndless, kQuiet, kLate, kBroken, kExplodes };
  TestBody(Kind kind, int pieces, std::atomic<int>* alive, std::atomic<int>* calls)
      : kind_(kind), pieces_(pieces), alive_(alive), calls_(calls) {
    ++*alive_;
  }
  ~TestBody() override { --*alive_; }

  Result<Step> Next(std::string* out) override {
    ++*calls_;
    if (kind_ == Kind::kQuiet) return Step::kWait;
    if (kind_ == Kind::kLate && waits_++ < 3) return Step::kWait;
    if (kind_ == Kind::kBroken && done_ == pieces_) return Status::Corruption("piece is damaged");
    if (kind_ == Kind::kExplodes && done_ == 1) throw std::bad_alloc();
    if (kind_ == Kind::kPieces && done_ == pieces_) return Step::kEnd;
    AppendStreamBytes(place_, kPieceBytes, out);
    place_ += kPieceBytes;
    ++done_;
    return kind_ == Kind::kLate ? Step::kEnd : Step::kMore;
  }
  std::vector<HttpField> Trailers() override {
    return {{"Tapedeck-Rows", std::to_string(done_)}, {"Tapedeck-Status", "complete"}};
  }

 private:
  const Kind kind_;
  const int pieces_;
  std::atomic<int>* const alive_;
  std::atomic<int>* const calls_;
  int waits_ = 0;
  int done_ = 0;
  size_t place_ = 0;
};

class TestHandler final : public HttpHandler {
 public:
  std::atomic<int> calls{0};
  std::atomic<int> bodies_alive{0};
  std::atomic<int> next_calls{0};
  std::atomic<int> held_alive{0};

  bool IsQuick(const HttpRequest& request) const override {
    return request.path == "/quick" || request.path == "/echo" || request.path == "/quick-throws" ||
           request.path == "/hidden";
  }

  HttpResponse Handle(const HttpRequest& request) override {
    ++calls;
    const std::string& path = request.path;
    if (path == "/throws" || path == "/quick-throws") throw std::runtime_error("by intent");
    if (path == "/starves") throw std::bad_alloc();
    if (path == "/odd") throw 42;
    if (path == "/block") Wait();
    if (path == "/until-gone") {
      while (!request.gone->load()) SystemClock().SleepFor(std::chrono::milliseconds(1));
    }
    if (path == "/echo") return Echo(request);
    if (path == "/big") return Big(std::stoul(request.query));
    int pieces = request.query.empty() ? 0 : std::stoi(request.query);
    using Kind = TestBody::Kind;
    if (path == "/stream") return Stream(Kind::kPieces, pieces);
    if (path == "/endless") return Stream(Kind::kEndless, 0);
    if (path == "/quiet") return Stream(Kind::kQuiet, 0);
    if (path == "/late") return Stream(Kind::kLate, 0);
    if (path == "/broken") return Stream(Kind::kBroken, pieces);
    if (path == "/explodes") return Stream(Kind::kExplodes, 0);
    HttpResponse response = HttpResponse::Text(200, "text/plain", "ok " + path + "\n");
    if (path == "/splits") response.Set("X-Echo", "a\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK");
    if (path == "/none") response.status = 204;
    return response;
  }

  HttpResponse Problem(int status, const std::string& detail,
                       const HttpRequest& request) noexcept override {
    HttpResponse response;
    response.status = status;
    try {
      response.Set("Content-Type", "application/problem+json");
      response.body = "{\"status\":" + std::to_string(status) + ",\"detail\":\"" + detail +
                      "\",\"instance\":\"" + request.path + "\"}\n";
    } catch (...) {  // without memory there is no sentence either
    }
    return response;
  }

  std::optional<HttpResponse> BeforeBody(const HttpRequest& head) override {
    if (head.path != "/forbidden") return std::nullopt;
    return HttpResponse::Text(403, "text/plain", "no\n");
  }

  void Release() {
    std::lock_guard lock(mutex_);
    is_released_ = true;
    wake_.notify_all();
  }

 private:
  void Wait() {
    std::unique_lock lock(mutex_);
    wake_.wait(lock, [this] { return is_released_; });
  }
  static HttpResponse Echo(const HttpRequest& request) {
    return HttpResponse::Text(200, "text/plain",
                              request.method + " " + request.path + " " + request.query + " " +
                                  std::to_string(request.minor_version) + " " + request.peer + " " +
                                  (request.tls ? "tls" : "plain") + "\n" + request.body);
  }
  HttpResponse Big(size_t bytes) {
    std::string body;
    AppendStreamBytes(0, bytes, &body);
    HttpResponse response = HttpResponse::Text(200, "text/plain", std::move(body));
    ++held_alive;
    response.held = std::shared_ptr<void>(this, [this](void*) { --held_alive; });
    return response;
  }
  HttpResponse Stream(TestBody::Kind kind, int pieces) {
    HttpResponse response;
    response.Set("Content-Type", "application/x-ndjson");
    response.Set("Trailer", "Tapedeck-Rows, Tapedeck-Status");
    response.stream = std::make_unique<TestBody>(kind, pieces, &bodies_alive, &next_calls);
    return response;
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  bool is_released_ = false;
};

}  // namespace tapedeck

#endif  // TAPEDECK_TESTS_HTTP_TEST_HANDLER_H_
