#ifndef TAPEDECK_BLOB_LOCAL_STORE_H_
#define TAPEDECK_BLOB_LOCAL_STORE_H_

// A BlobStore in a folder: an object is a file, its name is the path below the folder.
//
//   TD_ASSIGN_OR_RETURN(auto store, OpenLocalStore("/var/lib/tapedeck/archive"));
//
// Put writes ".<pid>-<number>.unfinished" in the folder of the object, syncs it, renames it and
// syncs the folder; new folders are synced into theirs. A name cannot leave the folder: names hold
// no "." or ".." parts, and paths are resolved by the kernel beneath the folder and without
// symbolic links (openat2, or step by step where it is not allowed). Folders that become empty
// stay. A symbolic link in the tree is no object: List counts it as foreign, everything else
// refuses it.
//
// On a network file system, atomic and durable are what its server makes of rename and fsync.
//
// Thread-safe; several processes may use one folder.

#include <memory>
#include <string>

#include "blob/blob_store.h"

namespace tapedeck {

/// Makes the folder where only its last part is missing. The errors of opening it.
Result<std::unique_ptr<BlobStore>> OpenLocalStore(const std::string& folder);

}  // namespace tapedeck

#endif  // TAPEDECK_BLOB_LOCAL_STORE_H_
