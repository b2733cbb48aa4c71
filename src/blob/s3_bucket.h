#ifndef TAPEDECK_BLOB_S3_BUCKET_H_
#define TAPEDECK_BLOB_S3_BUCKET_H_

// S3Bucket: signed requests to one bucket and what its answers mean. Inside blob only.
//
// Thread-safe.

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "blob/blob_store.h"
#include "blob/remote.h"
#include "blob/s3_credentials.h"
#include "blob/s3_store.h"
#include "blob/source.h"

namespace tapedeck {

/// The Content-Type of what is put; all objects are bytes.
inline constexpr const char* kBlobContentType = "application/octet-stream";

/// A request to the bucket before it is signed.
struct S3Request {
  std::string method = "GET";
  std::string name;  // of the object, without the store's prefix; empty: the bucket itself
  std::map<std::string, std::string> query;  // sorted by name, as the signature wants it
  std::vector<std::pair<std::string, std::string>> headers;
  WebBody body;
  std::string body_sha256;  // raw; empty: of `body`, which is in memory then
  const char* content_type = kBlobContentType;
};

class S3Bucket {
 public:
  static Result<std::unique_ptr<S3Bucket>> Open(S3Options options);

  /// Signs and sends until there is an answer that counts. `adjust` changes each request before it
  /// is sent; `judge` looks first at every answer, and says nothing (nullopt) to have it judged as
  /// usual.
  using Adjust = std::function<void(WebRequest*)>;
  using OwnJudge = std::function<std::optional<Verdict>(const WebAnswer&)>;
  Result<WebAnswer> Send(const std::string& what, const S3Request& request,
                         const Adjust& adjust = {}, const OwnJudge& judge = {});

  const std::string& where() const { return caller_->where(); }
  const S3Options& options() const { return options_; }
  Clock& clock() const { return *options_.clock; }
  /// The store's prefix with its '/', or empty.
  const std::string& prefix() const { return prefix_; }
  /// Google knows neither Amazon's checksum headers (Content-MD5 it does) nor If-None-Match.
  bool is_google() const { return is_google_; }

 private:
  S3Bucket() = default;
  Result<WebRequest> Sign(const S3Request& request);
  Verdict JudgeAnswer(const WebAnswer& answer) const;

  S3Options options_;
  std::string base_;  // scheme, host and, by path, the bucket; without '/' at its end
  std::string prefix_;
  bool is_google_ = false;
  std::unique_ptr<WebClient> role_client_;
  std::unique_ptr<S3CredentialChain> credentials_;
  std::unique_ptr<RemoteCaller> caller_;
};

/// Uploads `source` in parts. kAlreadyExists: the condition was not met, or the answer to the last
/// request was lost and the upload is gone: the caller compares contents.
Status UploadInParts(S3Bucket* bucket, const std::string& name, const Source& source, PutMode mode);

/// Aborts uploads under `prefix` begun before `before`; how many.
Result<uint64_t> AbortUploads(S3Bucket* bucket, const std::string& prefix, Timestamp before);

}  // namespace tapedeck

#endif  // TAPEDECK_BLOB_S3_BUCKET_H_
