// E1: a job whose process is killed again and again, at every step, ends with each message once.
// E2, E3: two workers on one job; a broker that stops in the middle of a transaction.
//
// TAPEDECK_KILLS says how often (default 12).

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <set>

#include "base/random.h"
#include "replay/replay_rig.h"
#include "support/child_test.h"
#include "support/kafka_service.h"
#include "support/seed.h"
#include "support/temp_dir.h"

namespace tapedeck::testing {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

constexpr char kDir[] = "TAPEDECK_REPLAY_CHILD_DIR";
constexpr char kServers[] = "TAPEDECK_REPLAY_CHILD_SERVERS";
constexpr char kTopic[] = "TAPEDECK_REPLAY_CHILD_TOPIC";

std::string Variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// Runs in a process of its own: makes the job where there is none, and works until it has ended.
TEST(ReplayChild, DISABLED_WorksUntilKilled) {
  ASSERT_NE(Variable(kDir), "");
  ReplayRig rig(Variable(kDir), Variable(kServers));
  rig.Start({.max_messages_per_second = 3000});
  std::vector<ReplayView> jobs = rig.runner().List();
  const std::string id =
      jobs.empty() ? rig.Create(ReplayRig::Request(Variable(kTopic)), "kills") : jobs[0].job.id;
  ASSERT_TRUE(rig.WaitFor(id, ReplayState::kDone, 300));
}

class Child {
 public:
  Child(const std::string& dir, const std::string& servers, const std::string& topic,
        const std::string& failpoint) {
    pid_ = StartChildTest({.filter = "ReplayChild.*",
                           .variables = {{kDir, dir}, {kServers, servers}, {kTopic, topic}},
                           .failpoint = failpoint,
                           .log = dir + ".log"});
  }
  ~Child() {
    if (!ended_) End(SIGKILL);
  }
  void End(int signal) {
    kill(pid_, signal);
    Wait();
  }
  /// True where it ended by itself, well.
  bool Wait() {
    int status = 0;
    waitpid(pid_, &status, 0);
    ended_ = true;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
  }
  /// Ends, or is killed after this time. True where it was killed, by itself or by us.
  bool KilledWithin(std::chrono::milliseconds time) {
    const MonotonicTime deadline = SystemClock().Monotonic() + time;
    int status = 0;
    while (SystemClock().Monotonic() < deadline) {
      if (waitpid(pid_, &status, WNOHANG) == pid_) {
        ended_ = true;
        return WIFSIGNALED(status);
      }
      SystemClock().SleepFor(5ms);
    }
    End(SIGKILL);
    return true;
  }
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = -1;
  bool ended_ = false;
};

/// O8: sequence numbers 1 to n once each, and each recorded message once, in order per partition.
void ExpectEachOnce(KafkaService* kafka, const std::string& topic, StoreFiller& filler) {
  std::set<uint64_t> seqs;
  std::map<int32_t, std::vector<std::string>> found;
  std::map<int32_t, std::vector<std::string>> recorded;
  for (const ClientMessage& m : kafka->admin().Dump(topic)) {
    std::string origin;
    for (const auto& [name, value] : m.headers) {
      if (name == "tapedeck-seq") {
        EXPECT_TRUE(seqs.insert(std::stoull(*value)).second) << *value;
      }
      if (name == "tapedeck-origin") origin = *value;
    }
    found[*m.partition].push_back(origin + " " + m.value.value_or("null"));
  }
  for (const OracleMessage& m : filler.messages()) {
    recorded[m.tape.partition].push_back(m.tape.topic + "/" + std::to_string(m.tape.partition) +
                                         "/0/" + std::to_string(m.offset) + " " +
                                         m.content.value.value_or("null"));
  }
  EXPECT_EQ(found, recorded);
  EXPECT_EQ(seqs.size(), filler.messages().size());
  if (!seqs.empty()) {
    EXPECT_EQ(*seqs.rbegin(), filler.messages().size());
  }
}

TEST(ReplayKills, E1KilledAtEveryStepAJobSendsEachMessageOnce) {
  const uint64_t seed = TestSeed();
  SCOPED_TRACE(RepeatWith(seed));
  Random random(seed);
  TD_SHARED_KAFKA(kafka);
  kafka->admin().CreateTopic("kills-replay", 2);
  const std::string kills_text = Variable("TAPEDECK_KILLS");
  const int kills = kills_text.empty() ? 12 : std::atoi(kills_text.c_str());
  TempDir dir;
  ReplayRig rig(dir.File("s"), kafka->bootstrap_servers());
  rig.Fill(static_cast<size_t>(kills) * 500);
  rig.filler().Close();
  const std::string kPoints[] = {"replay.start",
                                 "replay.started",
                                 "replay.owned",
                                 "replay.before_commit",
                                 "replay.after_commit",
                                 "replay.sent",
                                 "",
                                 "replay.verifying"};
  int killed = 0;
  for (int i = 0; i < kills; ++i) {
    const std::string& point = kPoints[static_cast<size_t>(i) % std::size(kPoints)];
    uint64_t hit = 1;
    if (point.ends_with("_commit")) hit = 1 + random.Uniform(5);
    if (point == "replay.sent") hit = 1 + random.Uniform(900);
    const std::string failpoint = point.empty() ? "" : point + ":" + std::to_string(hit) + ":abort";
    SCOPED_TRACE(failpoint);
    Child child(dir.File("s"), kafka->bootstrap_servers(), "kills-replay", failpoint);
    killed += child.KilledWithin(std::chrono::milliseconds(500 + random.Uniform(2500))) ? 1 : 0;
  }
  EXPECT_GT(killed, kills / 2);
  Child last(dir.File("s"), kafka->bootstrap_servers(), "kills-replay", "");
  ASSERT_TRUE(last.Wait());
  ExpectEachOnce(kafka, "kills-replay", rig.filler());
}

TEST(ReplayKills, E2OfTwoNodesWithOneStoresCopyTheOlderStops) {
  TD_SHARED_KAFKA(kafka);
  kafka->admin().CreateTopic("copied-replay", 2);
  TempDir dir;
  ReplayRig first(dir.File("a"), kafka->bootstrap_servers());
  first.Fill(4000);
  first.Start();
  json request = ReplayRig::Request("copied-replay");
  // Slow enough that it would go on for longer than it is waited for.
  request["pace"] = {{"mode", "rate"}, {"messages_per_second", 100}};
  const std::string id = first.Create(request);
  ASSERT_TRUE(first.WaitSent(id, 50));
  first.Stop();
  std::filesystem::copy(dir.File("a"), dir.File("b"), std::filesystem::copy_options::recursive);
  first.Start();
  ASSERT_TRUE(first.WaitSent(id, 100));
  ReplayRig second(dir.File("b"), kafka->bootstrap_servers());
  second.Start();
  const MonotonicTime deadline = SystemClock().Monotonic() + 120s;
  while (!first.View(id).job.ended() && SystemClock().Monotonic() < deadline) {
    SystemClock().SleepFor(20ms);
  }
  EXPECT_EQ(first.View(id).job.state, ReplayState::kFailed);
  EXPECT_NE(first.View(id).job.error.find("another worker"), std::string::npos)
      << first.View(id).job.error;
  ASSERT_TRUE(second.Patch(id, {{"pace", {{"mode", "max"}}}}).ok());
  ASSERT_TRUE(second.WaitFor(id, ReplayState::kDone));
  ExpectEachOnce(kafka, "copied-replay", first.filler());
}

TEST(ReplayKills, E3ABrokerThatStandsStillForLongerThanACommitDoublesNothing) {
  TD_START_KAFKA(kafka, {});
  kafka->admin().CreateTopic("stopped-replay", 2);
  TempDir dir;
  ReplayRig rig(dir.File("s"), kafka->bootstrap_servers());
  rig.Fill(6000);
  rig.Start();
  json request = ReplayRig::Request("stopped-replay");
  request["pace"] = {{"mode", "rate"}, {"messages_per_second", 2000}};
  const std::string id = rig.Create(request);
  ASSERT_TRUE(rig.WaitSent(id, 1000));
  kafka->Pause();
  SystemClock().SleepFor(13s);  // a commit waits for 10
  kafka->Resume();
  ASSERT_TRUE(rig.WaitSent(id, 3000, 180));
  kafka->Kill();
  SystemClock().SleepFor(2s);
  kafka->Restart();
  ASSERT_TRUE(rig.WaitFor(id, ReplayState::kDone, 300));
  ExpectEachOnce(kafka.get(), "stopped-replay", rig.filler());
}

}  // namespace
}  // namespace tapedeck::testing
