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
  std::string prefix;  // of symbols
  std::string refuse;  // a condition; "": nothing
  bool rates = false;  // OANDA's go to a table of their own
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

  ShipRig ship;
  ReindexOptions options;
  std::unique_ptr<Reindexer> reindexer;
  std::unique_ptr<Archive> archive;
  uint64_t flushes_wanted = 0;  // RequestFlush of a recorder that runs; 0: none does
  bool live = false;
};

}  // namespace tapedeck::testing

#endif  // TAPEDECK_TESTS_REINDEX_REINDEX_RIG_H_
