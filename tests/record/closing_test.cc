#include <gtest/gtest.h>

#include <set>

#include "codec/series_block.h"
#include "query/verify.h"
#include "record/recorder_rig.h"
#include "support/seed.h"

namespace tapedeck::testing {
namespace {

constexpr int64_t kDayMs = 86'400'000;
constexpr int64_t kNoonMs = 19'906 * kDayMs + kDayMs / 2;  // 2024-07-02
const Day kToday(19'906);
const TopicPartition kFirst{"Finhub1", 0};

using Days = std::map<keys::DayKey, DayEntry>;

Days DaysOf(RecorderRig* rig) {
  Days days;
  for (const auto& [key, entry] : rig->LoadState().days) days[key] = entry;
  return days;
}

TableId Trades(RecorderRig* rig) { return rig->LoadState().tables.Find("trades")->id; }

// Every row lies in the one generation of its day whose range of its tape holds its offset; ranges
// of one day and tape follow each other without overlap; counts are right.
void CheckGenerations(RecorderRig* rig) {
  const Days days = DaysOf(rig);
  std::map<std::tuple<TableId, Day, TpId>, int64_t> ends;
  for (const auto& [key, entry] : days) {  // by (table, day, generation)
    for (const DayEntry::Range& range : entry.vector) {
      auto [end, first] = ends.try_emplace({key.table, key.day, range.tp}, range.from);
      EXPECT_GE(range.from, end->second) << key.day.ToString() << " g" << key.generation;
      EXPECT_LE(range.from, range.to);
      end->second = range.to;
    }
  }
  std::map<keys::DayKey, uint64_t> rows_of;
  auto view = rig->store->View();
  auto cursor = view->Scan("s", "t", ScanKind::kLong);
  CodecBuffers buffers;
  for (cursor->SeekToFirst(); cursor->Valid(); cursor->Next()) {
    const keys::SeriesKey key = keys::ParseSeries(cursor->key()).value();
    Rows rows;
    ASSERT_TRUE(DecodeSeriesBlock(cursor->key(), cursor->value(), {}, &buffers, &rows).ok());
    const keys::DayKey day{key.table, key.day, key.generation};
    ASSERT_TRUE(days.contains(day));
    rows_of[day] += rows.size();
    for (size_t i = 0; i < rows.size(); ++i) {
      const auto& vector = days.at(day).vector;
      auto range = std::ranges::find(vector, TpId{rows.tp[i]}, &DayEntry::Range::tp);
      ASSERT_NE(range, vector.end()) << "a tape with rows is missing in the vector";
      EXPECT_GE(rows.offset[i], range->from);
      EXPECT_LT(rows.offset[i], range->to);
    }
  }
  for (const auto& [key, entry] : days) EXPECT_EQ(entry.rows, rows_of[key]);
  EXPECT_TRUE(VerifyStore(rig->store.get(), {}).value().findings.empty());
}

// Runs until everything is polled and every request is done; `step` is called with each poll and
// gives the number of the last request.
Status RunWith(RecorderRig* rig, const std::function<uint64_t(int poll)>& step) {
  int polls = 0, quiet = 0;
  return rig->Run([&, rig](FakeSource* source) {
    source->batch_max = 5;
    const uint64_t asked = step(polls++);
    const bool done = rig->running->State().flush_requests_done >= asked;
    quiet = source->AtEnd() && done ? quiet + 1 : 0;
    return quiet < 100;
  });
}

TEST(Closing, AClosedDayHasItsVectorAndLateRowsOpenTheNextGeneration) {
  RecorderRig rig(TestSeed());
  rig.log.Create("Finhub1", 2);
  rig.first_ms = kNoonMs;
  for (int i = 0; i < 40; ++i) rig.ProduceTrades({"Finhub1", i % 2}, 2);
  uint64_t asked = 0;
  bool late_sent = false;
  ASSERT_TRUE(RunWith(&rig, [&](int poll) {
                if (poll == 60) asked = rig.running->RequestFlush({{"trades", kToday}});
                if (asked == 0 || late_sent || rig.running->State().flush_requests_done < asked)
                  return asked;
                for (int i = 0; i < 10; ++i) rig.ProduceTrades({"Finhub1", i % 2}, 1);
                late_sent = true;
                return asked;
              }).ok());
  ASSERT_TRUE(late_sent);
  rig.Check();
  CheckGenerations(&rig);
  const Days days = DaysOf(&rig);
  ASSERT_EQ(days.size(), 2u);
  const DayEntry& closed = days.at({Trades(&rig), kToday, 0});
  EXPECT_EQ(closed.phase, DayPhase::kClosing);
  EXPECT_EQ(closed.rows, 80u);
  ASSERT_EQ(closed.vector.size(), 2u);
  for (const DayEntry::Range& range : closed.vector) {
    EXPECT_EQ(range.from, 0);
    EXPECT_EQ(range.to, 20);
  }
  const DayEntry& late = days.at({Trades(&rig), kToday, 1});
  EXPECT_EQ(late.phase, DayPhase::kOpen);
  EXPECT_EQ(late.rows, 10u);
  EXPECT_EQ(late.vector[0].from, 20);
}

TEST(Closing, APartitionWithoutRowsOfTheDayIsCoveredToo) {
  RecorderRig rig(TestSeed());
  rig.log.Create("Finhub1", 2);
  rig.first_ms = kNoonMs;
  rig.ProduceTrades(kFirst, 1);
  rig.ProduceRaw({"Finhub1", 1}, "{\"type\":\"ping\"}");
  ASSERT_TRUE(RunWith(&rig, [&](int poll) {
                if (poll == 60) rig.running->RequestFlush({{"trades", kToday}});
                return uint64_t{1};
              }).ok());
  const Days days = DaysOf(&rig);
  ASSERT_EQ(days.size(), 1u);
  const auto& vector = days.begin()->second.vector;
  ASSERT_EQ(vector.size(), 2u) << "the mapping of partition 1 could have made rows of the day";
  EXPECT_EQ(vector[1].to, 1);
}

TEST(Closing, ADayWithoutRowsAndAnUnknownTableStayAsTheyAre) {
  RecorderRig rig(TestSeed());
  rig.log.Create("Finhub1", 1);
  rig.first_ms = kNoonMs;
  rig.ProduceTrades(kFirst, 1);
  ASSERT_TRUE(RunWith(&rig, [&](int poll) {
                if (poll == 60)
                  rig.running->RequestFlush({{"trades", Day(19'000)}, {"no_such", kToday}});
                return uint64_t{1};
              }).ok());
  EXPECT_EQ(rig.last_state.flush_requests_done, 1u);
  const Days days = DaysOf(&rig);
  ASSERT_EQ(days.size(), 1u);
  EXPECT_EQ(days.begin()->second.phase, DayPhase::kOpen);
}

TEST(Closing, ClosingTwiceWithoutNewRowsMakesNoGeneration) {
  RecorderRig rig(TestSeed());
  rig.log.Create("Finhub1", 1);
  rig.first_ms = -3 * kDayMs;  // before 1970
  rig.ProduceTrades(kFirst, 3);
  ASSERT_TRUE(RunWith(&rig, [&](int poll) {
                if (poll == 60 || poll == 80) rig.running->RequestFlush({{"trades", Day(-3)}});
                return uint64_t{2};
              }).ok());
  CheckGenerations(&rig);
  const Days days = DaysOf(&rig);
  ASSERT_EQ(days.size(), 1u);
  EXPECT_EQ(days.begin()->second.phase, DayPhase::kClosing);
}

TEST(Closing, MergingLeavesClosedGenerationsAlone) {
  RecorderRig rig(TestSeed());
  rig.options.merge = true;
  rig.options.flush_interval = std::chrono::milliseconds(50);
  rig.log.Create("Finhub1", 1);
  rig.first_ms = kNoonMs;
  auto blocks = [&] {
    std::set<std::string> keys;
    auto view = rig.store->View();
    const std::string prefix = keys::SeriesPrefix(Trades(&rig), kToday, 0);
    auto cursor = view->Scan(prefix, keys::After(prefix), ScanKind::kLong);
    for (cursor->SeekToFirst(); cursor->Valid(); cursor->Next())
      keys.insert(std::string(cursor->key()));
    return keys;
  };
  std::set<std::string> at_close;
  uint64_t asked = 0;
  ASSERT_TRUE(RunWith(&rig, [&](int poll) {
                if (poll < 400) rig.ProduceTrades(kFirst, 4);
                if (poll == 200) asked = rig.running->RequestFlush({{"trades", kToday}});
                if (asked > 0 && at_close.empty() &&
                    rig.running->State().flush_requests_done >= asked)
                  at_close = blocks();
                return asked;
              }).ok());
  EXPECT_FALSE(at_close.empty());
  EXPECT_EQ(blocks(), at_close);
  rig.Check();
  CheckGenerations(&rig);
}

// Days are closed at random while rows come late and the process ends without its last commit and
// flush: every row is once in the generation that its offset says.
TEST(Closing, D2RandomClosesLateRowsAndKillsKeepEveryRowInItsGeneration) {
  RecorderRig rig(TestSeed());
  rig.log.Create("Finhub1", 3);
  for (int life = 0; life < 16; ++life) {
    const int killed_at = life % 4 == 0 ? -1 : static_cast<int>(rig.random.Uniform(200));
    int polls = 0;
    Status end = rig.Run([&](FakeSource* source) {
      source->batch_max = 5;
      const auto late = static_cast<int64_t>(rig.random.Uniform(6));
      rig.first_ms = kNoonMs - late * late * kDayMs / 8;
      rig.ProduceTrades({"Finhub1", int(rig.random.Uniform(3))}, 2);
      if (rig.random.Uniform(12) == 0) {
        const auto back = static_cast<int32_t>(rig.random.Uniform(4));
        rig.running->RequestFlush({{"trades", Day(kToday.days() - back)}});
      }
      source->dies = polls++ == killed_at;
      return polls < 200;
    });
    EXPECT_EQ(end.ok(), killed_at < 0) << end.ToString();
    rig.CloseStore();
  }
  ASSERT_TRUE(rig.Run().ok());
  rig.Check();
  CheckGenerations(&rig);
  const Days days = DaysOf(&rig);
  EXPECT_GT(days.rbegin()->first.generation, 0u) << "no late rows: the test tests nothing";
}

}  // namespace
}  // namespace tapedeck::testing
