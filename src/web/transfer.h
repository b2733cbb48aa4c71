#ifndef TAPEDECK_WEB_TRANSFER_H_
#define TAPEDECK_WEB_TRANSFER_H_

// Transfer: one request under way, and the functions that libcurl calls for it. Inside web only.
//
// A callback that cannot go on writes the reason into `failed` and ends the transfer.
// Owned by one thread.

#include <curl/curl.h>

#include <array>
#include <atomic>
#include <cstddef>

#include "base/status.h"
#include "web/web_client.h"

namespace tapedeck {

struct Transfer {
  const WebRequest* request = nullptr;
  const std::atomic<bool>* stop = nullptr;
  WebAnswer answer;
  int status = 0;  // of the header lines that come in now; 100 may come before the real one
  size_t header_bytes = 0;
  bool is_head_whole = false;  // the empty line after the header lines came
  uint64_t sent = 0;           // bytes of the body that libcurl has taken
  Status failed;
  std::array<char, CURL_ERROR_SIZE> error{};

  static size_t OnRead(char* out, size_t size, size_t count, void* self) noexcept;
  static int OnSeek(void* self, curl_off_t offset, int origin) noexcept;
  static size_t OnBody(char* bytes, size_t size, size_t count, void* self) noexcept;
  static size_t OnHeader(char* bytes, size_t size, size_t count, void* self) noexcept;
  static curl_socket_t OnOpenSocket(void* self, curlsocktype purpose,
                                    curl_sockaddr* address) noexcept;
  static int OnProgress(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) noexcept;

 private:
  Status TakeBody(std::string_view bytes);
  Status TakeHeader(std::string_view line);
};

}  // namespace tapedeck

#endif  // TAPEDECK_WEB_TRANSFER_H_
