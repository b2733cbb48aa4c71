#include "repair/archived_part.h"

#include <algorithm>
#include <set>

#include "tape/tape_offsets.h"

namespace tapedeck {
namespace {

// One tape at a time is looked at, whatever its number is.
constexpr TpId kTape{0};

// Where in [from, to) this listing has messages first, if anywhere.
OffsetSpan FirstHeld(const TapeListing& listing, int64_t from, int64_t to) {
  TapeOffsets held;
  held.Add(kTape, std::max(from, listing.manifest.range.from),
           std::min(to, listing.manifest.range.to));
  for (const Gap& gap : listing.manifest.gaps) held.Remove(kTape, gap.from, gap.to);
  return held.empty() ? OffsetSpan{to, to} : held.Of(kTape).front();
}

}  // namespace

Status ReadArchivedPart(const ArchiveAt& archive, const TapeId& tape, const RestorePart& part,
                        const ArchivedSinks& sinks, std::vector<std::string>* notes) {
  std::set<std::string> damaged;  // names of manifests
  RestorePart now = part;
  int64_t at = part.from;
  while (at < part.to) {
    sinks.lose(at, now.from);
    at = now.from;
    Status taken;
    auto take = [&](const ArchivedMessage& archived) -> Status {
      TD_ASSIGN_OR_RETURN(const Hash128 mapping, MappingAt(*now.listing, archived.message.offset));
      taken = sinks.take(archived, mapping);
      if (taken.ok()) at = archived.message.offset + 1;
      return taken;
    };
    const Status read = ReadPart(archive.blobs, tape, now, archive.stop, take);
    TD_RETURN_IF_ERROR(taken);
    if (read.ok()) {
      at = now.to;
    } else if (read.code() == StatusCode::kCorruption) {
      notes->emplace_back(read.message());
      damaged.insert(now.listing->name);
    } else {
      return read;
    }
    RestorePart next{nullptr, part.to, part.to};
    for (const auto& listing : archive.manifests->TapesOf(tape)) {
      if (damaged.contains(listing->name)) continue;
      const OffsetSpan held = FirstHeld(*listing, at, part.to);
      if (held.from < next.from) next = {listing, held.from, held.to};
    }
    if (next.listing == nullptr) break;
    now = next;
  }
  sinks.lose(at, part.to);
  return Status::Ok();
}

}  // namespace tapedeck
