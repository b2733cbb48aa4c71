// What a query reads of a store's days does not grow with the store's age.

#include "tape/point_days.h"

#include <gtest/gtest.h>

#include "query/counting_view.h"
#include "query/latest.h"
#include "query/range_facts.h"
#include "query/series_cursor.h"
#include "query/store_filler.h"
#include "support/temp_dir.h"

namespace tapedeck::testing {
namespace {

constexpr int64_t kDayNs = 86'400'000'000'000;
constexpr int32_t kQueried = 4'000;  // the day that has rows

class PointDaysTest : public ::testing::Test {
 protected:
  PointDaysTest() {
    const TpId tp = filler_.AddTape({"c1", "ticks", 0, 0});
    for (const char* kind : {"q", "t", "b", "x"}) {
      const std::string ts = std::to_string(kQueried * kDayNs);
      filler_.Append(tp, {.value = R"([{"k":")" + std::string(kind) + R"(","s":"A","t":)" + ts +
                                   R"(,"i":"1m","p":"1.5","b":"1.5"}])"});
    }
    filler_.Commit();
    filler_.Flush();
  }

  /// Days [0, days) of each table, pruned long ago.
  void AddOldDays(int32_t days) {
    StoreBatch batch;
    DayEntry entry;
    entry.phase = DayPhase::kPruned;
    entry.manifest = "m/that/was/shipped.json";
    entry.vector = {{TpId{1}, 0, 1}};
    for (const Table& table : filler_.tables().tables()) {
      for (int32_t day = 0; day < days; ++day) batch.PutDay({table.id, Day(day), 0}, entry);
    }
    ASSERT_TRUE(filler_.store().Write(batch).ok());
  }

  std::shared_ptr<const ReadPoint> Point() {
    counts_.clear();
    auto view = std::make_shared<CountingView>(filler_.store().View(), &counts_);
    auto point = ReadPoint::Make({}, &filler_.directory(), std::move(view));
    EXPECT_TRUE(point.ok()) << point.status().ToString();
    return point.ok() ? *point : nullptr;
  }

  /// Entries that a request of one day reads: a minute's rows, their count, their state's name.
  EntryCounts OfOneRequest() {
    const auto point = Point();
    RecordQuery query;
    query.table = "trades";
    query.symbols = {"A"};
    query.start = Timestamp(kQueried * kDayNs);
    query.end = Timestamp(query.start.ns() + 60'000'000'000);
    EXPECT_TRUE(StateName(*point, query).ok());
    EXPECT_TRUE(CoverageOf(*point, query).ok());
    auto cursor = RecordCursor::Open(point, query);
    EXPECT_TRUE(cursor.ok()) << cursor.status().ToString();
    RowRun run;
    EXPECT_TRUE((*cursor)->Next(&run).ok());
    EXPECT_EQ(run.count, 1u);
    query.end = Timestamp::Max();
    EXPECT_EQ(CountRecords(point, query).value_or(0), 1u);
    return counts_;
  }

  EntryCounts OfLatest() {
    const auto point = Point();
    LatestQuery query;
    query.table = "trades";
    query.symbols = {"A"};
    auto cursor = OpenLatest(point, query);
    EXPECT_TRUE(cursor.ok()) << cursor.status().ToString();
    RowRun run;
    EXPECT_TRUE((*cursor)->Next(&run).ok());
    EXPECT_EQ(run.count, 1u);
    return counts_;
  }

  TempDir dir_;
  StoreFiller filler_{dir_.path()};
  EntryCounts counts_;
};

TEST_F(PointDaysTest, ARequestReadsNoMoreOfAStoreThatIsYearsOld) {
  AddOldDays(3);
  const EntryCounts young = OfOneRequest();
  const EntryCounts young_latest = OfLatest();
  AddOldDays(3'000);
  EXPECT_EQ(OfOneRequest(), young);
  EXPECT_EQ(OfLatest(), young_latest);
  EXPECT_LE(young.at(keys::Prefix::kDay), 6u);
  EXPECT_GT(Point()->AllDays()->size(), filler_.tables().tables().size() * 3'000);
}

TEST_F(PointDaysTest, PartsOfOneQueryReadADayOnce) {
  AddOldDays(100);
  const auto point = Point();
  const Table& trades = **point->FindTable("trades");
  const size_t before = counts_[keys::Prefix::kDay];
  const DayRange whole = *point->Days(trades, Day(10), Day(59));
  ASSERT_EQ(whole.size(), 50u);
  const size_t after = counts_[keys::Prefix::kDay];
  EXPECT_GE(after - before, 50u);
  for (int32_t day = 10; day < 60; ++day) {
    const DayRange one = *point->Days(trades, Day(day), Day(day));
    ASSERT_EQ(one.size(), 1u);
    EXPECT_EQ(one.begin()->first.day, Day(day));
  }
  EXPECT_TRUE(point->Days(trades, Day(20), Day(19))->empty());
  EXPECT_EQ(counts_[keys::Prefix::kDay], after);
  // What was given lives on when the point has forgotten it.
  for (int32_t day = 60; day < 100; ++day) (void)point->Days(trades, Day(day), Day(day)).ok();
  EXPECT_EQ(whole.begin()->second.manifest, "m/that/was/shipped.json");
}

// A reindex at flush 5 put generation 1 in the place of 0; another one is building 2.
TEST_F(PointDaysTest, AnOldStateHasTheGenerationsThatCountedThen) {
  const Table trades = **Point()->FindTable("trades");
  auto put = [&](uint32_t generation, const DayEntry& entry) {
    StoreBatch batch;
    batch.PutDay({trades.id, Day(7), generation}, entry);
    ASSERT_TRUE(filler_.store().Write(batch).ok());
  };
  DayEntry old{.phase = DayPhase::kClosing, .closed = 2, .replaced = 5};
  put(0, old);
  put(1, {.phase = DayPhase::kClosing, .rebuilt = true, .closed = 5});
  put(2, {.phase = DayPhase::kClosing, .building = true});
  const auto now = Point();
  auto generations = [&](const ReadPoint& point) {
    const DayRange days = *point.Days(trades, Day(7), Day(7));
    std::vector<uint32_t> found;
    for (const auto& [key, entry] : days) found.push_back(key.generation);
    return found;
  };
  EXPECT_EQ(generations(*now), std::vector<uint32_t>{1});
  auto at = [&](uint64_t flush, bool exact) {
    return *ReadPoint::At(now, {.flush = flush, .exact = exact}, trades, Day(7), Day(7));
  };
  EXPECT_EQ(at(5, false), now) << "nothing has changed since";
  EXPECT_EQ(at(5, true), now);
  for (const bool exact : {false, true}) {
    const auto then = at(4, exact);
    EXPECT_TRUE(then->pinned());
    EXPECT_EQ(generations(*then), std::vector<uint32_t>{0});
  }
  EXPECT_EQ(generations(*at(1, true)), std::vector<uint32_t>()) << "it was open then";
  EXPECT_EQ(generations(*at(1, false)), std::vector<uint32_t>{0});
  const StatePin pin{.flush = 4, .exact = false};
  EXPECT_EQ(*ReadPoint::At(now, pin, trades, Day(8), Day(9)), now) << "other days are as they were";
  old.gone = true;
  put(0, old);
  const auto later = Point();
  EXPECT_EQ(ReadPoint::At(later, pin, trades, Day(7), Day(7)).status().code(),
            StatusCode::kNotFound);
  EXPECT_EQ(*ReadPoint::At(later, pin, trades, Day(8), Day(9)), later);
  EXPECT_EQ(generations(*later), std::vector<uint32_t>{1});
}

TEST_F(PointDaysTest, GivenDaysStandForThoseOfTheStore) {
  AddOldDays(3);
  const Table trades = **Point()->FindTable("trades");
  const auto given = ReadPoint::AsStored(
      Point(), {{{trades.id, Day(9), 1}, DayEntry{}}, {{trades.id, Day(9), 0}, DayEntry{}}});
  EXPECT_EQ(given->AllDays()->size(), 2u);
  const DayRange both = *given->Days(trades, Day(9), Day(9));
  ASSERT_EQ(both.size(), 2u);
  EXPECT_EQ(both.begin()->first.generation, 0u);
  EXPECT_TRUE(given->Days(trades, Day(0), Day(8))->empty());
}

TEST_F(PointDaysTest, ADamagedDayIsNamedByTheQueryThatNeedsIt) {
  AddOldDays(3);
  class Damaged final : public StoreCursor {
   public:
    explicit Damaged(std::unique_ptr<StoreCursor> cursor) : cursor_(std::move(cursor)) {}
    bool Valid() const override { return cursor_->Valid(); }
    std::string_view key() const override { return cursor_->key(); }
    std::string_view value() const override {
      const bool day = cursor_->key()[0] == static_cast<char>(keys::Prefix::kDay);
      return day ? cursor_->value().substr(0, 3) : cursor_->value();
    }
    void Next() override { cursor_->Next(); }
    void Seek(std::string_view key) override { cursor_->Seek(key); }
    void SeekForPrev(std::string_view key) override { cursor_->SeekForPrev(key); }
    void Prev() override { cursor_->Prev(); }
    void SeekToFirst() override { cursor_->SeekToFirst(); }
    void SeekToLast() override { cursor_->SeekToLast(); }
    Status status() const override { return cursor_->status(); }

   private:
    const std::unique_ptr<StoreCursor> cursor_;
  };
  class DamagedView final : public StoreView {
   public:
    explicit DamagedView(std::unique_ptr<StoreView> view) : view_(std::move(view)) {}
    std::unique_ptr<StoreCursor> Scan(std::string_view lower, std::string_view upper,
                                      ScanKind kind) const override {
      return std::make_unique<Damaged>(view_->Scan(lower, upper, kind));
    }
    Result<std::string> Get(std::string_view key) const override { return view_->Get(key); }

   private:
    const std::unique_ptr<StoreView> view_;
  };
  auto point = ReadPoint::Make({}, &filler_.directory(),
                               std::make_shared<DamagedView>(filler_.store().View()));
  ASSERT_TRUE(point.ok()) << "it needs no day yet: " << point.status().ToString();
  RecordQuery query;
  query.table = "trades";
  query.symbols = {"A"};
  auto cursor = RecordCursor::Open(*point, query);
  Status read = cursor.status();
  if (read.ok()) {
    RowRun run;
    read = (*cursor)->Next(&run);
  }
  EXPECT_EQ(read.code(), StatusCode::kCorruption) << read.ToString();
  EXPECT_NE(read.ToString().find("1970-01-01"), std::string::npos) << read.ToString();
}

}  // namespace
}  // namespace tapedeck::testing
