#include "web/transfer.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "base/file.h"
#include "web/address.h"
#include "web/url.h"

namespace tapedeck {
namespace {

// Object stores answer with some 20 header lines; a metadata value may have 2 kB.
constexpr size_t kHeaderBytesMax = size_t{64} << 10;
// Of an error's body; what is longer says nothing more.
constexpr size_t kErrorBytesMax = size_t{64} << 10;

std::string_view Trimmed(std::string_view text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front())))
    text.remove_prefix(1);
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())))
    text.remove_suffix(1);
  return text;
}

}  // namespace

size_t Transfer::OnRead(char* out, size_t size, size_t count, void* self) noexcept {
  auto* transfer = static_cast<Transfer*>(self);
  const WebBody& body = transfer->request->body;
  size_t wanted = std::min<uint64_t>(size * count, body.size - transfer->sent);
  if (wanted == 0) return 0;
  if (body.fd < 0) {
    std::memcpy(out, body.bytes.data() + transfer->sent, wanted);
    transfer->sent += wanted;
    return wanted;
  }
  ssize_t got = -1;
  do {
    got = ::pread(body.fd, out, wanted, static_cast<off_t>(body.offset + transfer->sent));
  } while (got < 0 && errno == EINTR);
  if (got <= 0) {
    transfer->failed =
        got < 0 ? StatusFromErrno(errno, "reading the file that is sent")
                : Status::FailedPrecondition("the file that is sent became shorter meanwhile");
    return CURL_READFUNC_ABORT;
  }
  transfer->sent += static_cast<uint64_t>(got);
  return static_cast<size_t>(got);
}

int Transfer::OnSeek(void* self, curl_off_t offset, int origin) noexcept {
  auto* transfer = static_cast<Transfer*>(self);
  if (origin != SEEK_SET || offset < 0 ||
      static_cast<uint64_t>(offset) > transfer->request->body.size) {
    return CURL_SEEKFUNC_FAIL;
  }
  transfer->sent = static_cast<uint64_t>(offset);
  return CURL_SEEKFUNC_OK;
}

size_t Transfer::OnBody(char* bytes, size_t size, size_t count, void* self) noexcept {
  auto* transfer = static_cast<Transfer*>(self);
  Status taken = transfer->TakeBody({bytes, size * count});
  if (taken.ok()) return size * count;
  transfer->failed = std::move(taken);
  return 0;  // less than was given: libcurl ends the transfer
}

Status Transfer::TakeBody(std::string_view bytes) {
  const bool is_good = status >= 200 && status < 300;
  if (request->sink && status == request->sink_status)
    return bytes.empty() ? Status::Ok() : request->sink(bytes);
  size_t room = is_good ? request->answer_bytes_max : kErrorBytesMax;
  if (is_good && bytes.size() > room - std::min(room, answer.body.size())) {
    return Status::ResourceExhausted(request->method + " " + ShownUrl(request->url) +
                                     ": an answer of more than " + std::to_string(room) + " bytes");
  }
  answer.body += bytes.substr(0, room - std::min(room, answer.body.size()));
  return Status::Ok();
}

size_t Transfer::OnHeader(char* bytes, size_t size, size_t count, void* self) noexcept {
  auto* transfer = static_cast<Transfer*>(self);
  Status taken = transfer->TakeHeader({bytes, size * count});
  if (taken.ok()) return size * count;
  transfer->failed = std::move(taken);
  return 0;
}

Status Transfer::TakeHeader(std::string_view line) {
  header_bytes += line.size();
  if (header_bytes > kHeaderBytesMax) {
    return Status::ResourceExhausted(request->method + " " + ShownUrl(request->url) +
                                     ": an answer with more than " +
                                     std::to_string(kHeaderBytesMax) + " bytes of headers");
  }
  line = Trimmed(line);
  if (line.starts_with("HTTP/")) {
    size_t space = line.find(' ');
    status = 0;
    for (size_t i = space + 1; space != line.npos && i < line.size() && i < space + 4; ++i) {
      if (line[i] < '0' || line[i] > '9') break;
      status = status * 10 + (line[i] - '0');
    }
    answer.headers.clear();
    is_head_whole = false;
    return Status::Ok();
  }
  if (line.empty()) is_head_whole = true;
  size_t colon = line.find(':');
  if (colon == line.npos) return Status::Ok();
  std::string name(line.substr(0, colon));
  for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  answer.headers.emplace_back(std::move(name), Trimmed(line.substr(colon + 1)));
  return Status::Ok();
}

curl_socket_t Transfer::OnOpenSocket(void* self, curlsocktype, curl_sockaddr* address) noexcept {
  auto* transfer = static_cast<Transfer*>(self);
  if (!transfer->request->may_ask_metadata &&
      IsMetadataOrLocalAddress(&address->addr, address->addrlen)) {
    transfer->failed = Status::FailedPrecondition(
        transfer->request->method + " " + ShownUrl(transfer->request->url) +
        ": refused: its host has a link-local, metadata, multicast or unspecified address");
    return CURL_SOCKET_BAD;
  }
  return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

int Transfer::OnProgress(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) noexcept {
  auto* transfer = static_cast<Transfer*>(self);
  if (transfer->stop == nullptr || !transfer->stop->load()) return 0;
  transfer->failed = Status::Cancelled(transfer->request->method + " " +
                                       ShownUrl(transfer->request->url) + ": stopping");
  return 1;
}

}  // namespace tapedeck
