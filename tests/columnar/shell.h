#ifndef TAPEDECK_TESTS_COLUMNAR_SHELL_H_
#define TAPEDECK_TESTS_COLUMNAR_SHELL_H_

// Shell: a command's exit code and all that it prints. Owned by one thread.

#include <sys/wait.h>

#include <cstdio>
#include <string>
#include <utility>

namespace tapedeck::testing {

/// {-1, …} where it did not end by itself.
inline std::pair<int, std::string> Shell(const std::string& command) {
  std::string output;
  FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  if (pipe == nullptr) return {-1, "popen"};
  char buffer[4096];
  while (size_t bytes = fread(buffer, 1, sizeof(buffer), pipe)) output.append(buffer, bytes);
  const int status = pclose(pipe);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, output};
}

}  // namespace tapedeck::testing

#endif  // TAPEDECK_TESTS_COLUMNAR_SHELL_H_
