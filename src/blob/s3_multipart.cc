#include <algorithm>

#include "base/encoding.h"
#include "base/log.h"
#include "base/secure_hash.h"
#include "blob/s3_bucket.h"
#include "blob/xml_reader.h"

namespace tapedeck {
namespace {

constexpr uint64_t kPartsMax = 10'000;
constexpr uint64_t kMiB = uint64_t{1} << 20;
// Joining thousands of parts takes a store minutes, in which it may say nothing.
constexpr std::chrono::minutes kCompleteTime{10};

struct Part {
  std::string etag;
  std::string sha256;  // base64
};

/// The size of all parts but the last: what was asked for, or more where there would be too many.
uint64_t PartBytes(uint64_t size, uint64_t wanted) {
  const uint64_t least = (size + kPartsMax - 1) / kPartsMax;
  return std::max(wanted, (least + kMiB - 1) / kMiB * kMiB);
}

std::string XmlEscaped(const std::string& text) {
  std::string out;
  for (char c : text) {
    if (c == '&') {
      out += "&amp;";
    } else if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else {
      out += c;
    }
  }
  return out;
}

Result<std::string> Begin(S3Bucket* bucket, const std::string& name) {
  S3Request request;
  request.method = "POST";
  request.name = name;
  request.query["uploads"] = "";
  request.headers = {{"Content-Type", kBlobContentType}};
  if (!bucket->is_google()) request.headers.emplace_back("x-amz-checksum-algorithm", "SHA256");
  TD_ASSIGN_OR_RETURN(WebAnswer answer, bucket->Send("beginning to put " + name, request));
  std::string upload_id = XmlText(answer.body, "InitiateMultipartUploadResult/UploadId");
  if (upload_id.empty())
    return Status::Internal(bucket->where() + ": an upload of " + name + " without an id");
  return upload_id;
}

Result<Part> SendPart(S3Bucket* bucket, const std::string& name, const std::string& upload_id,
                      uint64_t number, const Source& source, uint64_t offset, uint64_t size) {
  S3Request request;
  request.method = "PUT";
  request.name = name;
  request.query = {{"partNumber", std::to_string(number)}, {"uploadId", upload_id}};
  request.body = source.Body(offset, size);
  TD_ASSIGN_OR_RETURN(request.body_sha256, source.Hash(SecureHash::Kind::kSha256, offset, size));
  Part part{.etag = {}, .sha256 = ToBase64(request.body_sha256)};
  request.headers.emplace_back("x-amz-checksum-sha256", part.sha256);
  if (bucket->is_google()) {
    TD_ASSIGN_OR_RETURN(std::string md5, source.Hash(SecureHash::Kind::kMd5, offset, size));
    request.headers.emplace_back("Content-MD5", ToBase64(md5));
  }
  TD_ASSIGN_OR_RETURN(
      WebAnswer answer,
      bucket->Send("putting part " + std::to_string(number) + " of " + name, request));
  part.etag = answer.Header("etag");
  if (part.etag.empty())
    return Status::Internal(bucket->where() + ": a part of " + name + " without an ETag");
  return part;
}

Status Complete(S3Bucket* bucket, const std::string& name, const std::string& upload_id,
                const std::vector<Part>& parts, PutMode mode) {
  std::string body = "<CompleteMultipartUpload>";
  for (size_t i = 0; i < parts.size(); ++i) {
    body += "<Part><PartNumber>" + std::to_string(i + 1) + "</PartNumber><ETag>" +
            XmlEscaped(parts[i].etag) + "</ETag>";
    if (!bucket->is_google()) body += "<ChecksumSHA256>" + parts[i].sha256 + "</ChecksumSHA256>";
    body += "</Part>";
  }
  body += "</CompleteMultipartUpload>";
  S3Request request;
  request.method = "POST";
  request.name = name;
  request.query["uploadId"] = upload_id;
  request.body = WebBody::Bytes(body);
  request.content_type = "application/xml";
  if (mode == PutMode::kCreate && !bucket->is_google())
    request.headers.emplace_back("If-None-Match", "*");
  const auto adjust = [](WebRequest* web) {
    web->timeout = kCompleteTime;
    web->low_speed_time = std::chrono::duration_cast<std::chrono::seconds>(kCompleteTime);
  };
  const auto judge = [&](const WebAnswer& answer) -> std::optional<Verdict> {
    // The status was sent before it was known whether it works: the body has the truth.
    if (answer.ok()) {
      if (!XmlText(answer.body, "CompleteMultipartUploadResult/ETag").empty()) return std::nullopt;
      return Verdict::Again(Status::Unavailable("HTTP 200 with an error in it: " +
                                                XmlText(answer.body, "Error/Code")));
    }
    // An earlier try may have done it, and its answer was lost.
    if (answer.status == 404 && XmlText(answer.body, "Error/Code") == "NoSuchUpload")
      return Verdict::Final(Status::AlreadyExists("the upload is done, or was aborted"));
    return std::nullopt;
  };
  return bucket->Send("completing " + name, request, adjust, judge).status();
}

Status Abort(S3Bucket* bucket, const std::string& name, const std::string& upload_id) {
  S3Request request;
  request.method = "DELETE";
  request.name = name;
  request.query["uploadId"] = upload_id;
  Status aborted = bucket->Send("aborting the upload of " + name, request).status();
  return aborted.code() == StatusCode::kNotFound ? Status::Ok() : aborted;
}

}  // namespace

Status UploadInParts(S3Bucket* bucket, const std::string& name, const Source& source,
                     PutMode mode) {
  TD_ASSIGN_OR_RETURN(const std::string upload_id, Begin(bucket, name));
  const uint64_t part_bytes = PartBytes(source.size(), bucket->options().part_bytes);
  std::vector<Part> parts;
  Status done;
  for (uint64_t at = 0; at < source.size() && done.ok(); at += part_bytes) {
    Result<Part> part = SendPart(bucket, name, upload_id, parts.size() + 1, source, at,
                                 std::min(part_bytes, source.size() - at));
    if (part.ok()) {
      parts.push_back(std::move(*part));
    } else {
      done = std::move(part).status();
      // Not this object: what it is the part of is gone.
      if (done.code() == StatusCode::kNotFound)
        done = Status::Unavailable(std::string(done.message()));
    }
  }
  if (done.ok()) done = Complete(bucket, name, upload_id, parts, mode);
  if (done.ok()) return done;
  if (Status aborted = Abort(bucket, name, upload_id); !aborted.ok()) {
    TD_LOG(kWarn, "blob", "upload-left", "an upload that failed could not be aborted",
           {{"object", name}, {"error", aborted.ToString()}});
  }
  return done;
}

Result<uint64_t> AbortUploads(S3Bucket* bucket, const std::string& prefix, Timestamp before) {
  const std::string wanted = bucket->prefix() + prefix;
  std::string key_marker, id_marker;
  uint64_t aborted = 0;
  for (;;) {
    S3Request request;
    request.query = {{"uploads", ""}, {"max-uploads", "1000"}};
    // MinIO finds uploads by a prefix only where it is the whole name: elsewhere than at Amazon all
    // are listed and most passed over.
    if (bucket->options().endpoint.empty()) request.query["prefix"] = wanted;
    if (!key_marker.empty()) request.query["key-marker"] = key_marker;
    if (!id_marker.empty()) request.query["upload-id-marker"] = id_marker;
    TD_ASSIGN_OR_RETURN(WebAnswer answer, bucket->Send("listing uploads", request));
    struct Upload {
      std::string key, id, initiated;
    };
    std::vector<Upload> uploads(1);
    bool is_truncated = false;
    std::string next_key, next_id;
    const std::string root = "ListMultipartUploadsResult/";
    Status read = ReadXml(answer.body, [&](std::string_view path, std::string_view text) {
      if (!path.starts_with(root)) return Status::Ok();
      path.remove_prefix(root.size());
      if (path == "IsTruncated") is_truncated = text == "true";
      if (path == "NextKeyMarker") next_key = text;
      if (path == "NextUploadIdMarker") next_id = text;
      if (path == "Upload/Key") uploads.back().key = text;
      if (path == "Upload/UploadId") uploads.back().id = text;
      if (path == "Upload/Initiated") uploads.back().initiated = text;
      if (path == "Upload") uploads.emplace_back();
      return Status::Ok();
    });
    if (!read.ok()) return read.WithContext(bucket->where() + ": listing uploads");
    uploads.pop_back();
    for (const Upload& upload : uploads) {
      const Result<Timestamp> begun = ParseRfc3339(upload.initiated);
      if (!upload.key.starts_with(wanted) || !begun.ok() || *begun > before) continue;
      TD_RETURN_IF_ERROR(Abort(bucket, upload.key.substr(bucket->prefix().size()), upload.id));
      ++aborted;
    }
    if (!is_truncated || (next_key == key_marker && next_id == id_marker)) return aborted;
    key_marker = next_key;
    id_marker = next_id;
  }
}

}  // namespace tapedeck
