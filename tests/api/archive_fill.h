#ifndef TAPEDECK_TESTS_API_ARCHIVE_FILL_H_
#define TAPEDECK_TESTS_API_ARCHIVE_FILL_H_

// Manifests for tests of the routes that tell of an archive: objects are described, not made.

#include <string>

#include "blob/blob_store.h"
#include "model/manifest.h"

namespace tapedeck::testing {

/// A generation of a day of trades, in `objects` objects of ten rows each, an hour of the
/// day for each.
RecordManifest ManifestOfTrades(const std::string& node, Day day, uint32_t generation, int objects);
/// Offsets [from, to) of Finhub1[0], an object.
TapeManifest ManifestOfTape(const std::string& node, int64_t from, int64_t to);

/// Two days of trades by another node, the second replaced by its generation 1, and a range of the
/// tape.
void FillArchive(BlobStore* blobs);

}  // namespace tapedeck::testing

#endif  // TAPEDECK_TESTS_API_ARCHIVE_FILL_H_
