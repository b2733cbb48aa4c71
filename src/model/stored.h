#ifndef TAPEDECK_MODEL_STORED_H_
#define TAPEDECK_MODEL_STORED_H_

// The values of the store's small entries. Each starts with a version byte; integers are
// little-endian or varints; `blob` is a varint length and bytes; hashes are 16 bytes, high half
// first. Blocks are the codec module's. docs/formats.md, "Values".
//
// Decode* give kCorruption for bytes that no Encode* writes. Thread-safe: pure functions on values.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/hash.h"
#include "base/status.h"
#include "base/time.h"
#include "model/keys.h"
#include "model/origin.h"

namespace tapedeck {

/// A message of the log by which it is recognised: read again and compared by hash.
struct Landmark {
  int64_t offset = -1;  // -1: none yet
  Hash128 hash;         // message hash
  bool operator==(const Landmark&) const = default;
};

/// `c`: where a topic-partition stands. Written in the same batch as the messages it covers.
///   checkpoint := version:u8=1 start:zigzag next:zigzag last:landmark anchor:landmark digest:hash
///                 mapping:hash watermark:zigzag messages:varint records:varint refused:varint
///                 skipped:varint run_start:zigzag kafka_max_ms:zigzag
///   landmark   := offset:zigzag hash
struct Checkpoint {
  int64_t start = 0;      // coverage starts here: the first offset that was ever asked for
  int64_t next = 0;       // [start, next) is on the tape, in a gap, or a hole of Kafka's own
  Landmark last;          // last message recorded
  Landmark anchor;        // last message recorded before the previous tail check
  Digest digest;          // sum of message hashes of the tape
  Hash128 mapping;        // in force for messages from `next` on
  int64_t watermark = 0;  // series hold every record of [start, watermark)
  uint64_t messages = 0;  // on the tape
  uint64_t records = 0;
  uint64_t refused = 0;       // messages with a refusal
  uint64_t skipped = 0;       // messages of which something was skipped
  int64_t run_start = 0;      // where this uninterrupted run of ours begins (docs/faults.md, G5)
  int64_t kafka_max_ms = -1;  // greatest Kafka timestamp so far
  bool operator==(const Checkpoint&) const = default;
};
std::string EncodeCheckpoint(const Checkpoint& checkpoint);
Result<Checkpoint> DecodeCheckpoint(std::string_view bytes);

/// Persisted. Why offsets are not on a tape.
enum class GapReason : uint8_t {
  kRetention = 1,
  kElsewhere = 2,
  kElsewhereMaybe = 3,
  kHeld = 4,
  kSkipped = 5,
  kRetain = 6,
  kOwnReplay = 7,
  kDamaged = 8,  // was recorded; the store lost it, and `repair` found it nowhere else
};
/// "retention", "elsewhere", "elsewhere?", "held", "skipped", "retain", "own-replay",
/// "damaged".
std::string_view GapReasonName(GapReason reason);

/// `g`: offsets [from, to) of a topic-partition that are not here; `from` is in the key.
///   gap := version:u8=1 to:zigzag reason:u8 kafka_before:zigzag kafka_after:zigzag
///          event_before:zigzag event_after:zigzag at:zigzag detail:blob
struct Gap {
  int64_t from = 0;
  int64_t to = 0;
  GapReason reason = GapReason::kRetention;
  int64_t kafka_before_ms = -1;  // of the last message before and the first after; -1 unknown
  int64_t kafka_after_ms = -1;
  int64_t event_before_ns = INT64_MIN;  // INT64_MIN unknown
  int64_t event_after_ns = INT64_MIN;
  Timestamp noticed_at;
  std::string detail;  // "lineage 1" for kHeld, node and store for kElsewhere
  bool operator==(const Gap&) const = default;
};
std::string EncodeGap(const Gap& gap);
Result<Gap> DecodeGap(int64_t from, std::string_view bytes);

/// `x`: what a tape block holds, to find and skip blocks without decoding them.
///   index := version:u8=1 count:varint raw_bytes:varint first:zigzag last:zigzag kafka_min:zigzag
///            kafka_max:zigzag kafka_running_max:zigzag event_min:zigzag event_max:zigzag
///            mapping:hash records:varint many:u8 symbols:varint { blob }
struct TapeIndexEntry {
  uint64_t count = 0;
  uint64_t raw_bytes = 0;
  int64_t first_offset = 0;
  int64_t last_offset = 0;
  int64_t kafka_min_ms = -1;
  int64_t kafka_max_ms = -1;
  int64_t kafka_running_max_ms =
      -1;                            // greatest since the tape's first message, this block included
  int64_t event_min_ns = INT64_MAX;  // over the block's records; MAX/MIN where it has none
  int64_t event_max_ns = INT64_MIN;
  Hash128 mapping;  // that made this summary
  uint64_t records = 0;
  bool many_symbols = false;  // more than limits::kTapeSummarySymbolsMax: `symbols` says nothing
  std::vector<std::string> symbols;  // sorted, each once
  bool operator==(const TapeIndexEntry&) const = default;
};
std::string EncodeTapeIndex(const TapeIndexEntry& entry);
Result<TapeIndexEntry> DecodeTapeIndex(std::string_view bytes);

/// `e`: a message that its mapping refused, wholly or in part.
///   refusal := version:u8=1 reason:blob refused:varint kept:varint received:zigzag kafka:zigzag
struct RefusalEntry {
  std::string reason;    // the first one
  uint32_t refused = 0;  // of the message's records
  uint32_t kept = 0;
  Timestamp received;
  int64_t kafka_ms = -1;
  bool operator==(const RefusalEntry&) const = default;
};
std::string EncodeRefusal(const RefusalEntry& entry);
Result<RefusalEntry> DecodeRefusal(std::string_view bytes);

/// `y`: what there is of a series, written by flushes only; absolute values.
///   catalog := version:u8=1 times | version:u8=2 times last:blob
///   times   := first:zigzag last:zigzag rows:varint
struct CatalogEntry {
  Timestamp first_ts;
  Timestamp last_ts;
  uint64_t rows = 0;
  std::string last = {};  // the newest record (model/last_record.h); "": look for it
  bool operator==(const CatalogEntry&) const = default;
};
std::string EncodeCatalog(const CatalogEntry& entry);
Result<CatalogEntry> DecodeCatalog(std::string_view bytes);

/// Persisted. In order of a day's life.
enum class DayPhase : uint8_t {
  kOpen = 0,
  kClosing = 1,
  kWritten = 2,
  kUploaded = 3,
  kVerified = 4,
  kShipped = 5,
  kPruned = 6,
};
std::string_view DayPhaseName(DayPhase phase);

/// `d`: a generation of a (table, day).
///   day    := version:u8=1 state | version:u8=2 state times | version:u8=3 state times rebuilt
///   state  := phase:u8 rows:varint digest:hash vector:varint { tp:varint from:zigzag to:zigzag }
///             manifest:blob
///   times  := first_at:zigzag last_at:zigzag since:zigzag draft:blob
///   rebuilt := flags:u8 closed:varint replaced:varint replaced_at:zigzag
///   flags  := 1 building | 2 rebuilt | 4 mixed | 8 gone
struct DayEntry {
  struct Range {
    TpId tp{};
    int64_t from = 0;
    int64_t to = 0;
    bool operator==(const Range&) const = default;
  };
  DayPhase phase = DayPhase::kOpen;
  uint64_t rows = 0;  // in the store's blocks
  Digest digest;      // of those rows
  /// By tape: the offsets whose rows of this day are here. Closed: all it covers; open: the tapes
  /// that have rows in it so far, up to the last flush that brought some.
  std::vector<Range> vector;
  std::string manifest;  // kShipped and later: its name; its objects hold the rows
  /// When its first and its last rows so far came, to the flush that brought them; 0: not known.
  Timestamp first_at;
  Timestamp last_at;
  Timestamp since;    // of the phase; 0: not known
  std::string draft;  // kWritten to kVerified: the manifest to be (JSON)

  // Reindexing (docs/reindex.md). Numbers are those of flushes: replacing counts as one.
  bool building = false;  // a reindex fills it: nobody reads it yet
  bool rebuilt = false;   // a reindex made it; it stands for those below it
  bool mixed = false;     // rebuilt, and an earlier mapping is in force for a part of its messages
  bool gone = false;      // replaced so long ago that its rows leave
  uint64_t closed = 0;    // with which it was closed, or, rebuilt, shown; 0: open, or not known
  uint64_t replaced = 0;  // from which on a later one stands for it; 0: none does
  Timestamp replaced_at;  // 0: it is not
  /// Whether its rows are part of what the store answers now.
  bool counts() const { return !building && replaced == 0; }
  bool operator==(const DayEntry&) const = default;
};
std::string EncodeDay(const DayEntry& entry);
Result<DayEntry> DecodeDay(std::string_view bytes);

/// `a`: how far a tape has come on its way into the archive; written by the shipper alone. A tape
/// without one has not begun: all its offsets are its checkpoint's start.
///   ship := version:u8=1 shipped:zigzag pruned:zigzag messages:zigzag phase:u8 last_at:zigzag
///           marks:varint { to:zigzag at:zigzag } draft:blob
struct TapeShip {
  /// A moment at which everything below `to` was in the archive.
  struct Mark {
    int64_t to = 0;
    Timestamp at;
    bool operator==(const Mark&) const = default;
  };
  int64_t shipped = 0;   // tape manifests cover [start, shipped) without a hole
  int64_t pruned = 0;    // the store's blocks begin here; what lies below is in the archive
  int64_t messages = 0;  // below it every message has an object of its own, where that is wanted
  DayPhase phase = DayPhase::kOpen;  // of the range in hand: kOpen (none), kWritten to kVerified
  Timestamp last_at;                 // when the last range was shipped
  std::vector<Mark> marks;           // rising; above `pruned`
  std::string draft;                 // the manifest of the range in hand (JSON)
  bool operator==(const TapeShip&) const = default;
};
std::string EncodeTapeShip(const TapeShip& ship);
Result<TapeShip> DecodeTapeShip(std::string_view bytes);

/// Persisted. Why a store remembers the name of an object.
enum class ObjectPurpose : uint8_t {
  kPut = 1,      // it is about to put it, or has and no manifest lists it yet
  kRetired = 2,  // a later generation stands for it: it leaves after a grace period
};

/// `o`: an object that this store wrote down before its Put, or no longer needs; the name is in the
/// key. Only such names are ever deleted.
///   object := version:u8=1 purpose:u8 at:zigzag
struct ObjectEntry {
  ObjectPurpose purpose = ObjectPurpose::kPut;
  Timestamp at;  // since when
  bool operator==(const ObjectEntry&) const = default;
};
std::string EncodeObject(const ObjectEntry& entry);
Result<ObjectEntry> DecodeObject(std::string_view bytes);

/// `p`: tape := version:u8=1 cluster:blob topic:blob lineage:varint partition:zigzag
std::string EncodeTapeId(const TapeId& tape);
Result<TapeId> DecodeTapeId(std::string_view bytes);

}  // namespace tapedeck

#endif  // TAPEDECK_MODEL_STORED_H_
