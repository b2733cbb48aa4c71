#ifndef TAPEDECK_MODEL_MANIFEST_H_
#define TAPEDECK_MODEL_MANIFEST_H_

// Manifest: what one step of shipping has put into the archive, and proof of it.
//
// A record manifest says which objects hold generation g of a table's day and which offsets of
// which tapes it covers; a tape manifest says which object holds a range of offsets of a
// topic-partition. Either is written last, after its objects were read back, and never overwritten:
// what no manifest lists does not exist. A restore needs nothing but the manifests and what they
// name, so tapes are named in full, not by a store's numbers, and mappings come with their text.
//
//   RecordManifest manifest = …;
//   blob.Put(RecordManifestName(manifest), ToJson(manifest));
//   TD_ASSIGN_OR_RETURN(Manifest read, ParseManifest(bytes));   // either kind
//
// JSON, UTF-8, keys in a fixed order, one manifest a document:
//   symbols, topics and other bytes are strings where they are UTF-8, else {"base64":…};
//   times are integers in nanoseconds (event) or milliseconds (Kafka), as strings past 2^53;
//   hashes are 32 hexadecimal digits, sha256 64.
// A reader takes keys that it does not know as absent, and refuses a "manifest" number above its
// own.
//
// Errors of ParseManifest: kCorruption with the place. Thread-safe: pure functions on values.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/hash.h"
#include "base/status.h"
#include "base/time.h"
#include "model/origin.h"
#include "model/stored.h"
#include "model/table.h"

namespace tapedeck {

/// Who wrote a manifest, and when; in both kinds.
struct ManifestWriter {
  std::string node;
  std::string store;    // its id
  std::string version;  // of tapedeck
  Timestamp at;
  bool operator==(const ManifestWriter&) const = default;
};

/// Offsets [from, to) of a tape.
struct TapeRange {
  TapeId tape;
  int64_t from = 0;
  int64_t to = 0;
  bool operator==(const TapeRange&) const = default;
};

struct TapeGap {
  TapeId tape;
  Gap gap;
  bool operator==(const TapeGap&) const = default;
};

/// An object of the archive. Bounds are inclusive.
struct ShippedObject {
  std::string name;
  std::string format;  // "parquet", "ndjson.zst", "ndjson.gz"
  uint64_t rows = 0;
  uint64_t bytes = 0;
  std::string sha256;  // hexadecimal
  std::string first_symbol, last_symbol;
  Timestamp first_ts, last_ts;
  std::vector<TapeRange> offsets;  // least and greatest + 1, of each tape that has rows in it
  bool operator==(const ShippedObject&) const = default;
};

struct RecordManifest {
  ManifestWriter writer;
  std::string table;
  std::vector<Column> columns;
  std::vector<std::string> identity;
  DaySize day_size = DaySize::kDay;
  Day day;
  uint32_t generation = 0;
  /// Generations of this day that this one stands for: reindex, upsert.
  std::vector<uint32_t> replaces;
  uint64_t rows = 0;
  Digest digest;                                // sum of the record hashes
  std::vector<TapeRange> vector;                // what the generation covers
  std::vector<TapeGap> gaps;                    // of those ranges
  std::map<std::string, std::string> mappings;  // hash -> canonical text
  std::vector<ShippedObject> objects;
  bool operator==(const RecordManifest&) const = default;
};

/// A message that its mapping refused.
struct ShippedRefusal {
  int64_t offset = 0;
  RefusalEntry entry;
  bool operator==(const ShippedRefusal&) const = default;
};

struct TapeManifest {
  ManifestWriter writer;
  TapeRange range;
  uint64_t messages = 0;
  Digest digest;  // sum of the message hashes
  Landmark last;  // message of the range; what a new owner compares with Kafka
  int64_t kafka_min_ms = -1, kafka_max_ms = -1;
  int64_t kafka_running_max_ms = -1;  // greatest since the tape's first message
  int64_t event_min_ns = INT64_MAX, event_max_ns = INT64_MIN;
  bool many_symbols = false;
  std::vector<std::string> symbols;
  std::vector<Gap> gaps;
  std::vector<ShippedRefusal> refusals;
  /// From which offset on which mapping made the records, ascending.
  std::vector<std::pair<int64_t, Hash128>> mapping_from;
  std::map<std::string, std::string> mappings;
  std::vector<ShippedObject> objects;  // one, or none where the range holds no message
  bool operator==(const TapeManifest&) const = default;
};

using Manifest = std::variant<RecordManifest, TapeManifest>;

std::string ToJson(const RecordManifest& manifest);
std::string ToJson(const TapeManifest& manifest);
Result<Manifest> ParseManifest(std::string_view json);

}  // namespace tapedeck

#endif  // TAPEDECK_MODEL_MANIFEST_H_
