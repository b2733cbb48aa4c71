#ifndef TAPEDECK_BLOB_COUNTED_STORE_H_
#define TAPEDECK_BLOB_COUNTED_STORE_H_

// CountBlobStore: a store whose calls are counted for /metrics: how many, how they ended, how long
// they took, how many bytes went up and came down.
//
//   store = CountBlobStore(std::move(store), "s3", &metrics, &clock);
//
//   tapedeck_blob_requests_total{backend,op,result}   op: put, open, read, stat, list, delete;
//                                                     result: ok or the name of the status
//   tapedeck_blob_seconds{backend,op}                 retries and waiting included
//   tapedeck_blob_bytes_total{backend,direction}      up: of Puts that ended well; down: of reads
//
// Thread-safe. Metrics and clock outlive the store.

#include <memory>
#include <string_view>

#include "base/clock.h"
#include "base/metrics.h"
#include "blob/blob_store.h"

namespace tapedeck {

std::unique_ptr<BlobStore> CountBlobStore(std::unique_ptr<BlobStore> store,
                                          std::string_view backend, Metrics* metrics, Clock* clock);

}  // namespace tapedeck

#endif  // TAPEDECK_BLOB_COUNTED_STORE_H_
