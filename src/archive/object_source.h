#ifndef TAPEDECK_ARCHIVE_OBJECT_SOURCE_H_
#define TAPEDECK_ARCHIVE_OBJECT_SOURCE_H_

// ObjectSource: one finished object of the archive as bytes that can be read in any order.
//
//   TD_ASSIGN_OR_RETURN(auto object, OpenLocalObject(path, name));        // before it is shipped
//   TD_ASSIGN_OR_RETURN(auto blob, blobs->Open(name));
//   auto object = OpenBlobObject(std::move(blob));                        // afterwards
//   TD_RETURN_IF_ERROR(object->Read(object->bytes() - 8, tail));
//
// A seam: a file, a blob, and whoever keeps ranges of one in a cache.
//
// Errors of Read: kInvalidArgument outside the object, kCorruption where the file has become
// shorter than it was, else what the file or the blob store say. Thread-compatible.

#include <memory>
#include <string>

#include "base/status.h"
#include "blob/blob_store.h"
#include "columnar/random_access.h"

namespace tapedeck {

class ObjectSource : public RandomAccess {
 public:
  /// For messages; of a blob: its name in the store.
  const std::string& name() const { return name_; }

 protected:
  explicit ObjectSource(std::string name) : name_(std::move(name)) {}

 private:
  const std::string name_;
};

/// kNotFound and the other errors of base/file.h.
Result<std::unique_ptr<ObjectSource>> OpenLocalObject(const std::string& path, std::string name);

/// Reads go to the blob as they come. The blob's store outlives it.
std::unique_ptr<ObjectSource> OpenBlobObject(std::unique_ptr<Blob> blob);

}  // namespace tapedeck

#endif  // TAPEDECK_ARCHIVE_OBJECT_SOURCE_H_
