#ifndef TAPEDECK_SHIP_OBJECT_PUT_H_
#define TAPEDECK_SHIP_OBJECT_PUT_H_

// Putting an object so that it is certain, and getting it back.
//
// Names hold a hash of the content, and nobody else makes them: what is there under our name is
// either equal or damaged. Whether it is there says nothing; its bytes do (docs/faults.md, G7).
//
//   TD_RETURN_IF_ERROR(PutOnce(journey, name, BlobContent::File(path), manifest));
//   TD_ASSIGN_OR_RETURN(bool same, ReadBack(journey, object, path));
//
// Errors: those of the blob store; kCorruption where other content has the name of an object that a
// manifest lists (D7). Owned by the shipper's thread.

#include <string>

#include "base/status.h"
#include "model/manifest.h"
#include "ship/journey.h"

namespace tapedeck {

/// Puts it, or finds it there as it should be. Other content under its name goes, unless
/// `manifest`, the one that is to list it, is in the archive already.
Status PutOnce(const Journey& journey, const std::string& name, const BlobContent& content,
               const std::string& manifest);
/// What was put did not come back: puts it once more, under the same condition.
Status PutAgain(const Journey& journey, const std::string& name, const BlobContent& content,
                const std::string& manifest);
/// Puts a manifest and reads it back. Manifests are never overwritten: kCorruption where another
/// one has its name.
Status PutManifest(const Journey& journey, const std::string& name, const std::string& json);

/// Fetches the whole object into `path`. False, and no file: it is not there, or its bytes are not
/// those that `object` tells (size, sha256).
Result<bool> ReadBack(const Journey& journey, const ShippedObject& object, const std::string& path);

/// Moves and removes local files.
Status MoveFile(const std::filesystem::path& from, const std::filesystem::path& to);
void RemoveFile(const std::filesystem::path& path);

}  // namespace tapedeck

#endif  // TAPEDECK_SHIP_OBJECT_PUT_H_
