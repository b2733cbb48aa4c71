#include "ship/known_manifests.h"

#include <algorithm>
#include <utility>

#include "archive/names.h"
#include "blob/blob_name.h"

namespace tapedeck {

KnownManifests::KnownManifests(const StoreState& state, std::string_view node_id,
                               std::string store_id, std::unique_ptr<StoreView> view)
    : node_part_(EncodeNamePart(node_id)), store_id_(std::move(store_id)), view_(std::move(view)) {
  for (const auto& [key, entry] : state.days) days_.insert(entry.manifest);
  for (const auto& [tp, tape] : state.tapes) {
    int64_t& shipped =
        shipped_.try_emplace({EncodeNamePart(tape.topic), tape.partition, tape.lineage}, INT64_MIN)
            .first->second;
    shipped = std::max(shipped, state.ShipOf(tp).shipped);
  }
}

bool KnownManifests::Has(const std::string& name) const {
  const Result<ArchiveName> read = ParseArchiveName(name);
  if (!read.ok() || read->store != store_id_) return true;
  if (read->kind == ArchiveNameKind::kRecordManifest) {
    if (read->node_part == node_part_ && days_.contains(name)) return true;
  } else if (read->kind == ArchiveNameKind::kTapeManifest) {
    const auto tape = shipped_.find({read->topic_part, read->partition, read->lineage});
    const bool covered = tape != shipped_.end() && read->to <= tape->second;
    if (read->node_part == node_part_ && covered) return true;
  } else {
    return true;
  }
  // On its way, or retired. A view that cannot be read settles nothing: all is left as it is.
  return view_->Get(keys::Object(name)).status().code() != StatusCode::kNotFound;
}

}  // namespace tapedeck
