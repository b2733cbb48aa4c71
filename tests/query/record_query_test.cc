// Records: any query over any layout equals a brute-force look at the vector of what was recorded.

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <tuple>

#include "query/random_world.h"
#include "query/series_cursor.h"
#include "query/store_filler.h"
#include "support/seed.h"
#include "support/temp_dir.h"

namespace tapedeck::testing {
namespace {

// One row as text: everything that an answer can show of it.
std::string Line(const RecordCursor& cursor, const RowRun& run, uint32_t n) {
  const uint32_t row = run.RowAt(n);
  const Rows& rows = *run.rows;
  std::string line = std::to_string(rows.ts[row]) + "|" + std::string(run.symbol) + "|" +
                     std::to_string(rows.ts_kafka[row]) + "|" +
                     cursor.point().FindTape(TpId{rows.tp[row]})->ToString() + "|" +
                     std::to_string(rows.offset[row]) + "|" + std::to_string(rows.index[row]);
  for (size_t c = 0; c < cursor.columns().size(); ++c) {
    const Value value = rows.columns[c].At(row);
    line += "|" + cursor.columns()[c].name + "=";
    if (value.is_null()) {
      line += "null";
    } else {
      value.AppendCanonical(&line);
    }
  }
  return line;
}

struct Answer {
  std::vector<std::string> lines;
  std::vector<RecordPosition> positions;
};

Result<Answer> Ask(std::shared_ptr<const ReadPoint> point, const RecordQuery& query) {
  TD_ASSIGN_OR_RETURN(auto cursor, RecordCursor::Open(std::move(point), query));
  Answer answer;
  for (;;) {
    RowRun run;
    TD_RETURN_IF_ERROR(cursor->Next(&run));
    if (run.count == 0) return answer;
    for (uint32_t n = 0; n < run.count; ++n) {
      answer.lines.push_back(Line(*cursor, run, n));
      answer.positions.push_back(cursor->PositionOf(run, n));
    }
  }
}

// The slow, obvious way.
class Oracle {
 public:
  Oracle(const StoreFiller* filler, const RecordQuery* query)
      : query_(query), table_(*filler->tables().Find(query->table)) {
    for (const OracleRecord& r : filler->records()) {
      if (Selected(r)) rows_.push_back(&r);
    }
  }

  std::vector<std::string> Lines() {
    std::sort(rows_.begin(), rows_.end(), [](auto* a, auto* b) { return Key(*a) < Key(*b); });
    if (table_.upsert()) Upsert();
    std::erase_if(rows_, [&](auto* r) { return !Shown(*r); });
    if (query_->order == ReadOrder::kDescending) std::reverse(rows_.begin(), rows_.end());
    std::vector<std::string> lines;
    for (const OracleRecord* r : rows_) {
      if (lines.size() < query_->limit) lines.push_back(LineOf(*r));
    }
    return lines;
  }

 private:
  static auto Key(const OracleRecord& r) {
    return std::tie(r.ts, r.symbol, r.tape.topic, r.tape.partition, r.tape.lineage, r.offset,
                    r.index);
  }
  bool Selected(const OracleRecord& r) const {
    auto in = [](const auto& list, const std::string& name) {
      return list.empty() || std::find(list.begin(), list.end(), name) != list.end();
    };
    return r.table == query_->table && in(query_->symbols, r.symbol) &&
           in(query_->topics, r.tape.topic) && r.ts >= query_->start.ns() &&
           (r.ts < query_->end.ns() || query_->end == Timestamp::Max());
  }
  bool Shown(const OracleRecord& r) const {
    return std::all_of(query_->where.begin(), query_->where.end(), [&](const auto& w) {
      auto field = r.fields.find(w.first);
      return field != r.fields.end() && field->second == w.second;
    });
  }
  void Upsert() {
    using Identity = std::tuple<int64_t, std::string, std::optional<std::string>>;
    std::map<Identity, const OracleRecord*> winners;
    auto rank = [](const OracleRecord& r) {
      return std::tie(r.ts_kafka, r.tape.topic, r.tape.partition, r.tape.lineage, r.offset,
                      r.index);
    };
    for (const OracleRecord* r : rows_) {
      auto interval = r->fields.find("interval");
      const OracleRecord*& held =
          winners[{r->ts, r->symbol,
                   interval == r->fields.end() ? std::nullopt : std::optional(interval->second)}];
      if (held == nullptr || rank(*held) < rank(*r)) held = r;
    }
    rows_.clear();
    for (const auto& [identity, row] : winners) rows_.push_back(row);
  }
  std::string LineOf(const OracleRecord& r) const {
    std::string line = std::to_string(r.ts) + "|" + r.symbol + "|" + std::to_string(r.ts_kafka) +
                       "|" + r.tape.ToString() + "|" + std::to_string(r.offset) + "|" +
                       std::to_string(r.index);
    std::vector<std::string> names;
    for (const Column& column : table_.columns) names.push_back(column.name);
    if (query_->columns) names = *query_->columns;
    auto also = [&](const std::string& name) {
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    };
    for (const auto& [name, text] : query_->where) also(name);
    if (table_.upsert()) also("interval");
    for (const std::string& name : names) {
      auto field = r.fields.find(name);
      line += "|" + name + "=" + (field == r.fields.end() ? "null" : field->second);
    }
    return line;
  }

  const RecordQuery* query_;
  const Table& table_;
  std::vector<const OracleRecord*> rows_;
};

RecordQuery RandomQuery(RandomWorld* world, const StoreFiller& filler, Random* random) {
  static const char* kTables[] = {"quotes", "trades", "bars", "odd"};
  RecordQuery query;
  query.table = kTables[random->Uniform(4)];
  if (!random->OneIn(3)) {
    std::vector<std::string> symbols = RandomWorld::Symbols();
    symbols.push_back("NONE");
    std::shuffle(symbols.begin(), symbols.end(), *random);
    symbols.resize(1 + random->Uniform(3));
    query.symbols = symbols;
  }
  if (random->OneIn(2)) query.start = Timestamp(world->Time());
  if (random->OneIn(2)) query.end = Timestamp(world->Time());
  if (random->OneIn(2)) query.order = ReadOrder::kDescending;
  const auto& columns = filler.tables().Find(query.table)->columns;
  if (random->OneIn(2)) {
    query.columns.emplace();
    for (const Column& column : columns) {
      if (random->OneIn(2)) query.columns->push_back(column.name);
    }
    std::shuffle(query.columns->begin(), query.columns->end(), *random);
  }
  if (random->OneIn(3) && !filler.records().empty()) {
    const auto& some = filler.records()[random->Uniform(filler.records().size())];
    if (some.table == query.table && !some.fields.empty())
      query.where.push_back(*some.fields.begin());
  }
  if (random->OneIn(4)) query.topics = {random->OneIn(2) ? "spot" : "futures"};
  if (random->OneIn(3)) query.limit = random->Uniform(40);
  static const size_t kMemory[] = {1, 3000, size_t{64} << 20};
  query.memory_bytes = kMemory[random->Uniform(3)];
  return query;
}

class RecordQueryTest : public ::testing::Test {
 protected:
  uint64_t seed_ = TestSeed();
  Random random_{seed_};
  TempDir dir_;
};

TEST_F(RecordQueryTest, AnyQueryOverAnyLayoutEqualsTheBruteForceAnswer) {
  SCOPED_TRACE(RepeatWith(seed_));
  size_t rows = 0;
  for (int round = 0; round < 4; ++round) {
    StoreFiller filler(dir_.File("w" + std::to_string(round)), 1 + random_.Uniform(40));
    RandomWorld world(&filler, &random_);
    world.Run(200 + random_.Uniform(900));
    auto point = filler.Point();
    for (int i = 0; i < 250; ++i) {
      const RecordQuery query = RandomQuery(&world, filler, &random_);
      Result<Answer> answer = Ask(point, query);
      ASSERT_TRUE(answer.ok()) << answer.status().ToString();
      ASSERT_EQ(answer->lines, Oracle(&filler, &query).Lines())
          << "round " << round << " query " << i << " on " << query.table;
      rows += answer->lines.size();
    }
  }
  EXPECT_GT(rows, 5000u) << "the worlds are too empty to prove anything";
}

TEST_F(RecordQueryTest, ResumedAtAnyRowItGoesOnWithTheRest) {
  SCOPED_TRACE(RepeatWith(seed_));
  StoreFiller filler(dir_.File("w"), 16);
  RandomWorld world(&filler, &random_);
  world.Run(600);
  auto point = filler.Point();
  for (int i = 0; i < 60; ++i) {
    RecordQuery query = RandomQuery(&world, filler, &random_);
    query.limit = UINT64_MAX;
    const Answer whole = *Ask(point, query);
    for (int k = 0; k < 8 && !whole.lines.empty(); ++k) {
      const size_t at = random_.Uniform(whole.lines.size());
      Result<RecordPosition> position = RecordPosition::Decode(whole.positions[at].Encode());
      ASSERT_TRUE(position.ok());
      ASSERT_EQ(*position, whole.positions[at]);
      query.after = *position;
      const std::vector<std::string> rest(whole.lines.begin() + static_cast<ptrdiff_t>(at) + 1,
                                          whole.lines.end());
      ASSERT_EQ(Ask(point, query)->lines, rest) << "query " << i << " resumed behind row " << at;
    }
  }
}

TEST_F(RecordQueryTest, FlushingMergingAndClosingChangeNoAnswer) {
  SCOPED_TRACE(RepeatWith(seed_));
  StoreFiller filler(dir_.File("w"), 8);
  RandomWorld world(&filler, &random_);
  world.Run(300);
  std::vector<RecordQuery> queries;
  std::vector<std::vector<std::string>> before;
  auto old_point = filler.Point();
  for (int i = 0; i < 40; ++i) {
    queries.push_back(RandomQuery(&world, filler, &random_));
    before.push_back(Ask(old_point, queries.back())->lines);
  }
  auto same = [&](const std::shared_ptr<const ReadPoint>& point, const char* when) {
    for (size_t i = 0; i < queries.size(); ++i) {
      ASSERT_EQ(Ask(point, queries[i])->lines, before[i]) << when << ", query " << i;
    }
  };
  filler.Flush();
  same(filler.Point(), "after the flush");
  filler.CloseDays();
  same(filler.Point(), "after the close");
  filler.MergeSeries();
  same(filler.Point(), "after the merge");
  same(old_point, "at the point that was taken before all that");
}

TEST_F(RecordQueryTest, ARowThatCameLaterDoesNotShowAtAnOlderPoint) {
  StoreFiller filler(dir_.File("w"));
  const TpId tp = filler.AddTape({"c1", "spot", 0, 0});
  filler.Append(tp, {.value = R"([{"k":"t","s":"A","t":10,"p":1}])", .timestamp_ms = 5});
  filler.Commit();
  auto point = filler.Point();
  filler.Append(tp, {.value = R"([{"k":"t","s":"A","t":11,"p":2}])", .timestamp_ms = 6});
  filler.Flush();
  RecordQuery query;
  query.table = "trades";
  EXPECT_EQ(Ask(point, query)->lines.size(), 1u);
  EXPECT_EQ(Ask(filler.Point(), query)->lines.size(), 2u);
}

TEST_F(RecordQueryTest, RowsAtBothEndsOfTimeAreFound) {
  StoreFiller filler(dir_.File("w"), 1);
  const TpId tp = filler.AddTape({"c1", "spot", 0, 0});
  // The last one is the message's time: no mapping accepts a record that far ahead.
  for (const char* ts : {"-9223372036854775807", "0", "1720000000000000000"}) {
    filler.Append(tp, {.value = std::string(R"([{"k":"t","s":"A","p":1,"t":)") + ts + "}]",
                       .timestamp_ms = 5});
  }
  filler.Commit();
  RecordQuery query;
  query.table = "trades";
  for (ReadOrder order : {ReadOrder::kAscending, ReadOrder::kDescending}) {
    query.order = order;
    EXPECT_EQ(Ask(filler.Point(), query)->lines.size(), filler.records().size());
  }
  filler.Flush();
  for (ReadOrder order : {ReadOrder::kAscending, ReadOrder::kDescending}) {
    query.order = order;
    EXPECT_EQ(Ask(filler.Point(), query)->lines.size(), filler.records().size());
  }
}

TEST_F(RecordQueryTest, ABarSentAThousandTimesIsOneRowAndTheLastOneWins) {
  StoreFiller filler(dir_.File("w"), 100);
  const TpId tp = filler.AddTape({"c1", "spot", 0, 0});
  for (int i = 0; i < 3000; ++i) {
    filler.Append(tp, {.value = R"([{"k":"b","s":"A","t":60000000000,"w":"1m","c":)" +
                                std::to_string(i) + "}]",
                       .timestamp_ms = 1000 + i});
    if (i % 700 == 0) filler.Flush();
  }
  filler.Commit();
  RecordQuery query;
  query.table = "bars";
  query.columns = {"close"};
  const Answer answer = *Ask(filler.Point(), query);
  ASSERT_EQ(answer.lines.size(), 1u);
  EXPECT_NE(answer.lines[0].find("|close=2999|"), std::string::npos) << answer.lines[0];
}

TEST_F(RecordQueryTest, WhatIsUnknownIsRefusedByName) {
  StoreFiller filler(dir_.File("w"));
  filler.AddTape({"c1", "spot", 0, 0});
  auto point = filler.Point();
  auto code = [&](const RecordQuery& query) { return Ask(point, query).status(); };
  RecordQuery query;
  query.table = "tradez";
  EXPECT_EQ(code(query).code(), StatusCode::kNotFound);
  query.table = "trades";
  EXPECT_TRUE(code(query).ok());
  query.columns = {"prize"};
  EXPECT_EQ(code(query).code(), StatusCode::kInvalidArgument);
  EXPECT_NE(code(query).ToString().find("prize"), std::string::npos);
  query.columns.reset();
  query.topics = {"nowhere"};
  EXPECT_EQ(code(query).code(), StatusCode::kInvalidArgument);
  query.topics.clear();
  query.symbols = {"A", "B", "A"};
  EXPECT_EQ(code(query).code(), StatusCode::kInvalidArgument);
  query.symbols.clear();
  query.after.emplace();
  query.after->identity = {"1m"};
  EXPECT_EQ(code(query).code(), StatusCode::kInvalidArgument);
}

TEST_F(RecordQueryTest, ADamagedBlockIsAnErrorThatNamesItAndNeverAShortAnswer) {
  StoreFiller filler(dir_.File("w"), 4);
  const TpId tp = filler.AddTape({"c1", "spot", 0, 0});
  for (int i = 0; i < 40; ++i) {
    filler.Append(tp,
                  {.value = R"([{"k":"t","s":"A","p":1.5,"t":)" + std::to_string(i * 1000) + "}]",
                   .timestamp_ms = 1000 + i});
  }
  filler.Flush();
  RecordQuery query;
  query.table = "trades";
  const size_t rows = Ask(filler.Point(), query)->lines.size();
  ASSERT_EQ(rows, 40u);
  auto view = filler.store().View();
  auto cursor = view->Scan("s", "t", ScanKind::kLong);
  cursor->SeekToFirst();
  cursor->Next();
  ASSERT_TRUE(cursor->Valid());
  const keys::SeriesKey key = *keys::ParseSeries(cursor->key());
  const std::string good(cursor->value());
  for (size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 0x20);
    StoreBatch batch;
    batch.PutSeriesBlock(key, bad);
    ASSERT_TRUE(filler.store().Write(batch).ok());
    Result<Answer> answer = Ask(filler.Point(), query);
    ASSERT_EQ(answer.status().code(), StatusCode::kCorruption) << "byte " << i;
    ASSERT_NE(answer.status().ToString().find("trades"), std::string::npos)
        << answer.status().ToString();
  }
}

}  // namespace
}  // namespace tapedeck::testing
