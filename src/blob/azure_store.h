#ifndef TAPEDECK_BLOB_AZURE_STORE_H_
#define TAPEDECK_BLOB_AZURE_STORE_H_

// A BlobStore in a container of Azure Blob Storage; objects are block blobs.
//
//   AzureOptions options;
//   options.account = "marketdata";
//   options.container = "archive";
//   TD_ASSIGN_OR_RETURN(auto store, OpenAzureStore(options));
//
// - An object of at least twice `block_bytes` goes up in blocks, and appears when their list is
//   sent. Blocks are named after their content, so writers of one name cannot mix theirs; the
//   service itself throws away blocks without a list after a week, so RemoveUnfinished has nothing
//   to do.
// - The service checks the Content-MD5 of every request with a body.
// - PutMode::kCreate looks first, sends If-None-Match: *, and compares contents wherever something
//   is there.
//
// Thread-safe.

#include <atomic>
#include <memory>
#include <string>

#include "base/clock.h"
#include "blob/azure_credentials.h"
#include "blob/blob_store.h"
#include "web/retry.h"

namespace tapedeck {

struct AzureOptions {
  std::string account;  // empty: AZURE_STORAGE_ACCOUNT
  std::string container;
  std::string prefix;  // as a name without '/' at its end; may be empty
  /// "https://account.blob.core.windows.net" (the default) or with a path, as an emulator has it:
  /// "http://127.0.0.1:10000/devstoreaccount1".
  std::string endpoint;
  std::string ca_file;                        // PEM; empty: the system's certificates
  bool is_plain_http_allowed = false;         // elsewhere than on this machine
  uint64_t block_bytes = uint64_t{16} << 20;  // 1 MiB to 4,000 MiB
  RetryPolicy retry;
  Environment environment = ProcessEnvironment();  // of credentials
  Clock* clock = &SystemClock();                   // outlives the store
  const std::atomic<bool>* stop = nullptr;         // outlives the store: true ends every call
};

/// kInvalidArgument: options that cannot be; asks nothing over the network yet.
Result<std::unique_ptr<BlobStore>> OpenAzureStore(AzureOptions options);

}  // namespace tapedeck

#endif  // TAPEDECK_BLOB_AZURE_STORE_H_
