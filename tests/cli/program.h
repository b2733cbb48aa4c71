#ifndef TAPEDECK_TESTS_CLI_PROGRAM_H_
#define TAPEDECK_TESTS_CLI_PROGRAM_H_

// Program: the real binary `tapedeck` as a child process.
//
//   Outcome outcome = RunTapedeck({"config", "check"});             // to its end
//   Program node({"serve", "--config", file});                      // goes on beside the test
//   ASSERT_TRUE(node.WaitForEvent("ready"));
//   node.Signal(SIGTERM);
//   Outcome end = node.Wait();
//
// The child sees no TAPEDECK_ variable of the test's environment but those that are given. A child
// that lives when its Program ends is killed. Owned by one thread.

#include <sys/types.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace tapedeck::testing {

using Arguments = std::vector<std::string>;
using Variables = std::vector<std::pair<std::string, std::string>>;

struct Outcome {
  int exit_code = -1;  // -1: it did not exit
  int signal = 0;      // that ended it
  bool timed_out = false;
  std::string out;
  std::string err;
  std::chrono::milliseconds took{0};
};

class Program {
 public:
  explicit Program(const Arguments& arguments, const Variables& variables = {},
                   const std::string& input = "");
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  /// The next line of stdout that is a JSON object with this "event"; nothing where the program
  /// ends or the time is over.
  std::optional<nlohmann::json> WaitForEvent(
      const std::string& event, std::chrono::seconds timeout = std::chrono::seconds(30));
  void Signal(int signal) const;
  /// Waits for its end.
  Outcome Wait(std::chrono::seconds timeout = std::chrono::seconds(60));
  pid_t pid() const { return pid_; }
  /// What it wrote on stderr so far.
  std::string Errors();

 private:
  /// More of stdout; false at its end or when `deadline` has passed.
  bool Read(std::chrono::steady_clock::time_point deadline);

  pid_t pid_ = -1;
  int out_ = -1;
  std::string err_file_;
  std::string out_text_;
  size_t looked_at_ = 0;
  std::chrono::steady_clock::time_point began_;
};

Outcome RunTapedeck(const Arguments& arguments, const Variables& variables = {},
                    const std::string& input = "");

}  // namespace tapedeck::testing

#endif  // TAPEDECK_TESTS_CLI_PROGRAM_H_
