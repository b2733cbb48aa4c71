#ifndef TAPEDECK_TESTS_SUPPORT_CHILD_TEST_H_
#define TAPEDECK_TESTS_SUPPORT_CHILD_TEST_H_

// StartChildTest: this test program, started again as a process of its own for one disabled test.
// That is how a test kills what it tests: the child has its own failpoints and its own death, and
// finds its orders in environment variables.
//
//   TEST(ShipChild, DISABLED_ShipsUntilPruned) {
//     const char* dir = std::getenv("TAPEDECK_TEST_SHIP_DIR");
//     if (dir == nullptr) GTEST_SKIP() << "started by hand";
//     ...
//   }
//   const pid_t pid = StartChildTest({.filter = "ShipChild.*",
//                                     .variables = {{"TAPEDECK_TEST_SHIP_DIR", dir}},
//                                     .failpoint = "ship.before_manifest:1:kill",
//                                     .log = dir / "child.log"});
//   EXPECT_EQ(WaitForChildTest(pid), -SIGKILL) << "see " << dir / "child.log";
//
// Safe beside other threads of the parent: nothing is allocated between fork and exec.

#include <sys/types.h>

#include <filesystem>
#include <map>
#include <string>

namespace tapedeck::testing {

struct ChildTestPlan {
  std::string filter;                            // of gtest, such as "ShipChild.*"
  std::map<std::string, std::string> variables;  // besides those of the parent
  std::string failpoint;                         // TAPEDECK_FAILPOINT; empty: none
  std::filesystem::path log;                     // what it prints; empty: only its errors, as ours
};

/// The caller waits for it, and kills it where it should not end by itself. -1: there was no fork.
pid_t StartChildTest(const ChildTestPlan& plan);

/// Its exit status once it has ended; the signal, negative, where one ended it.
int WaitForChildTest(pid_t pid);

}  // namespace tapedeck::testing

#endif  // TAPEDECK_TESTS_SUPPORT_CHILD_TEST_H_
