// A writer that is killed, and a reader beside a writer (docs/faults.md, A1, A2).

#include <gtest/gtest.h>

#include "store_fixture.h"
#include "support/rounds.h"
#include "support/seed.h"
#include "support/temp_dir.h"
#include "writer_process.h"

namespace tapedeck::testing {
namespace {

TEST(StoreA1, AKilledWriterLosesNothingAcknowledgedAndTearsNothing) {
  const uint64_t seed = TestSeed();
  SCOPED_TRACE(RepeatWith(seed));
  Random random(seed);
  TempDir dir;
  uint64_t acknowledged = 0;
  for (int kill = 0; kill < Rounds(30); ++kill) {
    SCOPED_TRACE("kill " + std::to_string(kill));
    WriterProcess::Plan plan{.dir = dir.path() / "s", .block_bytes = 2000};
    plan.flush_every = random.OneIn(2) ? 1 + random.Uniform(20) : 0;
    plan.compact_every = random.OneIn(4) ? 1 + random.Uniform(30) : 0;
    WriterProcess writer(plan);
    writer.Acknowledged(acknowledged + random.Uniform(40));
    ASSERT_FALSE(writer.ended()) << "the writer stopped by itself";
    acknowledged = std::max(acknowledged, writer.Kill());
    auto store = Store::Open(SmallStore(dir.path() / "s"));
    ASSERT_TRUE(store.ok()) << store.status().ToString();
    Result<uint64_t> found = ReadPrefix(**store, 2000);
    ASSERT_TRUE(found.ok()) << found.status().ToString();
    ASSERT_GE(*found, acknowledged);
    ASSERT_LE(*found, acknowledged + 1);
    acknowledged = *found;
  }
  std::printf("[ kills ] %d survived, %llu commits compared\n", Rounds(30),
              static_cast<unsigned long long>(acknowledged));
}

TEST(StoreA2, ACrashBeforeTheWriteLeavesNothingOfItAndOneAfterItAll) {
  for (uint64_t hit : {1u, 2u, 7u}) {
    for (bool before : {true, false}) {
      TempDir dir;
      WriterProcess writer(
          {.dir = dir.path() / "s",
           .failpoint = std::string(before ? "store.before_write:" : "store.after_write:") +
                        std::to_string(hit) + ":abort"});
      writer.Acknowledged(1'000'000);  // until it ends
      ASSERT_TRUE(writer.ended());
      EXPECT_EQ(writer.Kill(), hit - 1);
      auto store = Store::Open(SmallStore(dir.path() / "s"));
      ASSERT_TRUE(store.ok()) << store.status().ToString();
      Result<uint64_t> found = ReadPrefix(**store, 1000);
      ASSERT_TRUE(found.ok()) << found.status().ToString();
      EXPECT_EQ(*found, before ? hit - 1 : hit);
    }
  }
}

// What is found is at least what was acknowledged before the look, and has no hole, whatever the
// writer flushes, compacts and removes meanwhile.
TEST(StoreSecondary, EveryOpeningBesideABusyWriterSeesAWholePrefix) {
  const uint64_t seed = TestSeed();
  SCOPED_TRACE(RepeatWith(seed));
  Random random(seed);
  TempDir dir;
  constexpr size_t kBlockBytes = 1000;
  WriterProcess writer(
      {.dir = dir.path() / "s", .block_bytes = kBlockBytes, .flush_every = 5, .compact_every = 20});
  writer.Acknowledged(1);
  StoreOptions beside = SmallStore(dir.path() / "s");
  beside.mode = StoreMode::kSecondary;
  for (int open = 0; open < Rounds(60); ++open) {
    SCOPED_TRACE("opening " + std::to_string(open));
    uint64_t told = writer.Acknowledged();
    ASSERT_FALSE(writer.ended());
    auto reader = Store::Open(beside);
    ASSERT_TRUE(reader.ok()) << reader.status().ToString();
    for (int look = 0; look < 2; ++look) {
      Result<uint64_t> found = ReadPrefix(**reader, kBlockBytes);
      ASSERT_TRUE(found.ok()) << found.status().ToString();
      ASSERT_GE(*found, told);
      told = writer.Acknowledged();
      Status caught = (*reader)->CatchUp();
      ASSERT_TRUE(caught.ok()) << caught.ToString();
    }
  }
  std::printf("[ beside ] %d openings, 2 looks each, %llu commits\n", Rounds(60),
              static_cast<unsigned long long>(writer.Kill()));
}

}  // namespace
}  // namespace tapedeck::testing
