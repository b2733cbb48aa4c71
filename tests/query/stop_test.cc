// Reads that are asked to end, and reads that let others have a turn.

#include <gtest/gtest.h>

#include "base/read_stop.h"
#include "query/latest.h"
#include "query/range_facts.h"
#include "query/series_cursor.h"
#include "query/store_filler.h"
#include "support/temp_dir.h"
#include "tape/tape_cursor.h"

namespace tapedeck::testing {
namespace {

constexpr int kTrades = 20'000;

class ReadsThatStop : public ::testing::Test {
 protected:
  // Half of the trades in blocks, half open; only the last one is a sale.
  void SetUp() override {
    const TpId tp = filler_.AddTape({"c1", "ticks", 0, 0});
    for (int i = 0; i < kTrades; ++i) {
      const std::string side = i + 1 == kTrades ? "sell" : "buy";
      filler_.Append(tp, {.value = R"([{"k":"t","s":"BTC","t":)" +
                                   std::to_string(1'719'893'836'000'000'000 + i) +
                                   R"(,"p":"1.00","v":"1.50","d":")" + side + R"(","i":"7"}])",
                          .timestamp_ms = 1'719'893'836'000});
      if (i == kTrades / 2) {
        filler_.Commit();
        filler_.Flush();
      }
    }
    filler_.Commit();
  }
  RecordQuery Trades(const std::string& column, const std::string& value) const {
    RecordQuery query;
    query.table = "trades";
    query.where = {{column, value}};
    query.stop = stop_;
    return query;
  }
  // Of the first Next, or of Open.
  Status First(RecordQuery query) {
    auto cursor = RecordCursor::Open(filler_.Point(), std::move(query));
    if (!cursor.ok()) return cursor.status();
    RowRun run;
    return (*cursor)->Next(&run);
  }

  TempDir dir_;
  StoreFiller filler_{dir_.File("store")};
  ManualClock clock_{Timestamp(0)};
  std::shared_ptr<std::atomic<bool>> gone_ = std::make_shared<std::atomic<bool>>(false);
  std::shared_ptr<ReadStop> stop_ = std::make_shared<ReadStop>(&clock_, gone_);
};

TEST_F(ReadsThatStop, NobodyWaitsSoNothingIsReadToItsEnd) {
  EXPECT_TRUE(First(Trades("trade_id", "nope")).ok());
  gone_->store(true);
  RecordQuery descending = Trades("trade_id", "nope");
  descending.order = ReadOrder::kDescending;
  EXPECT_EQ(First(Trades("trade_id", "nope")).code(), StatusCode::kCancelled);
  EXPECT_EQ(First(descending).code(), StatusCode::kCancelled);
  EXPECT_EQ(CountRecords(filler_.Point(), Trades("side", "buy")).status().code(),
            StatusCode::kCancelled);
  RecordQuery plain = Trades("side", "buy");
  plain.where.clear();
  plain.symbols = {"BTC"};
  plain.start = Timestamp(1'719'893'836'000'000'001);
  EXPECT_EQ(CountRecords(filler_.Point(), plain).status().code(), StatusCode::kCancelled);
  for (const char* by : {"", "side"}) {
    LatestQuery latest;
    latest.table = "trades";
    latest.by = by;
    latest.where = {{"trade_id", "nope"}};
    latest.stop = stop_;
    auto cursor = OpenLatest(filler_.Point(), latest);
    ASSERT_TRUE(cursor.ok()) << cursor.status().ToString();
    RowRun run;
    EXPECT_EQ((*cursor)->Next(&run).code(), StatusCode::kCancelled) << by;
  }
  MessageQuery messages;
  messages.start = Timestamp::Max();
  messages.stop = stop_;
  EXPECT_EQ(MessageCursor::Open(filler_.Point(), messages).status().code(), StatusCode::kCancelled);
}

TEST_F(ReadsThatStop, RowsInMemoryAreGivenUpOnToo) {
  auto cursor = RecordCursor::Open(filler_.Point(), Trades("trade_id", "nope"));
  ASSERT_TRUE(cursor.ok());
  stop_->Break();
  RowRun run;
  EXPECT_EQ((*cursor)->Next(&run).code(), StatusCode::kUnavailable);
}

TEST_F(ReadsThatStop, ADeadlineEndsARead) {
  stop_->EndBy(clock_.Monotonic() + std::chrono::seconds(1));
  EXPECT_TRUE(First(Trades("trade_id", "nope")).ok());
  clock_.Advance(std::chrono::seconds(1));
  EXPECT_EQ(First(Trades("trade_id", "nope")).code(), StatusCode::kCancelled);
  EXPECT_EQ(stop_->reason(), ReadStop::Reason::kTooLong);
}

TEST_F(ReadsThatStop, ALongWayToTheOnlyRowIsGoneInSteps) {
  RecordQuery query = Trades("side", "sell");
  query.pauses = true;
  stop_->BeginTurn(clock_.Monotonic());  // over at once
  auto cursor = RecordCursor::Open(filler_.Point(), query);
  ASSERT_TRUE(cursor.ok());
  int pauses = 0;
  int rows = 0;
  for (RowRun run;;) {
    ASSERT_TRUE((*cursor)->Next(&run).ok());
    pauses += run.paused ? 1 : 0;
    rows += static_cast<int>(run.count);
    if (run.count == 0 && !run.paused) break;
  }
  EXPECT_EQ(rows, 1);
  EXPECT_GE(pauses, 3);
}

}  // namespace
}  // namespace tapedeck::testing
