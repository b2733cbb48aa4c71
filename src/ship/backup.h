#ifndef TAPEDECK_SHIP_BACKUP_H_
#define TAPEDECK_SHIP_BACKUP_H_

// Backups of the store in the archive: made beside a running node, verified before they count,
// restored into an empty directory.
//
//   TD_ASSIGN_OR_RETURN(BackupReport made, MakeBackup(store, blobs, &clock, options, &stop));
//   TD_ASSIGN_OR_RETURN(std::vector<BackupRef> there, ListBackups(blobs, "tapedeck-1"));
//   TD_ASSIGN_OR_RETURN(BackupListing whole, RestoreBackup(blobs, there.front(), dir, &stop));
//
// A backup is a folder of objects:
//
//   _tapedeck/<node>/backup/<date>-<store id>-<hash>/<file of RocksDB>
//   _tapedeck/<node>/backup/<date>-<store id>-<hash>/SHA256SUMS      put last: then it is whole
//
// <hash> is that of the listing's content, so that no two backups share a name and one that is
// interrupted and made again from the same files goes on where it stood. SHA256SUMS is what
// sha256sum(1) checks, after lines of comment that say whose backup it is:
//
//   # tapedeck backup 1
//   # node tapedeck-1
//   # store 5f3a9c0e12d47b86
//   # commit 4711
//   # version 1.0.0
//   9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08  000017.sst
//
// Before anything is put, a second set of links to the copy is opened as a store and compared with
// itself as `tapedeck verify` does: a backup of a damaged store is an error and no backup.
//
// What a restore is worth: everything up to the commit; what came later is read again from Kafka,
// as far as it keeps it. docs/recovery.md, "Backups".
//
// Thread-safe: functions without state; two MakeBackup at once need two work folders.

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "base/time.h"
#include "blob/blob_store.h"
#include "store/store.h"

namespace tapedeck {

struct BackupFile {
  std::string name;
  std::string sha256;  // hexadecimal
  bool operator==(const BackupFile&) const = default;
};

/// SHA256SUMS, read.
struct BackupListing {
  std::string node;
  std::string store;
  uint64_t commit = 0;
  std::string version;            // of tapedeck
  std::vector<BackupFile> files;  // in order of names
  bool operator==(const BackupListing&) const = default;
};
std::string ToText(const BackupListing& listing);
/// kCorruption with what is wrong.
Result<BackupListing> ParseBackupListing(std::string_view text);

/// Where a whole backup lies.
struct BackupRef {
  std::string folder;  // its prefix of names, with the '/'
  std::string store;   // id
  Timestamp at;        // when it was whole, by the clock of the place
  bool operator==(const BackupRef&) const = default;
};

struct BackupOptions {
  std::string version;  // of tapedeck
  /// On the disk of the store, so that files are linked and not copied; made where it is missing.
  /// What an earlier try left there is removed.
  std::filesystem::path work_dir;
  /// Whole backups of this store that stay, this one included; at least 1. Older ones are removed
  /// once this one is whole.
  size_t keep = 2;
};

struct BackupReport {
  BackupRef made;
  uint64_t commit = 0;
  uint64_t files = 0;
  uint64_t bytes = 0;
  uint64_t removed = 0;  // older backups
};

/// kCorruption: the store is damaged, and where; kCancelled: `stop`; else the errors of the store,
/// the disk and the archive. What was put before an error is no backup, and is removed by the next
/// one that succeeds.
Result<BackupReport> MakeBackup(Store* store, BlobStore* blobs, Clock* clock,
                                const BackupOptions& options, const std::atomic<bool>* stop);

/// Whole ones of a node, newest first.
Result<std::vector<BackupRef>> ListBackups(BlobStore* blobs, const std::string& node);

/// Fetches every file, compares it with the listing, and only then gives the directory its name.
/// `dir` must not exist or be empty. kCorruption: a file is missing or altered; nothing is left.
Result<BackupListing> RestoreBackup(BlobStore* blobs, const BackupRef& backup,
                                    const std::filesystem::path& dir,
                                    const std::atomic<bool>* stop);

}  // namespace tapedeck

#endif  // TAPEDECK_SHIP_BACKUP_H_
