#ifndef TAPEDECK_ARCHIVE_NAME_OWNER_H_
#define TAPEDECK_ARCHIVE_NAME_OWNER_H_

// Whose a name in the archive is.
//
//   if (IsOfAnotherStore(entry.manifest, store->meta().store_id)) …   // under an earlier id
//
// Thread-safe: a pure function.

#include <string_view>

namespace tapedeck {

/// Whether a name says that another store than `store` made it. False of names that say nothing of
/// a store.
bool IsOfAnotherStore(std::string_view name, std::string_view store);

}  // namespace tapedeck

#endif  // TAPEDECK_ARCHIVE_NAME_OWNER_H_
