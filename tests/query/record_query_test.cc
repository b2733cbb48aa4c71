// Records: any query over any layout equals a brute-force look at the vector of what was recorded.

#include <gtest/gtest.h>

#include <algorithm>

#include "query/random_world.h"
#include "query/record_oracle.h"
#include "query/series_cursor.h"
#include "query/store_filler.h"
#include "support/seed.h"
#include "support/temp_dir.h"

namespace tapedeck::testing {
namespace {

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
