#include "node/archive_store.h"

#include <utility>

namespace tapedeck {

BlobStoreOptions BlobOptionsOf(const ArchiveConfig& archive, BlobStoreOptions base) {
  base.s3.endpoint = archive.s3.endpoint;
  base.s3.region = archive.s3.region;
  base.s3.path_style = archive.s3.path_style;
  base.s3.bucket_owner = archive.s3.bucket_owner;
  base.s3.ca_file = archive.s3.ca_file;
  base.s3.is_plain_http_allowed = archive.s3.allow_http;
  base.azure.account = archive.azure.account;
  base.azure.endpoint = archive.azure.endpoint;
  base.azure.ca_file = archive.azure.ca_file;
  base.azure.is_plain_http_allowed = archive.azure.allow_http;
  return base;
}

Result<std::unique_ptr<BlobStore>> OpenArchive(const ArchiveConfig& archive,
                                               BlobStoreOptions base) {
  if (!archive.on()) {
    return Status::InvalidArgument(
        "no archive is named: give --archive, or set archive.url in the configuration");
  }
  return OpenBlobStore(archive.url, BlobOptionsOf(archive, std::move(base)));
}

}  // namespace tapedeck
