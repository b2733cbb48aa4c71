#ifndef TAPEDECK_BLOB_LOCAL_LIST_H_
#define TAPEDECK_BLOB_LOCAL_LIST_H_

// Walks through a folder of objects. Inside blob only. Thread-safe: functions on descriptors.

#include <sys/stat.h>

#include <string>
#include <string_view>

#include "base/status.h"
#include "base/time.h"
#include "blob/blob_store.h"

namespace tapedeck {

/// What files end in that are not finished; they begin with '.'.
inline constexpr std::string_view kUnfinishedEnding = ".unfinished";
/// Objects of a page of List. Each page reads the names of whole folders again, so that it is
/// larger than those of S3: a million objects in one folder are fifty passes over it.
inline constexpr size_t kLocalPageMax = 20'000;

BlobStat LocalStat(const std::string& name, const struct stat& about);

/// As BlobStore::List, in the byte order of names; `after` is the last name of the page before.
Result<BlobPage> ListFolder(int root, const std::string& prefix, const std::string& after,
                            size_t page_max = kLocalPageMax);

/// Unlinks unfinished files under `prefix` that nobody has open and that were last written before
/// `before`; how many.
Result<uint64_t> RemoveUnfinishedBeneath(int root, const std::string& prefix, Timestamp before);

}  // namespace tapedeck

#endif  // TAPEDECK_BLOB_LOCAL_LIST_H_
