// Latest, counts, unknown symbols, coverage and states: each against a brute-force look.

#include "query/range_facts.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "query/latest.h"
#include "query/listing.h"
#include "query/record_oracle.h"
#include "support/seed.h"
#include "support/temp_dir.h"

namespace tapedeck::testing {
namespace {

class RangeFactsTest : public ::testing::Test {
 protected:
  uint64_t seed_ = TestSeed();
  Random random_{seed_};
  TempDir dir_;
};

// As LatestQuery, of which a RecordQuery is half.
LatestQuery LatestOf(const RecordQuery& query, const std::string& by) {
  LatestQuery latest;
  latest.table = query.table;
  latest.symbols = query.symbols;
  latest.by = by;
  latest.columns = query.columns;
  latest.where = query.where;
  latest.topics = query.topics;
  latest.memory_bytes = query.memory_bytes;
  return latest;
}

// The last shown record of each (symbol, value of `by`).
std::vector<std::string> ExpectedLatest(const StoreFiller& filler, const RecordQuery& query,
                                        const std::string& by) {
  Oracle oracle(&filler, &query);
  std::map<std::pair<std::string, std::optional<std::string>>, const OracleRecord*> newest;
  for (const OracleRecord* record : oracle.Rows()) {
    std::optional<std::string> value;
    if (auto field = record->fields.find(by); field != record->fields.end()) value = field->second;
    newest[{record->symbol, value}] = record;
  }
  std::vector<std::string> lines;
  for (const auto& [key, record] : newest) lines.push_back(oracle.LineOf(*record));
  return lines;
}

// A query for `latest`: no range, order or limit.
RecordQuery RandomLatest(RandomWorld* world, const StoreFiller& filler, Random* random,
                         std::string* by) {
  RecordQuery query = RandomQuery(world, filler, random);
  query.start = Timestamp::Min();
  query.end = Timestamp::Max();
  query.order = ReadOrder::kAscending;
  query.limit = UINT64_MAX;
  query.memory_bytes = size_t{64} << 20;
  by->clear();
  const auto& columns = filler.tables().Find(query.table)->columns;
  if (random->OneIn(2)) {
    *by = query.table == "bars" && random->OneIn(2) ? "interval"
                                                    : columns[random->Uniform(columns.size())].name;
    // The oracle shows what was asked for; `by` is read besides.
    if (query.columns &&
        std::find(query.columns->begin(), query.columns->end(), *by) == query.columns->end()) {
      query.columns->push_back(*by);
    }
  }
  return query;
}

TEST_F(RangeFactsTest, LatestIsTheLastRowOfTheAnswerWhereverItLies) {
  SCOPED_TRACE(RepeatWith(seed_));
  size_t rows = 0;
  for (int round = 0; round < 4; ++round) {
    StoreFiller filler(dir_.File("w" + std::to_string(round)), 1 + random_.Uniform(40));
    RandomWorld world(&filler, &random_);
    world.Run(200 + random_.Uniform(500));
    for (int when = 0; when < 3; ++when) {
      auto point = filler.Point();
      for (int i = 0; i < 40; ++i) {
        std::string by;
        const RecordQuery query = RandomLatest(&world, filler, &random_, &by);
        auto cursor = OpenLatest(point, LatestOf(query, by));
        ASSERT_TRUE(cursor.ok()) << cursor.status().ToString();
        Result<Answer> answer = Drain(cursor->get());
        ASSERT_TRUE(answer.ok()) << answer.status().ToString();
        ASSERT_EQ(answer->lines, ExpectedLatest(filler, query, by))
            << "round " << round << "." << when << " query " << i << " on " << query.table << " by "
            << by;
        rows += answer->lines.size();
        if (answer->lines.empty()) continue;
        // Page by page.
        LatestQuery page = LatestOf(query, by);
        page.limit = 1 + random_.Uniform(4);
        std::vector<std::string> paged;
        for (;;) {
          Answer part = *Drain(OpenLatest(point, page)->get());
          if (part.lines.empty()) break;
          paged.insert(paged.end(), part.lines.begin(), part.lines.end());
          page.after = *RecordPosition::Decode(part.positions.back().Encode());
        }
        ASSERT_EQ(paged, answer->lines);
      }
      if (when == 0) filler.Flush();
      if (when == 1) filler.MergeSeries();
    }
  }
  EXPECT_GT(rows, 1000u) << "the worlds are too empty to prove anything";
}

TEST_F(RangeFactsTest, LatestFindsRecordsThatTheirCatalogEntryIsTooShortFor) {
  StoreFiller filler(dir_.File("w"), 10);
  const TpId tp = filler.AddTape({"c1", "spot", 0, 0});
  const std::string note(5000, 'n');
  for (int i = 0; i < 30; ++i) {
    filler.Append(tp, {.value = "[{\"k\":\"x\",\"s\":\"A\",\"t\":" + std::to_string(i / 2) +
                                ",\"n\":\"" + (i % 3 == 2 ? note : "short") + "\"}]",
                       .timestamp_ms = 5});
    if (i % 4 == 3) filler.Flush();
    RecordQuery query;
    query.table = "odd";
    filler.Commit();
    auto cursor = OpenLatest(filler.Point(), LatestOf(query, ""));
    ASSERT_EQ(Drain(cursor->get())->lines, ExpectedLatest(filler, query, "")) << "record " << i;
  }
}

TEST_F(RangeFactsTest, LatestRefusesWhatARangeQueryRefuses) {
  StoreFiller filler(dir_.File("w"));
  filler.AddTape({"c1", "spot", 0, 0});
  auto code = [&](LatestQuery query) {
    return OpenLatest(filler.Point(), std::move(query)).status().code();
  };
  EXPECT_EQ(code({.table = "nope"}), StatusCode::kNotFound);
  EXPECT_EQ(code({.table = "bars", .by = "nope"}), StatusCode::kInvalidArgument);
  EXPECT_EQ(code({.table = "bars", .by = "symbol"}), StatusCode::kInvalidArgument);
  EXPECT_EQ(code({.table = "bars", .symbols = {"A", "A"}}), StatusCode::kInvalidArgument);
  EXPECT_EQ(code({.table = "bars", .topics = {"nowhere"}}), StatusCode::kInvalidArgument);
  EXPECT_EQ(code({.table = "bars", .after = RecordPosition{.identity = {"1m"}}}),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(code({.table = "bars", .by = "interval"}), StatusCode::kOk);
}

TEST_F(RangeFactsTest, CountIsTheNumberOfRowsOfTheAnswer) {
  SCOPED_TRACE(RepeatWith(seed_));
  uint64_t rows = 0;
  for (int round = 0; round < 4; ++round) {
    StoreFiller filler(dir_.File("w" + std::to_string(round)), 1 + random_.Uniform(40));
    RandomWorld world(&filler, &random_);
    world.Run(200 + random_.Uniform(700));
    auto point = filler.Point();
    for (int i = 0; i < 300; ++i) {
      RecordQuery query = RandomQuery(&world, filler, &random_);
      Result<uint64_t> count = CountRecords(point, query);
      ASSERT_TRUE(count.ok()) << count.status().ToString();
      query.limit = UINT64_MAX;
      ASSERT_EQ(*count, Oracle(&filler, &query).Rows().size())
          << "round " << round << " query " << i;
      rows += *count;
    }
  }
  EXPECT_GT(rows, 5000u) << "the worlds are too empty to prove anything";
}

TEST_F(RangeFactsTest, SymbolsThatNoRecordHasAreUnknown) {
  SCOPED_TRACE(RepeatWith(seed_));
  StoreFiller filler(dir_.File("w"), 16);
  RandomWorld world(&filler, &random_);
  world.Run(30);
  for (int i = 0; i < 40; ++i) {
    world.Run(3);
    auto point = filler.Point();
    for (const char* table : {"quotes", "trades", "bars", "odd"}) {
      RecordQuery query;
      query.table = table;
      query.symbols = RandomWorld::Symbols();
      query.symbols.push_back("NONE");
      std::shuffle(query.symbols.begin(), query.symbols.end(), random_);
      std::vector<std::string> expected;
      for (const std::string& symbol : query.symbols) {
        auto is = [&](const OracleRecord& r) { return r.table == table && r.symbol == symbol; };
        if (std::none_of(filler.records().begin(), filler.records().end(), is)) {
          expected.push_back(symbol);
        }
      }
      ASSERT_EQ(*UnknownSymbols(*point, query, 20), expected);
      expected.resize(std::min<size_t>(expected.size(), 2));
      ASSERT_EQ(*UnknownSymbols(*point, query, 2), expected);
    }
  }
}

TEST_F(RangeFactsTest, AGapTouchesTheTimesBetweenItsNeighbours) {
  StoreFiller filler(dir_.File("w"));
  const TpId spot = filler.AddTape({"c1", "spot", 0, 0});
  const TpId audit = filler.AddTape({"c1", "audit", 0, 0});
  auto trade = [&](TpId tp, int64_t s) {
    filler.Append(tp, {.value = "[{\"k\":\"t\",\"s\":\"A\",\"p\":1,\"t\":" +
                                std::to_string(s * 1'000'000'000) + "}]",
                       .timestamp_ms = s * 1000});
    filler.Commit();
  };
  trade(audit, 5);
  trade(spot, 10);
  trade(spot, 20);
  filler.AddGap(spot, 50, GapReason::kRetention);
  filler.Commit();
  auto coverage = [&](int64_t from, int64_t to, std::vector<std::string> topics = {}) {
    RecordQuery query;
    query.table = "trades";
    query.topics = std::move(topics);
    query.start = Timestamp(from * 1'000'000'000);
    if (to >= 0) query.end = Timestamp(to * 1'000'000'000);
    Result<Coverage> result = CoverageOf(*filler.Point(), query);
    EXPECT_TRUE(result.ok()) << result.status().ToString();
    return std::string(CoverageName(*result));
  };
  // What comes after is not known: everything from the last message on may be missing.
  EXPECT_EQ(coverage(0, 20), "whole");
  EXPECT_EQ(coverage(0, 21), "gaps");
  EXPECT_EQ(coverage(1000, 2000), "gaps");
  EXPECT_EQ(coverage(1000, 2000, {"audit"}), "whole");
  trade(spot, 60);
  trade(spot, 70);
  EXPECT_EQ(coverage(0, 20), "whole");
  EXPECT_EQ(coverage(30, 40), "gaps");
  EXPECT_EQ(coverage(60, -1), "gaps");
  EXPECT_EQ(coverage(61, -1), "whole");
  filler.Flush();
  EXPECT_EQ(coverage(30, 40), "gaps");
  EXPECT_EQ(coverage(61, -1), "whole");
  EXPECT_EQ(coverage(30, 40, {"spot"}), "gaps");
  EXPECT_EQ(coverage(30, 40, {"audit"}), "whole");
  filler.AddGap(audit, 90, GapReason::kHeld);
  filler.Commit();
  EXPECT_EQ(coverage(61, -1), "whole") << "the older lineage has them";

  auto messages = [&](int64_t from_s, int64_t to_s, int64_t from, int64_t to) {
    MessageQuery query;
    query.topics = {"spot"};
    query.start = Timestamp(from_s * 1'000'000'000);
    query.end = Timestamp(to_s * 1'000'000'000);
    query.from_offset = from;
    query.to_offset = to;
    return std::string(CoverageName(*CoverageOf(*filler.Point(), query)));
  };
  EXPECT_EQ(messages(0, 20, 0, 1000), "whole");
  EXPECT_EQ(messages(30, 40, 0, 1000), "gaps");
  EXPECT_EQ(messages(30, 40, 0, 2), "whole");
  EXPECT_EQ(messages(30, 40, 50, 1000), "whole");
  EXPECT_EQ(messages(61, 100, 0, 1000), "whole");
}

TEST_F(RangeFactsTest, AStateHasANameOnlyWhileNothingInItCanChange) {
  StoreFiller filler(dir_.File("w"));
  const TpId tp = filler.AddTape({"c1", "spot", 0, 0});
  const int64_t day = int64_t{86'400} * 1'000'000'000;
  RecordQuery query;
  query.table = "trades";
  query.start = Timestamp(0);
  query.end = Timestamp(day);
  auto name = [&] { return *StateName(*filler.Point(), query); };
  auto trade = [&](int64_t ts) {
    filler.Append(tp,
                  {.value = "[{\"k\":\"t\",\"s\":\"A\",\"p\":1,\"t\":" + std::to_string(ts) + "}]",
                   .timestamp_ms = 5});
    filler.Commit();
  };
  const auto nothing = name();
  EXPECT_TRUE(nothing.has_value());
  trade(day + 5);
  EXPECT_EQ(name(), nothing) << "another day";
  trade(7);
  EXPECT_EQ(name(), std::nullopt) << "an open row";
  query.symbols = {"B"};
  EXPECT_EQ(name(), nothing) << "not of this symbol";
  query.symbols.clear();
  filler.Flush();
  EXPECT_EQ(name(), std::nullopt) << "an open generation";
  filler.CloseDays();
  const auto closed = name();
  EXPECT_TRUE(closed.has_value());
  EXPECT_NE(closed, nothing);
  filler.MergeSeries();
  EXPECT_EQ(name(), closed);
  trade(8);
  EXPECT_EQ(name(), std::nullopt);
  filler.Flush();
  filler.CloseDays();
  EXPECT_TRUE(name().has_value());
  EXPECT_NE(name(), closed) << "another generation";
}

TEST_F(RangeFactsTest, SymbolsThatLookAlikeAreNamedNearestFirst) {
  StoreFiller filler(dir_.File("w"));
  const TpId tp = filler.AddTape({"c1", "spot", 0, 0});
  auto trade = [&](const std::string& symbol) {
    filler.Append(tp, {.value = "[{\"k\":\"t\",\"s\":\"" + symbol + "\",\"p\":1,\"t\":5}]",
                       .timestamp_ms = 5});
  };
  for (const char* symbol : {"BINANCE:BTCUSDT", "BTC-USD", "BTCUSD", "ETHUSD", "XRP"})
    trade(symbol);
  filler.Flush();
  trade("btcusd");
  filler.Commit();
  auto near = [&](const std::string& table, const char* symbol, size_t limit) {
    return *NearSymbols(*filler.Point(), table, symbol, limit);
  };
  using List = std::vector<std::string>;
  EXPECT_EQ(near("trades", "BTC/USD", 9), (List{"BTC-USD", "BTCUSD", "btcusd", "BINANCE:BTCUSDT"}));
  EXPECT_EQ(near("", "BTC/USD", 2), (List{"BTC-USD", "BTCUSD"}));
  EXPECT_EQ(near("trades", "ETHUDS", 9), (List{"ETHUSD"}));
  EXPECT_EQ(near("quotes", "BTC/USD", 9), List{});
  EXPECT_EQ(near("", "", 9), List{});
  EXPECT_EQ(NearSymbols(*filler.Point(), "nope", "X", 1).status().code(), StatusCode::kNotFound);
}

TEST_F(RangeFactsTest, SymbolsComeInPagesAndTablesWithTheirTopics) {
  SCOPED_TRACE(RepeatWith(seed_));
  StoreFiller filler(dir_.File("w"), 16);
  RandomWorld world(&filler, &random_);
  world.Run(200);
  auto point = filler.Point();
  const std::vector<SymbolEntry> all = *ListSymbols(*point, {});
  ASSERT_GT(all.size(), 3u);
  for (uint64_t limit : {1u, 2u, 3u, 100u}) {
    SymbolQuery query{.limit = limit};
    std::vector<std::string> paged;
    for (bool more = true; more;) {
      SymbolPage page = *ListSymbolPage(*point, query);
      more = page.more;
      ASSERT_LE(page.entries.size(), limit);
      for (const SymbolEntry& entry : page.entries) paged.push_back(entry.symbol);
      query.after = paged.back();
      query.has_after = true;
    }
    ASSERT_EQ(paged.size(), all.size()) << "pages of " << limit;
  }
  std::vector<std::string> names;
  const std::vector<TableEntry> tables = *ListTables(*point);
  for (const TableEntry& entry : tables) {
    names.push_back(entry.table->name);
    const bool filled = entry.table->name != "snapshots";
    EXPECT_EQ(entry.topics, filled ? std::vector<std::string>({"audit", "futures", "spot"})
                                   : std::vector<std::string>())
        << entry.table->name;
  }
  EXPECT_EQ(names, (std::vector<std::string>{"bars", "odd", "quotes", "snapshots", "trades"}));
}

}  // namespace
}  // namespace tapedeck::testing
