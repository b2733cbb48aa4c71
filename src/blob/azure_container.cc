#include "blob/azure_container.h"

#include <algorithm>

#include "base/encoding.h"
#include "base/secure_hash.h"
#include "base/text.h"
#include "blob/blob_name.h"
#include "blob/xml_reader.h"
#include "web/address.h"
#include "web/url.h"

namespace tapedeck {
namespace {

// The last version that Azurite 3.35 and every public cloud knows.
constexpr const char* kVersion = "2025-11-05";
constexpr uint64_t kBlockBytesMin = uint64_t{1} << 20;
constexpr uint64_t kBlockBytesMax = uint64_t{4000} << 20;

bool IsLowerAlnum(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

bool IsAccountName(const std::string& name) {
  return name.size() >= 3 && name.size() <= 24 &&
         std::all_of(name.begin(), name.end(), IsLowerAlnum);
}

bool IsContainerName(const std::string& name) {
  return name.size() >= 3 && name.size() <= 63 && IsLowerAlnum(name.front()) &&
         IsLowerAlnum(name.back()) && name.find("--") == name.npos &&
         std::all_of(name.begin(), name.end(), [](char c) { return IsLowerAlnum(c) || c == '-'; });
}

Status CheckOptions(const AzureOptions& options) {
  if (!IsAccountName(options.account)) {
    return Status::InvalidArgument(Quoted(options.account) +
                                   " cannot be the name of an Azure storage account");
  }
  if (!IsContainerName(options.container)) {
    return Status::InvalidArgument(Quoted(options.container) +
                                   " cannot be the name of an Azure container");
  }
  if (!options.prefix.empty()) TD_RETURN_IF_ERROR(CheckBlobName(options.prefix));
  if (options.prefix.size() > 200)
    return Status::InvalidArgument("a prefix of more than 200 bytes leaves no room for names");
  if (options.block_bytes < kBlockBytesMin || options.block_bytes > kBlockBytesMax)
    return Status::InvalidArgument("blocks of Azure have 1 MiB to 4,000 MiB");
  return Status::Ok();
}

}  // namespace

Result<std::unique_ptr<AzureContainer>> AzureContainer::Open(AzureOptions options) {
  if (options.account.empty())
    options.account = options.environment("AZURE_STORAGE_ACCOUNT").value_or("");
  TD_RETURN_IF_ERROR(CheckOptions(options));
  if (options.endpoint.empty())
    options.endpoint = "https://" + options.account + ".blob.core.windows.net";
  TD_ASSIGN_OR_RETURN(WebUrl url, ParseWebUrl(options.endpoint));
  if (!url.query.empty())
    return Status::InvalidArgument("an Azure endpoint has no query; a SAS token is given apart");
  const bool is_private = url.is_secure() || IsLoopbackHost(url.host);
  if (!is_private && !options.is_plain_http_allowed) {
    return Status::InvalidArgument("the Azure endpoint " + url.Origin() +
                                   " is plain HTTP: objects would travel in the clear");
  }
  std::unique_ptr<AzureContainer> container(new AzureContainer);
  container->origin_ = url.Origin();
  while (url.path.ends_with('/')) url.path.pop_back();
  container->path_ = url.path + "/" + options.container;
  container->prefix_ = options.prefix.empty() ? "" : options.prefix + "/";
  container->is_private_ = is_private;
  TD_ASSIGN_OR_RETURN(auto client,
                      WebClient::Open({.ca_file = options.ca_file, .stop = options.stop}));
  TD_ASSIGN_OR_RETURN(container->role_client_, WebClient::Open({.stop = options.stop}));
  container->credentials_ = std::make_unique<AzureCredentialChain>(
      options.environment, container->role_client_.get(), options.clock);
  RemoteCaller::Parts parts;
  parts.client = std::move(client);
  parts.retry = options.retry;
  parts.clock = options.clock;
  parts.stop = options.stop;
  parts.forget_credentials = [chain = container->credentials_.get()] { chain->Forget(); };
  parts.where = "az://" + options.container + (options.prefix.empty() ? "" : "/" + options.prefix);
  container->caller_ = std::make_unique<RemoteCaller>(std::move(parts));
  container->options_ = std::move(options);
  return container;
}

Result<WebRequest> AzureContainer::Authorise(const AzureRequest& request, const Adjust& adjust) {
  TD_ASSIGN_OR_RETURN(AzureCredentials credentials, credentials_->Get());
  if (!credentials.token.empty() && !is_private_)
    return Status::FailedPrecondition("a bearer token does not travel over plain HTTP");
  const std::string path =
      path_ + (request.name.empty() ? "" : "/" + PercentEncode(prefix_ + request.name, "/"));
  WebRequest web;
  web.method = request.method;
  web.url = origin_ + path;
  char separator = '?';
  for (const auto& [key, value] : request.query) {
    web.url += separator + PercentEncode(key) + "=" + PercentEncode(value);
    separator = '&';
  }
  web.headers = request.headers;
  web.headers.emplace_back("x-ms-date", FormatHttpDate(caller_->clock().Now()));
  web.headers.emplace_back("x-ms-version", kVersion);
  web.body = request.body;
  if (!request.body_md5.empty())
    web.headers.emplace_back("Content-MD5", ToBase64(request.body_md5));
  if (request.body.size > 0) web.headers.emplace_back("Content-Type", "application/octet-stream");
  web.timeout = TransferTime(request.body.size);
  if (adjust) adjust(&web);
  if (!credentials.sas.empty()) {
    web.url += separator + credentials.sas;
  } else if (!credentials.token.empty()) {
    web.headers.emplace_back("Authorization", "Bearer " + credentials.token);
  } else {
    const std::string text = AzureStringToSign(request.method, options_.account, path,
                                               request.query, web.headers, request.body.size);
    web.headers.emplace_back("Authorization", "SharedKey " + options_.account + ":" +
                                                  ToBase64(HmacSha256(credentials.key, text)));
  }
  return web;
}

Verdict AzureContainer::JudgeAnswer(const WebAnswer& answer) const {
  std::string code(answer.Header("x-ms-error-code"));
  if (code.empty()) code = XmlText(answer.body, "Error/Code");
  std::string message = XmlText(answer.body, "Error/Message");
  message = message.substr(0, message.find('\n'));  // then come ids of the request
  if (code == "BlobAlreadyExists" || code == "ConditionNotMet")
    return Verdict::Final(Status::AlreadyExists("HTTP " + std::to_string(answer.status)));
  if (code == "ContainerNotFound")
    return Verdict::Final(Status::FailedPrecondition("HTTP 404: there is no such container"));
  if (code == "ContainerBeingDeleted" || code == "ServerBusy")
    return Verdict::Again(Status::Unavailable(code));
  if (answer.status == 409 || answer.status == 412)
    return Verdict::Final(Status::FailedPrecondition(code + ": " + message));
  return caller_->JudgeStatus(answer, code, message);
}

Result<WebAnswer> AzureContainer::Send(const std::string& what, const AzureRequest& request,
                                       const Adjust& adjust, const OwnJudge& judge) {
  return caller_->Call(
      what, [&] { return Authorise(request, adjust); },
      [&](const WebAnswer& answer) {
        if (judge) {
          if (std::optional<Verdict> own = judge(answer)) return *own;
        }
        return answer.ok() ? Verdict::Done() : JudgeAnswer(answer);
      });
}

}  // namespace tapedeck
