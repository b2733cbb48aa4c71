#ifndef TAPEDECK_ARCHIVE_OBJECT_CACHE_H_
#define TAPEDECK_ARCHIVE_OBJECT_CACHE_H_

// ObjectCache: opens objects of the archive for reading, and keeps what is read often: footers, and
// ranges of bytes.
//
//   ObjectCache cache(blobs.get(), {});
//   TD_ASSIGN_OR_RETURN(auto opened, cache.OpenRecords(object, stop));    // object: of a manifest
//   RecordObjectReader reader(opened.source.get(), opened.footer, columns, resolver);
//
// Requests to an object store cost more than bytes: what a reader expects next is fetched together
// where little lies between, with what does, and the end of an object, with its footer, at once.
// For a minute of a symbol that is some twenty; a scan asks for pages of a large column one by one.
//
// Small objects are read whole, once, and their sha256 is compared with the manifest's before
// anything is parsed. Of larger ones the size is compared, and every page that is read has a sum of
// its own (archive/record_object_reader.h).
//
// Least recently used things leave first; what is in use stays alive with its users. Two readers
// that miss the same thing at once fetch it twice.
//
// Errors: kCorruption: the object is not there, or is not the one that the manifest lists; it names
// both. Else those of the blob store (kUnavailable …) and of the stop, which is asked for each
// piece that arrives: a read that nobody waits for lets go of its connection.
//
// Thread-safe. The blob store outlives the cache, and the cache what it opened.

#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "archive/object_source.h"
#include "archive/record_object_reader.h"
#include "archive/tape_object.h"
#include "base/read_stop.h"
#include "base/status.h"
#include "blob/blob_store.h"
#include "model/manifest.h"

namespace tapedeck {

struct ObjectCacheOptions {
  /// Of footers and ranges together. A footer of a 512-MiB object has some hundred kilobytes.
  size_t bytes_max = size_t{64} << 20;
  /// Objects up to this size are read whole: one request instead of several.
  size_t whole_bytes_max = size_t{1} << 20;
  /// Of larger ones so much of the end is read at once, but not more than a 128th of them.
  size_t tail_bytes = size_t{1} << 20;
  /// Ranges that are expected and have no more between them, nor more than a 1024th of the object,
  /// are one request.
  size_t gap_bytes_max = size_t{512} << 10;
};

/// An object, opened for one reader. Owned by one thread.
struct OpenedRecords {
  std::unique_ptr<ObjectSource> source;
  std::shared_ptr<const RecordObjectFooter> footer;  // null: not a Parquet object
};
struct OpenedTape {
  std::unique_ptr<ObjectSource> source;
  std::shared_ptr<const TapeObjectFooter> footer;
};

/// What readers asked for, in total.
struct ObjectCacheCounts {
  uint64_t reads = 0;          // of the store
  uint64_t bytes_fetched = 0;  // from it
  uint64_t bytes_kept = 0;     // in memory now
  uint64_t hits = 0;           // footers and ranges that were there
};

class ObjectCache {
 public:
  ObjectCache(BlobStore* blobs, ObjectCacheOptions options);
  ObjectCache(const ObjectCache&) = delete;
  ObjectCache& operator=(const ObjectCache&) = delete;

  /// `stop` outlives what is opened; may be null.
  Result<OpenedRecords> OpenRecords(const ShippedObject& object, const ReadStop* stop);
  Result<OpenedTape> OpenTape(const ShippedObject& object, const ReadStop* stop);
  ObjectCacheCounts counts() const;
  BlobStore* blobs() const { return blobs_; }

 private:
  struct Shared;
  class RangedObject;
  struct Entry {
    std::string key;
    size_t cost = 0;
    std::shared_ptr<const void> value;
  };

  Result<std::unique_ptr<ObjectSource>> OpenSource(const ShippedObject& object,
                                                   const ReadStop* stop);
  Result<std::shared_ptr<const std::string>> Fetch(Blob* blob, uint64_t offset, uint64_t size,
                                                   const ReadStop* stop);
  std::shared_ptr<const void> Find(const std::string& key);
  bool Has(const std::string& key) const;
  void Keep(const std::string& key, size_t cost, std::shared_ptr<const void> value);
  void Forget(const std::string& key);
  void Trim();

  BlobStore* const blobs_;
  const ObjectCacheOptions options_;
  mutable std::mutex mutex_;  // protects what follows
  std::list<Entry> entries_;  // the one used last in front
  std::unordered_map<std::string, std::list<Entry>::iterator> by_key_;
  ObjectCacheCounts counts_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_ARCHIVE_OBJECT_CACHE_H_
