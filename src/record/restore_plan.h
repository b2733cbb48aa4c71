#ifndef TAPEDECK_RECORD_RESTORE_PLAN_H_
#define TAPEDECK_RECORD_RESTORE_PLAN_H_

// RestorePlan: what of a lost store's tapes a new store must record again from the archive, so that
// no record is missing from the answers.
//
// The archive has every message up to the end of the tape manifests, but the records only of days
// that were shipped. A new store of the same node therefore begins each tape where the first record
// lies that no record manifest covers, and ends where the archive ends; Kafka is read from there
// on. What is recorded twice that way is found by Origin and answered once.
//
//   TD_ASSIGN_OR_RETURN(std::vector<RestoreTape> plan,
//                       PlanRestore(*set, "node-1", blobs, &decoders, stop));
//
// A range of the tape is passed by without being read where each day that its event times reach,
// of each table that its mapping fills, has manifests that cover it; else its messages are decoded.
//
// Errors: kCorruption: a manifest or an object is damaged or missing, named; those of the archive.
// Thread-compatible.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "archive/manifest_set.h"
#include "base/read_stop.h"
#include "base/status.h"
#include "blob/blob_store.h"
#include "mapping/mapping.h"
#include "model/manifest.h"
#include "model/table.h"

namespace tapedeck {

/// Offsets [from, to) that are taken from one tape object.
struct RestorePart {
  std::shared_ptr<const TapeListing> listing;
  int64_t from = 0;
  int64_t to = 0;
};

struct RestoreTape {
  TapeId tape;
  int64_t from = 0;                // [from, to) is recorded again; equal: nothing is
  int64_t to = 0;                  // the archive's end: where Kafka is read from
  std::vector<RestorePart> parts;  // in order of offsets
  /// Below `from`, in order: record manifests have their records.
  std::vector<RestorePart> covered;
  /// What no manifest has, as one of them says why; also below `from`.
  std::vector<Gap> gaps;
  /// Offsets within [from, to) of which none says anything.
  std::vector<TapeRange> holes;
  /// The manifest that ends last.
  std::shared_ptr<const TapeListing> last;
};

/// Decoders of the mappings that manifests name, made when they are first needed.
class ArchivedDecoders {
 public:
  /// Tables that are missing are declared. Both outlive it.
  ArchivedDecoders(const ManifestSet* manifests, TableRegistry* tables)
      : manifests_(manifests), tables_(tables) {}
  struct Entry {
    MappingSpec spec = MappingSpec::None();
    std::unique_ptr<Decoder> decoder;
  };
  /// kCorruption where no manifest has its text.
  Result<Entry*> For(const Hash128& mapping);
  const TableRegistry& tables() const { return *tables_; }
  const std::map<Hash128, Entry>& all() const { return entries_; }

 private:
  const ManifestSet* manifests_;
  TableRegistry* tables_;
  std::map<Hash128, Entry> entries_;
};

/// What made the records of a message: the last entry of mapping_from at or below its offset.
Result<Hash128> MappingAt(const TapeListing& listing, int64_t offset);

struct ArchivedMessage {
  MessageView message;
  Timestamp received;
};
/// Reads a part's messages in order of offsets; an error of the sink ends it.
Status ReadPart(BlobStore* blobs, const TapeId& tape, const RestorePart& part, const ReadStop* stop,
                const std::function<Status(const ArchivedMessage&)>& sink);

/// Of every tape that some store of `node` has shipped. `stop` may be null. A part that is damaged
/// counts as not covered with `pass_damaged`, and is an error otherwise.
Result<std::vector<RestoreTape>> PlanRestore(const ManifestSet& manifests, const std::string& node,
                                             BlobStore* blobs, ArchivedDecoders* decoders,
                                             const ReadStop* stop, bool pass_damaged = false);

}  // namespace tapedeck

#endif  // TAPEDECK_RECORD_RESTORE_PLAN_H_
