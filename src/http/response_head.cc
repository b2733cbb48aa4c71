#include "http/response_head.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>

#include "http/request_gate.h"

namespace tapedeck {
namespace {

std::string_view Reason(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 206:
      return "Partial Content";
    case 301:
      return "Moved Permanently";
    case 303:
      return "See Other";
    case 304:
      return "Not Modified";
    case 307:
      return "Temporary Redirect";
    case 308:
      return "Permanent Redirect";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 406:
      return "Not Acceptable";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 412:
      return "Precondition Failed";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 416:
      return "Range Not Satisfiable";
    case 417:
      return "Expectation Failed";
    case 422:
      return "Unprocessable Content";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Status";
  }
}

void AppendNumber(size_t number, std::string* out) {
  char digits[20];
  auto end = std::to_chars(digits, digits + sizeof(digits), number);
  out->append(digits, static_cast<size_t>(end.ptr - digits));
}

bool SameName(std::string_view a, std::string_view lower) {
  return std::equal(a.begin(), a.end(), lower.begin(), lower.end(), [](char x, char y) {
    return (x >= 'A' && x <= 'Z' ? static_cast<char>(x + ('a' - 'A')) : x) == y;
  });
}

bool IsServersOwn(std::string_view name) {
  switch (name.size()) {
    case 4:
      return SameName(name, "date");
    case 10:
      return SameName(name, "connection") || SameName(name, "keep-alive");
    case 14:
      return SameName(name, "content-length");
    case 17:
      return SameName(name, "transfer-encoding");
    default:
      return false;
  }
}

bool IsSoundField(const HttpField& field) {
  if (field.name.empty()) return false;
  for (char byte : field.name) {
    if (!IsTokenByte(static_cast<unsigned char>(byte))) return false;
  }
  for (char byte : field.value) {
    auto value = static_cast<unsigned char>(byte);
    if ((value < 0x20 && value != '\t') || value == 0x7f) return false;
  }
  return true;
}

void AppendField(const HttpField& field, std::string* out) {
  out->append(field.name).append(": ").append(field.value).append("\r\n");
}

}  // namespace

std::array<char, 30> HttpDate(Timestamp now) {
  using namespace std::chrono;
  auto since = floor<seconds>(nanoseconds(now.ns()));
  auto day = floor<days>(since);
  sys_days date{day};
  year_month_day ymd(date);
  hh_mm_ss time(since - day);
  static constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  std::array<char, 30> text{};
  std::snprintf(text.data(), text.size(), "%s, %02u %s %04d %02d:%02d:%02d GMT",
                kDays[weekday(date).c_encoding()], static_cast<unsigned>(ymd.day()),
                kMonths[static_cast<unsigned>(ymd.month()) - 1], static_cast<int>(ymd.year()),
                static_cast<int>(time.hours().count()), static_cast<int>(time.minutes().count()),
                static_cast<int>(time.seconds().count()));
  return text;
}

bool IsSound(const HttpResponse& response) {
  return response.status >= 200 && response.status <= 599 &&
         std::all_of(response.headers.begin(), response.headers.end(), IsSoundField);
}

void AppendHead(const HttpResponse& response, const ResponseFrame& frame, std::string* out) {
  out->append("HTTP/1.1 ");
  AppendNumber(static_cast<size_t>(response.status), out);
  out->append(" ").append(Reason(response.status)).append("\r\nDate: ").append(frame.date);
  out->append("\r\n");
  for (const HttpField& field : response.headers) {
    if (!IsServersOwn(field.name)) AppendField(field, out);
  }
  if (!frame.content_size) {
    out->append("Transfer-Encoding: chunked\r\n");
  } else if (!IsBodiless(response.status)) {
    out->append("Content-Length: ");
    AppendNumber(*frame.content_size, out);
    out->append("\r\n");
  }
  if (!frame.keep_alive) {
    out->append("Connection: close\r\n");
  } else if (frame.minor_version == 0) {
    out->append("Connection: keep-alive\r\n");
  }
  out->append("\r\n");
}

void AppendTrailers(const std::vector<HttpField>& trailers, std::string* out) {
  for (const HttpField& field : trailers) {
    if (IsSoundField(field) && !IsServersOwn(field.name)) AppendField(field, out);
  }
}

}  // namespace tapedeck
