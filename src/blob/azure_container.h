#ifndef TAPEDECK_BLOB_AZURE_CONTAINER_H_
#define TAPEDECK_BLOB_AZURE_CONTAINER_H_

// AzureContainer: authorised requests to one container and what its answers mean. Inside blob only.
//
// Thread-safe.

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "blob/azure_credentials.h"
#include "blob/azure_store.h"
#include "blob/remote.h"
#include "blob/source.h"

namespace tapedeck {

struct AzureRequest {
  std::string method = "GET";
  std::string name;  // of the object, without the store's prefix; empty: the container itself
  std::map<std::string, std::string> query;
  std::vector<std::pair<std::string, std::string>> headers;
  WebBody body;
  std::string body_md5;  // raw; empty: none is sent
};

class AzureContainer {
 public:
  static Result<std::unique_ptr<AzureContainer>> Open(AzureOptions options);

  /// As S3Bucket::Send; `adjust` comes before the request is signed.
  using Adjust = std::function<void(WebRequest*)>;
  using OwnJudge = std::function<std::optional<Verdict>(const WebAnswer&)>;
  Result<WebAnswer> Send(const std::string& what, const AzureRequest& request,
                         const Adjust& adjust = {}, const OwnJudge& judge = {});

  const std::string& where() const { return caller_->where(); }
  const AzureOptions& options() const { return options_; }
  const std::string& prefix() const { return prefix_; }

 private:
  AzureContainer() = default;
  Result<WebRequest> Authorise(const AzureRequest& request, const Adjust& adjust);
  Verdict JudgeAnswer(const WebAnswer& answer) const;

  AzureOptions options_;
  std::string origin_;  // scheme, host, port
  std::string path_;    // of the container, as sent; without '/' at its end
  std::string prefix_;
  bool is_private_ = false;  // TLS, or to this machine
  std::unique_ptr<WebClient> role_client_;
  std::unique_ptr<AzureCredentialChain> credentials_;
  std::unique_ptr<RemoteCaller> caller_;
};

/// Uploads `source` in blocks. kAlreadyExists: something was put meanwhile; the caller compares.
Status UploadInBlocks(AzureContainer* container, const std::string& name, const Source& source,
                      PutMode mode);

}  // namespace tapedeck

#endif  // TAPEDECK_BLOB_AZURE_CONTAINER_H_
