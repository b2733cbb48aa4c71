// tapedeck days and objects of a folder and of a bucket, and what close and flush refuse.

#include <gtest/gtest.h>

#include <algorithm>

#include "api/archive_fill.h"
#include "blob/open_store.h"
#include "program.h"
#include "query/store_filler.h"
#include "tests/support/temp_dir.h"

namespace tapedeck::testing {
namespace {

class ArchiveCommands : public ::testing::Test {
 protected:
  ArchiveCommands() {
    auto blobs = OpenBlobStore(url_, {});
    EXPECT_TRUE(blobs.ok()) << blobs.status().ToString();
    FillArchive(blobs->get());
  }
  static int64_t Lines(const std::string& text) {
    return std::count(text.begin(), text.end(), '\n');
  }

  TempDir dir_;
  std::string url_ = "file://" + std::string(dir_.path() / "archive");
};

TEST_F(ArchiveCommands, ABucketIsListedWithoutANode) {
  const Outcome days = RunTapedeck({"days", "--archive", url_, "-o", "ndjson"});
  EXPECT_EQ(days.exit_code, 0) << days.err;
  EXPECT_EQ(Lines(days.out), 3) << days.out;
  EXPECT_NE(days.out.find("\"state\":\"shipped\""), std::string::npos) << days.out;
  const Outcome objects = RunTapedeck({"objects", "--archive", url_, "-o", "ndjson"});
  EXPECT_EQ(objects.exit_code, 0) << objects.err;
  EXPECT_EQ(Lines(objects.out), 6) << objects.out;
  EXPECT_NE(objects.out.find("{\"uri\":\"" + url_ + "/trades/dt="), std::string::npos)
      << objects.out;
  const Outcome first = RunTapedeck(
      {"objects", "--archive", url_, "--end", "2024-07-03", "--limit", "2", "-o", "csv"});
  EXPECT_EQ(Lines(first.out), 3) << first.out;
  const Outcome tape =
      RunTapedeck({"objects", "--archive", url_, "--table", "tape", "-o", "table"});
  EXPECT_NE(tape.out.find("tape"), std::string::npos) << tape.out;
}

TEST_F(ArchiveCommands, DaysOfAFolderAreThoseOfItsStore) {
  const std::string store = dir_.path() / "store";
  {
    StoreFiller filler(store);
    const TpId tp = filler.AddTape({"c1", "ticks", 0, 0});
    filler.Append(tp, {.value = R"([{"k":"t","s":"A","t":1719893836000000000,"p":"1","v":"1"}])",
                       .timestamp_ms = 5});
    filler.Commit();
    filler.Flush();
  }
  const Outcome own = RunTapedeck({"days", "-d", store, "-o", "ndjson"});
  EXPECT_EQ(own.exit_code, 0) << own.err;
  EXPECT_EQ(Lines(own.out), 1) << own.out;
  EXPECT_NE(own.out.find("\"state\":\"open\",\"rows\":1"), std::string::npos) << own.out;
  const Outcome both = RunTapedeck({"days", "-d", store, "--archive", url_, "-o", "ndjson"});
  EXPECT_EQ(Lines(both.out), 4) << both.out;
  const Outcome objects = RunTapedeck({"objects", "-d", store});
  EXPECT_EQ(objects.exit_code, 2);
  EXPECT_NE(objects.err.find("--archive URL"), std::string::npos) << objects.err;
}

TEST_F(ArchiveCommands, MistakesAreUsage) {
  EXPECT_EQ(RunTapedeck({"days", "--archive", "ftp://x/y"}).exit_code, 2);
  EXPECT_EQ(RunTapedeck({"objects", "--endpoint", "http://127.0.0.1:1"}).exit_code, 2);
  EXPECT_EQ(RunTapedeck({"close"}).exit_code, 2);
  EXPECT_EQ(RunTapedeck({"close", "2024-07-02", "-d", "/nowhere"}).exit_code, 2);
  EXPECT_EQ(RunTapedeck({"flush", "--url", "http://127.0.0.1:1"}).exit_code, 1);
  EXPECT_EQ(RunTapedeck({"days", "--archive", url_, "--table", "none", "--fail-empty"}).exit_code,
            3);
}

}  // namespace
}  // namespace tapedeck::testing
