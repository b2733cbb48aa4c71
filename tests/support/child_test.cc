#include "support/child_test.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string_view>
#include <vector>

extern char** environ;

namespace tapedeck::testing {
namespace {

constexpr std::string_view kFailpoint = "TAPEDECK_FAILPOINT=";

// A variable that the plan sets replaces the parent's.
std::vector<std::string> EnvironmentOf(const ChildTestPlan& plan) {
  std::vector<std::string> entries;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const std::string name(text.substr(0, text.find('=')));
    if (!text.starts_with(kFailpoint) && !plan.variables.contains(name)) entries.emplace_back(text);
  }
  for (const auto& [name, value] : plan.variables) entries.push_back(name + "=" + value);
  if (!plan.failpoint.empty()) entries.push_back(std::string(kFailpoint) + plan.failpoint);
  return entries;
}

std::vector<char*> Pointers(std::vector<std::string>* texts) {
  std::vector<char*> pointers;
  for (std::string& text : *texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace

pid_t StartChildTest(const ChildTestPlan& plan) {
  std::vector<std::string> entries = EnvironmentOf(plan);
  std::vector<std::string> words = {"child_test", "--gtest_filter=" + plan.filter,
                                    "--gtest_also_run_disabled_tests"};
  const std::vector<char*> environment = Pointers(&entries), arguments = Pointers(&words);
  const std::string log = plan.log.empty() ? "/dev/null" : plan.log.string();
  const pid_t pid = ::fork();
  if (pid != 0) return pid;
  const int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  ::dup2(out, STDOUT_FILENO);
  if (!plan.log.empty()) ::dup2(out, STDERR_FILENO);
  ::execve("/proc/self/exe", arguments.data(), environment.data());
  ::_exit(127);
}

int WaitForChildTest(pid_t pid) {
  int status = 0;
  ::waitpid(pid, &status, 0);
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace tapedeck::testing
