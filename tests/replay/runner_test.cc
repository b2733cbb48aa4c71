// Whole jobs on a real broker: what an independent client finds in the target is what was recorded.

#include "replay/runner.h"

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <set>
#include <thread>

#include "replay/replay_rig.h"
#include "support/kafka_service.h"
#include "support/temp_dir.h"

namespace tapedeck::testing {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

std::string Shown(const std::optional<std::string>& bytes) {
  return bytes ? "<" + *bytes + ">" : "null";
}

std::string LineOf(const FillMessage& m, int32_t partition) {
  std::string line = std::to_string(partition) + " " + std::to_string(m.timestamp_ms) + " " +
                     Shown(m.key) + Shown(m.value);
  for (const auto& [name, value] : m.headers) line += " " + name + "=" + Shown(value);
  return line;
}

bool IsOurs(const std::string& name) { return name.starts_with("tapedeck-"); }

class ReplayRunnerTest : public ::testing::Test {
 protected:
  /// What was recorded and selected, by partition in order.
  std::vector<std::string> Recorded(const ReplayRig& rig, auto&& wanted) {
    std::map<int32_t, std::vector<std::string>> by_partition;
    for (const OracleMessage& m : const_cast<ReplayRig&>(rig).filler().messages()) {
      if (wanted(m)) by_partition[m.tape.partition].push_back(LineOf(m.content, m.tape.partition));
    }
    std::vector<std::string> lines;
    for (auto& [p, of] : by_partition) lines.insert(lines.end(), of.begin(), of.end());
    return lines;
  }
  std::vector<std::string> Recorded(const ReplayRig& rig) {
    return Recorded(rig, [](const OracleMessage&) { return true; });
  }

  /// What a read_committed client of another make sees, without our headers; sequence numbers on
  /// the side.
  std::vector<std::string> Found(KafkaService* kafka, const std::string& topic) {
    std::vector<std::string> lines;
    seqs_.clear();
    for (const ClientMessage& m : kafka->admin().Dump(topic)) {
      FillMessage content{.key = m.key, .value = m.value, .timestamp_ms = *m.timestamp};
      for (const auto& [name, value] : m.headers) {
        if (!IsOurs(name)) content.headers.emplace_back(name, value);
        if (name == "tapedeck-seq") seqs_.insert(std::stoull(*value));
      }
      lines.push_back(LineOf(content, *m.partition));
    }
    return lines;
  }
  /// 1 to n without holes, each once.
  void ExpectSeqs(size_t n) {
    EXPECT_EQ(seqs_.size(), n);
    if (seqs_.empty()) return;
    EXPECT_EQ(*seqs_.begin(), 1u);
    EXPECT_EQ(*seqs_.rbegin(), n);
  }

  TempDir dir_;
  std::multiset<uint64_t> seqs_;
};

TEST_F(ReplayRunnerTest, AWholeTopicAppearsAsItWasRecordedAndIsVerified) {
  TD_SHARED_KAFKA(kafka);
  kafka->admin().CreateTopic("whole-replay", 2, {{"retention.ms", "-1"}});
  ReplayRig rig(dir_.File("s"), kafka->bootstrap_servers());
  rig.Fill(2000);
  rig.Start();
  const std::string id = rig.Create(ReplayRig::Request("whole-replay"));
  ASSERT_TRUE(rig.WaitFor(id, ReplayState::kDone));
  const auto recorded = Recorded(rig);
  EXPECT_EQ(Found(kafka, "whole-replay"), recorded);
  ExpectSeqs(recorded.size());
  const ReplayView view = rig.View(id);
  EXPECT_EQ(view.job.verified_messages, recorded.size());
  EXPECT_EQ(view.job.messages_at_most, recorded.size());
  const json shown = json::parse(ReplayViewJson(view));
  EXPECT_EQ(shown["state"], "done");
  EXPECT_EQ(shown["progress"]["messages"], recorded.size());
}

TEST_F(ReplayRunnerTest, ANarrowedSelectionIsSentAtLeastOnceWithoutTransactions) {
  TD_SHARED_KAFKA(kafka);
  kafka->admin().CreateTopic("narrow-replay", 2);
  ReplayRig rig(dir_.File("s"), kafka->bootstrap_servers());
  rig.Fill(1000);
  rig.Start();
  json request = ReplayRig::Request("narrow-replay");
  request["source"]["symbols"] = {"BTC"};
  request["delivery"] = "at-least-once";
  const std::string id = rig.Create(request);
  ASSERT_TRUE(rig.WaitFor(id, ReplayState::kDone));
  const auto recorded = Recorded(rig, [](const OracleMessage& m) {
    return m.content.value && m.content.value->find("BTC") != std::string::npos;
  });
  ASSERT_GT(recorded.size(), 100u);
  EXPECT_EQ(Found(kafka, "narrow-replay"), recorded);
  ExpectSeqs(recorded.size());
}

TEST_F(ReplayRunnerTest, PausedSoughtSpedUpAndStoppedItSendsEachMessageOfARunOnce) {
  TD_SHARED_KAFKA(kafka);
  kafka->admin().CreateTopic("orders-replay", 2);
  ReplayRig rig(dir_.File("s"), kafka->bootstrap_servers());
  rig.Fill(3000);
  rig.Start();
  json request = ReplayRig::Request("orders-replay");
  request["pace"] = {{"mode", "original"}, {"speed", 1.0}};
  const std::string id = rig.Create(request);
  ASSERT_TRUE(rig.WaitSent(id, 400));
  ASSERT_TRUE(rig.Patch(id, {{"state", "paused"}}).ok());
  ASSERT_TRUE(rig.WaitFor(id, ReplayState::kPaused));
  const uint64_t paused_at = rig.WaitSettled(id) + 1;
  // Back to the beginning: everything up to here is sent once more, with new numbers.
  const auto& first = rig.filler().messages().front();
  ASSERT_TRUE(rig.Patch(id, {{"seek", std::to_string(first.time().ns()) + "ns"},
                             {"state", "running"},
                             {"pace", {{"speed", 0.5}}}})
                  .ok());
  ASSERT_TRUE(rig.WaitSent(id, paused_at + 500));
  rig.Stop();  // the process ends in the middle
  rig.Start();
  ASSERT_TRUE(rig.Patch(id, {{"pace", {{"mode", "max"}}}}).ok());
  ASSERT_TRUE(rig.WaitFor(id, ReplayState::kDone));
  const auto recorded = Recorded(rig);
  const size_t first_run = paused_at - 1;
  const auto found = Found(kafka, "orders-replay");
  EXPECT_EQ(found.size(), first_run + recorded.size());
  ExpectSeqs(first_run + recorded.size());
  std::multiset<std::string> all(found.begin(), found.end());
  for (const std::string& line : recorded) {
    auto one = all.find(line);
    ASSERT_NE(one, all.end()) << line;
    all.erase(one);
  }
  EXPECT_EQ(all.size(), first_run);
}

TEST_F(ReplayRunnerTest, E7ATargetThatCannotTakeTheMessagesIsNamedWithItsRemedy) {
  TD_SHARED_KAFKA(kafka);
  kafka->admin().CreateTopic("few-replay", 1);
  kafka->admin().CreateTopic("compacted-replay", 2, {{"cleanup.policy", "compact"}});
  kafka->admin().CreateTopic("short-replay", 2, {{"retention.ms", "60000"}});
  kafka->admin().CreateTopic("small-replay", 2, {{"max.message.bytes", "600"}});
  kafka->admin().CreateTopic("append-replay", 2, {{"message.timestamp.type", "LogAppendTime"}});
  ReplayRig rig(dir_.File("s"), kafka->bootstrap_servers());
  rig.Fill(10);
  rig.filler().Append(rig.filler().AddTape({"recorded-cluster", "big", 0, 0}),
                      {.value = std::string(300, 'x'), .timestamp_ms = 1'700'000'000'000});
  rig.filler().Commit();
  rig.Start();
  const std::pair<const char*, const char*> kWrong[] = {
      {"gone-replay", "create it with at least 2 partitions"},
      {"few-replay", "add partitions"},
      {"compacted-replay", "cleanup.policy=delete"},
      {"short-replay", "retention.ms=-1"},
      {"append-replay", "CreateTime"}};
  for (const auto& [topic, remedy] : kWrong) {
    const Status refused = rig.Refused(ReplayRig::Request(topic));
    EXPECT_EQ(refused.code(), StatusCode::kFailedPrecondition) << topic;
    EXPECT_NE(refused.message().find(remedy), std::string_view::npos) << refused.ToString();
  }
  json big = ReplayRig::Request("small-replay");
  big["source"]["topics"] = {"big"};
  big["target"]["timestamps"] = "now";
  const Status refused = rig.Refused(big);
  EXPECT_NE(refused.message().find("max.message.bytes"), std::string_view::npos)
      << refused.ToString();
  EXPECT_EQ(rig.Refused(ReplayRig::Request("elsewhere")).code(), StatusCode::kInvalidArgument);
  EXPECT_TRUE(rig.runner().List().empty());
}

TEST_F(ReplayRunnerTest, E8ATargetThatIsDeletedFailsTheJobAndNothingBeginsAgain) {
  TD_SHARED_KAFKA(kafka);
  kafka->admin().CreateTopic("deleted-replay", 2);
  ReplayRig rig(dir_.File("s"), kafka->bootstrap_servers());
  rig.Fill(3000);
  rig.Start();
  json request = ReplayRig::Request("deleted-replay");
  request["pace"] = {{"mode", "rate"}, {"messages_per_second", 500}};
  const std::string id = rig.Create(request);
  ASSERT_TRUE(rig.WaitSent(id, 300));
  kafka->admin().DeleteTopic("deleted-replay");
  ASSERT_TRUE(rig.WaitFor(id, ReplayState::kFailed, 90));
  EXPECT_GT(rig.View(id).job.note.next_seq, 300u);
  kafka->admin().CreateTopic("deleted-replay", 2);
  ASSERT_TRUE(rig.Patch(id, {{"state", "running"}}).ok());
  const MonotonicTime deadline = SystemClock().Monotonic() + 60s;
  while (!rig.View(id).job.ended() && SystemClock().Monotonic() < deadline) {
    SystemClock().SleepFor(20ms);
  }
  EXPECT_EQ(rig.View(id).job.state, ReplayState::kFailed) << rig.View(id).job.error;
}

TEST_F(ReplayRunnerTest, E11CreatingTwiceWithOneKeyMakesOneJob) {
  TD_SHARED_KAFKA(kafka);
  kafka->admin().CreateTopic("keyed-replay", 2);
  ReplayRig rig(dir_.File("s"), kafka->bootstrap_servers());
  rig.Fill(20);
  rig.Start();
  const std::string id = rig.Create(ReplayRig::Request("keyed-replay"), "k1");
  EXPECT_EQ(rig.Create(ReplayRig::Request("keyed-replay"), "k1"), id);
  EXPECT_NE(rig.Create(ReplayRig::Request("keyed-replay"), "k2"), id);
  json other = ReplayRig::Request("keyed-replay");
  other["order"] = "event";
  EXPECT_EQ(rig.runner().Create(other.dump(), "k1").status().code(), StatusCode::kAlreadyExists);
  ASSERT_TRUE(rig.WaitFor(id, ReplayState::kDone));
  EXPECT_EQ(rig.Patch(id, {{"state", "paused"}}).code(), StatusCode::kFailedPrecondition);
  EXPECT_TRUE(rig.runner().Delete(id).ok());
  EXPECT_EQ(rig.runner().Delete(id).code(), StatusCode::kNotFound);
  EXPECT_EQ(rig.runner().Get(id).status().code(), StatusCode::kNotFound);
}

TEST_F(ReplayRunnerTest, ASelectionWithoutMessagesIsRefusedAndOneInTheStoreFails) {
  TD_SHARED_KAFKA(kafka);
  kafka->admin().CreateTopic("nothing-replay", 2);
  ReplayRig rig(dir_.File("s"), kafka->bootstrap_servers());
  rig.Fill(20);
  rig.Start();
  json behind = ReplayRig::Request("nothing-replay");
  behind["source"] = {
      {"offsets", {{{"topic", "ticks"}, {"partition", 0}, {"from", 999'999}, {"to", 1'000'000}}}}};
  const Status refused = rig.Refused(behind);
  EXPECT_EQ(refused.code(), StatusCode::kInvalidArgument) << refused.ToString();
  EXPECT_TRUE(rig.runner().List().empty());
  // As it was stored before such requests were refused.
  const std::string id = rig.Create(ReplayRig::Request("nothing-replay"));
  ASSERT_TRUE(rig.WaitFor(id, ReplayState::kDone));
  ReplayJob old = rig.View(id).job;
  old.id = MakeJobId(SystemClock().Now(), 7, 7);
  old.selection.ranges.clear();
  old.state = ReplayState::kRunning;
  old.begun = true;
  ASSERT_TRUE(rig.PutJob(old).ok());
  rig.Stop();
  rig.Start();
  ASSERT_TRUE(rig.WaitFor(old.id, ReplayState::kFailed));
  EXPECT_NE(rig.View(old.id).job.error.find("empty"), std::string::npos)
      << rig.View(old.id).job.error;
}

TEST_F(ReplayRunnerTest, ARunningJobThatManyDeleteAtOnceIsDeletedOnce) {
  TD_SHARED_KAFKA(kafka);
  kafka->admin().CreateTopic("deletes-replay", 2);
  ReplayRig rig(dir_.File("s"), kafka->bootstrap_servers());
  rig.Fill(2000);
  rig.Start();
  json request = ReplayRig::Request("deletes-replay");
  request["pace"] = {{"mode", "rate"}, {"messages_per_second", 500}};
  const std::string id = rig.Create(request);
  ASSERT_TRUE(rig.WaitSent(id, 50));
  std::atomic<int> deleted{0};
  std::atomic<int> refused{0};
  rig.Hold(true);  // nothing is written: all of them wait at once
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      const Status status = rig.runner().Delete(id);
      if (status.ok()) ++deleted;
      if (status.code() == StatusCode::kUnavailable) ++refused;
    });
  }
  const MonotonicTime deadline = SystemClock().Monotonic() + 30s;
  while (refused.load() < 3 && SystemClock().Monotonic() < deadline) SystemClock().SleepFor(1ms);
  rig.Hold(false);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(deleted.load(), 1);
  EXPECT_EQ(refused.load(), 3);
  EXPECT_EQ(rig.runner().Get(id).status().code(), StatusCode::kNotFound);
  rig.Stop();  // joins the worker, once
  rig.Start();
  EXPECT_TRUE(rig.runner().List().empty());
}

TEST_F(ReplayRunnerTest, AJobWhoseFirstWriteOrDeletionFailsIsAsBefore) {
  TD_SHARED_KAFKA(kafka);
  kafka->admin().CreateTopic("refused-replay", 2);
  ReplayRig rig(dir_.File("s"), kafka->bootstrap_servers());
  rig.Fill(2000);
  rig.Start();
  json request = ReplayRig::Request("refused-replay");
  request["pace"] = {{"mode", "rate"}, {"messages_per_second", 200}};
  const std::string id = rig.Create(request);
  ASSERT_TRUE(rig.WaitSent(id, 20));
  ASSERT_TRUE(rig.Patch(id, {{"state", "paused"}}).ok());
  ASSERT_TRUE(rig.WaitFor(id, ReplayState::kPaused));
  SystemClock().SleepFor(1500ms);  // the keeper has written its note: nobody else waits below
  rig.Hold(true);
  std::thread creating([&] {
    EXPECT_EQ(rig.runner().Create(request.dump(), "k").status().code(), StatusCode::kUnavailable);
  });
  const MonotonicTime deadline = SystemClock().Monotonic() + 60s;
  while (!rig.waiting() && SystemClock().Monotonic() < deadline) SystemClock().SleepFor(5ms);
  EXPECT_TRUE(rig.waiting());
  std::thread deleting(
      [&] { EXPECT_EQ(rig.runner().Delete(id).code(), StatusCode::kUnavailable); });
  SystemClock().SleepFor(2500ms);  // the keeper has its turns
  EXPECT_EQ(rig.runner().List().size(), 1u);
  rig.CloseQueue("the disk is full");
  creating.join();
  deleting.join();
  EXPECT_EQ(rig.runner().List().size(), 1u);
  EXPECT_FALSE(rig.Patch(id, {{"state", "cancelled"}}).ok()) << "it could not be stored";
  rig.Stop();
  rig.Start();
  ASSERT_EQ(rig.runner().List().size(), 1u);
  EXPECT_EQ(rig.View(id).job.state, ReplayState::kPaused);
  EXPECT_TRUE(rig.runner().Delete(id).ok());
}

// More symbols than an index entry names: every block of the search must be decoded.
TEST_F(ReplayRunnerTest, AJobThatSearchesForARareSymbolIsPausedAndStoppedAtOnce) {
  TD_SHARED_KAFKA(kafka);
  kafka->admin().CreateTopic("rare-replay", 2, {{"retention.ms", "-1"}});
  ReplayRig rig(dir_.File("s"), kafka->bootstrap_servers());
  rig.Fill(10);
  const TpId tape = rig.filler().AddTape({"recorded-cluster", "rare", 0, 0});
  constexpr int kMessages = 150'000;
  for (int i = 0; i < kMessages; ++i) {
    const bool rare = i == 0 || i == kMessages - 1;
    const std::string symbol = rare ? "RARE" : "S" + std::to_string(i % 200);
    rig.filler().Append(
        tape, {.value = R"([{"k":"q","s":")" + symbol + R"(","t":)" +
                        std::to_string(1'700'000'000'000'000'000 + i) + R"(,"b":"1.50"}])",
               .timestamp_ms = 1'700'000'000'000 + i / 100});
    if (i % 5'000 == 0) rig.filler().Commit();
  }
  rig.filler().Commit();
  rig.Start();
  json request = ReplayRig::Request("rare-replay");
  request["source"] = {{"topics", {"rare"}}, {"symbols", {"RARE"}}};
  const std::string id = rig.Create(request);
  ASSERT_TRUE(rig.WaitSent(id, 1));  // committed, although the next one is far away
  const bool searching = rig.View(id).job.note.next_seq == 2;
  if (rig.Patch(id, {{"state", "paused"}}).ok()) {
    if (searching) {
      ASSERT_TRUE(rig.WaitFor(id, ReplayState::kPaused, 5));
    }
    (void)rig.Patch(id, {{"state", "running"}});  // a fast search may be over by now
  }
  rig.Stop();
  rig.Start();
  ASSERT_TRUE(rig.WaitFor(id, ReplayState::kDone));
  EXPECT_EQ(Found(kafka, "rare-replay").size(), 2u);
  ExpectSeqs(2);
}

}  // namespace
}  // namespace tapedeck::testing
