// What a read says of an archive that several stores share: gaps that only manifests know, symbols
// and refusals that only others have, and whose records hide whose.

#include <gtest/gtest.h>

#include "archive/archive.h"
#include "base/clock.h"
#include "mapping/mapping.h"
#include "query/archive_filler.h"
#include "query/latest.h"
#include "query/listing.h"
#include "query/listing_text.h"
#include "query/range_facts.h"
#include "query/series_cursor.h"
#include "query/store_beside.h"
#include "query/store_filler.h"
#include "support/fake_blob_store.h"
#include "support/temp_dir.h"
#include "tape/tape_spans.h"

namespace tapedeck::testing {
namespace {

const TapeId kTicks{"c1", "ticks", 0, 0};
constexpr int64_t kDayNs = int64_t{86'400} * 1'000'000'000;

class OthersInArchive : public ::testing::Test {
 protected:
  // Trades, a millisecond apart, from the tape's next offset up to `to`.
  static void Record(StoreFiller* filler, TpId tp, int64_t to, const std::string& kind = "t",
                     int64_t day = 0, const std::string& symbol = "A") {
    for (int64_t at = filler->NextOffset(tp); at < to; ++at) {
      const std::string time = std::to_string(day * kDayNs + at * 1'000'000);
      filler->Append(tp, {.value = R"([{"k":")" + kind + R"(","s":")" + symbol +
                                   R"(","p":"1.5","b":"1.5","t":)" + time + "}]",
                          .timestamp_ms = 1'000 + at});
    }
    filler->Commit();
  }
  void Ship(StoreFiller* filler) {
    filler->Flush();
    filler->CloseDays();
    ArchiveFiller shipping(filler, &blobs_, {});
    shipping.ShipDays();
    shipping.ShipTapes(40);
  }
  std::shared_ptr<const ReadPoint> Point(StoreFiller* filler) {
    const Status listed = archive_.manifests().Refresh(&blobs_, nullptr).status();
    EXPECT_TRUE(listed.ok()) << listed.ToString();
    return filler->Point(&archive_);
  }
  static RecordQuery All(const std::string& table) {
    RecordQuery query;
    query.table = table;
    return query;
  }
  static RecordQuery Millis(int64_t from, int64_t to) {
    RecordQuery query = All("trades");
    query.start = Timestamp(from * 1'000'000);
    query.end = Timestamp(to * 1'000'000);
    return query;
  }
  static Coverage Covered(const ReadPoint& point, const RecordQuery& query) {
    const Result<Coverage> coverage = CoverageOf(point, query);
    EXPECT_TRUE(coverage.ok()) << coverage.status().ToString();
    return coverage.value_or(Coverage::kWhole);
  }
  static uint64_t Rows(std::shared_ptr<const ReadPoint> point, RecordQuery query) {
    auto cursor = RecordCursor::Open(std::move(point), std::move(query));
    EXPECT_TRUE(cursor.ok()) << cursor.status().ToString();
    if (!cursor.ok()) return 0;
    for (RowRun run;;) {
      const Status next = (*cursor)->Next(&run);
      EXPECT_TRUE(next.ok()) << next.ToString();
      if (!next.ok() || run.count == 0) return (*cursor)->rows();
    }
  }
  static std::vector<std::string> Refused(const ReadPoint& point) {
    std::vector<std::string> lines;
    const Status visited = VisitRefused(point, {}, [&](const RefusedMessage& refused) {
      lines.push_back(RefusedText(refused).json);
      return Status::Ok();
    });
    EXPECT_TRUE(visited.ok()) << visited.ToString();
    return lines;
  }

  TempDir dir_;
  FakeBlobStore blobs_{&SystemClock()};
  Archive archive_{&blobs_, ObjectCacheOptions()};
  StoreFiller here_{dir_.File("here"), 64, "node-b"};
  StoreFiller other_{dir_.File("other"), 64, "node-m"};
};

// Promise 7 of docs/faults.md: an answer states its gaps, whoever noticed them.
TEST_F(OthersInArchive, AGapOfATapeThatOnlyOthersRecordedIsToldWithItsReason) {
  const TpId tp = other_.AddTape(kTicks);
  Record(&other_, tp, 80);
  other_.AddGap(tp, 90, GapReason::kRetention);
  Record(&other_, tp, 200);
  Ship(&other_);
  const auto point = Point(&here_);
  EXPECT_EQ(Covered(*point, All("trades")), Coverage::kGaps);
  EXPECT_EQ(Covered(*point, Millis(70, 100)), Coverage::kGaps);
  EXPECT_EQ(Covered(*point, Millis(0, 30)), Coverage::kWhole) << "long before the gap";
  EXPECT_EQ(Covered(*point, Millis(170, 200)), Coverage::kWhole) << "long behind it";
  RecordQuery topic = All("trades");
  topic.topics = {"another"};
  EXPECT_EQ(Covered(*point, topic), Coverage::kWhole);
  EXPECT_EQ(*CoverageOf(*point, MessageQuery{}), Coverage::kGaps);
  EXPECT_EQ(*CoverageOf(*point, MessageQuery{.to_offset = 80}), Coverage::kWhole);

  const auto partitions = *ListPartitions(*point, {});
  ASSERT_EQ(partitions.size(), 1u);
  EXPECT_EQ(partitions[0].checkpoint.start, 0);
  EXPECT_EQ(partitions[0].checkpoint.next, 200);
  EXPECT_EQ(partitions[0].checkpoint.messages, 190u);
  EXPECT_EQ(partitions[0].shipped, 80);
  ASSERT_EQ(partitions[0].gaps.size(), 1u);
  EXPECT_EQ(partitions[0].gaps[0].from, 80);
  EXPECT_EQ(partitions[0].gaps[0].to, 90);
  EXPECT_EQ(partitions[0].gaps[0].reason, GapReason::kRetention);
}

// As `restore` leaves it: the store begins where the lost one's manifests end.
TEST_F(OthersInArchive, ARestoredStoreTellsTheGapsOfTheLostOne) {
  const TpId lost = other_.AddTape(kTicks);
  Record(&other_, lost, 40);
  other_.AddGap(lost, 50, GapReason::kRetention);
  Record(&other_, lost, 80);
  Ship(&other_);
  const TpId mine = here_.AddTape(kTicks, 80);
  Record(&here_, mine, 120);
  EXPECT_EQ(Covered(*here_.Point(), All("trades")), Coverage::kWhole) << "without the archive";
  const auto point = Point(&here_);
  EXPECT_EQ(Covered(*point, All("trades")), Coverage::kGaps);
  EXPECT_EQ(Covered(*point, Millis(90, 120)), Coverage::kWhole);
  const auto partitions = *ListPartitions(*point, {});
  ASSERT_EQ(partitions.size(), 1u);
  EXPECT_EQ(partitions[0].checkpoint.start, 0);
  EXPECT_EQ(partitions[0].checkpoint.next, 120);
  EXPECT_EQ(partitions[0].checkpoint.messages, 110u);
  ASSERT_EQ(partitions[0].gaps.size(), 1u);
  EXPECT_EQ(partitions[0].gaps[0].reason, GapReason::kRetention);
  EXPECT_TRUE(partitions[0].exact);
}

// Two stores' vectors overlap only where both have records of the table.
TEST_F(OthersInArchive, RecordsOfATableThatOurMappingDoesNotFillAreOthersToShow) {
  const TpId theirs = other_.AddTape(kTicks);
  Record(&other_, theirs, 60, "q");
  Ship(&other_);
  // The same messages, recorded here with a mapping that makes trades only.
  const TpId mine = here_.AddTape(kTicks);
  Record(&here_, mine, 60, "ping");
  ASSERT_EQ(Rows(Point(&here_), All("quotes")), 0u)
      << "a mapping that fills quotes says that there are none";
  const auto trades =
      MappingSpec::Resolve("trades only",
                           {{"trades only",
                             R"({"format": "json", "records": [{"table": "trades", "symbol": "s",
            "ts": {"path": "t", "unit": "ns"}, "fields": {"price": "p"}}]})"}},
                           {});
  ASSERT_TRUE(trades.ok()) << trades.status().ToString();
  Checkpoint checkpoint = *here_.store().View()->GetCheckpoint(mine);
  checkpoint.mapping = trades->hash();
  StoreBatch batch;
  batch.PutMapping(trades->hash(), trades->canonical());
  batch.PutCheckpoint(mine, checkpoint);
  ASSERT_TRUE(here_.store().Write(batch).ok());
  EXPECT_EQ(Rows(Point(&here_), All("quotes")), 60u);
  EXPECT_EQ(*CountRecords(Point(&here_), All("quotes")), 60u);
}

TEST_F(OthersInArchive, RowsOfAGenerationOfOursAreNotShownTwiceAfterTheMappingChanged) {
  Record(&other_, other_.AddTape(kTicks), 60, "q");
  Ship(&other_);
  const TpId mine = here_.AddTape(kTicks);
  Record(&here_, mine, 60, "q");
  here_.Flush();
  Checkpoint checkpoint = *here_.store().View()->GetCheckpoint(mine);
  const auto none = MappingSpec::None();
  checkpoint.mapping = none.hash();
  StoreBatch batch;
  batch.PutMapping(none.hash(), none.canonical());
  batch.PutCheckpoint(mine, checkpoint);
  ASSERT_TRUE(here_.store().Write(batch).ok());
  EXPECT_EQ(Rows(Point(&here_), All("quotes")), 60u) << "our open generation has them";
  here_.CloseDays();
  EXPECT_EQ(Rows(Point(&here_), All("quotes")), 60u) << "our closed generation covers them";
}

// O6: once served stays served. The commit is durable, its rows are not there yet.
TEST_F(OthersInArchive, ACommitThatIsDurableAndNotPublishedHidesNothing) {
  Record(&other_, other_.AddTape(kTicks), 100);
  Ship(&other_);
  const TpId mine = here_.AddTape(kTicks);
  OpenRows published;
  Record(&here_, mine, 50);
  published.Publish(here_.open_rows().Take().at(0));
  published.MarkPublished(1);
  Record(&here_, mine, 100);
  ASSERT_TRUE(archive_.manifests().Refresh(&blobs_, nullptr).ok());
  // What the record thread does right after its write, as seen by who takes a view in between.
  StoreBeside store(&here_.store(), [&, done = false]() mutable {
    if (std::exchange(done, true)) return;
    published.Publish(here_.open_rows().Take().at(1));
    published.MarkPublished(2);
  });
  const auto point = ReadPoint::Take(published, &here_.directory(), store, &archive_);
  ASSERT_TRUE(point.ok()) << point.status().ToString();
  EXPECT_EQ(Rows(*point, All("trades")), 100u);
}

TEST_F(OthersInArchive, OnlyWhatMayHoldTheSymbolsIsOpened) {
  for (int day = 0; day < 12; ++day) {
    const TapeId tape{"c1", "ticks", 0, day};
    const std::string symbol = day < 10 ? "A" : "Z";
    Record(&other_, other_.AddTape(tape), 3, "t", day, symbol + std::to_string(day));
  }
  Ship(&other_);
  const auto point = Point(&here_);
  auto reads = [&](const SymbolQuery& query, size_t expected) {
    const uint64_t before = archive_.objects().counts().reads + archive_.objects().counts().hits;
    const auto symbols = ListSymbols(*point, query);
    EXPECT_TRUE(symbols.ok()) << symbols.status().ToString();
    EXPECT_EQ(symbols->size(), expected);
    return archive_.objects().counts().reads + archive_.objects().counts().hits - before;
  };
  EXPECT_EQ(reads({.prefix = "B"}, 0), 0u);
  EXPECT_EQ(reads({.after = "Z9", .has_after = true}, 0), 0u);
  EXPECT_EQ(reads({.symbol = "Y"}, 0), 0u);
  const uint64_t two = reads({.prefix = "Z"}, 2);
  EXPECT_GT(two, 0u);
  EXPECT_GT(reads({}, 12), two);
  SymbolQuery one{.limit = 1};
  const auto first = *ListSymbolPage(*point, one);
  ASSERT_EQ(first.entries.size(), 1u);
  EXPECT_EQ(first.entries[0].symbol, "A0");
  EXPECT_EQ(first.entries[0].last_ts, Timestamp(2'000'000));
}

TEST_F(OthersInArchive, ListsThatNobodyWaitsForOpenNothingMore) {
  for (int day = 0; day < 5; ++day) {
    Record(&other_, other_.AddTape({"c1", "ticks", 0, day}), 3, "t", day);
  }
  Ship(&other_);
  const auto point = Point(&here_);
  const auto gone = std::make_shared<std::atomic<bool>>(true);
  const auto stop = std::make_shared<ReadStop>(&SystemClock(), gone);
  const uint64_t before = archive_.objects().counts().reads;
  SymbolQuery symbols;
  symbols.stop = stop;
  EXPECT_EQ(ListSymbols(*point, symbols).status().code(), StatusCode::kCancelled);
  LatestQuery latest;
  latest.table = "trades";
  latest.stop = stop;
  EXPECT_EQ(OpenLatest(point, latest).status().code(), StatusCode::kCancelled);
  RecordQuery unknown = All("trades");
  unknown.symbols = {"A", "B"};
  unknown.stop = stop;
  EXPECT_EQ(UnknownSymbols(*point, unknown, 20).status().code(), StatusCode::kCancelled);
  EXPECT_EQ(archive_.objects().counts().reads, before);
  unknown.stop = nullptr;
  EXPECT_EQ(*UnknownSymbols(*point, unknown, 20), std::vector<std::string>{"B"});
}

TEST_F(OthersInArchive, WhatTwoStoresShippedIsCountedOnce) {
  StoreFiller third(dir_.File("third"), 64, "node-p");
  Record(&other_, other_.AddTape(kTicks), 80);
  Record(&third, third.AddTape(kTicks), 80);
  Ship(&other_);
  Ship(&third);
  PartitionEntry entry = ListPartitions(*Point(&here_), {})->at(0);
  EXPECT_EQ(entry.checkpoint.messages, 80u);
  EXPECT_TRUE(entry.exact);
  EXPECT_EQ(entry.checkpoint.digest.ToString(),
            ListPartitions(*other_.Point(), {})->at(0).checkpoint.digest.ToString());
  // Only a part of it is another's, too.
  StoreFiller late(dir_.File("late"), 64, "node-q");
  Record(&late, late.AddTape(kTicks, 70), 100);
  Ship(&late);
  entry = ListPartitions(*Point(&here_), {})->at(0);
  EXPECT_FALSE(entry.exact);
  EXPECT_NE(CoverageText(entry).json.find("\"digest\":null"), std::string::npos);
}

TEST_F(OthersInArchive, RefusedMessagesOfOthersAndOfPrunedTapesAreToldWhole) {
  const TpId theirs = other_.AddTape(kTicks);
  const TpId mine = here_.AddTape({"c1", "audit", 0, 0});
  for (int i = 0; i < 30; ++i) {
    const std::string kind = i % 3 == 0 ? "bad" : "t";
    const std::string value =
        R"([{"k":")" + kind + R"(","s":"A","p":"1","t":)" + std::to_string(i) + "}]";
    other_.Append(theirs, {.value = value, .timestamp_ms = 1000 + i});
    here_.Append(mine, {.value = value, .timestamp_ms = 1000 + i});
    other_.Commit();
    here_.Commit();
  }
  const std::vector<std::string> before_other = Refused(*other_.Point());
  const std::vector<std::string> before_here = Refused(*here_.Point());
  ASSERT_EQ(before_other.size(), 10u);
  Ship(&other_);
  Ship(&here_);
  ArchiveFiller(&here_, &blobs_, {}).PruneTapes();
  std::vector<std::string> expected = before_here;  // audit, then ticks
  expected.insert(expected.end(), before_other.begin(), before_other.end());
  EXPECT_EQ(Refused(*Point(&here_)), expected);
}

TEST_F(OthersInArchive, ADayThatANodeDescribesOtherwiseIsAnErrorThatSaysWhatToDo) {
  Record(&here_, here_.AddTape(kTicks), 10);
  RecordManifest manifest;
  manifest.writer = {"node-x", "s9", "0.1.0", Timestamp(1)};
  manifest.table = "trades";
  manifest.columns = {{"price", ColumnType::kText}};
  manifest.day = Day(5);
  manifest.rows = 1;
  const ManifestFile file = MakeManifestFile(manifest);
  ASSERT_TRUE(blobs_.Put(file.name, BlobContent::Bytes(file.json), PutMode::kCreate).ok());
  const auto point = Point(&here_);
  const auto cursor = RecordCursor::Open(point, All("trades"));
  EXPECT_EQ(cursor.status().code(), StatusCode::kFailedPrecondition);
  const std::string said = cursor.status().ToString();
  for (const char* part : {file.name.c_str(), "node-x", "column 'price'", "[tables.trades]"}) {
    EXPECT_NE(said.find(part), std::string::npos) << part << " is not in: " << said;
  }
  EXPECT_EQ(Rows(point, Millis(0, 10)), 10u) << "other days can be read";
}

}  // namespace
}  // namespace tapedeck::testing
