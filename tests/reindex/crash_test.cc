// A reindex is killed at every step, as kill -9 does, and started again: in the end there is what
// an undisturbed one leaves.
//
// The child is this test program, started again for the disabled test below, with a failpoint in
// its environment.

#include <gtest/gtest.h>
#include <signal.h>

#include <cstdlib>

#include "base/failpoint.h"
#include "query/verify.h"
#include "reindex/reindex_rig.h"
#include "support/child_test.h"
#include "support/seed.h"

namespace tapedeck::testing {
namespace {

constexpr char kDirVariable[] = "TAPEDECK_TEST_REINDEX_DIR";
constexpr int64_t kStart = 1'720'500'000'000'000'000;
const FinnhubVariant kVariant{.prefix = "LAB:", .refuse = "s == 'AAPL'", .rates = true};

std::string Price(int copy) { return std::to_string(100 + copy); }

/// A reindexer over a closed store's folder, as a process has it.
struct Process {
  explicit Process(const std::filesystem::path& dir, Clock* clock) {
    auto opened = Store::Open({.dir = dir / "store", .create = false, .ballast_bytes = 0});
    EXPECT_TRUE(opened.ok()) << opened.status().ToString();
    store = std::move(opened).value();
    ReindexOptions options;
    options.topics.push_back({.name = "^.*", .mapping = SpecOf(kVariant), .start = {}});
    options.build.piece_bytes = 4096;
    ReindexParts parts;
    parts.store = store.get();
    parts.queue = &queue;
    parts.clock = clock;
    parts.request_flush = [] { return uint64_t{1}; };
    parts.flushes_done = [] { return uint64_t{1}; };
    parts.open_point = [this] { return Point(); };
    auto made = Reindexer::Make(std::move(options), std::move(parts));
    EXPECT_TRUE(made.ok()) << made.status().ToString();
    reindexer = std::move(made).value();
    EXPECT_TRUE(reindexer->Load(*store->View()).ok());
    server = std::make_unique<QueueServer>(&queue, store.get());
  }
  Result<std::shared_ptr<const ReadPoint>> Point() {
    return ReadPoint::Make({}, &directory, store->View());
  }
  void RunUntilIdle() {
    while (reindexer->RunOnce()) continue;
  }

  SeriesDirectory directory;
  StoreQueue queue;
  std::unique_ptr<Store> store;
  std::unique_ptr<Reindexer> reindexer;
  std::unique_ptr<QueueServer> server;
};

// The other process. Runs only when it was started for this.
TEST(ReindexChild, DISABLED_ReindexesAndSweeps) {
  const char* dir = std::getenv(kDirVariable);
  if (dir == nullptr) GTEST_SKIP() << "started by hand";
  ManualClock clock{Timestamp(kStart)};
  {
    Process process(dir, &clock);
    if (process.reindexer->List().empty()) {
      ASSERT_TRUE(process.reindexer->Create({.topic = "Finhub1"}).ok());
    }
    process.RunUntilIdle();
    const auto other = process.reindexer->Create({.topic = "Finhub1"});
    ASSERT_TRUE(other.ok()) << other.status().ToString();
    ASSERT_TRUE(process.reindexer->Delete(other->job.id).ok());
    process.RunUntilIdle();
  }
  clock.Advance(ReindexOptions().grace + std::chrono::hours(1));
  Process process(dir, &clock);
  process.RunUntilIdle();
}

int RunChild(const std::filesystem::path& dir, const std::string& failpoint) {
  return WaitForChildTest(StartChildTest({.filter = "ReindexChild.*",
                                          .variables = {{kDirVariable, dir.string()}},
                                          .failpoint = failpoint,
                                          .log = dir / "child.log"}));
}

/// Every step in turn, each time with a copy of the store of `rig`.
void KillAtEveryStep(ReindexRig* rig, const RowsFound& wanted) {
  rig->ship.recorder.CloseStore();
  const auto root = rig->ship.recorder.dir.path();
  std::set<std::string> missed;
  for (const std::string_view name : AllFailpoints()) {
    if (!name.starts_with("reindex.")) continue;
    const std::string failpoint = std::string(name) + ":1:abort";
    SCOPED_TRACE(failpoint);
    const auto dir = root / std::string(name);
    std::filesystem::create_directories(dir);
    std::filesystem::copy(rig->ship.StoreDir(), dir / "store",
                          std::filesystem::copy_options::recursive);
    const int first = RunChild(dir, failpoint);
    if (first == -SIGKILL) {
      ASSERT_EQ(RunChild(dir, ""), 0) << "see " << dir / "child.log";
    } else {
      ASSERT_EQ(first, 0) << "see " << dir / "child.log";
      missed.insert(std::string(name));
    }
    {
      ManualClock clock{Timestamp(kStart)};
      Process after(dir, &clock);
      EXPECT_EQ(rig->Query(*after.Point()), wanted);
      const Result<VerifyReport> report = VerifyView(*after.store->View(), {});
      ASSERT_TRUE(report.ok()) << report.status().ToString();
      for (const Finding& finding : report->findings)
        ADD_FAILURE() << finding.where << ": " << finding.what;
      const StoreState state = after.store->View()->LoadState().value();
      for (const auto& [key, entry] : state.days) EXPECT_FALSE(entry.building);
    }
    std::filesystem::remove_all(dir);
  }
  EXPECT_EQ(missed, std::set<std::string>{}) << "never reached";
}

TEST(ReindexCrash, KilledAtEveryStepItEndsAsIfNothingHadHappened) {
  ReindexRig rig(TestSeed());
  rig.Produce(kShipDay, 16);
  rig.Record({kShipDay});
  rig.Produce(Day(kShipDay.days() + 1), 8);
  rig.Record();
  rig.UseMapping(kVariant);
  rig.Record();
  std::map<std::pair<int32_t, int64_t>, std::string> refused;
  const RowsFound wanted = rig.Oracle(SpecOf(kVariant), &refused);
  ASSERT_FALSE(refused.empty());
  KillAtEveryStep(&rig, wanted);
}

// Of each symbol and time the newest message stays, wherever its copies lie.
TEST(ReindexCrash, KilledAtEveryStepWithAnUpsertTableOfMonthsItEndsTheSame) {
  ReindexRig rig(TestSeed());
  rig.ship.ShapeTrades(DaySize::kMonth, {"symbol", "ts"});
  const auto copies = [&](const std::string& symbol, int count, int64_t day) {
    for (int i = 0; i < count; ++i) {
      rig.ship.recorder.ProduceRaw({"Finhub1", 0},
                                   TradeOf(symbol, kShipNoonMs + day * kShipDayMs, Price(i)));
    }
  };
  copies("MSFT", 9, 0);
  copies("AAPL", 4, -1);
  rig.Record({kShipDay});
  copies("MSFT", 5, 0);  // late: a second generation of the month
  copies("MSFT", 3, -40);
  copies("OANDA:EUR_USD", 3, -41);
  rig.Record();
  rig.UseMapping(kVariant);
  rig.Record();
  RowsFound wanted;  // the newest of each (table, symbol, time) but of rates, which all stay
  std::map<std::tuple<std::string, std::string, int64_t>, RowsFound::key_type> newest;
  for (const auto& [key, values] : rig.Oracle(SpecOf(kVariant))) {
    const auto& [table, symbol, ts, partition, offset, index] = key;
    if (table == "trades") {
      auto [at, made] = newest.try_emplace({table, symbol, ts}, key);
      if (!made) wanted.erase(at->second);
      at->second = key;
    }
    wanted[key] = values;
  }
  ASSERT_EQ(wanted.size(), 2u + 3u);
  KillAtEveryStep(&rig, wanted);
}

}  // namespace
}  // namespace tapedeck::testing
