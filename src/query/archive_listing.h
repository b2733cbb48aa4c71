#ifndef TAPEDECK_QUERY_ARCHIVE_LISTING_H_
#define TAPEDECK_QUERY_ARCHIVE_LISTING_H_

// What a store has closed and what lies in the archive, as lists: days and their state, objects and
// what is in them.
//
//   DayQuery query{.table = "trades"};
//   for (const DayListing& day : ListDays(state, {node, store}, manifests.get(), query))
//     out += DayText(day).json;
//
// Days of this store come from its own states, with the objects of their manifests where the set
// knows them; those of other nodes and stores from their manifests alone. Objects come from
// manifests: what none lists does not exist.
//
// Thread-safe: pure functions. Listings point into the set of manifests, which outlives them.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "archive/manifest_set.h"
#include "archive/names.h"
#include "base/time.h"
#include "model/manifest.h"
#include "model/stored.h"
#include "query/listing_text.h"
#include "store/store.h"

namespace tapedeck {

/// Not the name of any table: the tape itself, in lists of objects.
inline constexpr std::string_view kTapeListing = "tape";

struct DayQuery {
  std::string table;  // "" = all
  /// Days, or rows of objects, that touch [start, end).
  Timestamp start = Timestamp::Min();
  Timestamp end = Timestamp::Max();
};

struct DayListing {
  std::string table;
  Day day;
  uint32_t generation = 0;
  DayPhase phase = DayPhase::kOpen;
  uint64_t rows = 0;
  std::string node, store;
  std::string manifest;  // "" while there is none
  size_t objects = 0;
  uint64_t bytes = 0;     // of the objects
  bool replaced = false;  // another generation stands for it

  /// Its place in the list, as text that sorts so.
  std::string Place() const;
};
/// By (table, day, generation, node, store). `manifests` may be null.
std::vector<DayListing> ListDays(const StoreState& state, const ArchiveOwner& owner,
                                 const ManifestSet* manifests, const DayQuery& query);

/// An object with the manifest that lists it: one of the two.
struct ObjectListing {
  const RecordListing* records = nullptr;
  const TapeListing* tape = nullptr;
  const ShippedObject* object = nullptr;
  bool replaced = false;
};
/// In the order of the set. Of records; of the tape where query.table is kTapeListing, by the Kafka
/// times of its manifests.
std::vector<ObjectListing> ListObjects(const ManifestSet& manifests, const DayQuery& query);

/// {"table":…,"day":…,"generation":…,"state":"shipped","rows":…,"objects":…,"bytes":…,
///  "node":…,"store":…,"manifest":…|null,"replaced":false}
ListingText DayText(const DayListing& day);
std::span<const std::string_view> DayColumns();

/// {"uri":…,"name":…,"table":…,"day":…,"generation":…,"node":…,"store":…,"manifest":…,"format":…,
///  "rows":…,"bytes":…,"sha256":…,"symbols":{"first":…,"last":…}|null,
///  "ts":{"first":…,"last":…}|null,"offsets":[{"topic":…,"partition":…,"lineage":…,"from":…,
///  "to":…}],"replaced":false}
/// `place`: what the names hang on ("s3://bucket/prefix"). Of the tape, `ts` is Kafka's time, and
/// day and generation are null.
ListingText ObjectText(const ObjectListing& object, std::string_view place);
std::span<const std::string_view> ObjectColumns();

}  // namespace tapedeck

#endif  // TAPEDECK_QUERY_ARCHIVE_LISTING_H_
