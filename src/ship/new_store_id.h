#ifndef TAPEDECK_SHIP_NEW_STORE_ID_H_
#define TAPEDECK_SHIP_NEW_STORE_ID_H_

// A store that goes on under another id: a disk that was set back, a copy, a restored backup
// (docs/faults.md, G7).
//
// Names in the archive hold the id of the store that made them, and it makes each for one content
// only. A store whose past is older than its archive would break that: it would ship days and
// offsets again that are listed under its id already. So it takes a new id, in one batch with all
// that follows from it, and from then on its former self is another store of the same node:
//
//   days and tapes that were shipped   stay shipped, as their manifests say; nothing of it is
//                                      collected or replaced any more
//   what was on its way                is written again, under names of the new id
//   `o` entries                        go: what they name may be listed by now, and is not ours.
//                                      An object of theirs that no manifest lists stays in the
//                                      archive; `tapedeck verify` counts it
//   rows and messages of both          have the same Origin, and are read once
//
// Numbers of generations count within one store id, so they go on as they were.
//
//   TD_RETURN_IF_ERROR(queue->Write([&](StoreBatch* batch) {
//     return PutNewStoreId(*store->View(), MakeStoreId(), batch);
//   }));
//
// Errors: those of reading the view. Thread-safe: a function on values.

#include <string_view>

#include "base/status.h"
#include "store/store.h"

namespace tapedeck {

Status PutNewStoreId(const StoreView& view, std::string_view id, StoreBatch* batch);

}  // namespace tapedeck

#endif  // TAPEDECK_SHIP_NEW_STORE_ID_H_
