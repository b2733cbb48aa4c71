#include "http/request_parser.h"

#include <boost/beast/http/basic_parser.hpp>
#include <cstdint>
#include <limits>

namespace tapedeck {
namespace {

namespace beast = boost::beast;

/// Puts what Beast reports straight into the request.
class MessageParser final : public beast::http::basic_parser<true> {
 public:
  explicit MessageParser(HttpRequest* request) : request_(request) {}
  std::string_view target() const { return {target_.data(), target_.size()}; }

 private:
  using Text = beast::string_view;
  using Error = beast::error_code;

  void on_request_impl(beast::http::verb, Text method, Text target, int version, Error&) override {
    request_->method.assign(method.data(), method.size());
    request_->minor_version = version - 10;
    target_ = target;
  }
  void on_field_impl(beast::http::field, Text name, Text value, Error&) override {
    HttpField& field = request_->headers.emplace_back();
    field.name.assign(name.data(), name.size());
    field.value.assign(value.data(), value.size());
  }
  size_t on_body_impl(Text bytes, Error&) override {
    request_->body.append(bytes.data(), bytes.size());
    return bytes.size();
  }
  size_t on_chunk_body_impl(uint64_t, Text bytes, Error&) override {
    request_->body.append(bytes.data(), bytes.size());
    return bytes.size();
  }
  void on_response_impl(int, Text, int, Error&) override {}
  void on_header_impl(Error&) override {}
  void on_body_init_impl(const boost::optional<uint64_t>&, Error&) override {}
  void on_chunk_header_impl(uint64_t, Text, Error&) override {}
  void on_finish_impl(Error&) override {}

  HttpRequest* request_;
  Text target_;
};

}  // namespace

bool ParseRequest(std::string_view bytes, MessagePart part, HeadFacts* facts,
                  HttpRequest* request) {
  request->headers.clear();
  request->body.clear();
  MessageParser parser(request);
  parser.header_limit(std::numeric_limits<uint32_t>::max());  // the gate has counted
  parser.body_limit(std::numeric_limits<uint64_t>::max());    // none would refuse every body
  parser.eager(part == MessagePart::kWhole);
  beast::error_code error;
  size_t used = 0;
  // Beast stops after each chunk of a chunked body.
  while (used < bytes.size() && !parser.is_done()) {
    size_t step =
        parser.put(boost::asio::const_buffer(bytes.data() + used, bytes.size() - used), error);
    used += step;
    if (error || step == 0) break;
    if (part == MessagePart::kHead && parser.is_header_done()) break;
  }
  if (error || used != bytes.size() || !parser.is_header_done()) return false;
  if (part == MessagePart::kWhole && !parser.is_done()) return false;
  bool has_body = facts->chunked || facts->content_length > 0;
  bool agrees = parser.chunked() == facts->chunked && request->method == facts->method &&
                parser.target().ends_with(facts->target) &&
                request->minor_version == facts->minor_version &&
                (facts->chunked || part == MessagePart::kHead ||
                 request->body.size() == facts->content_length) &&
                (has_body || request->body.empty());
  if (!agrees) return false;
  facts->keep_alive = facts->keep_alive && parser.keep_alive();
  size_t mark = facts->target.find('?');
  request->path.assign(facts->target.substr(0, mark));
  request->query.assign(mark == std::string_view::npos ? "" : facts->target.substr(mark + 1));
  return true;
}

}  // namespace tapedeck
