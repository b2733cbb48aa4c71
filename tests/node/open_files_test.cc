#include "node/open_files.h"

#include <gtest/gtest.h>

#include <fstream>

#include "support/temp_dir.h"

namespace tapedeck::testing {
namespace {

TEST(OpenFilesPlanTest, WithRoomForAllNothingIsSaid) {
  auto plan = PlanOpenFiles(65'536, {.now = 10, .at_most = 16'000}, true);
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(plan->connections, 1000u);
  EXPECT_EQ(plan->warning, "");
}

TEST(OpenFilesPlanTest, FilesOfTheStoreComeBeforeConnections) {
  // Today it is enough; not for a full disk.
  auto plan = PlanOpenFiles(4096, {.now = 10, .at_most = 16'000}, true);
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(plan->connections, 1000u);
  EXPECT_NE(plan->warning.find("fills its disk"), std::string::npos);
  // A store of 128 GiB: a quarter more for compaction.
  plan = PlanOpenFiles(4096, {.now = 2400, .at_most = 2400}, true);
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(plan->connections, 4096u - 256 - 3000 - 64);
  EXPECT_NE(plan->warning.find("LimitNOFILE"), std::string::npos);
  for (uint64_t now = 0; now < 5000; now += 7) {
    plan = PlanOpenFiles(4096, {.now = now, .at_most = now}, true);
    if (!plan.ok()) continue;
    EXPECT_LE(256 + now + now / 4 + 64 + plan->connections, 4096u) << now;
    EXPECT_GE(plan->connections, 16u);
  }
}

TEST(OpenFilesPlanTest, ANodeThatCouldNotRecordDoesNotStart) {
  auto plan = PlanOpenFiles(1024, {.now = 700, .at_most = 700}, true);
  EXPECT_EQ(plan.status().code(), StatusCode::kFailedPrecondition);
  EXPECT_NE(plan.status().ToString().find("1024"), std::string::npos);
  EXPECT_NE(plan.status().ToString().find("1211"), std::string::npos) << plan.status().ToString();
  EXPECT_TRUE(PlanOpenFiles(1024, {.now = 500, .at_most = 500}, false).ok());
  EXPECT_FALSE(PlanOpenFiles(256, {}, false).ok());
  EXPECT_TRUE(PlanOpenFiles(UINT64_MAX, {.now = 1'000'000, .at_most = 1'000'000}, true).ok());
}

TEST(OpenFilesPlanTest, FilesAreCountedAlsoWhereThereAreNone) {
  TempDir dir;
  for (const char* name : {"1.sst", "2.sst", "CURRENT"}) std::ofstream(dir.File(name)) << "x";
  const StoredFiles stored = StoredFilesOf(dir.path());
  EXPECT_EQ(stored.now, 3u);
  EXPECT_GE(stored.at_most, stored.now);
  const StoredFiles none = StoredFilesOf(dir.File("not/there"));
  EXPECT_EQ(none.now, 0u);
  EXPECT_EQ(none.at_most, stored.at_most) << "of the disk that it will be on";
}

}  // namespace
}  // namespace tapedeck::testing
