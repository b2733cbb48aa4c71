#include "tapedeck/remote_node.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "base/encoding.h"
#include "base/file.h"
#include "mapping/json_tree.h"
#include "tapedeck/json_cells.h"
#include "web/address.h"
#include "web/url.h"

namespace tapedeck::cli {
namespace {

constexpr size_t kTokenFileBytesMax = 4096;
constexpr size_t kDocumentBytesMax = size_t{64} << 20;
// A node may look for the first row of a wide range for a while.
constexpr std::chrono::seconds kSilenceMax(300);

Result<std::string> ReadToken(const ReadOptions& options) {
  std::string token;
  if (options.token_file.empty()) {
    const char* variable = std::getenv(kTokenVariable);
    if (variable != nullptr) token = variable;
  } else {
    Result<std::string> text = ReadFile(options.token_file, kTokenFileBytesMax);
    if (!text.ok()) return AsUsage(text.status()).WithContext("--token-file");
    token = std::move(text).value();
  }
  const size_t first = token.find_first_not_of(" \t\r\n");
  const size_t last = token.find_last_not_of(" \t\r\n");
  token = first == std::string::npos ? "" : token.substr(first, last - first + 1);
  if (token.empty() && !options.token_file.empty())
    return Status::InvalidArgument("--token-file " + options.token_file + ": it is empty");
  if (std::any_of(token.begin(), token.end(), [](char c) { return c <= ' ' || c > '~'; }))
    return Status::InvalidArgument("the token holds blanks or other characters that no token has");
  return token;
}

/// What a server says may be shown on a terminal only without what a terminal obeys.
std::string Printable(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < ' ' || c == 0x7f) c = ' ';
  }
  return text;
}

std::string Member(const json::Tree& tree, uint32_t object, std::string_view name) {
  const uint32_t at = tree.Find(object, name);
  return at == json::kNone ? std::string() : Printable(CellOf(tree, at));
}

/// "Invalid parameter: limit: …", and a line for each further parameter.
std::string ProblemText(const json::Tree& tree, int status) {
  std::string title = Member(tree, 0, "title");
  const std::string detail = Member(tree, 0, "detail");
  std::string text = title + (title.empty() || detail.empty() ? "" : ": ") + detail;
  const uint32_t errors = tree.Find(0, "errors");
  if (errors != json::kNone && tree.node(errors).type == json::Type::kArray) {
    for (uint32_t e = tree.First(errors); e != json::kNone; e = tree.Next(errors, e)) {
      if (tree.node(e).type != json::Type::kObject) continue;
      const std::string parameter = Member(tree, e, "parameter");
      const std::string said = Member(tree, e, "detail");
      if (parameter.empty() || detail == said || detail == parameter + ": " + said) continue;
      text += "\n  " + parameter + ": " + said;
    }
  }
  const std::string id = Member(tree, 0, "request_id");
  if (status >= 500 && !id.empty()) text += " (request id " + id + ")";
  return text;
}

Status StatusOfAnswer(const WebAnswer& answer, const std::string& url) {
  json::Tree tree;
  std::string text;
  const bool is_problem = answer.Header("content-type").starts_with("application/problem+json") &&
                          tree.Parse(answer.body) == json::Tree::Outcome::kOk && tree.size() > 0 &&
                          tree.node(0).type == json::Type::kObject;
  if (!is_problem) {
    return Status::Unavailable(url + ": HTTP status " + std::to_string(answer.status) +
                               " and no problem document: is this a tapedeck node?");
  }
  text = ProblemText(tree, answer.status);
  switch (answer.status) {
    case 400:
    case 404:
    case 405:
    case 406:
    case 409:
    case 413:
    case 414:
    case 422:
      return Status::InvalidArgument(std::move(text));
    case 401:
      return Status::FailedPrecondition(text + " (a token comes from --token-file or " +
                                        kTokenVariable + ")");
    case 403:
      return Status::FailedPrecondition(std::move(text));
    default:
      return Status::Unavailable(std::move(text));
  }
}

/// The page_token of `<…?…&page_token=T>; rel="next"`.
std::string NextPageToken(std::string_view link) {
  constexpr std::string_view kName = "page_token=";
  if (link.find("rel=\"next\"") == std::string_view::npos) return {};
  size_t at = link.find("?" + std::string(kName));
  if (at == std::string_view::npos) at = link.find("&" + std::string(kName));
  if (at == std::string_view::npos) return {};
  const std::string_view rest = link.substr(at + 1 + kName.size());
  Result<std::string> token = PercentDecode(rest.substr(0, rest.find_first_of("&>")));
  return token.ok() ? *token : std::string();
}

}  // namespace

bool IsWhole(const WebAnswer& answer) {
  return !answer.Header("content-length").empty() || answer.Header("tapedeck-status") == "complete";
}

std::string ParameterList(const std::vector<std::string>& words) {
  std::string list;
  for (const std::string& word : words) list += (list.empty() ? "" : ",") + PercentEncode(word);
  return list;
}

// Of a request that no node has answered.
Status Unreached(const Status& status) {
  if (status.code() != StatusCode::kUnavailable) return status;
  return Status::Unavailable(std::string(status.message()) +
                             " (is a node running there? --url names another; the reading commands "
                             "take --data-dir instead)");
}

Result<std::unique_ptr<RemoteNode>> RemoteNode::Open(const ReadOptions& options) {
  const std::string text = options.url.empty() ? kDefaultUrl : options.url;
  Result<WebUrl> url = ParseWebUrl(text);
  if (!url.ok()) return url.status().WithContext("--url");
  if (!url->query.empty()) {
    return Status::InvalidArgument("--url: only the node's address, without a query: " +
                                   ShownUrl(text));
  }
  auto node = std::unique_ptr<RemoteNode>(new RemoteNode());
  node->base_ = url->Origin() + url->path;
  while (node->base_.ends_with('/')) node->base_.pop_back();
  TD_ASSIGN_OR_RETURN(node->token_, ReadToken(options));
  if (!node->token_.empty() && !url->is_secure() && !IsLoopbackHost(url->host)) {
    std::fprintf(stderr, "tapedeck: the token goes to %s unencrypted: use https\n",
                 url->Origin().c_str());
  }
  Result<std::unique_ptr<WebClient>> client = WebClient::Open({.ca_file = options.ca_file});
  if (!client.ok()) return AsUsage(client.status()).WithContext("--ca-file");
  node->client_ = std::move(client).value();
  return node;
}

Result<WebAnswer> RemoteNode::Send(const RemoteRequest& request, const Sink* sink,
                                   const std::string* post) {
  WebRequest web;
  web.url = base_ + request.path;
  char separator = '?';
  for (const auto& [name, value] : request.parameters) {
    if (value.empty()) continue;
    web.url += std::exchange(separator, '&') + PercentEncode(name) + "=" + PercentEncode(value);
  }
  if (!token_.empty()) web.headers.emplace_back("Authorization", "Bearer " + token_);
  if (sink != nullptr) web.sink = *sink;
  if (post != nullptr) {
    web.method = "POST";
    web.headers.emplace_back("Content-Type", "application/json");
    web.body = WebBody::Bytes(*post);
  }
  web.answer_bytes_max = kDocumentBytesMax;
  web.timeout = std::chrono::milliseconds(0);  // as long as something comes
  web.low_speed = 1;
  web.low_speed_time = kSilenceMax;
  Result<WebAnswer> answer = client_->Send(web);
  if (!answer.ok()) return Unreached(answer.status());
  if (!answer->ok()) return StatusOfAnswer(*answer, base_ + request.path);
  return answer;
}

namespace {

RemoteAnswer Facts(WebAnswer* answer) {
  RemoteAnswer facts;
  facts.body = std::move(answer->body);
  facts.next_page_token = NextPageToken(answer->Header("link"));
  const std::string_view rows = answer->Header("tapedeck-rows");
  std::from_chars(rows.data(), rows.data() + rows.size(), facts.rows);
  return facts;
}

}  // namespace

Result<RemoteAnswer> RemoteNode::Get(const RemoteRequest& request) {
  TD_ASSIGN_OR_RETURN(WebAnswer answer, Send(request, nullptr));
  return Facts(&answer);
}

Result<RemoteAnswer> RemoteNode::Post(const RemoteRequest& request, const std::string& json) {
  TD_ASSIGN_OR_RETURN(WebAnswer answer, Send(request, nullptr, &json));
  return Facts(&answer);
}

Result<RemoteAnswer> RemoteNode::Do(
    const std::string& method, const std::string& path, const std::string& body,
    const std::vector<std::pair<std::string, std::string>>& headers) {
  WebRequest web;
  web.method = method;
  web.url = base_ + path;
  web.headers = headers;
  if (!token_.empty()) web.headers.emplace_back("Authorization", "Bearer " + token_);
  if (!body.empty()) web.headers.emplace_back("Content-Type", "application/json");
  web.body = WebBody::Bytes(body);
  web.answer_bytes_max = kDocumentBytesMax;
  web.low_speed = 1;
  Result<WebAnswer> answer = client_->Send(web);
  if (!answer.ok()) return Unreached(answer.status());
  if (!answer->ok()) return StatusOfAnswer(*answer, web.url);
  return Facts(&*answer);
}

Result<RemoteAnswer> RemoteNode::Stream(const RemoteRequest& request, const Sink& sink) {
  Result<WebAnswer> answer = Send(request, &sink);
  if (!answer.ok()) return answer.status();
  if (!IsWhole(*answer)) {
    return Status::Unavailable(
        "the answer is not complete: the node (or a proxy between) ended it without saying "
        "Tapedeck-Status: complete; what was printed may lack rows at its end");
  }
  return Facts(&*answer);
}

}  // namespace tapedeck::cli
