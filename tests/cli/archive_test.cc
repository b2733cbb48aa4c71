// tapedeck days and objects of a folder and of a bucket, and what close and flush refuse.

#include <gtest/gtest.h>

#include <algorithm>

#include "api/archive_fill.h"
#include "blob/open_store.h"
#include "program.h"
#include "query/archive_filler.h"
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

// What was pruned is told as it was: the store with its archive answers as the store alone did.
TEST_F(ArchiveCommands, AStoppedStoreAndItsArchiveAnswerTogether) {
  const std::string store = dir_.path() / "store";
  const std::string url = "file://" + std::string(dir_.path() / "pruned");
  const std::vector<std::vector<std::string>> commands = {
      {"query", "trades", "-d", store, "-o", "ndjson", "--origin"},
      {"query", "trades", "-d", store, "--count"},
      {"messages", "-t", "ticks", "-d", store, "-o", "ndjson"},
      {"symbols", "-d", store, "-o", "ndjson"}};
  std::vector<std::string> before;
  const auto blobs = *OpenBlobStore(url, {});
  {
    StoreFiller filler(store);
    const TpId tp = filler.AddTape({"c1", "ticks", 0, 0});
    for (int i = 0; i < 50; ++i) {
      const std::string ts = std::to_string(1719893836000000000 + i * 1'000'000'000ll);
      filler.Append(tp, {.value = R"([{"k":"t","s":"A","t":)" + ts + R"(,"p":"1.50","v":"1"}])",
                         .timestamp_ms = 1719893836000 + i});
      if (i % 10 == 0) filler.Commit();
    }
    filler.Commit();
    filler.Flush();
    filler.CloseDays();
    for (const auto& command : commands) {
      const Outcome outcome = RunTapedeck(command);
      EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
      EXPECT_FALSE(outcome.out.empty());
      before.push_back(outcome.out);
    }
    ArchiveFiller shipping(&filler, blobs.get(), {});
    shipping.ShipDays();
    shipping.ShipTapes(20);
    shipping.PruneDays();
    shipping.PruneTapes();
  }
  EXPECT_NE(RunTapedeck(commands[0]).exit_code, 0) << "where its rows are is not known";
  for (size_t i = 0; i < commands.size(); ++i) {
    std::vector<std::string> command = commands[i];
    command.insert(command.end(), {"--archive", url});
    const Outcome outcome = RunTapedeck(command);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_EQ(outcome.out, before[i]) << command[0];
  }
  const Outcome verified = RunTapedeck({"verify", "-d", store, "-o", "text"});
  EXPECT_EQ(verified.exit_code, 0) << verified.out << verified.err;
}

TEST_F(ArchiveCommands, MistakesAreUsage) {
  EXPECT_EQ(RunTapedeck({"query", "trades", "--archive", url_}).exit_code, 2) << "of --data-dir";
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
