#include "blob/s3_bucket.h"

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

constexpr uint64_t kPartBytesMin = uint64_t{5} << 20;
constexpr uint64_t kPartBytesMax = uint64_t{5} << 30;

/// S3's rules for names of buckets; nothing in them needs encoding.
bool IsBucketName(const std::string& name) {
  if (name.size() < 3 || name.size() > 63 || name.find("..") != name.npos) return false;
  const auto is_end = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  return is_end(name.front()) && is_end(name.back()) &&
         std::all_of(name.begin(), name.end(),
                     [&](char c) { return is_end(c) || c == '-' || c == '.'; });
}

/// "eu-central-1", "auto", "cn-north-1": nothing that would end a field of the signature.
bool IsRegionName(const std::string& name) {
  return !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
  });
}

Status CheckOptions(const S3Options& options) {
  if (!IsBucketName(options.bucket))
    return Status::InvalidArgument(Quoted(options.bucket) + " cannot be the name of an S3 bucket");
  if (!options.prefix.empty()) TD_RETURN_IF_ERROR(CheckBlobName(options.prefix));
  if (options.prefix.size() > 200)
    return Status::InvalidArgument("a prefix of more than 200 bytes leaves no room for names");
  if (!IsRegionName(options.region))
    return Status::InvalidArgument(Quoted(options.region) + " is not the name of a region");
  if (options.part_bytes < kPartBytesMin || options.part_bytes > kPartBytesMax)
    return Status::InvalidArgument("parts of S3 have 5 MiB to 5 GiB");
  return Status::Ok();
}

/// Scheme, host and, by path, the bucket.
Result<std::string> BaseUrl(const S3Options& options) {
  bool by_path = options.path_style.value_or(!options.endpoint.empty() ||
                                             options.bucket.find('.') != std::string::npos);
  WebUrl url{.scheme = "https", .host = "s3." + options.region + ".amazonaws.com", .port = {}};
  if (options.region.starts_with("cn-")) url.host += ".cn";
  if (!options.endpoint.empty()) {
    TD_ASSIGN_OR_RETURN(url, ParseWebUrl(options.endpoint));
    if ((url.path != "/" && !url.path.empty()) || !url.query.empty())
      return Status::InvalidArgument("an S3 endpoint has no path and no query");
    if (!url.is_secure() && !IsLoopbackHost(url.host) && !options.is_plain_http_allowed) {
      return Status::InvalidArgument("the S3 endpoint " + url.Origin() +
                                     " is plain HTTP: objects would travel in the clear");
    }
  }
  if (by_path) return url.Origin() + "/" + options.bucket;
  url.host = options.bucket + "." + url.host;
  return url.Origin();
}

}  // namespace

Result<std::unique_ptr<S3Bucket>> S3Bucket::Open(S3Options options) {
  for (const char* name : {"AWS_REGION", "AWS_DEFAULT_REGION"})
    if (options.region.empty()) options.region = options.environment(name).value_or("");
  if (options.region.empty()) options.region = "us-east-1";
  TD_RETURN_IF_ERROR(CheckOptions(options));
  std::unique_ptr<S3Bucket> bucket(new S3Bucket);
  TD_ASSIGN_OR_RETURN(bucket->base_, BaseUrl(options));
  bucket->prefix_ = options.prefix.empty() ? "" : options.prefix + "/";
  bucket->is_google_ = bucket->base_.find("storage.googleapis.com") != std::string::npos;
  TD_ASSIGN_OR_RETURN(auto client,
                      WebClient::Open({.ca_file = options.ca_file, .stop = options.stop}));
  // Roles are asked with the system's certificates: a private CA is the store's.
  TD_ASSIGN_OR_RETURN(bucket->role_client_, WebClient::Open({.stop = options.stop}));
  bucket->credentials_ = std::make_unique<S3CredentialChain>(
      options.environment, bucket->role_client_.get(), options.clock);
  RemoteCaller::Parts parts;
  parts.client = std::move(client);
  parts.retry = options.retry;
  parts.clock = options.clock;
  parts.stop = options.stop;
  parts.forget_credentials = [chain = bucket->credentials_.get()] { chain->Forget(); };
  parts.where = "s3://" + options.bucket + (options.prefix.empty() ? "" : "/" + options.prefix);
  bucket->caller_ = std::make_unique<RemoteCaller>(std::move(parts));
  bucket->options_ = std::move(options);
  return bucket;
}

Result<WebRequest> S3Bucket::Sign(const S3Request& request) {
  TD_ASSIGN_OR_RETURN(S3Credentials credentials, credentials_->Get());
  WebRequest web;
  web.method = request.method;
  web.url = base_;
  web.url += request.name.empty() ? "/" : "/" + PercentEncode(prefix_ + request.name, "/");
  // Libcurl 7.88 signs a query as it is; the server sorts it.
  char separator = '?';
  for (const auto& [key, value] : request.query) {
    web.url += separator + PercentEncode(key) + "=" + PercentEncode(value);
    separator = '&';
  }
  web.headers = request.headers;
  web.body = request.body;
  const std::string hash =
      request.body_sha256.empty() ? Sha256(request.body.bytes) : request.body_sha256;
  web.headers.emplace_back("x-amz-content-sha256", ToHex(hash));
  if (request.body.size > 0) web.headers.emplace_back("Content-Type", request.content_type);
  if (!options_.bucket_owner.empty())
    web.headers.emplace_back("x-amz-expected-bucket-owner", options_.bucket_owner);
  if (!credentials.session_token.empty())
    web.headers.emplace_back("x-amz-security-token", credentials.session_token);
  web.signature = {options_.region, "s3", credentials.access_key, credentials.secret_key};
  web.timeout = TransferTime(request.body.size);
  return web;
}

Verdict S3Bucket::JudgeAnswer(const WebAnswer& answer) const {
  const std::string code = XmlText(answer.body, "Error/Code");
  const std::string message = XmlText(answer.body, "Error/Message");
  if (answer.status == 412) return Verdict::Final(Status::AlreadyExists("HTTP 412"));
  // Two conditional writes at the same time, or a change of the bucket that is not through yet.
  if (answer.status == 409)
    return Verdict::Again(Status::Unavailable("HTTP 409 " + code + ": " + message));
  if (code == "NoSuchBucket" || code == "InvalidBucketName" || code == "AllAccessDisabled")
    return Verdict::Final(Status::FailedPrecondition("HTTP 404: there is no such bucket"));
  Verdict verdict = caller_->JudgeStatus(answer, code, message);
  const std::string_view region = answer.Header("x-amz-bucket-region");
  if (verdict.kind == Verdict::Kind::kFinal && !region.empty() && region != options_.region) {
    verdict.status = Status::FailedPrecondition(std::string(verdict.status.message()) +
                                                "; the bucket is in region " + Quoted(region) +
                                                ", not " + options_.region);
  }
  return verdict;
}

Result<WebAnswer> S3Bucket::Send(const std::string& what, const S3Request& request,
                                 const Adjust& adjust, const OwnJudge& judge) {
  const auto make = [&]() -> Result<WebRequest> {
    TD_ASSIGN_OR_RETURN(WebRequest web, Sign(request));
    if (adjust) adjust(&web);
    return web;
  };
  return caller_->Call(what, make, [&](const WebAnswer& answer) {
    if (judge) {
      if (std::optional<Verdict> own = judge(answer)) return *own;
    }
    return answer.ok() ? Verdict::Done() : JudgeAnswer(answer);
  });
}

}  // namespace tapedeck
