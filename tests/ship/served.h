#ifndef TAPEDECK_TESTS_SHIP_SERVED_H_
#define TAPEDECK_TESTS_SHIP_SERVED_H_

// What a node serves from its store and the archive together, by names that are the same on every
// store: the oracle of tests with several stores of one history.
//
//   EXPECT_EQ(ServedBy(&rig), ProducedIn(&rig));
//
// Owned by one thread.

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <tuple>

#include "query/range_facts.h"
#include "query/series_cursor.h"
#include "ship/ship_rig.h"

namespace tapedeck::testing {

struct Served {
  /// By (symbol, ts, topic-partition, lineage, offset, index).
  std::map<std::tuple<std::string, int64_t, std::string, uint32_t, int64_t, uint32_t>, std::string>
      rows;
  std::map<std::tuple<std::string, uint32_t, int64_t>, std::string> messages;
  bool operator==(const Served&) const = default;
};

inline std::string PlaceOf(const TapeId& tape) {
  return TopicPartition{tape.topic, tape.partition}.ToString();
}

/// Reports what comes twice, and a count that is another than the rows'.
inline Served ServedAt(const std::shared_ptr<const ReadPoint>& point) {
  Served served;
  RecordQuery query;
  query.table = "trades";
  query.columns = {"price", "size"};
  auto cursor = RecordCursor::Open(point, query);
  EXPECT_TRUE(cursor.ok()) << cursor.status().ToString();
  if (!cursor.ok()) return served;
  for (RowRun run;;) {
    const Status next = (*cursor)->Next(&run);
    EXPECT_TRUE(next.ok()) << next.ToString();
    if (!next.ok() || run.count == 0) break;
    for (uint32_t n = 0; n < run.count; ++n) {
      const uint32_t row = run.RowAt(n);
      const Rows& r = *run.rows;
      const TapeId& tape = *point->FindTape(TpId{r.tp[row]});
      std::string text;
      r.columns[0].At(row).AppendCanonical(&text);
      text += " ";
      r.columns[1].At(row).AppendCanonical(&text);
      const bool is_new = served.rows
                              .emplace(std::tuple(std::string(run.symbol), r.ts[row], PlaceOf(tape),
                                                  tape.lineage, r.offset[row], r.index[row]),
                                       text)
                              .second;
      EXPECT_TRUE(is_new) << "a row is served twice: " << run.symbol << " of " << tape.ToString()
                          << "@" << r.offset[row];
    }
  }
  const Result<uint64_t> count = CountRecords(point, query);
  EXPECT_TRUE(count.ok()) << count.status().ToString();
  EXPECT_EQ(count.ok() ? *count : 0, served.rows.size());
  auto messages = MessageCursor::Open(point, {});
  EXPECT_TRUE(messages.ok()) << messages.status().ToString();
  while (messages.ok()) {
    Result<const StoredMessage*> next = (*messages)->Next();
    EXPECT_TRUE(next.ok()) << next.status().ToString();
    if (!next.ok() || *next == nullptr) break;
    const StoredMessage& m = **next;
    EXPECT_TRUE(served.messages
                    .emplace(std::tuple(PlaceOf(*m.tape), m.tape->lineage, m.message.offset),
                             Describe(m.message))
                    .second)
        << "a message is served twice";
  }
  return served;
}

/// By the rig's store, with all that its archive has now.
inline std::shared_ptr<const ReadPoint> PointOf(ShipRig* rig, Archive* archive) {
  rig->recorder.OpenStore();
  EXPECT_TRUE(archive->manifests().Refresh(archive->blobs(), nullptr).ok());
  // A store that was just opened has its tail decoded: the rig's recorder did it.
  auto point = ReadPoint::Take(*rig->recorder.open_rows, rig->recorder.directory.get(),
                               *rig->recorder.store, archive);
  EXPECT_TRUE(point.ok()) << point.status().ToString();
  return std::move(point).value();
}

inline Served ServedBy(ShipRig* rig) {
  Archive archive(rig->blobs, ObjectCacheOptions());
  return ServedAt(PointOf(rig, &archive));
}

/// Whether the node says that nothing is missing, of records and of messages.
inline bool ServedWhole(ShipRig* rig) {
  Archive archive(rig->blobs, ObjectCacheOptions());
  const auto point = PointOf(rig, &archive);
  RecordQuery records;
  records.table = "trades";
  return CoverageOf(*point, records).value() == Coverage::kWhole &&
         CoverageOf(*point, MessageQuery()).value() == Coverage::kWhole;
}

/// What the test wrote into the log, which is of lineage 0.
inline Served ProducedIn(ShipRig* rig, std::initializer_list<TopicPartition> partitions) {
  Served produced;
  for (const auto& [place, trades] : rig->recorder.expected) {
    uint32_t index = 0;
    for (const ExpectedTrade& trade : trades) {
      produced.rows[{trade.symbol, trade.ts_ms * 1'000'000, place.first.ToString(), 0, place.second,
                     index++}] = trade.price + " " + trade.size;
    }
  }
  for (const TopicPartition& tp : partitions) {
    for (const auto& [offset, message] : rig->recorder.log.Copy(tp).messages)
      produced.messages[{tp.ToString(), 0, offset}] = Describe(FakeView(message).view());
  }
  return produced;
}

}  // namespace tapedeck::testing

#endif  // TAPEDECK_TESTS_SHIP_SERVED_H_
