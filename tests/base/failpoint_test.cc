#include "base/failpoint.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "base/clock.h"

namespace tapedeck {
namespace {

// Whether failpoints are armed is decided when a process starts, so each situation is this program
// started again with the variable set and only the child's half of the test, which prints what it
// sees.

TEST(FailpointChild, DISABLED_ComesByFourTimes) {
  for (int i = 1; i <= 4; ++i) {
    MonotonicTime before = SystemClock().Monotonic();
    Status status = FailpointHit("store.before_write");
    bool slow = SystemClock().Monotonic() - before >= std::chrono::milliseconds(50);
    std::printf("[%d %s%s]", i, status.ok() ? "ok" : status.ToString().c_str(),
                slow ? " slow" : "");
    std::fflush(stdout);
  }
  Status other = FailpointHit("store.open");
  std::printf("[open %s]\n", other.ok() ? "ok" : "failed");
}

TEST(FailpointChild, DISABLED_HitsANameThatIsNotListed) {
  (void)FailpointHit("store.no_such_place");
}

struct Ended {
  int status = 0;  // as waitpid gives it
  std::string output;
};

Ended RunChild(const std::string& test, const std::string& variable) {
  std::string self(4096, '\0');
  ssize_t size = ::readlink("/proc/self/exe", self.data(), self.size());
  self.resize(size > 0 ? static_cast<size_t>(size) : 0);
  std::string command =
      "exec env TAPEDECK_FAILPOINT='" + variable + "' '" + self +
      "' --gtest_also_run_disabled_tests --gtest_filter=FailpointChild.DISABLED_" + test + " 2>&1";
  Ended ended;
  FILE* pipe = ::popen(command.c_str(), "r");
  std::array<char, 4096> buffer{};
  while (size_t got = std::fread(buffer.data(), 1, buffer.size(), pipe))
    ended.output.append(buffer.data(), got);
  ended.status = ::pclose(pipe);
  return ended;
}

bool Says(const Ended& ended, std::string_view text) {
  return ended.output.find(text) != std::string::npos;
}

TEST(Failpoint, WithoutTheVariableNothingHappens) {
  Ended ended = RunChild("ComesByFourTimes", "");
  EXPECT_TRUE(Says(ended, "[1 ok][2 ok][3 ok][4 ok][open ok]")) << ended.output;
  EXPECT_EQ(ended.status, 0);
}

TEST(Failpoint, AbortKillsAtExactlyTheHitThatWasAskedFor) {
  Ended ended = RunChild("ComesByFourTimes", "store.before_write:3:abort");
  EXPECT_TRUE(Says(ended, "[1 ok][2 ok]")) << ended.output;
  EXPECT_FALSE(Says(ended, "[3")) << ended.output;
  EXPECT_TRUE(Says(ended, "failpoint store.before_write: hit 3")) << ended.output;
  ASSERT_TRUE(WIFSIGNALED(ended.status)) << ended.status;
  EXPECT_EQ(WTERMSIG(ended.status), SIGKILL);
}

TEST(Failpoint, EioFailsOnceAndSleepWaits) {
  Ended ended = RunChild("ComesByFourTimes",
                         "store.before_write:2:eio,store.before_write:4:sleep=60,store.open:1:eio");
  EXPECT_TRUE(Says(ended, "[1 ok]")) << ended.output;
  EXPECT_TRUE(Says(ended, "[2 internal: input/output error made by failpoint store.before_write]"))
      << ended.output;
  EXPECT_TRUE(Says(ended, "[3 ok]")) << ended.output;
  EXPECT_TRUE(Says(ended, "[4 ok slow]")) << ended.output;
  EXPECT_TRUE(Says(ended, "[open failed]")) << ended.output;
}

TEST(Failpoint, AVariableThatCannotBeMeantEndsTheProcess) {
  for (std::string variable :
       {"store.nowhere:1:abort", "store.before_write", "store.before_write:0:abort",
        "store.before_write:x:abort", "store.before_write:1:explode", "store.before_write:1:sleep=",
        "store.before_write:1:abort,,", "store.before_write:-1:eio"}) {
    Ended ended = RunChild("ComesByFourTimes", variable);
    EXPECT_TRUE(Says(ended, "TAPEDECK_FAILPOINT: ")) << variable << ": " << ended.output;
    EXPECT_TRUE(WIFSIGNALED(ended.status) && WTERMSIG(ended.status) == SIGABRT)
        << variable << ": " << ended.output;
  }
}

TEST(Failpoint, ANameThatIsNotListedEndsAnArmedProcess) {
  Ended ended = RunChild("HitsANameThatIsNotListed", "store.open:1:eio");
  EXPECT_TRUE(Says(ended, "every failpoint is listed")) << ended.output;
  EXPECT_TRUE(WIFSIGNALED(ended.status));
}

TEST(Failpoint, TheListIsSortedAndEachNameIsThereOnce) {
  const auto& names = AllFailpoints();
  EXPECT_GE(names.size(), 19u);
  EXPECT_TRUE(std::ranges::is_sorted(names));
  EXPECT_EQ(std::ranges::adjacent_find(names), names.end());
  for (std::string_view name : names) EXPECT_NE(name.find('.'), std::string_view::npos) << name;
}

}  // namespace
}  // namespace tapedeck
