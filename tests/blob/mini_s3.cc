#include "blob/mini_s3.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "base/encoding.h"
#include "base/hash.h"
#include "blob/s3_kind.h"

namespace tapedeck {

using testing::StubAnswer;
using testing::StubRequest;

namespace {

std::string ETagOf(const std::string& bytes) { return "\"" + HashBytes(bytes).ToString() + "\""; }

/// The value of a parameter; empty where it is not there.
std::string Parameter(const std::string& target, const std::string& name) {
  const size_t at = target.find(name + "=");
  if (at == target.npos || (target[at - 1] != '?' && target[at - 1] != '&')) return "";
  const size_t begin = at + name.size() + 1;
  return *PercentDecode(target.substr(begin, target.find('&', begin) - begin));
}

}  // namespace

StubAnswer S3Error(int status, const std::string& code, StubAnswer::Headers headers) {
  return StubAnswer::Of(status,
                        "<?xml version=\"1.0\"?><Error><Code>" + code +
                            "</Code><Message>as the test wants it</Message></Error>",
                        headers);
}

MiniS3::MiniS3() {
  server_ = std::make_unique<testing::StubServer>([this](const StubRequest& request) {
    if (before) {
      if (std::optional<StubAnswer> answer = before(request)) return *answer;
    }
    StubAnswer answer = Answer(request);
    return after ? after(request, std::move(answer)) : answer;
  });
}

S3Options MiniS3::Options(Clock* clock) const {
  S3Options options;
  options.bucket = "bucket";
  options.endpoint = server_->url();
  options.region = "us-east-1";
  options.environment = KeysOnly("key", "secret");
  options.part_bytes = uint64_t{5} << 20;
  options.clock = clock;
  return options;
}

std::unique_ptr<BlobStore> MiniS3::OpenStore(Clock* clock) const {
  Result<std::unique_ptr<BlobStore>> store = OpenS3Store(Options(clock));
  EXPECT_TRUE(store.ok()) << store.status().ToString();
  return store.ok() ? std::move(*store) : nullptr;
}

size_t MiniS3::Count(const std::string& method, const std::string& part) const {
  size_t count = 0;
  for (const StubRequest& request : server_->requests())
    count += request.method == method && request.target.find(part) != std::string::npos ? 1 : 0;
  return count;
}

StubAnswer MiniS3::Answer(const StubRequest& request) {
  const size_t question = request.target.find('?');
  const std::string path = *PercentDecode(request.target.substr(0, question));
  const std::string id = Parameter(request.target, "uploadId");
  if (!id.empty()) return Upload(request, path, id);
  if (request.method == "POST" && request.target.find("?uploads=") != std::string::npos) {
    const std::string fresh = "upload-" + std::to_string(next_upload_++);
    uploads[fresh];
    return StubAnswer::Of(200, "<InitiateMultipartUploadResult><UploadId>" + fresh +
                                   "</UploadId></InitiateMultipartUploadResult>");
  }
  if (request.method == "GET" || request.method == "HEAD") return Get(request, path);
  if (request.method == "PUT") return Put(request, path);
  if (request.method == "DELETE") {
    objects.erase(path);
    return {.bytes = "HTTP/1.1 204 No Content\r\n\r\n"};
  }
  return S3Error(501, "NotImplemented");
}

StubAnswer MiniS3::Get(const StubRequest& request, const std::string& path) {
  const auto found = objects.find(path);
  const bool is_head = request.method == "HEAD";
  if (found == objects.end()) {
    return is_head ? StubAnswer{.bytes = "HTTP/1.1 404 Not Found\r\n\r\n"}
                   : S3Error(404, "NoSuchKey");
  }
  const std::string& bytes = found->second;
  const StubAnswer::Headers headers = {{"ETag", ETagOf(bytes)},
                                       {"Last-Modified", "Sat, 21 Nov 2026 16:10:45 GMT"}};
  if (is_head) {
    StubAnswer::Headers all = headers;
    all.emplace_back("Content-Length", std::to_string(bytes.size()));
    return StubAnswer::Of(200, "", all);
  }
  if (const std::string wanted = request.Header("if-match");
      !wanted.empty() && wanted != ETagOf(bytes)) {
    return S3Error(412, "PreconditionFailed");
  }
  const std::string range = request.Header("range");  // bytes=1-2
  if (range.empty()) return StubAnswer::Of(200, bytes, headers);
  const size_t from = std::strtoull(range.c_str() + 6, nullptr, 10);
  const size_t to = std::strtoull(range.c_str() + range.find('-') + 1, nullptr, 10);
  return StubAnswer::Of(206, bytes.substr(from, to - from + 1), headers);
}

StubAnswer MiniS3::Put(const StubRequest& request, const std::string& path) {
  if (request.Header("if-none-match") == "*" && !ignores_conditions && objects.count(path) > 0)
    return S3Error(412, "PreconditionFailed");
  objects[path] = request.body;
  return StubAnswer::Of(200, "", {{"ETag", ETagOf(request.body)}});
}

StubAnswer MiniS3::Upload(const StubRequest& request, const std::string& path,
                          const std::string& id) {
  const auto found = uploads.find(id);
  if (found == uploads.end()) return S3Error(404, "NoSuchUpload");
  if (request.method == "DELETE") {
    uploads.erase(found);
    return {.bytes = "HTTP/1.1 204 No Content\r\n\r\n"};
  }
  if (request.method == "PUT") {
    const int number = std::atoi(Parameter(request.target, "partNumber").c_str());
    found->second[number] = request.body;
    return StubAnswer::Of(200, "", {{"ETag", ETagOf(request.body)}});
  }
  if (request.Header("if-none-match") == "*" && !ignores_conditions && objects.count(path) > 0)
    return S3Error(412, "PreconditionFailed");
  std::string& object = objects[path];
  object.clear();
  for (const auto& [number, bytes] : found->second) object += bytes;
  uploads.erase(found);
  return StubAnswer::Of(200, "<CompleteMultipartUploadResult><ETag>" + ETagOf(object) +
                                 "</ETag></CompleteMultipartUploadResult>");
}

}  // namespace tapedeck
