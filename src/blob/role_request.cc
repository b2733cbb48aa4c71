#include "blob/role_request.h"

namespace tapedeck {

WebRequest RoleRequest(std::string method, std::string url) {
  WebRequest request;
  request.method = std::move(method);
  request.url = std::move(url);
  request.connect_timeout = std::chrono::seconds(2);
  request.timeout = std::chrono::seconds(5);
  request.may_ask_metadata = true;
  request.answer_bytes_max = size_t{64} << 10;
  return request;
}

Status RoleError(const WebAnswer& answer, const char* whose) {
  const std::string text = std::string(whose) + " answers HTTP " + std::to_string(answer.status);
  const bool is_passing = answer.status >= 500 || answer.status == 429;
  return is_passing ? Status::Unavailable(text) : Status::FailedPrecondition(text);
}

std::string_view TrimmedText(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const size_t begin = text.find_first_not_of(kSpace);
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

}  // namespace tapedeck
