#ifndef TAPEDECK_BLOB_S3_STORE_H_
#define TAPEDECK_BLOB_S3_STORE_H_

// A BlobStore in a bucket of S3, or of what speaks its language: MinIO, Ceph, Google's
// interoperability endpoint (untested: no emulator is to be had).
//
//   S3Options options;
//   options.bucket = "market-data";
//   options.prefix = "tapedeck";
//   options.region = "eu-central-1";
//   TD_ASSIGN_OR_RETURN(auto store, OpenS3Store(options));
//
// - An object of at least twice `part_bytes` goes up in parts; nothing is visible before the last
//   request. A failure aborts the upload; what a killed process leaves, RemoveUnfinished aborts.
// - Every body is signed with its SHA-256 and carries it as x-amz-checksum-sha256: the server
//   refuses what changed on its way.
// - PutMode::kCreate looks first, sends If-None-Match: *, and compares contents wherever something
//   is there. A store that ignores the condition can lose the race of two writers who both saw
//   nothing; names of the archive hold a hash of the content, so that both write the same.
// - Request dates come from the system's clock (libcurl signs), not from `clock`.
// - A List of S3 itself is never stale; others may lag.
//
// Thread-safe.

#include <atomic>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "blob/blob_store.h"
#include "blob/s3_credentials.h"
#include "web/retry.h"

namespace tapedeck {

struct S3Options {
  std::string bucket;
  std::string prefix;    // as a name without '/' at its end; may be empty
  std::string endpoint;  // "https://minio.example:9000"; empty: AWS in `region`
  std::string region;    // empty: AWS_REGION, AWS_DEFAULT_REGION, else us-east-1
  /// https://host/bucket/name instead of https://bucket.host/name. Unset: with an endpoint of one's
  /// own, and for buckets with dots.
  std::optional<bool> path_style;
  /// Twelve digits: requests fail where the bucket belongs to another account (against names that
  /// were deleted and taken by strangers). Empty: not checked.
  std::string bucket_owner;
  std::string ca_file;                       // PEM; empty: the system's certificates
  bool is_plain_http_allowed = false;        // elsewhere than on this machine
  uint64_t part_bytes = uint64_t{16} << 20;  // 5 MiB to 5 GiB
  RetryPolicy retry;
  Environment environment = ProcessEnvironment();  // of credentials
  Clock* clock = &SystemClock();                   // outlives the store
  const std::atomic<bool>* stop = nullptr;         // outlives the store: true ends every call
};

/// kInvalidArgument: options that cannot be; asks nothing over the network yet.
Result<std::unique_ptr<BlobStore>> OpenS3Store(S3Options options);

}  // namespace tapedeck

#endif  // TAPEDECK_BLOB_S3_STORE_H_
