// Selections: what a replay sends, in which order, equals a brute-force model whatever lies in
// blocks, wherever it is resumed and however often its view is taken again.

#include "tape/selection.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "query/random_world.h"
#include "query/store_filler.h"
#include "support/seed.h"
#include "support/temp_dir.h"
#include "tape/selection_cursor.h"

namespace tapedeck::testing {
namespace {

struct Given {
  std::string name;  // "spot[1]@42"
  int64_t key = 0;   // greatest time, ns
  bool operator==(const Given&) const = default;
};

std::ostream& operator<<(std::ostream& out, const Given& given) {
  return out << given.name << " at " << given.key;
}

bool Contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool Within(int64_t time, const Selection& s) {
  return time >= s.start.ns() && (time < s.end.ns() || s.end == Timestamp::Max());
}

/// Everything selected, sorted by the key: no blocks, no index, no cursor.
class Model {
 public:
  explicit Model(const StoreFiller& filler) : filler_(filler) {
    for (const OracleRecord& r : filler.records()) records_[{r.tape, r.offset}].push_back(&r);
  }

  std::vector<Given> Sequence(const Selection& s) const {
    using Key = std::tuple<int64_t, std::string, int32_t, uint32_t, int64_t>;
    std::map<Key, Given> sorted;
    std::map<TapeId, int64_t> greatest;
    for (const OracleMessage& m : filler_.messages()) {
      int64_t time = 0;
      if (!Selected(m, s, &time)) continue;
      int64_t& high = greatest.try_emplace(m.tape, INT64_MIN).first->second;
      high = std::max(high, time);
      sorted[{high, m.tape.topic, m.tape.partition, m.tape.lineage, m.offset}] = {
          m.tape.ToString() + "@" + std::to_string(m.offset), high};
    }
    std::vector<Given> all;
    for (auto& [key, given] : sorted) all.push_back(given);
    return all;
  }

 private:
  bool Selected(const OracleMessage& m, const Selection& s, int64_t* time) const {
    const bool in_range = std::any_of(s.ranges.begin(), s.ranges.end(), [&](const TapeRange& r) {
      return r.tape == m.tape && m.offset >= r.from && m.offset < r.to;
    });
    if (!in_range) return false;
    if (s.clock == SelectionClock::kKafka && !Within(m.time().ns(), s)) return false;
    auto found = records_.find({m.tape, m.offset});
    int64_t least = INT64_MAX;
    bool matches = false;
    if (found != records_.end()) {
      for (const OracleRecord* r : found->second) {
        least = std::min(least, r->ts);
        matches = matches || ((s.symbols.empty() || Contains(s.symbols, r->symbol)) &&
                              (s.tables.empty() || Contains(s.tables, r->table)) &&
                              (s.clock == SelectionClock::kKafka || Within(r->ts, s)));
      }
    }
    if (s.narrowed() && !matches) return false;
    *time = s.order == SelectionOrder::kArrival ? m.time().ns()
            : least == INT64_MAX                ? INT64_MIN
                                                : least;
    return true;
  }

  const StoreFiller& filler_;
  std::map<std::pair<TapeId, int64_t>, std::vector<const OracleRecord*>> records_;
};

class SelectionTest : public ::testing::Test {
 protected:
  void Build(size_t messages) {
    filler_ = std::make_unique<StoreFiller>(dir_.File("w"));
    world_ = std::make_unique<RandomWorld>(filler_.get(), &random_);
    world_->Run(messages);
  }

  SelectionRequest RandomRequest() {
    SelectionRequest request;
    const std::vector<std::string> topics = {"audit", "futures", "spot"};
    for (const std::string& topic : topics) {
      if (random_.OneIn(2)) request.topics.push_back(topic);
    }
    if (request.topics.empty()) request.topics = topics;
    if (random_.OneIn(4)) {
      request.topics.clear();
      request.offsets = {{"spot", 0, 0, random_.Between(0, 60), random_.Between(61, 300)},
                         {"spot", 1, 0, random_.Between(0, 150), INT64_MAX}};
    }
    if (random_.OneIn(3)) request.order = SelectionOrder::kEvent;
    if (random_.OneIn(3)) request.clock = SelectionClock::kEvent;
    if (random_.OneIn(2)) {
      const auto& symbols = RandomWorld::Symbols();
      for (int i = 0; i < 2; ++i)
        request.symbols.push_back(symbols[random_.Uniform(symbols.size())]);
    }
    if (random_.OneIn(3)) request.tables = {random_.OneIn(2) ? "quotes" : "trades"};
    const auto& all = filler_->messages();
    auto time = [&] {
      if (request.clock == SelectionClock::kKafka) return all[random_.Uniform(all.size())].time();
      return Timestamp(filler_->records()[random_.Uniform(filler_->records().size())].ts);
    };
    if (random_.OneIn(2)) request.start = time();
    if (random_.OneIn(2)) request.end = time();
    if (request.start && request.end && *request.end <= *request.start) request.end.reset();
    return request;
  }

  SelectionParts Parts() {
    return {.open_point = [this]() -> Result<std::shared_ptr<const ReadPoint>> {
              ++points_;
              return filler_->Point();
            },
            .clock = &clock_,
            .memory_bytes = random_.OneIn(2) ? size_t{1} : size_t{64} << 20,
            .view_life = std::chrono::seconds(10),
            .wants_records = false};
  }

  /// By turns that are over at once; views end between them, too.
  Result<const SelectedMessage*> NextInTurns(SelectionCursor* cursor) {
    for (;;) {
      Result<const SelectedMessage*> next = cursor->NextBy(clock_.Monotonic());
      if (!next.ok() || *next != nullptr || !cursor->searching()) return next;
      ++turns_;
      if (random_.OneIn(10)) cursor->Break();
      if (random_.OneIn(10)) cursor->Release();
      if (random_.OneIn(3)) clock_.Advance(std::chrono::seconds(4));
    }
  }

  /// Goes to the end, resumed by another cursor, or disturbed, now and then.
  std::vector<Given> Walk(const Selection& selection, bool disturb) {
    std::vector<Given> given;
    std::optional<MessagePosition> place;
    auto cursor = SelectionCursor::Open(Parts(), selection, place);
    EXPECT_TRUE(cursor.ok()) << cursor.status().ToString();
    for (;;) {
      const std::optional<MessagePosition> before = (*cursor)->position();
      Result<const SelectedMessage*> next =
          disturb && random_.OneIn(2) ? NextInTurns(cursor->get()) : (*cursor)->Next();
      EXPECT_TRUE(next.ok()) << next.status().ToString();
      if (!next.ok() || *next == nullptr) return given;
      if (disturb && random_.OneIn(25)) {
        (*cursor)->PutBack(before);
        continue;
      }
      const SelectedMessage& m = **next;
      given.push_back({m.stored->tape->ToString() + "@" + std::to_string(m.stored->message.offset),
                       m.greatest_time.ns()});
      if (!disturb) continue;
      if (random_.OneIn(30)) {
        Result<MessagePosition> read = MessagePosition::Decode((*cursor)->position()->Encode());
        EXPECT_TRUE(read.ok());
        cursor = SelectionCursor::Open(Parts(), selection, *read);
      }
      if (random_.OneIn(20)) (*cursor)->Break();
      if (random_.OneIn(20)) (*cursor)->Release();
      if (random_.OneIn(5)) clock_.Advance(std::chrono::seconds(4));
    }
  }

  uint64_t seed_ = TestSeed();
  Random random_{seed_};
  TempDir dir_;
  ManualClock clock_{Timestamp(0)};
  std::unique_ptr<StoreFiller> filler_;
  std::unique_ptr<RandomWorld> world_;
  size_t points_ = 0;
  size_t turns_ = 0;
};

TEST_F(SelectionTest, AnySelectionEqualsTheBruteForceModelBeforeAndAfterMerging) {
  SCOPED_TRACE(RepeatWith(seed_));
  Build(1000);
  const Model model(*filler_);
  size_t messages = 0;
  for (int pass = 0; pass < 2; ++pass) {
    for (int i = 0; i < 80; ++i) {
      auto frozen = FreezeSelection(*filler_->Point(), RandomRequest());
      ASSERT_TRUE(frozen.ok()) << frozen.status().ToString();
      const std::vector<Given> expected = model.Sequence(frozen->selection);
      ASSERT_EQ(Walk(frozen->selection, false), expected) << "pass " << pass << " " << i;
      ASSERT_GE(frozen->messages_at_most, expected.size());
      messages += expected.size();
    }
    filler_->MergeTape();
  }
  EXPECT_GT(messages, 5'000u);
}

TEST_F(SelectionTest, ResumedReleasedAndBrokenAnywhereItGivesTheSameSequence) {
  SCOPED_TRACE(RepeatWith(seed_));
  Build(600);
  const Model model(*filler_);
  for (int i = 0; i < 50; ++i) {
    auto frozen = FreezeSelection(*filler_->Point(), RandomRequest());
    ASSERT_TRUE(frozen.ok()) << frozen.status().ToString();
    ASSERT_EQ(Walk(frozen->selection, true), model.Sequence(frozen->selection)) << i;
  }
  EXPECT_GT(turns_, 1'000u);
}

// A view does not live for the length of one turn: only what earlier ones went past is of help.
TEST_F(SelectionTest, ASearchThatIsLongerThanAnyViewComesToItsEnd) {
  SCOPED_TRACE(RepeatWith(seed_));
  Build(600);
  SelectionRequest request{.topics = {"spot", "futures", "audit"}};
  request.symbols = {RandomWorld::Symbols().back()};
  request.tables = {"trades"};
  auto frozen = FreezeSelection(*filler_->Point(), request);
  ASSERT_TRUE(frozen.ok()) << frozen.status().ToString();
  auto cursor = SelectionCursor::Open(Parts(), frozen->selection, std::nullopt);
  ASSERT_TRUE(cursor.ok());
  std::vector<Given> given;
  for (size_t turns = 0; turns < 10'000; ++turns) {
    auto next = (*cursor)->NextBy(clock_.Monotonic());
    ASSERT_TRUE(next.ok()) << next.status().ToString();
    clock_.Advance(std::chrono::seconds(11));
    if (*next == nullptr && !(*cursor)->searching()) break;
    if (*next == nullptr) continue;
    given.push_back(
        {(*next)->stored->tape->ToString() + "@" + std::to_string((*next)->stored->message.offset),
         (*next)->greatest_time.ns()});
  }
  EXPECT_EQ(given, Model(*filler_).Sequence(frozen->selection));
  EXPECT_GT(points_, 100u);
}

TEST_F(SelectionTest, ASearchEndsWhereNobodyWantsTheMessagesAnyMore) {
  Build(300);
  SelectionRequest request{.topics = {"spot", "futures", "audit"}};
  request.symbols = {"NOT-THERE"};
  auto frozen = FreezeSelection(*filler_->Point(), request);
  ASSERT_TRUE(frozen.ok()) << frozen.status().ToString();
  auto gone = std::make_shared<std::atomic<bool>>(true);
  SelectionParts parts = Parts();
  parts.gone = gone;
  auto cursor = SelectionCursor::Open(std::move(parts), frozen->selection, std::nullopt);
  ASSERT_TRUE(cursor.ok());
  EXPECT_EQ((*cursor)->Next().status().code(), StatusCode::kCancelled);
}

TEST_F(SelectionTest, WhatIsRecordedAfterFreezingIsNotInIt) {
  SCOPED_TRACE(RepeatWith(seed_));
  Build(300);
  auto frozen = FreezeSelection(*filler_->Point(), {.topics = {"spot", "futures", "audit"}});
  ASSERT_TRUE(frozen.ok());
  const std::vector<Given> before = Walk(frozen->selection, false);
  EXPECT_EQ(frozen->messages_at_most, before.size());
  world_->Run(200);
  filler_->Commit();
  EXPECT_EQ(Walk(frozen->selection, true), before);
}

TEST_F(SelectionTest, ALongWalkTakesItsViewAgain) {
  Build(600);
  auto frozen = FreezeSelection(*filler_->Point(), {.topics = {"spot", "futures", "audit"}});
  ASSERT_TRUE(frozen.ok());
  auto cursor = SelectionCursor::Open(Parts(), frozen->selection, std::nullopt);
  ASSERT_TRUE(cursor.ok());
  const size_t before = points_;
  for (;;) {
    auto next = (*cursor)->Next();
    ASSERT_TRUE(next.ok());
    if (*next == nullptr) break;
    clock_.Advance(std::chrono::milliseconds(100));
  }
  EXPECT_GE(points_ - before, 2u);
}

TEST_F(SelectionTest, GapsThatMayTouchTheRangeAreNamed) {
  filler_ = std::make_unique<StoreFiller>(dir_.File("g"));
  const TpId tp = filler_->AddTape({"c1", "ticks", 0, 0});
  filler_->Append(tp, {.value = "[]", .timestamp_ms = 1'000});
  filler_->AddGap(tp, filler_->NextOffset(tp) + 5, GapReason::kRetention);
  filler_->Append(tp, {.value = "[]", .timestamp_ms = 9'000});
  filler_->AddGap(tp, filler_->NextOffset(tp) + 5, GapReason::kHeld);
  filler_->Commit();
  auto all = FreezeSelection(*filler_->Point(), {.topics = {"ticks"}});
  ASSERT_TRUE(all.ok());
  ASSERT_EQ(all->missing.size(), 1u);
  EXPECT_EQ(all->missing[0].gap.from, 1);
  EXPECT_EQ(all->missing[0].gap.to, 6);
  auto behind = FreezeSelection(*filler_->Point(), {.offsets = {{"ticks", 0, 0, 6, 8}}});
  ASSERT_TRUE(behind.ok());
  EXPECT_TRUE(behind->missing.empty());
}

TEST_F(SelectionTest, RequestsThatNameNothingThereAreRefusedByName) {
  Build(50);
  auto why = [&](const SelectionRequest& request) {
    auto frozen = FreezeSelection(*filler_->Point(), request);
    EXPECT_EQ(frozen.status().code(), StatusCode::kInvalidArgument);
    return std::string(frozen.status().message());
  };
  EXPECT_NE(why({}).find("topics or offsets"), std::string::npos);
  EXPECT_NE(why({.topics = {"nobody"}}).find("nobody"), std::string::npos);
  EXPECT_NE(why({.topics = {"spot"}, .tables = {"nothing"}}).find("nothing"), std::string::npos);
  EXPECT_NE(why({.offsets = {{"spot", 9, 0, 0, 1}}}).find("partition 9"), std::string::npos);
  EXPECT_NE(why({.offsets = {{"spot", 0, 0, 5, 5}}}).find("from 5"), std::string::npos);
  EXPECT_NE(why({.topics = {"spot"}, .start = Timestamp(5), .end = Timestamp(5)}).find("end"),
            std::string::npos);
}

}  // namespace
}  // namespace tapedeck::testing
