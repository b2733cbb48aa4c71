#ifndef TAPEDECK_TOOLS_TAPEDECK_REMOTE_NODE_H_
#define TAPEDECK_TOOLS_TAPEDECK_REMOTE_NODE_H_

// RemoteNode: a running node as the reading commands ask it, over HTTP.
//
//   TD_ASSIGN_OR_RETURN(auto node, RemoteNode::Open(options));
//   RemoteRequest request{"/v1/trades", {{"symbols", SymbolList(symbols)}, {"format", "csv"}}};
//   TD_ASSIGN_OR_RETURN(RemoteAnswer answer, node->Stream(request, sink));
//
// An answer is whole: a stream without `Tapedeck-Status: complete` behind it was cut off, and is
// kUnavailable, after what came has gone to the sink.
//
// A problem document becomes a Status that shows its title, its detail and what is said of each
// parameter: kInvalidArgument where the request was wrong (400, 404, 405, 406, 409, 413, 414, 422),
// kFailedPrecondition for a token that is missing or not good enough (401, 403), else kUnavailable.
//
// Owned by one thread.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "tapedeck/read_options.h"
#include "web/web_client.h"

namespace tapedeck::cli {

struct RemoteRequest {
  std::string path;  // as it is sent, without the query
  /// Names and values before percent-encoding; those with an empty value are left out.
  std::vector<std::pair<std::string, std::string>> parameters;
};

struct RemoteAnswer {
  std::string body;             // of Get
  std::string next_page_token;  // "" where there is no next page
  uint64_t rows = 0;            // as the node counted them; 0 where it did not
};

/// Whether nothing is missing at the end: it has a length, or says that it is complete.
bool IsWhole(const WebAnswer& answer);

/// A comma list as parameters have it: each word percent-encoded, so that a comma may be in one.
std::string ParameterList(const std::vector<std::string>& words);

class RemoteNode {
 public:
  using Sink = std::function<Status(std::string_view)>;

  /// kInvalidArgument: a URL or a token that cannot be one.
  static Result<std::unique_ptr<RemoteNode>> Open(const ReadOptions& options);

  /// A document.
  Result<RemoteAnswer> Get(const RemoteRequest& request);
  /// What changes something; `json`: a document.
  Result<RemoteAnswer> Post(const RemoteRequest& request, const std::string& json);
  /// A request that does something: method, path, a JSON body ("" = none), further headers.
  Result<RemoteAnswer> Do(const std::string& method, const std::string& path,
                          const std::string& body,
                          const std::vector<std::pair<std::string, std::string>>& headers = {});
  /// Rows, piece by piece as they come.
  Result<RemoteAnswer> Stream(const RemoteRequest& request, const Sink& sink);
  const std::string& base() const { return base_; }

 private:
  RemoteNode() = default;
  Result<WebAnswer> Send(const RemoteRequest& request, const Sink* sink,
                         const std::string* post = nullptr);

  std::string base_;  // scheme://host:port/prefix, without a slash at its end
  std::string token_;
  std::unique_ptr<WebClient> client_;
};

}  // namespace tapedeck::cli

#endif  // TAPEDECK_TOOLS_TAPEDECK_REMOTE_NODE_H_
