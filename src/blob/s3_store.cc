#include "blob/s3_store.h"

#include <utility>
#include <vector>

#include "base/encoding.h"
#include "base/secure_hash.h"
#include "blob/blob_name.h"
#include "blob/remote_blob.h"
#include "blob/s3_bucket.h"
#include "blob/source.h"
#include "blob/xml_reader.h"

namespace tapedeck {
namespace {

constexpr size_t kListAnswerBytesMax = size_t{8} << 20;  // 1,000 names of 1 kB, each encoded

class S3Store final : public BlobStore {
 public:
  explicit S3Store(std::unique_ptr<S3Bucket> bucket) : bucket_(std::move(bucket)) {}

  Result<PutReport> Put(const std::string& name, const BlobContent& content, PutMode mode) override;
  Result<std::unique_ptr<Blob>> Open(const std::string& name) override;
  Result<BlobStat> Stat(const std::string& name) override;
  Result<BlobPage> List(const std::string& prefix, const std::string& after) override;
  Status Delete(const std::string& name) override;
  Result<uint64_t> RemoveUnfinished(const std::string& prefix,
                                    std::chrono::seconds min_age) override;
  std::string Describe() const override { return bucket_->where(); }

 private:
  Status Upload(const std::string& name, const Source& source, PutMode mode);

  const std::unique_ptr<S3Bucket> bucket_;
};

Status S3Store::Upload(const std::string& name, const Source& source, PutMode mode) {
  if (source.size() >= 2 * bucket_->options().part_bytes)
    return UploadInParts(bucket_.get(), name, source, mode);
  S3Request request;
  request.method = "PUT";
  request.name = name;
  request.body = source.Body(0, source.size());
  TD_ASSIGN_OR_RETURN(request.body_sha256,
                      source.Hash(SecureHash::Kind::kSha256, 0, source.size()));
  request.headers.emplace_back("x-amz-checksum-sha256", ToBase64(request.body_sha256));
  if (bucket_->is_google()) {
    // Google does not know that checksum, and checks this one.
    TD_ASSIGN_OR_RETURN(std::string md5, source.Hash(SecureHash::Kind::kMd5, 0, source.size()));
    request.headers.emplace_back("Content-MD5", ToBase64(md5));
  }
  if (mode == PutMode::kCreate && !bucket_->is_google())
    request.headers.emplace_back("If-None-Match", "*");
  return bucket_->Send("putting " + name, request).status();
}

Result<PutReport> S3Store::Put(const std::string& name, const BlobContent& content, PutMode mode) {
  TD_RETURN_IF_ERROR(CheckBlobName(name));
  TD_ASSIGN_OR_RETURN(Source source, Source::Open(content));
  return PutComparing(this, name, source, mode, [&] { return Upload(name, source, mode); });
}

Result<BlobStat> S3Store::Stat(const std::string& name) {
  TD_RETURN_IF_ERROR(CheckBlobName(name));
  S3Request request;
  request.method = "HEAD";
  request.name = name;
  TD_ASSIGN_OR_RETURN(WebAnswer answer, bucket_->Send("looking at " + name, request));
  return StatFromHeaders(name, answer);
}

Result<std::unique_ptr<Blob>> S3Store::Open(const std::string& name) {
  TD_ASSIGN_OR_RETURN(BlobStat stat, Stat(name));
  auto get = [bucket = bucket_.get(), name](const std::string& what, const RangeRequest& range) {
    S3Request request;
    request.name = name;
    return bucket->Send(
        what, request, [&](WebRequest* web) { range.adjust(web); }, range.judge);
  };
  return std::unique_ptr<Blob>(new RemoteBlob(std::move(stat), std::move(get)));
}

Result<BlobPage> S3Store::List(const std::string& prefix, const std::string& after) {
  TD_RETURN_IF_ERROR(CheckBlobPrefix(prefix));
  S3Request request;
  request.query = {{"list-type", "2"},
                   {"encoding-type", "url"},
                   {"max-keys", "1000"},
                   {"prefix", bucket_->prefix() + prefix}};
  if (!after.empty()) request.query["continuation-token"] = after;
  TD_ASSIGN_OR_RETURN(WebAnswer answer,
                      bucket_->Send("listing " + prefix, request, [](WebRequest* web) {
                        web->answer_bytes_max = kListAnswerBytesMax;
                      }));
  BlobPage page;
  std::vector<ListedObject> objects(1);
  bool is_encoded = false, is_truncated = false;
  const std::string root = "ListBucketResult/";
  Status read = ReadXml(answer.body, [&](std::string_view path, std::string_view text) {
    if (!path.starts_with(root)) return Status::Ok();
    path.remove_prefix(root.size());
    if (path == "EncodingType") is_encoded = text == "url";
    if (path == "IsTruncated") is_truncated = text == "true";
    if (path == "NextContinuationToken") page.next = text;
    if (path == "Contents/Key") objects.back().key = text;
    if (path == "Contents/Size") objects.back().size = text;
    if (path == "Contents/ETag") objects.back().version = text;
    if (path == "Contents/LastModified") objects.back().modified = text;
    if (path == "Contents") objects.emplace_back();
    return Status::Ok();
  });
  if (!read.ok()) return read.WithContext(Describe() + ": listing " + prefix);
  objects.pop_back();
  for (ListedObject& object : objects) {
    // The element that says so may come last.
    if (is_encoded) object.key = PercentDecode(object.key).value_or(std::string());
    TD_RETURN_IF_ERROR(AddListed(object, bucket_->prefix(), &page).WithContext(Describe()));
  }
  if (!is_truncated) page.next.clear();
  if (is_truncated && page.next.empty())
    return Status::Internal(Describe() + ": a list that goes on says not where");
  return page;
}

Status S3Store::Delete(const std::string& name) {
  TD_RETURN_IF_ERROR(CheckBlobName(name));
  S3Request request;
  request.method = "DELETE";
  request.name = name;
  Status deleted = bucket_->Send("deleting " + name, request).status();
  return deleted.code() == StatusCode::kNotFound ? Status::Ok() : deleted;
}

Result<uint64_t> S3Store::RemoveUnfinished(const std::string& prefix,
                                           std::chrono::seconds min_age) {
  TD_RETURN_IF_ERROR(CheckBlobPrefix(prefix));
  const Timestamp before = bucket_->clock().Now().SaturatingAdd(
      -std::chrono::duration_cast<std::chrono::nanoseconds>(min_age).count());
  return AbortUploads(bucket_.get(), prefix, before);
}

}  // namespace

Result<std::unique_ptr<BlobStore>> OpenS3Store(S3Options options) {
  TD_ASSIGN_OR_RETURN(auto bucket, S3Bucket::Open(std::move(options)));
  return std::unique_ptr<BlobStore>(new S3Store(std::move(bucket)));
}

}  // namespace tapedeck
