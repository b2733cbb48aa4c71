// tapedeck repair: a damaged store made whole by the program, also where it is killed on the way.

#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <fstream>

#include "base/random.h"
#include "cli/program.h"
#include "query/store_filler.h"
#include "replay/job_json.h"
#include "replay/offset_map.h"
#include "support/seed.h"
#include "support/temp_dir.h"

namespace tapedeck::testing {
namespace {

namespace fs = std::filesystem;

class RepairCommand : public ::testing::Test {
 protected:
  // Blocks of the tape that are larger than a block of the store's files, so that damage to one of
  // them harms nothing else.
  RepairCommand() {
    StoreFiller filler(StoreDir());
    const TpId tp = filler.AddTape({"c1", "ticks", 0, 0});
    Random random(seed_);
    for (int i = 0; i < 40; ++i) {
      std::string pad(20'000, ' ');
      for (char& c : pad) c = static_cast<char>(random.Uniform(256));
      const std::string time = std::to_string(1'719'900'000'000'000'000 + i * 1'000'000'000LL);
      filler.Append(tp, {.key = std::nullopt,
                         .value = R"([{"k":"t","s":"BTC","t":)" + time + R"(,"p":63229.690,"v":)" +
                                  std::to_string(i + 1) + "}]",
                         .timestamp_ms = 1'719'900'000'000 + i * 1000,
                         .headers = {{"pad", pad}}});
      filler.Commit();
      if (i == 30) filler.Flush();  // the rest is on the tape alone
    }
    filler.Close();
    StoreOptions options;
    options.dir = StoreDir();
    options.create = false;
    options.ballast_bytes = 0;
    auto store = Store::Open(options);
    EXPECT_TRUE(store.ok()) << store.status().ToString();
    EXPECT_TRUE((*store)->CompactAll().ok());
    block_ = *(*store)->View()->Get(keys::TapeBlock(tp, 12));
    EXPECT_TRUE((*store)->Close().ok());
    messages_ = Ask({"messages", "--topic", "ticks", "-o", "ndjson"}).out;
    rows_ = Ask({"query", "trades", "-s", "BTC", "-o", "csv"}).out;
  }
  std::string StoreDir() const { return dir_.File("store"); }
  Outcome Ask(Arguments arguments, const Variables& variables = {}) {
    arguments.insert(arguments.end(), {"--data-dir", StoreDir()});
    return RunTapedeck(arguments, variables);
  }
  static std::string BytesOf(const fs::path& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  std::map<std::string, std::string> Files(const std::string& dir) {
    std::map<std::string, std::string> files;
    for (const auto& entry : fs::directory_iterator(dir)) {
      const std::string name = entry.path().filename();
      if (name.ends_with(".sst") || name.ends_with(".log")) files[name] = BytesOf(entry.path());
    }
    return files;
  }
  /// Flips a bit of the block of offset 12.
  void Damage() {
    for (const auto& [name, bytes] : Files(StoreDir())) {
      const size_t at = bytes.find(block_);
      if (at == std::string::npos) continue;
      std::string damaged = bytes;
      damaged[at + block_.size() / 2] ^= 1;
      std::ofstream(StoreDir() + "/" + name, std::ios::binary) << damaged;
      return;
    }
    FAIL() << "the block lies in no file";
  }
  void CheckRepaired() {
    EXPECT_EQ(Ask({"verify"}).exit_code, 0);
    std::string left;
    std::istringstream lines(messages_);
    for (std::string line; std::getline(lines, line);) {
      if (line.find("\"offset\":12,") == std::string::npos) left += line + "\n";
    }
    EXPECT_EQ(Ask({"messages", "--topic", "ticks", "-o", "ndjson"}).out, left);
    const Outcome coverage = Ask({"coverage", "-o", "csv"});
    EXPECT_NE(coverage.out.find("12..13 damaged"), std::string::npos) << coverage.out;
    EXPECT_FALSE(fs::exists(StoreDir() + ".repairing"));
  }

  const uint64_t seed_ = TestSeed();
  TempDir dir_;
  std::string block_;
  std::string messages_;
  std::string rows_;
};

TEST_F(RepairCommand, AStoreInWhichNothingIsWrongIsLeftAsItIs) {
  const auto before = Files(StoreDir());
  const Outcome outcome = Ask({"repair", "-o", "text"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_NE(outcome.out.find("nothing is wrong"), std::string::npos) << outcome.out;
  EXPECT_EQ(Ask({"messages", "--topic", "ticks", "-o", "ndjson"}).out, messages_);
  EXPECT_FALSE(fs::exists(StoreDir() + ".damaged"));
  EXPECT_EQ(RunTapedeck({"repair", "--data-dir", dir_.File("nothing")}).exit_code, 1);
}

TEST_F(RepairCommand, A5DamageIsPutRightAndWhatIsLostIsAGap) {
  Damage();
  const auto damaged = Files(StoreDir());
  ASSERT_EQ(Ask({"verify"}).exit_code, 4);
  const Outcome outcome = Ask({"repair", "-o", "ndjson"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_NE(outcome.out.find(R"("event":"gap","topic":"ticks")"), std::string::npos) << outcome.out;
  EXPECT_NE(outcome.out.find(R"("reason":"damaged")"), std::string::npos) << outcome.out;
  CheckRepaired();
  for (const auto& [name, bytes] : damaged)
    EXPECT_EQ(BytesOf(StoreDir() + ".damaged/" + name), bytes) << "the old store stays: " << name;
  // Once more: nothing is left to do.
  EXPECT_NE(Ask({"repair", "-o", "text"}).out.find("nothing is wrong"), std::string::npos);
}

TEST_F(RepairCommand, A5KilledAtEveryStepTheOldStoreOrTheNewOneIsThere) {
  for (const std::string failpoint :
       {"repair.tape:1:abort", "repair.before_exchange:1:abort", "repair.after_exchange:1:abort"}) {
    SCOPED_TRACE(failpoint + "; " + RepeatWith(seed_));
    const fs::path whole = dir_.File("whole");
    if (!fs::exists(whole)) fs::copy(StoreDir(), whole, fs::copy_options::recursive);
    for (const char* other : {"", ".repairing", ".damaged"}) fs::remove_all(StoreDir() + other);
    fs::copy(whole, StoreDir(), fs::copy_options::recursive);
    Damage();
    const auto damaged = Files(StoreDir());
    const Outcome killed = Ask({"repair"}, {{"TAPEDECK_FAILPOINT", failpoint}});
    ASSERT_EQ(killed.signal, SIGKILL) << killed.err;
    const bool exchanged = failpoint.starts_with("repair.after");
    EXPECT_EQ(Ask({"verify"}).exit_code, exchanged ? 0 : 4);
    const std::string old = exchanged ? StoreDir() + ".repairing" : StoreDir();
    for (const auto& [name, bytes] : damaged) EXPECT_EQ(BytesOf(old + "/" + name), bytes) << name;
    const Outcome again = Ask({"repair"});
    ASSERT_EQ(again.exit_code, 0) << again.err;
    CheckRepaired();
    EXPECT_TRUE(fs::exists(StoreDir() + ".damaged"));
  }
}

TEST_F(RepairCommand, AnErrorAfterTheExchangeDeletesNothing) {
  Damage();
  const auto damaged = Files(StoreDir());
  const Outcome failed = Ask({"repair"}, {{"TAPEDECK_FAILPOINT", "repair.after_exchange:1:eio"}});
  EXPECT_NE(failed.exit_code, 0);
  for (const auto& [name, bytes] : damaged)
    EXPECT_EQ(BytesOf(StoreDir() + ".repairing/" + name), bytes) << name;
  const Outcome again = Ask({"repair"});
  ASSERT_EQ(again.exit_code, 0) << again.err;
  CheckRepaired();
  for (const auto& [name, bytes] : damaged)
    EXPECT_EQ(BytesOf(StoreDir() + ".damaged/" + name), bytes) << name;
}

// It would move away with the old store.
TEST_F(RepairCommand, WhatElseLiesInTheFolderOfTheStoreIsRefused) {
  Damage();
  const auto damaged = Files(StoreDir());
  fs::create_directory(StoreDir() + "/lake");
  const Outcome found = Ask({"repair"});
  EXPECT_EQ(found.exit_code, 1);
  EXPECT_NE(found.err.find("/lake lies in the folder of the store"), std::string::npos)
      << found.err;
  fs::remove(StoreDir() + "/lake");
  const Outcome named = Ask({"repair", "--archive", "file://" + StoreDir() + "/lake"});
  EXPECT_EQ(named.exit_code, 1);
  EXPECT_NE(named.err.find("/lake lies in the folder of the store"), std::string::npos)
      << named.err;
  std::ofstream(StoreDir() + "/tapedeck.toml") << "# where somebody keeps it\n";
  const Outcome file = Ask({"repair"});
  EXPECT_EQ(file.exit_code, 1);
  EXPECT_NE(file.err.find("/tapedeck.toml lies in the folder of the store"), std::string::npos)
      << file.err;
  for (const auto& [name, bytes] : damaged) EXPECT_EQ(BytesOf(StoreDir() + "/" + name), bytes);
  EXPECT_FALSE(fs::exists(StoreDir() + ".repairing"));
}

// What cannot be read at all is damage like any other; a run that fails leaves nothing behind.
TEST_F(RepairCommand, A5AFileThatCannotBeReadIsDamageAndARefusalLeavesNothing) {
  for (const auto& [name, bytes] : Files(StoreDir())) {
    if (!name.ends_with(".sst")) continue;
    fs::remove(StoreDir() + "/" + name);
    fs::create_symlink("/proc/self/mem", StoreDir() + "/" + name);  // EIO
  }
  for (const std::string accept : {"", "--accept-loss"}) {
    Arguments arguments = {"repair"};
    if (!accept.empty()) arguments.push_back(accept);
    const Outcome outcome = Ask(arguments);
    EXPECT_NE(outcome.exit_code, 0);
    EXPECT_NE(outcome.err.find("nothing is left of tape 1"), std::string::npos) << outcome.err;
    EXPECT_FALSE(fs::exists(StoreDir() + ".repairing"));
    EXPECT_FALSE(fs::exists(StoreDir() + ".damaged"));
  }
}

// What is left may be a job that was deleted, or one as it was long ago.
TEST_F(RepairCommand, NoReplayJobGoesOnByItself) {
  constexpr char kRuns[] = "01J00000000000000000000001";
  constexpr char kDone[] = "01J00000000000000000000002";
  StoreOptions options;
  options.dir = StoreDir();
  options.create = false;
  options.ballast_bytes = 0;
  {
    const auto store = Store::Open(options).value();
    StoreBatch batch;
    for (const auto& [id, state] :
         {std::pair(kRuns, ReplayState::kRunning), std::pair(kDone, ReplayState::kDone)}) {
      ReplayJob job;
      job.id = id;
      job.spec.source.topics = {"ticks"};
      job.spec.target = {.name = "lab", .topic = "ticks-replay"};
      job.state = state;
      batch.PutJob(id, EncodeJob(job));
    }
    batch.PutJob(OffsetEntryId(kDone), EncodeOffsetMap(OffsetMap{}));
    ASSERT_TRUE(store->Write(batch).ok());
    ASSERT_TRUE(store->Close().ok());
  }
  Damage();
  const Outcome outcome = Ask({"repair", "-o", "text"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_NE(outcome.out.find(std::string("replay job ") + kRuns + " has failed"), std::string::npos)
      << outcome.out;
  const auto store = Store::Open(options).value();
  std::map<std::string, ReplayState> states;
  const auto left = store->View()->Jobs();
  for (const auto& [id, bytes] : *left) states[id] = DecodeJob(id, bytes).value().state;
  EXPECT_EQ(states, (std::map<std::string, ReplayState>{{kRuns, ReplayState::kFailed},
                                                        {kDone, ReplayState::kDone}}));
  EXPECT_TRUE(store->View()->Get(keys::Job(OffsetEntryId(kDone))).ok());
}

TEST_F(RepairCommand, AStoreThatIsInUseIsRefused) {
  Damage();
  StoreOptions options;
  options.dir = StoreDir();
  options.create = false;
  const auto store = Store::Open(options);
  ASSERT_TRUE(store.ok()) << store.status().ToString();
  const Outcome outcome = Ask({"repair"});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_NE(outcome.err.find("is in use"), std::string::npos) << outcome.err;
}

}  // namespace
}  // namespace tapedeck::testing
