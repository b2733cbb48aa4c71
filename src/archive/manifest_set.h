#ifndef TAPEDECK_ARCHIVE_MANIFEST_SET_H_
#define TAPEDECK_ARCHIVE_MANIFEST_SET_H_

// ManifestSet: all manifests of the bucket at one moment; ManifestHolder: the current set.
//
//   ManifestHolder manifests;                                    // empty, and says so
//   TD_RETURN_IF_ERROR(manifests.Refresh(blobs.get(), nullptr).status());    // LIST, then Open
//   manifests.Add(file, manifest);                               // one of ours, just put
//   std::shared_ptr<const ManifestSet> set = manifests.Take();
//   TD_ASSIGN_OR_RETURN(auto days, set->RecordsOf("trades", first, last));
//
// A set only grows: a LIST may lag, so what it lacks is not gone (D10). Refresh reads the manifests
// whose names are new, eight at a time, and swaps the set whole. A name that is listed and cannot
// be read or parsed, or whose bytes are not those that its name was made of, is kept as `broken`: a
// look-up that it may belong to fails and names it, and everything else goes on. What was broken is
// tried again by the next Refresh; one that could not be found is forgotten once a whole later LIST
// lacks it, too: a collector took it away between that LIST and its opening.
//
// Of several manifests of one store for the same (table, day, generation) one counts, the first by
// name: a writer of another version made the same again after a crash. Generations that another
// manifest of the same store replaces are marked.
//
// Memory: about twice the JSON, which Refresh holds below kManifestSetBytesMax; texts of mappings
// are kept once. Refusals are counted and left out: read the manifest again for them.
//
// Thread safety: a set is immutable; the holder is thread-safe.

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "archive/names.h"
#include "archive/tape_holes.h"
#include "base/read_stop.h"
#include "base/status.h"
#include "blob/blob_store.h"
#include "model/manifest.h"

namespace tapedeck {

/// One manifest's JSON: a million refusals in a range of the tape fit.
inline constexpr uint64_t kManifestBytesMax = uint64_t{256} << 20;
/// Of all together: ten years of a hundred partitions and tables, hourly, at 4 kB.
inline constexpr uint64_t kManifestSetBytesMax = uint64_t{4} << 30;

/// A manifest as it is put: its bytes, and the name that goes with them.
struct ManifestFile {
  std::string name;
  std::string json;
};
ManifestFile MakeManifestFile(const RecordManifest& manifest);
/// `day`: the Kafka date of the range's first message, or the day on which it was made where it
/// holds none.
ManifestFile MakeManifestFile(const TapeManifest& manifest, Day day);
/// Reads and checks one: kCorruption where its bytes are not those that the name was made of.
Result<Manifest> ReadManifest(BlobStore* blobs, const std::string& name);

struct RecordListing {
  std::string name;
  RecordManifest manifest;  // without the texts of mappings
};
struct TapeListing {
  std::string name;
  TapeManifest manifest;  // without the texts of mappings, and without refusals
  uint64_t refusals = 0;
};
struct BrokenManifest {
  std::string name;
  Status error;
};
/// One of a tape, of offsets [from, to).
struct BrokenTape {
  int64_t from = 0;
  int64_t to = 0;
  Status error;
};

/// A record manifest that counts.
struct ListedRecords {
  std::shared_ptr<const RecordListing> listing;
  /// Another manifest of the same store stands for this one; null: none does.
  const RecordListing* replaced_by = nullptr;
  const RecordManifest& manifest() const { return listing->manifest; }
};

class ManifestSet {
 public:
  /// A list has come to its end at least once. Before that the archive may hold anything.
  bool loaded() const { return loaded_; }
  size_t size() const { return names_.size(); }
  uint64_t bytes() const { return bytes_; }  // of JSON
  std::span<const BrokenManifest> broken() const { return broken_; }
  bool Has(std::string_view name) const { return names_.contains(name); }

  /// By (table, day, node, store, generation).
  std::span<const ListedRecords> records() const { return records_; }
  /// The part of a table and the days [first, last]. The status of a broken manifest that may
  /// belong there, unless `own_store` wrote it: that store knows by itself which ones it needs.
  Result<std::span<const ListedRecords>> RecordsOf(std::string_view table, Day first, Day last,
                                                   std::string_view own_store = {}) const;
  /// Null where it is not in the set.
  const RecordListing* FindRecords(std::string_view name) const;

  /// By (topic, partition, lineage, cluster, from, node, store).
  std::span<const std::shared_ptr<const TapeListing>> tapes() const { return tapes_; }
  /// The part of one tape; see BrokenOf.
  std::span<const std::shared_ptr<const TapeListing>> TapesOf(const TapeId& tape) const;
  /// Manifests of the tape that cannot be read, by what their names say.
  std::vector<BrokenTape> BrokenOf(const TapeId& tape) const;

  /// What the manifests of a tape leave out (tape_holes.h).
  std::span<const TapeHole> HolesOf(const TapeId& tape) const;
  /// Every tape that some manifest names, in order.
  std::span<const TapeId> tape_ids() const { return tape_ids_; }
  /// Tables as the manifests describe them: columns of all of them, the first to come first; the
  /// rest as the first one says. Their ids mean nothing.
  std::span<const Table> tables() const { return tables_; }
  /// Canonical text of a mapping, by its hash; null where no manifest has it.
  const std::string* FindMapping(const Hash128& hash) const;

 private:
  friend class ManifestSetBuilder;
  ManifestSet() = default;
  Status CheckBroken(std::string_view table, Day first, Day last, std::string_view own_store) const;

  bool loaded_ = false;
  uint64_t bytes_ = 0;
  std::map<std::string, uint64_t, std::less<>> names_;  // of what could be read, with its bytes
  std::vector<ListedRecords> records_;
  std::vector<std::shared_ptr<const RecordListing>> all_records_;  // those that do not count, too
  std::vector<std::shared_ptr<const TapeListing>> tapes_;
  std::vector<BrokenManifest> broken_;
  std::vector<ArchiveName> broken_names_;                        // of each
  std::vector<std::pair<TapeId, std::vector<TapeHole>>> holes_;  // in order; of tapes with any
  std::vector<TapeId> tape_ids_;
  std::vector<Table> tables_;
  std::map<std::string, std::string, std::less<>> mappings_;
};

/// What a Refresh came to.
struct RefreshReport {
  uint64_t listed = 0;  // manifests
  uint64_t added = 0;
  uint64_t broken = 0;
  uint64_t foreign = 0;  // names under the prefix that are none of ours
};

class ManifestHolder {
 public:
  ManifestHolder();
  std::shared_ptr<const ManifestSet> Take() const;
  /// Finds and reads what is new. An error is that of listing, or of `stop`: what was read until
  /// then is kept. One at a time; others wait. `stop` may be null.
  Result<RefreshReport> Refresh(BlobStore* blobs, const ReadStop* stop);
  /// A manifest that was just put. Right away in the sets that are taken from now on.
  void Add(const ManifestFile& file, const Manifest& manifest);

 private:
  void Swap(std::shared_ptr<const ManifestSet> set);

  std::mutex refreshing_;  // held by a Refresh
  std::mutex adding_;      // held while a set is made from the one before
  mutable std::mutex mutex_;
  std::shared_ptr<const ManifestSet> set_;  // protected by mutex_
};

}  // namespace tapedeck

#endif  // TAPEDECK_ARCHIVE_MANIFEST_SET_H_
