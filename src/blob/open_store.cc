#include "blob/open_store.h"

#include <string_view>
#include <tuple>
#include <utility>

#include "base/text.h"
#include "blob/local_store.h"
#include "web/url.h"

namespace tapedeck {
namespace {

/// "bucket/prefix/" -> "bucket", "prefix".
std::pair<std::string, std::string> Split(std::string_view rest) {
  while (rest.ends_with('/')) rest.remove_suffix(1);
  const size_t slash = rest.find('/');
  if (slash == rest.npos) return {std::string(rest), ""};
  return {std::string(rest.substr(0, slash)), std::string(rest.substr(slash + 1))};
}

}  // namespace

Result<std::unique_ptr<BlobStore>> OpenBlobStore(const std::string& url, BlobStoreOptions options) {
  const size_t end = url.find("://");
  const std::string scheme = end == url.npos ? "" : url.substr(0, end);
  const std::string rest = end == url.npos ? "" : url.substr(end + 3);
  if (scheme == "file") {
    if (!rest.starts_with('/'))
      return Status::InvalidArgument("a folder is written file:///absolute/path");
    return OpenLocalStore(rest);
  }
  if (scheme == "s3") {
    std::tie(options.s3.bucket, options.s3.prefix) = Split(rest);
    options.s3.clock = options.clock;
    options.s3.stop = options.stop;
    return OpenS3Store(std::move(options.s3));
  }
  if (scheme == "az") {
    std::tie(options.azure.container, options.azure.prefix) = Split(rest);
    options.azure.clock = options.clock;
    options.azure.stop = options.stop;
    return OpenAzureStore(std::move(options.azure));
  }
  const bool is_google = scheme == "gs" || scheme == "gcs";
  return Status::InvalidArgument(
      Quoted(ShownUrl(url)) +
      " is none of file:///path, s3://bucket/prefix, az://container/prefix" +
      (is_google ? "; Google is s3:// with the endpoint https://storage.googleapis.com" : ""));
}

}  // namespace tapedeck
