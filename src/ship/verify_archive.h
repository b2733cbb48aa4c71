#ifndef TAPEDECK_SHIP_VERIFY_ARCHIVE_H_
#define TAPEDECK_SHIP_VERIFY_ARCHIVE_H_

// VerifyArchive: reads an archive in full and holds everything that is said twice against each
// other; beside a store, the two against each other.
//
//   ManifestHolder manifests;
//   TD_RETURN_IF_ERROR(manifests.Refresh(blobs, nullptr).status());
//   TD_ASSIGN_OR_RETURN(ArchiveReport report, VerifyArchive(*manifests.Take(), blobs, options));
//   return report.ok() ? 0 : 4;
//
// What is compared:
//   manifests  each can be read, and its bytes are those of its name
//   objects    each is there, with the size and the sha256 that its manifest gives; decoded whole:
//              rows, bounds of symbols, times and offsets = manifest, rows in order, of the day,
//              and within the vector; rows and digest of each format = the manifest's
//   tapes      messages, digest, last message = manifest; offsets ascend within the range
//   together   what record manifests cover is covered by tape manifests; generations of one store
//              do not overlap; a tape's ranges of one store do not overlap
//   the store  each day from `shipped` on has its manifest, with the same rows and digest; what a
//              tape says is shipped is covered
// Overlaps of different stores are no difference: they are read once. They are noted, as are
// objects that no manifest lists.
//
// A finding is a difference; reading goes on behind it. Each object is fetched once into a file of
// the work folder. Memory: the manifests, and what readers of objects hold. Owned by one thread.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "archive/manifest_set.h"
#include "base/read_stop.h"
#include "base/status.h"
#include "base/time.h"
#include "blob/blob_store.h"
#include "query/verify.h"
#include "store/store.h"

namespace tapedeck {

struct ArchiveProgress {
  uint64_t objects = 0;
  uint64_t objects_total = 0;
  uint64_t bytes = 0;
  uint64_t findings = 0;
};

struct ArchiveVerifyOptions {
  /// Only records of this day, and no tapes.
  std::optional<Day> day;
  size_t findings_max = 1000;
  /// For fetched objects; made where it is missing, and emptied of them.
  std::filesystem::path work_dir;
  /// Compared with the archive, and only read; null: the archive alone.
  Store* store = nullptr;
  const ReadStop* stop = nullptr;
  std::function<void(const ArchiveProgress&)> progress;
};

struct ArchiveReport {
  std::vector<Finding> findings;
  uint64_t findings_left_off = 0;
  std::vector<std::string> notes;
  uint64_t manifests = 0;
  uint64_t objects = 0;
  uint64_t bytes = 0;
  uint64_t rows = 0;      // of record objects, each format
  uint64_t messages = 0;  // of tape objects

  bool ok() const { return findings.empty(); }
};

/// An error: the archive cannot be reached, or `stop`. What can be reached and is wrong is a
/// finding.
Result<ArchiveReport> VerifyArchive(const ManifestSet& manifests, BlobStore* blobs,
                                    const ArchiveVerifyOptions& options);

}  // namespace tapedeck

#endif  // TAPEDECK_SHIP_VERIFY_ARCHIVE_H_
