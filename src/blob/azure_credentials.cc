#include "blob/azure_credentials.h"

#include <charconv>

#include "base/encoding.h"
#include "base/file.h"
#include "blob/json_fields.h"
#include "blob/role_request.h"

namespace tapedeck {
namespace {

constexpr const char* kWhose = "the managed identity";

std::string LowerCase(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return text;
}

/// The token's document: access_token, and expires_on as seconds since 1970 (text or number).
Result<AzureCredentials> FromDocument(const std::string& json) {
  Result<std::map<std::string, std::string>> fields = ReadJsonFields(json);
  if (!fields.ok()) return std::move(fields).status().WithContext(kWhose);
  AzureCredentials credentials;
  credentials.token = (*fields)["access_token"];
  if (credentials.token.empty())
    return Status::FailedPrecondition(std::string(kWhose) + " gives a document without a token");
  const std::string& text = (*fields)["expires_on"];
  int64_t seconds = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc() || end != text.data() + text.size()) {
    return Status::FailedPrecondition(std::string(kWhose) + " gives a token without an expiration");
  }
  TD_ASSIGN_OR_RETURN(credentials.expires, TimestampFromUnits(seconds, TimeUnit::kSeconds));
  return credentials;
}

}  // namespace

AzureCredentialChain::AzureCredentialChain(Environment environment, WebClient* client, Clock* clock)
    : environment_(std::move(environment)), client_(client), kept_(clock) {}

void AzureCredentialChain::Forget() { kept_.Forget(); }

Result<AzureCredentials> AzureCredentialChain::Get() {
  return kept_.Get([this] { return Fetch(); });
}

Result<std::string> AzureCredentialChain::Secret(const char* name) const {
  if (std::string value = Variable(name); !value.empty()) return value;
  const std::string file = Variable((std::string(name) + "_FILE").c_str());
  if (file.empty()) return std::string();
  Result<std::string> text = ReadFile(file, kSecretFileBytesMax);
  if (!text.ok()) {
    return Status::FailedPrecondition(std::string(name) +
                                      "_FILE: " + std::string(text.status().message()));
  }
  return std::string(TrimmedText(*text));
}

Result<AzureCredentials> AzureCredentialChain::Fetch() {
  AzureCredentials credentials;
  TD_ASSIGN_OR_RETURN(std::string key, Secret("AZURE_STORAGE_KEY"));
  if (!key.empty()) {
    Result<std::string> decoded = FromBase64(key);
    if (!decoded.ok() || decoded->empty())
      return Status::FailedPrecondition("AZURE_STORAGE_KEY is not a key: it is not base64");
    credentials.key = std::move(*decoded);
    return credentials;
  }
  TD_ASSIGN_OR_RETURN(credentials.sas, Secret("AZURE_STORAGE_SAS_TOKEN"));
  if (!credentials.sas.empty()) {
    if (credentials.sas.front() == '?') credentials.sas.erase(0, 1);
    return credentials;
  }
  return FromIdentity();
}

Result<AzureCredentials> AzureCredentialChain::FromIdentity() const {
  const std::string resource = PercentEncode("https://storage.azure.com/");
  std::string url = Variable("IDENTITY_ENDPOINT");
  WebRequest request;
  if (!url.empty()) {
    request = RoleRequest("GET", url + "?api-version=2019-08-01&resource=" + resource);
    request.headers.emplace_back("X-IDENTITY-HEADER", Variable("IDENTITY_HEADER"));
  } else {
    url = Variable("AZURE_POD_IDENTITY_AUTHORITY_HOST");
    if (url.empty()) url = "http://169.254.169.254";
    while (url.ends_with('/')) url.pop_back();
    request = RoleRequest("GET", url + "/metadata/identity/oauth2/token?api-version=2018-02-01" +
                                     "&resource=" + resource);
    request.headers.emplace_back("Metadata", "true");
  }
  if (const std::string client = Variable("AZURE_CLIENT_ID"); !client.empty())
    request.url += "&client_id=" + PercentEncode(client);
  Result<WebAnswer> answer = client_->Send(request);
  if (!answer.ok() && answer.status().code() == StatusCode::kUnavailable && !kept_.holds() &&
      Variable("IDENTITY_ENDPOINT").empty()) {
    return Status::FailedPrecondition(
        "no Azure credentials: neither AZURE_STORAGE_KEY, nor AZURE_STORAGE_SAS_TOKEN, nor a "
        "managed identity; docs/blob.md says how to give them");
  }
  if (!answer.ok()) return std::move(answer).status();
  // The metadata service says 404 or 410 while it is being updated.
  if (answer->status == 404 || answer->status == 410)
    return Status::Unavailable(std::string(kWhose) + " is not ready");
  if (!answer->ok()) return RoleError(*answer, kWhose);
  return FromDocument(answer->body);
}

std::string AzureStringToSign(const std::string& method, const std::string& account,
                              const std::string& path,
                              const std::map<std::string, std::string>& query,
                              const std::vector<std::pair<std::string, std::string>>& headers,
                              uint64_t body_bytes) {
  std::map<std::string, std::string> values;
  for (const auto& [name, value] : headers) values[LowerCase(name)] = value;
  std::string text = method + "\n";
  for (const char* name :
       {"content-encoding", "content-language", "content-length", "content-md5", "content-type",
        "date", "if-modified-since", "if-match", "if-none-match", "if-unmodified-since", "range"}) {
    if (std::string_view(name) == "content-length") {
      text += body_bytes == 0 ? "" : std::to_string(body_bytes);
    } else if (const auto found = values.find(name); found != values.end()) {
      text += found->second;
    }
    text += "\n";
  }
  for (const auto& [name, value] : values)
    if (name.starts_with("x-ms-")) text += name + ":" + value + "\n";
  text += "/" + account + path;
  for (const auto& [name, value] : query) text += "\n" + LowerCase(name) + ":" + value;
  return text;
}

}  // namespace tapedeck
