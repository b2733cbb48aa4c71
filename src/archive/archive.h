#ifndef TAPEDECK_ARCHIVE_ARCHIVE_H_
#define TAPEDECK_ARCHIVE_ARCHIVE_H_

// Archive: what a process has of one bucket: its store, the manifests known so far, and what is
// kept of its objects. One for all that read it and for who ships into it.
//
//   Archive archive(blobs.get(), {});
//   (void)archive.manifests().Refresh(archive.blobs(), nullptr);       // now and then
//   TD_ASSIGN_OR_RETURN(auto point, ReadPoint::Take(open_rows, &directory, *store, &archive));
//
// Part of the closed list of shared mutable state (the set of manifests). Thread-safe. The blob
// store outlives it, and it outlives every read.

#include "archive/manifest_set.h"
#include "archive/object_cache.h"
#include "blob/blob_store.h"

namespace tapedeck {

class Archive {
 public:
  Archive(BlobStore* blobs, ObjectCacheOptions cache) : objects_(blobs, cache) {}

  BlobStore* blobs() const { return objects_.blobs(); }
  ManifestHolder& manifests() { return manifests_; }
  ObjectCache& objects() { return objects_; }

 private:
  ManifestHolder manifests_;
  ObjectCache objects_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_ARCHIVE_ARCHIVE_H_
