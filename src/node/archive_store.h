#ifndef TAPEDECK_NODE_ARCHIVE_STORE_H_
#define TAPEDECK_NODE_ARCHIVE_STORE_H_

// The archive as [archive] of a configuration describes it.
//
//   TD_ASSIGN_OR_RETURN(auto blobs, OpenArchive(config.archive, {.stop = &stop}));
//
// Thread-safe.

#include <memory>

#include "blob/open_store.h"
#include "config/config.h"

namespace tapedeck {

/// In the folder of the store, on its disk: files on their way into the archive.
inline constexpr const char* kWorkFolder = "shipping";
inline constexpr const char* kBackupFolder = "backing-up";

/// What the settings say; clock and stop are as in `base`.
BlobStoreOptions BlobOptionsOf(const ArchiveConfig& archive, BlobStoreOptions base = {});
/// kInvalidArgument: no url, or one that cannot be; for a folder also the errors of opening it.
Result<std::unique_ptr<BlobStore>> OpenArchive(const ArchiveConfig& archive,
                                               BlobStoreOptions base = {});

}  // namespace tapedeck

#endif  // TAPEDECK_NODE_ARCHIVE_STORE_H_
