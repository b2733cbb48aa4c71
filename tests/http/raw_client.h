#ifndef TAPEDECK_TESTS_HTTP_RAW_CLIENT_H_
#define TAPEDECK_TESTS_HTTP_RAW_CLIENT_H_

// A client that sends exactly the bytes it is given, over a real socket, and sees exactly what
// comes back and how the connection ends.
//
// Owned by one thread.

#include <chrono>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace tapedeck {

/// Longer than anything takes on a busy machine; what goes well waits for none of it.
inline constexpr std::chrono::seconds kPatience{20};

/// How a connection ended, as its client saw it.
enum class Ending : uint8_t { kOpen, kClosed, kReset };

class RawClient {
 public:
  /// "127.0.0.1:port" or "[::1]:port". `receive_buffer` 0: the system's.
  explicit RawClient(const std::string& address, int receive_buffer = 0);
  ~RawClient();
  RawClient(RawClient&& other) noexcept;
  RawClient(const RawClient&) = delete;

  bool connected() const { return socket_ >= 0; }
  int socket() const { return socket_; }
  Ending ending() const { return ending_; }
  const std::string& received() const { return received_; }

  /// False where the peer has gone.
  bool Send(std::string_view bytes);
  /// Sends as much as fits without waiting.
  size_t SendSome(std::string_view bytes);
  /// Waits for more bytes or the end. False when the time is over or the end was there.
  bool ReadMore(std::chrono::milliseconds patience = kPatience);
  /// Reads until the end or the time is over. All that was received.
  const std::string& ReadToEnd(std::chrono::milliseconds patience = kPatience);
  /// Reads until `text` has been received.
  bool ReadUntil(std::string_view text, std::chrono::milliseconds patience = kPatience);
  void Forget() { received_.clear(); }
  void FinishSending();
  void Close();
  /// Closes so that the peer sees a reset.
  void Reset();

 private:
  int socket_ = -1;
  Ending ending_ = Ending::kOpen;
  std::string received_;
};

struct RawResponse {
  int status = 0;
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;                            // chunks joined
  std::map<std::string, std::string> trailers;
  bool is_complete = false;  // as a strict client judges
};

/// The answers in `bytes`. `methods`: what was asked, in order; missing ones count as GET.
std::vector<RawResponse> ParseResponses(std::string_view bytes,
                                        const std::vector<std::string>& methods = {});

/// Sends `bytes`, reads to the end (or until the time is over) and returns the answers.
std::vector<RawResponse> Exchange(const std::string& address, std::string_view bytes);

/// "GET path HTTP/1.1" with Host and, where asked for, Connection: close.
std::string Get(std::string_view path);
std::string GetAndClose(std::string_view path);

/// Waits until `condition` holds; false when the time is over first.
template <typename F>
bool Eventually(F condition, std::chrono::milliseconds patience = kPatience);

}  // namespace tapedeck

#include "base/clock.h"

template <typename F>
bool tapedeck::Eventually(F condition, std::chrono::milliseconds patience) {
  MonotonicTime until = SystemClock().Monotonic() + patience;
  while (!condition()) {
    if (SystemClock().Monotonic() > until) return false;
    SystemClock().SleepFor(std::chrono::milliseconds(2));
  }
  return true;
}

#endif  // TAPEDECK_TESTS_HTTP_RAW_CLIENT_H_
