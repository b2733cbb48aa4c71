#ifndef TAPEDECK_STORE_PREFLIGHT_H_
#define TAPEDECK_STORE_PREFLIGHT_H_

// What is looked at before RocksDB opens a directory for writing: the few files whose damage
// RocksDB would overlook, or would answer with a new, empty store. The caller holds the store's
// lock, so nothing changes meanwhile.
//
// Thread-safe for different directories.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"

namespace tapedeck::rocks {

/// Whether the directory holds a store. kCorruption where CURRENT is missing, or names no MANIFEST
/// that is there, beside data files.
Result<bool> CheckCurrent(const std::filesystem::path& dir);

/// The MANIFEST that CURRENT names. kCorruption where it names none that is there.
Result<std::filesystem::path> FindManifest(const std::filesystem::path& dir);

struct WalFile {
  uint64_t number = 0;
  std::filesystem::path path;
  uint64_t bytes = 0;
};
/// Of a file name such as "000012.log".
std::optional<uint64_t> WalNumber(const std::string& name);
/// In order of their numbers.
std::vector<WalFile> ListWals(const std::filesystem::path& dir);
uint64_t WalBytes(const std::filesystem::path& dir);

struct WalDamage {
  size_t file = 0;           // index in the list of WALs
  uint64_t whole_bytes = 0;  // what can be kept of it
  std::string description;   // names the file, the byte and what is wrong
};
/// The first damage. A torn tail of the last file that has records is none: the write was never
/// acknowledged. `oldest_needed` gives the number of the oldest WAL that recovery reads; asked only
/// where something looks damaged.
Result<std::optional<WalDamage>> FindWalDamage(const std::vector<WalFile>& wals,
                                               uint64_t oldest_needed);

/// Keeps what lies before the damage: later files go to the folder `damaged` (newest first), the
/// damaged one is copied there and cut. Crash-safe: run again, it goes on.
Status CutWals(const std::filesystem::path& dir, const std::vector<WalFile>& wals,
               const WalDamage& damage);

}  // namespace tapedeck::rocks

#endif  // TAPEDECK_STORE_PREFLIGHT_H_
