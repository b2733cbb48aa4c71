#ifndef TAPEDECK_TAPE_SELECTION_H_
#define TAPEDECK_TAPE_SELECTION_H_

// Selection: which messages of a recording are replayed, frozen as ranges of offsets, so that it
// means the same today, after a restart, and when its days have been shipped and pruned.
//
//   SelectionRequest request{.topics = {"Finhub1"}, .start = …, .end = …, .symbols = {"BTCUSDT"}};
//   TD_ASSIGN_OR_RETURN(Frozen frozen, FreezeSelection(*point, request));
//   if (!frozen.missing.empty()) …            // offsets that are neither here nor in the archive
//   SelectionCursor::Open(parts, frozen.selection, …)              // tape/selection_cursor.h
//
// A message is selected when its offset is in a range, its time by `clock` is in [start, end), and,
// where symbols or tables are named, one of its records is of one of them. By the Kafka clock its
// time is the Kafka timestamp (time of receipt where it has none); by the event clock some record's
// event time lies in the range.
//
// Values; thread-compatible.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "base/time.h"
#include "model/manifest.h"
#include "model/stored.h"
#include "tape/read_point.h"

namespace tapedeck {

/// Persisted (in jobs, by name). What merges the partitions.
enum class SelectionOrder : uint8_t { kArrival = 0, kEvent = 1 };
/// Persisted (in jobs, by name). What start and end are measured by.
enum class SelectionClock : uint8_t { kKafka = 0, kEvent = 1 };

struct Selection {
  std::vector<TapeRange> ranges;       // by (topic, partition, lineage), each tape once
  Timestamp start = Timestamp::Min();  // [start, end); Max() is open
  Timestamp end = Timestamp::Max();
  SelectionClock clock = SelectionClock::kKafka;
  SelectionOrder order = SelectionOrder::kArrival;
  std::vector<std::string> symbols;  // sorted, each once; empty: all
  std::vector<std::string> tables;   // sorted, each once; empty: all
  bool operator==(const Selection&) const = default;

  /// Some record of a message decides whether it is selected.
  bool narrowed() const {
    return !symbols.empty() || !tables.empty() || clock == SelectionClock::kEvent;
  }
};

/// Offsets [from, to) of a topic-partition, as a user names them.
struct OffsetRange {
  std::string topic;
  int32_t partition = 0;
  uint32_t lineage = 0;
  int64_t from = 0;
  int64_t to = INT64_MAX;
  bool operator==(const OffsetRange&) const = default;
};

struct SelectionRequest {
  std::vector<std::string> topics;   // all that is recorded of them; or
  std::vector<OffsetRange> offsets;  // these
  std::optional<Timestamp> start;
  std::optional<Timestamp> end;
  SelectionClock clock = SelectionClock::kKafka;
  SelectionOrder order = SelectionOrder::kArrival;
  std::vector<std::string> symbols;
  std::vector<std::string> tables;
  bool operator==(const SelectionRequest&) const = default;
};

struct Frozen {
  Selection selection;
  /// What was asked for and nobody has recorded, here or in the archive, where its times may touch
  /// the selection: what no replay can send. Each part of a gap that is missing is one.
  std::vector<TapeGap> missing;
  /// There is an archive that was not listed yet: others may have recorded more of these topics.
  bool unlisted = false;
  /// Messages of the ranges' blocks and archived objects: what is selected at most.
  uint64_t messages_at_most = 0;
  /// They are as many: nothing narrows, and whatever was counted lies inside, once.
  bool exact = true;
  /// No selected message is older, by its Kafka timestamp; nullopt: unknown.
  std::optional<Timestamp> oldest;
};

/// As recorded at `point`, by this store or, as manifests say, by others: what comes later is not
/// in it. A topic without a message gives no range. Of several clusters with a topic of this name
/// the store's own is meant. kInvalidArgument: a topic, partition, lineage or table that is not
/// there, an empty or reversed range, one where nothing is recorded, nothing named.
/// kFailedPrecondition, kUnavailable and errors of manifests as of SpansOf.
Result<Frozen> FreezeSelection(const ReadPoint& point, const SelectionRequest& request);

/// Whether a message of the gap may be selected by its time: by the times of the messages around
/// it; where those are not known it may.
bool MayTouch(const Gap& gap, const Selection& selection);

/// The tape that a range of a selection names: the very one, or, where its cluster is left out, the
/// one of that name, this store's own before those that only manifests name. nullopt: none.
std::optional<TpId> TapeOf(const ReadPoint& point, const TapeId& named);

/// Bytes of key, value and headers of the largest message of the ranges, where it is above `over`;
/// else 0. Reads only blocks that may hold such a one; what has been shipped and pruned is not
/// looked at.
Result<uint64_t> LargestMessage(const ReadPoint& point, const Selection& selection, uint64_t over);

}  // namespace tapedeck

#endif  // TAPEDECK_TAPE_SELECTION_H_
