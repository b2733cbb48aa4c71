#include "blob/s3_credentials.h"

#include <algorithm>

#include "base/file.h"
#include "base/time.h"
#include "blob/json_fields.h"
#include "blob/role_request.h"
#include "web/address.h"
#include "web/url.h"

namespace tapedeck {
namespace {

/// The document that both role services answer with.
Result<S3Credentials> FromDocument(const std::string& json, const char* whose) {
  Result<std::map<std::string, std::string>> fields = ReadJsonFields(json);
  if (!fields.ok()) return std::move(fields).status().WithContext(whose);
  S3Credentials credentials;
  credentials.access_key = (*fields)["AccessKeyId"];
  credentials.secret_key = (*fields)["SecretAccessKey"];
  credentials.session_token = (*fields)["Token"];
  if (credentials.access_key.empty() || credentials.secret_key.empty())
    return Status::FailedPrecondition(std::string(whose) + " gives a document without keys");
  if (const std::string& expiration = (*fields)["Expiration"]; !expiration.empty()) {
    Result<Timestamp> expires = ParseRfc3339(expiration);
    if (!expires.ok())
      return Status::FailedPrecondition(std::string(whose) + " gives an expiration that is none");
    credentials.expires = *expires;
  }
  return credentials;
}

}  // namespace

std::optional<std::string> IniValue(const std::string& text, const std::string& section,
                                    const std::string& key) {
  bool is_inside = false;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line = TrimmedText(std::string_view(text).substr(begin, end - begin));
    begin = end + 1;
    if (line.empty() || line.front() == '#' || line.front() == ';') continue;
    if (line.front() == '[') {
      is_inside = line.back() == ']' && TrimmedText(line.substr(1, line.size() - 2)) == section;
      continue;
    }
    const size_t equals = line.find('=');
    if (is_inside && equals != line.npos && TrimmedText(line.substr(0, equals)) == key)
      return std::string(TrimmedText(line.substr(equals + 1)));
  }
  return std::nullopt;
}

S3CredentialChain::S3CredentialChain(Environment environment, WebClient* client, Clock* clock)
    : environment_(std::move(environment)), client_(client), kept_(clock) {}

void S3CredentialChain::Forget() { kept_.Forget(); }

Result<S3Credentials> S3CredentialChain::Get() {
  return kept_.Get([this] { return Fetch(); });
}

Result<S3Credentials> S3CredentialChain::Fetch() {
  if (auto found = FromEnvironment()) return *found;
  if (auto found = FromProfile()) return *found;
  if (auto found = FromContainer()) return *found;
  if (Variable("AWS_EC2_METADATA_DISABLED") != "true") {
    Result<S3Credentials> found = FromInstance();
    if (found.ok() || found.status().code() != StatusCode::kNotFound) return found;
  }
  return Status::FailedPrecondition(
      "no S3 credentials: neither AWS_ACCESS_KEY_ID, nor a profile file, nor a container's or "
      "instance's role; docs/blob.md says how to give them");
}

std::optional<Result<S3Credentials>> S3CredentialChain::FromEnvironment() const {
  S3Credentials credentials;
  credentials.access_key = Variable("AWS_ACCESS_KEY_ID");
  credentials.secret_key = Variable("AWS_SECRET_ACCESS_KEY");
  credentials.session_token = Variable("AWS_SESSION_TOKEN");
  if (credentials.access_key.empty() && credentials.secret_key.empty()) return std::nullopt;
  if (credentials.access_key.empty() || credentials.secret_key.empty()) {
    return Result<S3Credentials>(Status::FailedPrecondition(
        "only one of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY is set"));
  }
  return Result<S3Credentials>(std::move(credentials));
}

std::optional<Result<S3Credentials>> S3CredentialChain::FromProfile() const {
  std::string path = Variable("AWS_SHARED_CREDENTIALS_FILE");
  if (path.empty() && !Variable("HOME").empty()) path = Variable("HOME") + "/.aws/credentials";
  const std::string named = Variable("AWS_PROFILE");
  const std::string section = named.empty() ? "default" : named;
  Result<std::string> text = path.empty() ? Result<std::string>(Status::NotFound("no home"))
                                          : ReadFile(path, kSecretFileBytesMax);
  const bool is_absent = !text.ok() && text.status().code() == StatusCode::kNotFound;
  if (is_absent && named.empty() && Variable("AWS_SHARED_CREDENTIALS_FILE").empty())
    return std::nullopt;
  if (!text.ok()) {
    return Result<S3Credentials>(Status::FailedPrecondition(
        "credentials of the profile " + section + ": " + std::string(text.status().message())));
  }
  const auto access_key = IniValue(*text, section, "aws_access_key_id");
  const auto secret_key = IniValue(*text, section, "aws_secret_access_key");
  if (!access_key && !secret_key && named.empty()) return std::nullopt;
  if (!access_key || !secret_key) {
    return Result<S3Credentials>(Status::FailedPrecondition(
        path + " has no aws_access_key_id and aws_secret_access_key in [" + section + "]"));
  }
  return Result<S3Credentials>(
      S3Credentials{*access_key, *secret_key,
                    IniValue(*text, section, "aws_session_token").value_or(""), std::nullopt});
}

std::optional<Result<S3Credentials>> S3CredentialChain::FromContainer() const {
  constexpr const char* kWhose = "the container's role";
  const std::string relative = Variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
  std::string url = Variable("AWS_CONTAINER_CREDENTIALS_FULL_URI");
  if (relative.empty() && url.empty()) return std::nullopt;
  if (!relative.empty()) url = "http://169.254.170.2" + relative;
  const auto fetch = [&]() -> Result<S3Credentials> {
    TD_ASSIGN_OR_RETURN(WebUrl parsed, ParseWebUrl(url));
    // The addresses that ECS and EKS document; a token must not go anywhere else in the clear.
    const bool is_known = parsed.host == "169.254.170.2" || parsed.host == "169.254.170.23" ||
                          parsed.host == "[fd00:ec2::23]" || IsLoopbackHost(parsed.host);
    if (!parsed.is_secure() && !is_known) {
      return Status::FailedPrecondition(
          "AWS_CONTAINER_CREDENTIALS_FULL_URI is plain HTTP to a place that is not known for it");
    }
    WebRequest request = RoleRequest("GET", url);
    std::string token = Variable("AWS_CONTAINER_AUTHORIZATION_TOKEN");
    if (const std::string file = Variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
        !file.empty()) {
      TD_ASSIGN_OR_RETURN(token, ReadFile(file, kSecretFileBytesMax));
    }
    token = TrimmedText(token);
    if (!token.empty()) request.headers.emplace_back("Authorization", token);
    TD_ASSIGN_OR_RETURN(WebAnswer answer, client_->Send(request));
    if (!answer.ok()) return RoleError(answer, kWhose);
    return FromDocument(answer.body, kWhose);
  };
  return fetch();
}

/// kNotFound where there is no metadata service, or the instance has no role.
Result<S3Credentials> S3CredentialChain::FromInstance() const {
  constexpr const char* kWhose = "the instance's role";
  std::string base = Variable("AWS_EC2_METADATA_SERVICE_ENDPOINT");
  if (base.empty()) base = "http://169.254.169.254";
  while (base.ends_with('/')) base.pop_back();
  WebRequest ask_token = RoleRequest("PUT", base + "/latest/api/token");
  ask_token.headers.emplace_back("X-aws-ec2-metadata-token-ttl-seconds", "300");
  Result<WebAnswer> token = client_->Send(ask_token);
  if (!token.ok()) {
    const bool is_absent = token.status().code() == StatusCode::kUnavailable;
    // Once there were credentials, silence is trouble that passes.
    if (is_absent && !kept_.holds()) return Status::NotFound("no metadata service");
    return std::move(token).status();
  }
  if (!token->ok()) return RoleError(*token, kWhose);
  const std::string list = base + "/latest/meta-data/iam/security-credentials/";
  const auto get = [&](const std::string& url) {
    WebRequest request = RoleRequest("GET", url);
    request.headers.emplace_back("X-aws-ec2-metadata-token", std::string(TrimmedText(token->body)));
    return client_->Send(request);
  };
  TD_ASSIGN_OR_RETURN(WebAnswer roles, get(list));
  if (roles.status == 404) return Status::NotFound("the instance has no role");
  if (!roles.ok()) return RoleError(roles, kWhose);
  const std::string role(TrimmedText(roles.body.substr(0, roles.body.find('\n'))));
  if (role.empty()) return Status::NotFound("the instance has no role");
  TD_ASSIGN_OR_RETURN(WebAnswer document, get(list + role));
  if (!document.ok()) return RoleError(document, kWhose);
  return FromDocument(document.body, kWhose);
}

}  // namespace tapedeck
