#ifndef TAPEDECK_TESTS_REINDEX_REINDEX_RIG_H_
#define TAPEDECK_TESTS_REINDEX_REINDEX_RIG_H_

// ReindexRig: a store that the real recorder has filled, the real shipper, and the real reindexer,
// step by step on the test's own thread or beside a recorder that runs.
//
// The oracle is a decoding of the log itself: every message of every partition, by one mapping,
// with nothing of tapes, blocks or generations in between.

#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "archive/archive.h"
#include "record/reindexer.h"
#include "ship/ship_rig.h"

namespace tapedeck::testing {

/// (table, symbol, ts, partition, offset, index) -> values.
using RowsFound =
    std::map<std::tuple<std::string, std::string, int64_t, int32_t, int64_t, uint32_t>,
             std::string>;

/// A mapping of Finnhub frames. Texts in its condition stand between single quotes.
struct FinnhubVariant {
  std::string prefix;       // of symbols
  std::string refuse;       // a condition; "": nothing
  bool rates = false;       // OANDA's go to a table of their own
  std::string unit = "ms";  // of times
};
MappingSpec SpecOf(const FinnhubVariant& variant);

class ReindexRig {
 public:
  explicit ReindexRig(uint64_t seed);

  /// The mapping of all topics from the next Record on.
  void UseMapping(const FinnhubVariant& variant);
  void Record(const std::vector<Day>& close = {}) { ship.Record(close); }
  /// Trades from some time of this day on, as `count` messages on two partitions.
  void Produce(Day day, int count);

  /// As after a start of the process.
  void StartReindexer();
  /// One job, to its end.
  ReindexJob Reindex(const ReindexRequest& request);
  void RunUntilIdle();
  /// What queries see.
  std::shared_ptr<const ReadPoint> Point();
  RowsFound Query(const std::shared_ptr<const ReadPoint>& point) const;
  RowsFound Query() { return Query(Point()); }
  /// Everything a reader could ask: rows, counts, catalog, coverage counters, refusals.
  std::string Answers();
  /// What the log decodes to by the mapping; refused: messages with a refusal.
  RowsFound Oracle(const MappingSpec& spec,
                   std::map<std::pair<int32_t, int64_t>, std::string>* refused = nullptr);
  std::map<std::pair<int32_t, int64_t>, std::string> Refusals();
  /// Verify finds nothing, and the archive, if there is one, holds what the store answers.
  void CheckSound();
  void AddArchive();
  void ShipAndPrune();
  /// A job that has its days reserved, as if the process had ended then; its id.
  std::string Reserve(const ReindexRequest& request);
  /// Goes on with it, as after a start of the process, and gives what has become of it.
  ReindexJob Resume(const std::string& id);
  /// The process of this node ends, and that of `node` begins on a folder of its own.
  void SwitchNode(const std::string& node);
  /// Joins what the merger would join in the end. By the store's queue where somebody serves it.
  void JoinBlocks();
  void QueueJoinBlocks();
  /// Index entries with offsets on both sides of a gap.
  int BlocksOverGaps();

  ShipRig ship;
  ReindexOptions options;
  std::unique_ptr<Reindexer> reindexer;
  std::unique_ptr<Archive> archive;
  uint64_t flushes_wanted = 0;  // RequestFlush of a recorder that runs; 0: none does
  bool live = false;
  std::function<Status()> before_point;  // of the reindexer; what fails there fails it
  std::function<uint64_t()> disk_used;   // of 1000; null: the real one
  uint64_t flushes = 1;                  // that were done, where no recorder runs
  std::vector<std::weak_ptr<const ReadPoint>> points;  // that the reindexer has asked for
};

}  // namespace tapedeck::testing

#endif  // TAPEDECK_TESTS_REINDEX_REINDEX_RIG_H_
