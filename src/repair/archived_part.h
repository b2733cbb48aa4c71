#ifndef TAPEDECK_REPAIR_ARCHIVED_PART_H_
#define TAPEDECK_REPAIR_ARCHIVED_PART_H_

// ReadArchivedPart: the messages of a part of a tape, from whichever of the archive's objects have
// them whole.
//
//   const ArchiveAt archive{&manifests, blobs, stop};
//   TD_RETURN_IF_ERROR(ReadArchivedPart(archive, tape, part, {take, lose}, &notes));
//
// Stores of one node, or nodes that followed each other, may each have put an object for the same
// offsets. Where that of the part is damaged or missing the next one goes on behind the last
// message that was taken; a note names each object that could not be read. Offsets that none has
// whole are lost, and said to be.
//
// A manifest that names no mapping for a message counts as damaged.
//
// Errors: those of the sinks, and of an archive that does not answer. Thread-compatible.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "archive/manifest_set.h"
#include "base/hash.h"
#include "base/read_stop.h"
#include "base/status.h"
#include "blob/blob_store.h"
#include "record/restore_plan.h"

namespace tapedeck {

struct ArchiveAt {
  const ManifestSet* manifests = nullptr;
  BlobStore* blobs = nullptr;
  const ReadStop* stop = nullptr;  // may be null
};

/// Called in order of offsets.
struct ArchivedSinks {
  std::function<Status(const ArchivedMessage&, const Hash128& mapping)> take;
  std::function<void(int64_t from, int64_t to)> lose;
};

Status ReadArchivedPart(const ArchiveAt& archive, const TapeId& tape, const RestorePart& part,
                        const ArchivedSinks& sinks, std::vector<std::string>* notes);

}  // namespace tapedeck

#endif  // TAPEDECK_REPAIR_ARCHIVED_PART_H_
