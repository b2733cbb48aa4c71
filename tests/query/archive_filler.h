#ifndef TAPEDECK_TESTS_QUERY_ARCHIVE_FILLER_H_
#define TAPEDECK_TESTS_QUERY_ARCHIVE_FILLER_H_

// ArchiveFiller: ships what a StoreFiller has closed, and prunes it, step by step and by hand.
//
//   ArchiveFiller shipping(&filler, &blobs, {});
//   filler.Flush();  filler.CloseDays();
//   shipping.ShipDays();                      // objects, manifests, kShipped
//   shipping.PruneDays();                     // kPruned, blocks deleted
//   shipping.ShipTapes();  shipping.PruneTapes();
//   archive.manifests().Refresh(&blobs, nullptr);
//
// What src/ship does with all its care, in the same formats and without any. Failures fail the
// test. Owned by one thread; filler and blobs outlive it.

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "archive/manifest_set.h"
#include "archive/record_object_writer.h"
#include "blob/blob_store.h"
#include "query/store_filler.h"
#include "support/temp_dir.h"

namespace tapedeck::testing {

struct ArchiveFillerOptions {
  std::vector<ObjectFormat> formats = {ObjectFormat::kParquet};
  uint64_t file_rows = uint64_t{1} << 26;
  /// Own manifests are added here as they are put; null: they are found by a list.
  ManifestHolder* manifests = nullptr;
};

class ArchiveFiller {
 public:
  ArchiveFiller(StoreFiller* filler, BlobStore* blobs, ArchiveFillerOptions options)
      : filler_(filler), blobs_(blobs), options_(options) {}

  /// Of the generations in this phase those that `wanted` picks; null: all.
  using Pick = std::function<bool(const keys::DayKey&)>;
  void ShipDays(const Pick& wanted = nullptr);
  void PruneDays(const Pick& wanted = nullptr);
  /// The messages of each tape up to its watermark, in objects of at most `messages`.
  void ShipTapes(uint64_t messages = 1000);
  /// Blocks that lie wholly in the archive.
  void PruneTapes();
  /// Names of record manifests and objects that were put, in order.
  const std::vector<std::string>& objects() const { return objects_; }
  const std::vector<std::string>& manifests() const { return manifest_names_; }

 private:
  ManifestWriter Writer() const;
  void Put(const std::string& name, const BlobContent& content);
  void PutManifest(const ManifestFile& file, const Manifest& manifest);
  void ShipDay(const StoreState& state, const keys::DayKey& key, DayEntry entry);
  Result<std::vector<ShippedObject>> WriteRecords(const StoreState& state, const keys::DayKey& key);
  void ShipTape(const StoreState& state, TpId tp, const Checkpoint& checkpoint, uint64_t messages);
  Result<TapeManifest> WriteTape(TpId tp, const TapeId& tape, int64_t from, int64_t to);

  StoreFiller* filler_;
  BlobStore* blobs_;
  ArchiveFillerOptions options_;
  TempDir work_;
  std::vector<std::string> objects_;
  std::vector<std::string> manifest_names_;
};

}  // namespace tapedeck::testing

#endif  // TAPEDECK_TESTS_QUERY_ARCHIVE_FILLER_H_
