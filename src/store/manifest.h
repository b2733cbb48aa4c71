#ifndef TAPEDECK_STORE_MANIFEST_H_
#define TAPEDECK_STORE_MANIFEST_H_

// Which files a RocksDB MANIFEST says there are, read without RocksDB.
//
// Two uses. A secondary of 7.8.3 leaves out a file that it cannot open and answers without it; the
// list shows that. And the number of the oldest log that is still needed must be known before
// opening.
//
//   manifest := edit*                     each a record of the log format (log_scan.h)
//   edit     := (tag:varint body)*        tags and bodies: rocksdb, db/version_edit.h and .cc; only
//     what our options write is known here
//
// Thread-safe.

#include <cstdint>
#include <filesystem>
#include <map>
#include <set>
#include <string>

#include "base/status.h"

namespace tapedeck::rocks {

/// Where a file stands, and the first and last key in it.
struct SstPlace {
  uint64_t level = 0;
  std::string first;
  std::string last;
};

struct ManifestState {
  std::set<uint64_t> files;             // numbers of the SST files in use
  std::map<uint64_t, SstPlace> places;  // by number; may have files that are not in use any more
  uint64_t oldest_wal = 0;              // logs below it are in files
};

/// kCorruption names file and byte.
Result<ManifestState> ReadManifest(const std::filesystem::path& manifest);

/// Of the SST file with this number.
std::filesystem::path SstPath(const std::filesystem::path& dir, uint64_t number);

}  // namespace tapedeck::rocks

#endif  // TAPEDECK_STORE_MANIFEST_H_
