#ifndef TAPEDECK_BLOB_OPEN_STORE_H_
#define TAPEDECK_BLOB_OPEN_STORE_H_

// OpenBlobStore: a store by its URL, as [archive] url gives it.
//
//   file:///var/lib/tapedeck/archive     a folder; the path as it is, without any decoding
//   s3://bucket/prefix                   S3, MinIO, Ceph; Google by options.s3.endpoint
//   az://container/prefix                Azure Blob Storage
//
//   BlobStoreOptions options;
//   options.s3.region = "eu-central-1";
//   TD_ASSIGN_OR_RETURN(auto store, OpenBlobStore("s3://market-data/tapedeck", options));
//
// Thread-safe.

#include <atomic>
#include <memory>
#include <string>

#include "base/clock.h"
#include "blob/azure_store.h"
#include "blob/blob_store.h"
#include "blob/s3_store.h"

namespace tapedeck {

struct BlobStoreOptions {
  /// What the URL does not say. Bucket, container and prefix come from the URL; clock and stop from
  /// below.
  S3Options s3;
  AzureOptions azure;
  Clock* clock = &SystemClock();  // outlives the store
  const std::atomic<bool>* stop =
      nullptr;  // outlives the store: true ends every call over a network
};

/// kInvalidArgument: a URL or options that cannot be; for a folder also the errors of opening it.
/// Nothing is asked over a network yet.
Result<std::unique_ptr<BlobStore>> OpenBlobStore(const std::string& url, BlobStoreOptions options);

}  // namespace tapedeck

#endif  // TAPEDECK_BLOB_OPEN_STORE_H_
